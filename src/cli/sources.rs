//! Files a person named, as texts with their names.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::engine::diagnostic::Source;

/// Bytes of a file that a person wrote.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Reads a text file; a byte-order mark is left out.
///
/// # Errors
/// A file that is not there, is too large or is not UTF-8, in words that fit after "cannot".
pub(super) fn read(path: &Path) -> anyhow::Result<Source> {
    let shown = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("read {shown}"))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).with_context(|| format!("read {shown}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        bail!("read {shown}: it is larger than 16 MiB");
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| anyhow::anyhow!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to()))
        .with_context(|| format!("read {shown}"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(Source { name: Arc::from(shown.to_string()), text: Arc::from(text) })
}

/// The files directly in a folder whose names end in one of `endings`, in the order of their names.
///
/// # Errors
/// A folder that cannot be read.
pub(super) fn listed(folder: &Path, endings: &[&str]) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let shown = folder.display();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read the folder {shown}"))? {
        let path = entry.with_context(|| format!("read the folder {shown}"))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let wanted = !name.starts_with('.') && endings.iter().any(|ending| name.ends_with(ending));
        // A broken link stays in, so that it is said.
        if wanted && std::fs::metadata(&path).map_or(true, |found| found.is_file()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A path as it stands in a URI.
pub(super) fn escaped_path(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
