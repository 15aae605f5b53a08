//! What the README and `docs/` say is so: every page is reached, every link leads somewhere, every command says what is
//! shown.
//!
//! Each page is read from top to bottom in a folder of its own, as a newcomer would: what a comment calls a file is
//! written, what is in a fenced `console` or `sh` block is run. In `console` a line `$ …` is a command, `> …` goes on with
//! it, and the rest is what it says: `…` in a line stands for any text, alone for any lines. A command that ends with
//! another code than 0 is followed by `$ echo $?`. Comments right before a fence:
//!
//! | comment | |
//! |---|---|
//! | `<!-- file: NAME -->` | the block is the file NAME |
//! | `<!-- background: TEXT -->` | the command goes on running; the next ones wait until it said TEXT |
//! | `<!-- eventually -->` | the commands are repeated until they say what is shown |
//! | `<!-- not run: REASON -->` | they are not run |
//!
//! `<!-- in a clone -->` anywhere has a copy of what the repository ships in the folder. The well-known ports are free ones
//! while a page runs. `UPDATE_DOCS=1` writes what commands say now where no `…` stands; read the difference.

mod links;
mod page;
mod session;

use std::path::{Path, PathBuf};

use page::Page;
use session::Session;

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README and every page of `docs/`, by their paths from the root.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![PathBuf::from("README.md")];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
    pages.sort();
    pages
}

/// Does what a page says, and returns what is not so.
fn follow(path: &Path) -> Vec<String> {
    let page = Page::read(&root().join(path));
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    let mut session = Session::start(page.place());
    let mut failures = Vec::new();
    let mut edits = Vec::new();
    for block in &page.blocks {
        if let Some(name) = block.mark("file") {
            session.write(name, &block.text());
            continue;
        }
        for command in block.commands() {
            let said = session.run(block, &command);
            if let Err(failure) = said.held_against(&command) {
                if update && said.ends_well(&command) && command.can_be_updated() {
                    edits.push((command.shown_lines.clone(), said.text.clone()));
                } else {
                    failures.push(format!("{}:{}: {failure}", path.display(), command.line));
                }
            }
        }
    }
    failures.extend(session.end().into_iter().map(|failure| format!("{}: {failure}", path.display())));
    page.update(edits);
    failures
}

/// The tests of pages, so that they run side by side.
macro_rules! followed {
    ($($test:ident: $path:literal,)*) => {
        $(#[test]
        fn $test() {
            let failures = follow(Path::new($path));
            assert!(failures.is_empty(), "{}", failures.join("\n"));
        })*

        /// The pages with a test above.
        const FOLLOWED: &[&str] = &[$($path),*];
    };
}

followed! {
    the_readme_can_be_followed: "README.md",
    the_page_of_commands_can_be_followed: "docs/commands.md",
    the_page_of_configuration_can_be_followed: "docs/configuration.md",
    the_page_of_events_can_be_followed: "docs/events.md",
    the_page_of_the_first_rule_can_be_followed: "docs/first-rule.md",
    the_page_of_rules_can_be_followed: "docs/rules.md",
    the_page_of_rule_tests_can_be_followed: "docs/testing-rules.md",
    the_page_of_running_can_be_followed: "docs/running.md",
    the_page_of_scaling_can_be_followed: "docs/scaling.md",
    the_page_of_troubles_can_be_followed: "docs/troubleshooting.md",
}

#[test]
fn every_page_with_a_command_is_followed() {
    for path in pages() {
        let is_followed = FOLLOWED.iter().any(|known| Path::new(known) == path);
        let page = Page::read(&root().join(&path));
        let commands = page.blocks.iter().filter(|block| block.is_shell()).count();
        assert!(is_followed || commands == 0, "{} has commands and no test above", path.display());
        for block in page.blocks.iter().filter(|block| block.is_shell()) {
            let reason = block.mark("not run");
            assert!(reason.is_none_or(|reason| reason.len() > 10), "{}:{}: why?", path.display(), block.line);
        }
    }
}

/// Rules that are shown are rules that load.
#[test]
fn every_rule_file_that_is_shown_passes_the_check() {
    let mut count = 0;
    for path in pages() {
        let page = Page::read(&root().join(&path));
        for block in page.blocks.iter().filter(|block| block.text().starts_with("groups:")) {
            count += 1;
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("rules.yaml"), block.text()).unwrap();
            // Blocks that are meant to be wrong are files of a page, whose commands show what is said of them.
            if block.mark("file").is_some() {
                continue;
            }
            let mut check = super::process::signalbox();
            let output = check.args(["check", "rules.yaml"]).current_dir(folder.path()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{}:{}: {said}", path.display(), block.line);
        }
    }
    assert!(count > 0);
}

/// Events that are shown are events that are taken.
#[test]
fn every_event_of_the_reference_is_valid_and_usual() {
    let page = Page::read(&root().join("docs/events.md"));
    let lines = page.blocks.iter().filter(|block| block.language == "json" && block.mark("file").is_none());
    let lines: Vec<String> = lines.map(page::Block::text).collect();
    assert_eq!(lines.len(), 28);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("events.jsonl"), lines.concat()).unwrap();
    let mut validate = super::process::signalbox();
    let output = validate.args(["validate", "events.jsonl"]).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, "28 events: 28 accepted (0 of them with warnings), 0 refused\n");
}

/// The words of a text that are numbers with a fraction, or of microseconds.
fn figures(text: &str) -> Vec<&str> {
    let words = text.split(|letter: char| letter.is_whitespace() || "|,;()".contains(letter));
    words.filter(|word| word.contains('.') && word.parse::<f64>().is_ok()).collect()
}

/// What is measured is said in one place.
#[test]
fn every_figure_of_the_comparison_and_of_sizing_is_one_of_performance() {
    let performance = std::fs::read_to_string(root().join("docs/performance.md")).unwrap();
    let known = figures(&performance);
    for (path, begin) in [("README.md", "## Beside what you may have"), ("docs/running.md", "## Sizing")] {
        let page = std::fs::read_to_string(root().join(path)).unwrap();
        let (_, rest) = page.split_once(begin).unwrap();
        let part = rest.split("\n## ").next().unwrap();
        let shown = figures(part);
        assert!(!shown.is_empty(), "{path}");
        for figure in shown {
            assert!(known.contains(&figure), "{path}: docs/performance.md has no {figure}");
        }
    }
}

/// A metric of the sidecar that a page speaks of is there.
#[test]
fn every_metric_of_the_sidecar_that_pages_name_is_in_the_catalogue() {
    let metrics = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    for path in pages() {
        let page = std::fs::read_to_string(root().join(&path)).unwrap();
        for (at, _) in page.match_indices("signalbox_") {
            let name: String = page[at..].chars().take_while(|letter| is_name(*letter)).collect();
            let is_pattern = name.ends_with('_');
            let wanted = if is_pattern { name.clone() } else { format!("`{name}`") };
            assert!(metrics.contains(&wanted), "{}: {name} is no metric", path.display());
        }
    }
}
