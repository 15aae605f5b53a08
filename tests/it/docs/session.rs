//! What somebody does who follows a page: a folder, commands one after the other, some that go on running.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::time::{Duration, Instant};

use super::page::{Block, Command, Place};
use super::root;
use crate::process::{python, signalbox};
use crate::support::{free_port, wait_at_most};

/// The ports that pages name.
const PORTS: [&str; 5] = ["4222", "8222", "9090", "9093", "9469"];

/// What a clone has that pages run.
const SHIPPED: [&str; 2] = ["rules", "examples"];

/// How long a command may take, and something that is shown to come true: other tests run beside it.
const PATIENCE: Duration = Duration::from_mins(3);

/// What a command said.
pub(super) struct Said {
    /// Both sides together, with the ports as the page has them.
    pub(super) text: String,
    code: i32,
}

/// A folder and what runs there.
pub(super) struct Session {
    folder: tempfile::TempDir,
    work: PathBuf,
    ports: Vec<(&'static str, String)>,
    code: i32,
    running: Vec<Running>,
    count: usize,
}

/// A command that goes on.
struct Running {
    child: Child,
    log: PathBuf,
    shown: Option<String>,
    text: String,
}

impl Session {
    /// Begins one.
    pub(super) fn start(place: Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        let programs = folder.path().join("bin");
        fs::create_dir_all(&work).unwrap();
        fs::create_dir_all(&programs).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_signalbox"), programs.join("signalbox")).unwrap();
        let python = format!("#!/bin/sh\nexec '{}' \"$@\"\n", python().get_program().display());
        fs::write(programs.join("python3"), python).unwrap();
        fs::set_permissions(programs.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
        if place == Place::Clone {
            let mut copy = Program::new("cp");
            copy.arg("-r").args(SHIPPED.map(|name| root().join(name))).arg(&work);
            assert!(copy.status().unwrap().success());
        }
        let ports = PORTS.iter().map(|&port| (port, free_port().to_string())).collect();
        Self { folder, work, ports, code: 0, running: Vec::new(), count: 0 }
    }

    /// Writes a file of the page.
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.work.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.with_free_ports(text)).unwrap();
    }

