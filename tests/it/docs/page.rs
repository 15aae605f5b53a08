//! A page as blocks: fenced parts with the comments before them.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A page.
pub(super) struct Page {
    path: PathBuf,
    lines: Vec<String>,
    pub(super) blocks: Vec<Block>,
}

/// Where a page is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a folder with nothing in it.
    EmptyFolder,
    /// In one with what the repository ships.
    Clone,
}

/// A fenced block.
pub(super) struct Block {
    /// What stands behind the fence.
    pub(super) language: String,
    /// The line of the fence, from 1.
    pub(super) line: usize,
    marks: Vec<(String, String)>,
    lines: Vec<String>,
}

/// A command and what is shown of it.
pub(super) struct Command {
    /// Its line in the page, from 1.
    pub(super) line: usize,
    /// What is typed.
    pub(super) text: String,
    /// What it is shown to say; none where nothing is shown.
    pub(super) shown: Option<String>,
    /// Where that stands, as indices of the page's lines.
    pub(super) shown_lines: Range<usize>,
    /// Whether the next command asks for its exit code.
    pub(super) may_fail: bool,
}

impl Command {
    /// Whether what it says now may take the place of what is shown.
    pub(super) fn can_be_updated(&self) -> bool {
        self.shown.as_ref().is_some_and(|shown| !shown.contains('…'))
    }
}

impl Page {
    pub(super) fn read(path: &Path) -> Self {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = false;
        let mut marks = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            match (open, line.trim_start().strip_prefix("```")) {
                (true, Some(_)) => open = false,
                (true, None) => blocks.last_mut().unwrap().lines.push(line.clone()),
                (false, Some(language)) => {
                    open = true;
                    let (language, marks) = (language.to_owned(), std::mem::take(&mut marks));
                    blocks.push(Block { language, line: index + 1, marks, lines: Vec::new() });
                }
                (false, None) => match mark(line) {
                    Some(found) => marks.push(found),
                    None => marks.clear(),
                },
            }
        }
        assert!(!open, "{}: a fence is not closed", path.display());
        Self { path: path.to_owned(), lines, blocks }
    }

    /// Where it is followed.
    pub(super) fn place(&self) -> Place {
        let is_marked = self.lines.iter().any(|line| line == "<!-- in a clone -->");
        if is_marked { Place::Clone } else { Place::EmptyFolder }
    }

    /// Its lines outside of fences, with their numbers from 1.
    pub(super) fn prose(&self) -> Vec<(usize, &str)> {
        let mut open = false;
        let mut prose = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            if line.trim_start().starts_with("```") {
                open = !open;
            } else if !open {
                prose.push((index + 1, line.as_str()));
            }
        }
        prose
    }

    /// Writes it with other lines in place of those at these indices.
    pub(super) fn update(mut self, mut edits: Vec<(Range<usize>, String)>) {
        if edits.is_empty() {
            return;
        }
        edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        for (range, text) in edits {
            self.lines.splice(range, text.lines().map(str::to_owned));
        }
        let mut text = String::new();
        for line in &self.lines {
            writeln!(text, "{line}").unwrap();
        }
        std::fs::write(&self.path, text).unwrap();
    }
}

/// The name and value of a comment.
fn mark(line: &str) -> Option<(String, String)> {
    let inner = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    let (name, value) = inner.split_once(':').unwrap_or((inner, ""));
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

impl Block {
    /// The value of a comment before it.
    pub(super) fn mark(&self, name: &str) -> Option<&str> {
        self.marks.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is there to be typed.
    pub(super) fn is_shell(&self) -> bool {
        ["console", "sh", "bash"].contains(&self.language.as_str())
    }

    /// What stands in it.
    pub(super) fn text(&self) -> String {
        self.lines.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// Its commands that are to be run.
    pub(super) fn commands(&self) -> Vec<Command> {
        if !self.is_shell() || self.mark("not run").is_some() {
            return Vec::new();
        }
        if self.language != "console" {
            let (line, text) = (self.line, self.text());
            return vec![Command { line, text, shown: None, shown_lines: 0..0, may_fail: false }];
        }
        let mut commands: Vec<Command> = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            // The fence is at `self.line` from 1, so the first line of the block has that index from 0.
            let place = self.line + index;
            if let Some(text) = line.strip_prefix("$ ") {
                let text = format!("{text}\n");
                let empty = place + 1..place + 1;
                commands.push(Command {
                    line: place + 1,
                    text,
                    shown: None,
                    shown_lines: empty,
                    may_fail: false,
                });
                continue;
            }
            let last = commands.last_mut().unwrap_or_else(|| panic!("line {}: no command", place + 1));
            match line.strip_prefix("> ") {
                Some(more) if last.shown.is_none() => {
                    last.text.push_str(more);
                    last.text.push('\n');
                    last.shown_lines = place + 1..place + 1;
                }
                Some(_) | None => {
                    let shown = last.shown.get_or_insert_default();
                    shown.push_str(line);
                    shown.push('\n');
                    last.shown_lines.end = place + 1;
                }
            }
        }
        let asks: Vec<bool> = commands.iter().map(|command| command.text == "echo $?\n").collect();
        for (index, command) in commands.iter_mut().enumerate() {
            command.may_fail = asks.get(index + 1).copied().unwrap_or(false);
        }
        commands
    }
}
