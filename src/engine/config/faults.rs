//! What makes a configuration unusable though the file is right: a file it names is not there, and the like. The
//! engine looks at no file, so whoever reads the configuration brings these.

use std::ops::Range;

use crate::engine::yaml::Node;

/// Something outside the file that makes a key of it unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The key with its section, and the place in a list: `nats.creds`, `rules.0`.
    pub(crate) key: String,
    /// The code of the finding.
    pub(crate) code: &'static str,
    /// What is wrong, as a lower-case fragment.
    pub(crate) message: String,
    /// What to do, as a sentence.
    pub(crate) advice: String,
}

/// The bytes of a key's value, of as much of its path as the file has.
pub(super) fn place(root: &Node, key: &str) -> Range<usize> {
    let mut node = root;
    for part in key.split('.') {
        let listed = part.parse::<usize>().ok().and_then(|place| node.elements().get(place));
        match node.get(part).or(listed) {
            Some(inner) => node = inner,
            None => break,
        }
    }
    if std::ptr::eq(node, root) { 0..0 } else { node.span.clone() }
}
