//! Scripts of machines under test: a line is something that happens, and the lines behind it that begin with `> ` are what
//! must leave because of it, in order and all of it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A line of a script with its number.
pub(super) type Line<'a> = (usize, &'a str);

/// Deadlines that may come in one wait.
const DEADLINES_MAX: usize = 1_000;

/// How far a script got.
pub(super) struct Course {
    /// When it began.
    pub(super) start: Instant,
    /// Its present.
    pub(super) now: Instant,
    /// What left since the last line that said what must.
    pub(super) seen: VecDeque<String>,
}

impl Course {
    /// That of a script that begins.
    pub(super) fn new() -> Self {
        let start = Instant::now();
        Self { start, now: start, seen: VecDeque::new() }
    }

    /// How long the script lasted so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.start
    }
}

/// A machine with all that a script needs around it.
pub(super) trait Stage {
    /// Has happen what a line says.
    fn act(&mut self, line: &str);

    /// How far the script got.
    fn course(&mut self) -> &mut Course;

    /// When the machine wants to be called next.
    fn deadline(&self) -> Option<Instant>;

    /// Tells the machine what time it is, and collects what leaves.
    fn due(&mut self);

    /// Lets time pass, the machine being called at each of its deadlines.
    fn wait(&mut self, span: Duration) {
        let end = self.course().now + span;
        for _ in 0..DEADLINES_MAX {
            let now = self.course().now;
            let next = self.deadline().map_or(end, |deadline| deadline.max(now)).min(end);
            self.course().now = next;
            self.due();
            if next >= end {
                return;
            }
        }
        panic!("{DEADLINES_MAX} deadlines in {span:?}");
    }
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
        let seen: Vec<String> = stage.course().seen.drain(..).collect();
        if seen != expected {
            let elapsed = stage.course().elapsed();
            let mut text = format!("{name}:{number} after {elapsed:?}: `{line}` gave\n");
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
