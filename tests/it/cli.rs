//! The commands as people meet them: each `tests/cli/*.txt` is a command, its files, and all it must say.
//!
//! A case is a text of sections `-- name --`: first a sentence and a line `$ [NAME=VALUE] signalbox …`, then the files it
//! runs beside, `-- stdin --` where it reads one, and `-- stdout --`, `-- stderr --`, `-- exit --`.
//! `UPDATE_CLI_CASES=1` writes what the command says now into the cases; read the difference before you keep it.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// One case: the sections in their order.
struct Case {
    head: String,
    sections: Vec<(String, String)>,
}

impl Case {
    fn read(text: &str) -> Self {
        let mut case = Self { head: String::new(), sections: Vec::new() };
        for line in text.split_inclusive('\n') {
            let name = line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
            match (name, case.sections.last_mut()) {
                (Some(name), _) => case.sections.push((name.to_owned(), String::new())),
                (None, Some((_, body))) => body.push_str(line),
                (None, None) => case.head.push_str(line),
            }
        }
        case
    }

    fn section(&self, name: &str) -> &str {
        self.sections.iter().find(|(known, _)| known == name).map_or("", |(_, body)| body)
    }

    fn set(&mut self, name: &str, body: String) {
        if body.is_empty() {
            self.sections.retain(|(known, _)| known != name);
            return;
        }
        match self.sections.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = body,
            None => self.sections.push((name.to_owned(), body)),
        }
    }

    fn text(&self) -> String {
        let mut text = self.head.clone();
        for (name, body) in &self.sections {
            write!(text, "-- {name} --\n{body}").unwrap();
        }
        text
    }

    /// What the command says now: stdout, stderr, exit code.
    fn run(&self) -> [(&'static str, String); 3] {
        let folder = tempfile::tempdir().unwrap();
        for (name, body) in &self.sections {
            if !["stdin", "stdout", "stderr", "exit"].contains(&name.as_str()) {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, body).unwrap();
            }
        }
        let line = self.head.lines().find_map(|line| line.strip_prefix("$ ")).unwrap();
        let words = words(line);
        let name = words.iter().position(|word| word == "signalbox").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_signalbox"));
        command.args(&words[name + 1..]).current_dir(folder.path()).env_clear();
        command.envs(words[..name].iter().map(|word| word.split_once('=').unwrap()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that reads no input may end before it is written.
        let _ = child.stdin.take().unwrap().write_all(self.section("stdin").as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
        };
        let exit = output.status.code().map_or("killed".to_owned(), |code| code.to_string());
        [("stdout", text(&output.stdout)), ("stderr", text(&output.stderr)), ("exit", format!("{exit}\n"))]
    }
}

/// The words of a command line; quotes keep blanks.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (None, ' ') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == character => quote = None,
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_says_what_its_cases_expect() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let update = std::env::var_os("UPDATE_CLI_CASES").is_some();
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    paths.sort();
    assert!(paths.len() > 10, "the cases are missing");
    let mut failures = String::new();
    for path in paths {
        let mut case = Case::read(&fs::read_to_string(&path).unwrap());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for (section, said) in case.run() {
            let expected = case.section(section).to_owned();
            if said != expected && !update {
                write!(failures, "{name}, {section}: expected\n{expected}but it said\n{said}\n").unwrap();
            }
            if update {
                case.set(section, said);
            }
        }
        if update {
            fs::write(&path, case.text()).unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn the_version_names_the_revision() {
    let output = Command::new(env!("CARGO_BIN_EXE_signalbox")).arg("--version").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let begin = format!("signalbox {} (revision ", env!("CARGO_PKG_VERSION"));
    let revision = said.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(")\n")).unwrap();
    let is_clone = Path::new(env!("CARGO_MANIFEST_DIR")).join(".git").exists();
    match std::env::var("SIGNALBOX_REVISION") {
        Ok(told) => assert_eq!(revision, told),
        Err(_) if is_clone => {
            assert!(revision.len() == 12 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()), "{said}");
        }
        Err(_) => assert_eq!(revision, "unknown"),
    }
}
