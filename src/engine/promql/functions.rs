//! The table of functions.

/// One function's signature.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
}
