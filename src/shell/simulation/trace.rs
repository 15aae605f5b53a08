//! What happened in a world: a hash of all of it, and lines where somebody wants to read it.

use super::time::Micros;

/// What happened.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A hash alone.
    pub(super) const fn hashed() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: None }
    }

    /// Every line too.
    pub(super) fn told() -> Self {
        Self { lines: Some(Vec::new()), ..Self::hashed() }
    }

    /// Notes something.
    pub(super) fn note(&mut self, now: Micros, what: &str, detail: impl FnOnce() -> String) {
        self.mix(&now.to_le_bytes());
        self.mix(what.as_bytes());
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>12} {what} {}", now, detail()));
        }
    }

    /// Whether somebody reads the lines.
    pub(super) const fn is_read(&self) -> bool {
        self.lines.is_some()
    }

    /// The hash of everything that was noted.
    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines.
    pub(super) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
