//! Paths as URIs and back.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use lsp_types::Uri;

use super::super::sources::escaped_path;
use super::workspace::plain;

/// The path of a `file:` URI.
pub(super) fn path(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    // A host may stand in front; ours are on this machine.
    let rest = rest.get(rest.find('/')?..)?;
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest.bytes();
    while let Some(byte) = left.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(left.next())?, digit(left.next())?);
        bytes.push((high * 16 + low) as u8);
    }
    Some(plain(Path::new(&String::from_utf8(bytes).ok()?)))
}

/// The URI of an absolute path.
pub(super) fn of(path: &Path) -> Option<Uri> {
    Uri::from_str(&format!("file://{}", escaped_path(path.to_str()?))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_back_from_its_uri() {
        for text in ["/a/b.yaml", "/a b/é%.yaml"] {
            let uri = of(Path::new(text)).unwrap();
            assert_eq!(path(&uri), Some(PathBuf::from(text)), "{text}");
        }
        assert_eq!(
            path(&Uri::from_str("file:///a/./b/../c.yaml").unwrap()),
            Some(PathBuf::from("/a/c.yaml"))
        );
        assert_eq!(path(&Uri::from_str("untitled:1").unwrap()), None);
    }
}
