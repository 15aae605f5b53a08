//! Flags that take several values also take what was meant to stand alone behind them: in
//! `replay --rules rules/ events.jsonl` the recording. Where a command lacks it, it is the last of those values.

use std::path::{Path, PathBuf};

/// The last value of the first of these flags that ends with one of the wanted kind, taken out of it; a flag keeps at
/// least one.
pub(super) fn take_last<const FLAGS: usize>(
    flags: [&mut Option<Vec<PathBuf>>; FLAGS],
    is_wanted: impl Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let ends_so =
        |values: &&mut Vec<PathBuf>| values.len() > 1 && values.last().is_some_and(|last| is_wanted(last));
    flags.into_iter().filter_map(Option::as_mut).find(ends_so).and_then(Vec::pop)
}

/// Whether a path may be a recording: neither a folder nor named like a rule file.
pub(super) fn may_be_recording(path: &Path) -> bool {
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    !is_yaml && !path.is_dir()
}
