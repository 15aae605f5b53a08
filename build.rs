//! Names the revision the binary is built from: `SIGNALBOX_REVISION` where the build is told, else what `.git` says.
//! No git is needed, and nothing is built again until the revision changes.
#![expect(
    clippy::disallowed_methods,
    reason = "a build script reads the files and the environment of the build"
)]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Digits of a revision that are shown.
const DIGITS: usize = 12;

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "cargo:rerun-if-changed=build.rs")?;
    writeln!(out, "cargo:rerun-if-env-changed=SIGNALBOX_REVISION")?;
    let told = std::env::var("SIGNALBOX_REVISION").ok().filter(|told| !told.trim().is_empty());
    let root = std::env::var("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let revision = match told {
        Some(told) => Some(told.trim().to_owned()),
        None => of_clone(&root.join(".git"), &mut out)?,
    };
    let revision = revision.unwrap_or_else(|| "unknown".to_owned());
    writeln!(out, "cargo:rustc-env=SIGNALBOX_REVISION={revision}")
}

/// The revision that a clone or a worktree is at; says which files tell that it moved.
fn of_clone(git: &Path, out: &mut impl Write) -> io::Result<Option<String>> {
    // In a worktree it is a file that names the folder.
    let folder = match fs::read_to_string(git) {
        Ok(text) => match text.trim().strip_prefix("gitdir: ") {
            Some(folder) => git.with_file_name("").join(folder),
            None => return Ok(None),
        },
        Err(_) => git.to_owned(),
    };
    let common = fs::read_to_string(folder.join("commondir"))
        .map_or_else(|_| folder.clone(), |common| folder.join(common.trim()));
    let Some(head) = read(&folder.join("HEAD"), out)? else { return Ok(None) };
    let Some(name) = head.strip_prefix("ref: ") else { return Ok(short(&head)) };
    let packed = read(&common.join("packed-refs"), out)?.unwrap_or_default();
    let of_packed = || {
        let line =
            packed.lines().find(|line| line.split_once(' ').is_some_and(|(_, known)| known == name))?;
        Some(line.to_owned())
    };
    let loose = read(&common.join(name), out)?;
    // A branch that is packed becomes a file with the next commit: its folder tells.
    if loose.is_none()
        && let Some(parent) = common.join(name).parent().filter(|parent| parent.is_dir())
    {
        writeln!(out, "cargo:rerun-if-changed={}", parent.display())?;
    }
    Ok(loose.or_else(of_packed).as_deref().and_then(short))
}

/// A file's text where it is there; cargo looks whether it changes.
fn read(path: &Path, out: &mut impl Write) -> io::Result<Option<String>> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(None) };
    writeln!(out, "cargo:rerun-if-changed={}", path.display())?;
    Ok(Some(text.trim().to_owned()))
}

/// The first digits of a revision, unless it is none.
fn short(revision: &str) -> Option<String> {
    let digits = revision.get(..DIGITS)?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| digits.to_owned())
}