    /// Runs a command as its block says.
    pub(super) fn run(&mut self, block: &Block, command: &Command) -> Said {
        if let Some(sign) = block.mark("background") {
            return self.run_in_background(command, sign);
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let said = self.once(command);
            let is_done = block.mark("eventually").is_none() || said.held_against(command).is_ok();
            if is_done || Instant::now() > end {
                self.code = said.code;
                return said;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// Ends what goes on; what it did not say though it is shown.
    pub(super) fn end(mut self) -> Vec<String> {
        let mut failures = Vec::new();
        for mut running in std::mem::take(&mut self.running).into_iter().rev() {
            let text = self.with_known_ports(&running.said());
            running.stop();
            let shown = running.shown.as_deref().unwrap_or("…\n");
            // It may have said more since.
            if !matches(&format!("{shown}…\n"), &text) {
                failures.push(format!("{}is shown to say\n{shown}but said\n{text}", running.text));
            }
        }
        failures
    }

    fn run_in_background(&mut self, command: &Command, sign: &str) -> Said {
        let (mut program, log) = self.program(&format!("exec {}", command.text));
        let child = program.spawn().unwrap();
        let (shown, text) = (command.shown.clone(), command.text.clone());
        self.running.push(Running { child, log, shown, text });
        let running = self.running.last_mut().unwrap();
        wait_at_most(PATIENCE, sign, || {
            let said = running.said();
            let ended = running.child.try_wait().unwrap();
            assert!(ended.is_none(), "{}ended: {said}", running.text);
            said.contains(sign).then_some(())
        });
        self.code = 0;
        // What it says is looked at in the end.
        Said { text: command.shown.clone().unwrap_or_default(), code: 0 }
    }

    fn once(&mut self, command: &Command) -> Said {
        let cwd = self.folder.path().join("cwd");
        let script = format!(
            "(exit {})\n{}status=$?; pwd > '{}'; exit $status",
            self.code,
            if command.text.ends_with('\n') { command.text.clone() } else { format!("{}\n", command.text) },
            cwd.display()
        );
        let (mut program, log) = self.program(&script);
        let mut child = program.spawn().unwrap();
        let status =
            wait_at_most(PATIENCE, &format!("the end of {}", command.text), || child.try_wait().unwrap());
        if let Ok(now) = fs::read_to_string(&cwd) {
            self.work = PathBuf::from(now.trim_end());
        }
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Said { text: self.with_known_ports(&fs::read_to_string(log).unwrap()), code }
    }

    /// A shell for a script, and where it writes.
    fn program(&mut self, script: &str) -> (Program, PathBuf) {
        self.count += 1;
        let log = self.folder.path().join(format!("{}.log", self.count));
        let file = File::create(&log).unwrap();
        // A command without the caller's SIGNALBOX_*, as the shell's environment.
        let mut program = Program::new("bash");
        for (name, value) in signalbox().get_envs() {
            if value.is_none() {
                program.env_remove(name);
            }
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let (_, listen) = self.ports.iter().find(|(known, _)| *known == "9469").unwrap();
        program
            .args(["-c", &self.with_free_ports(script)])
            .current_dir(&self.work)
            .env("PATH", format!("{}:{path}", self.folder.path().join("bin").display()))
            .env("HOME", self.folder.path())
            .env("SIGNALBOX_LISTEN", format!("127.0.0.1:{listen}"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        (program, log)
    }

    fn with_free_ports(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (known, free)| {
            text.replace(&format!(":{known}"), &format!(":{free}"))
        })
    }

    fn with_known_ports(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (known, free)| {
            text.replace(&format!(":{free}"), &format!(":{known}"))
        })
    }
}

impl Running {
    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it as Ctrl-C does, so that it ends what it started.
    fn stop(&mut self) {
        let told = Program::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(told.is_ok());
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() && Instant::now() < end {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.stop();
        }
    }
}

impl Said {
    /// Whether the command ended as the page has it.
    pub(super) fn ends_well(&self, command: &Command) -> bool {
        self.code == 0 || command.may_fail
    }

    /// Whether it is what the page shows.
    pub(super) fn held_against(&self, command: &Command) -> Result<(), String> {
        let Command { text, shown, .. } = command;
        if !self.ends_well(command) {
            return Err(format!("`{}` ends with {}:\n{}", text.trim_end(), self.code, self.text));
        }
        match shown {
            Some(shown) if !matches(shown, &self.text) => {
                Err(format!("`{}` is shown to say\n{shown}but says\n{}", text.trim_end(), self.text))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Whether a text is what is shown; `…` stands for any text of a line, alone for any lines.
fn matches(shown: &str, text: &str) -> bool {
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let text: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines_match(&shown, &text)
}

fn lines_match(shown: &[&str], text: &[&str]) -> bool {
    match (shown, text) {
        ([], []) => true,
        ([first, rest @ ..], _) if first.trim() == "…" => {
            (0..=text.len()).any(|skipped| lines_match(rest, &text[skipped..]))
        }
        ([first, rest @ ..], [line, more @ ..]) => line_matches(first, line) && lines_match(rest, more),
        ([], _) | (_, []) => false,
    }
}

fn line_matches(shown: &str, line: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    false
}

#[test]
fn what_is_shown_is_held_against_what_is_said() {
    assert!(matches("a\n…\nz\n", "a\nb\nc\nz\n") && matches("a\n…\nz\n", "a\nz\n"));
    assert!(!matches("a\n…\nz\n", "a\nb\n") && !matches("a\n", "a\nb\n"));
    assert!(matches("took … s of … s\n", "took 1.5 s of 2 s\n"));
    assert!(!matches("took … s\n", "took 1.5 minutes\n") && !matches("took\n", "took 1\n"));
    assert!(Path::new(env!("CARGO_BIN_EXE_signalbox")).exists());
}
