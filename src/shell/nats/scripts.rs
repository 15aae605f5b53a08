//! Scripts of machines under test: a line is something that happens, and the lines behind it that begin with `> ` are what
//! must leave because of it, in order and all of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A line of a script with its number.
pub(super) type Line<'a> = (usize, &'a str);

/// A machine with all that a script needs around it.
pub(super) trait Stage {
    /// Has happen what a line says.
    fn act(&mut self, line: &str);

    /// What left since the last call.
    fn seen(&mut self) -> Vec<String>;

    /// How long the script lasted so far.
    fn elapsed(&self) -> Duration;
}

/// The lines of a script, without empty ones and remarks.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = (1..).zip(text.lines().map(str::trim)).collect();
    lines.retain(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
}

/// Plays the lines of a script; says where what leaves is not what it says.
pub(super) fn play(mut stage: impl Stage, name: &str, lines: &[Line<'_>]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut lines = lines.iter().peekable();
    while let Some((number, line)) = lines.next() {
        stage.act(line);
        let mut expected = Vec::new();
        while let Some((_, said)) = lines.next_if(|(_, line)| line.starts_with("> ")) {
            expected.push(said[2..].to_owned());
        }
        let seen = stage.seen();
        if seen != expected {
            let mut text = format!("{name}:{number} after {:?}: `{line}` gave\n", stage.elapsed());
            for line in seen {
                writeln!(text, "> {line}").unwrap();
            }
            faults.push(text);
        }
    }
    faults
}

/// Runs all scripts of a folder, of which there are so many at least, by their name and text.
pub(super) fn run_folder(folder: &str, least: usize, run: impl Fn(&str, &str) -> Vec<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= least, "{} scripts", paths.len());
    let faults = paths.iter().flat_map(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        run(&name, &std::fs::read_to_string(path).unwrap())
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
