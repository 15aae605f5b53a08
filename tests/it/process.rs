//! Other programs in end-to-end tests: the signalbox binary as a process, Prometheus, Python with its parsers.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::support::{Answer, free_port, read_answer, wait_for};

/// A process that is killed when dropped; what it said is shown where the test fails.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says goes to a file in `folder`.
    pub(crate) fn start(command: &mut Command, folder: &Path) -> Self {
        let name = Path::new(command.get_program()).file_name().unwrap_or_default().display().to_string();
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot run {name}: {error}; run scripts/test, which installs it")
        });
        Self { name, child, log }
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end and says its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let name = format!("the end of {}", self.name);
        wait_for(&name, || self.child.try_wait().unwrap()).code()
    }

    /// Whether it runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.name, self.said());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Prometheus with this configuration and these flags, on a free port.
pub(crate) fn start_prometheus(folder: &Path, config: &str, flags: &[&str]) -> (Process, u16) {
    let port = free_port();
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).args(flags);
    let mut process = Process::start(command.current_dir(folder), folder);
    wait_for("Prometheus", || {
        assert!(process.is_running(), "prometheus ended");
        get(port, "/-/ready").filter(|answer| answer.status == 200)
    });
    (process, port)
}

/// The binary of this package, without the caller's `SIGNALBOX_*`.
pub(crate) fn signalbox() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signalbox"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SIGNALBOX_") {
            command.env_remove(name);
        }
    }
    command
}

/// `signalbox run` on a free port, beside what `more` says; makes the stream.
pub(crate) fn run_signalbox(folder: &Path, nats_url: &str, more: &[&str]) -> (Process, u16) {
    run_configured(folder, nats_url, "jetstream: {create_stream: true}\n", more)
}

/// The same with a configuration.
pub(crate) fn run_configured(folder: &Path, nats_url: &str, text: &str, more: &[&str]) -> (Process, u16) {
    let port = free_port();
    let config = folder.join("signalbox.yaml");
    std::fs::write(&config, text).unwrap();
    let mut command = signalbox();
    command.args(["run", "--nats-url", nats_url, "--listen", &format!("127.0.0.1:{port}")]);
    command.arg("--config").arg(&config).args(more).current_dir(folder);
    let mut process = Process::start(&mut command, folder);
    wait_for("readiness", || {
        assert!(process.is_running(), "signalbox ended");
        get(port, "/-/ready").filter(|answer| answer.status == 200)
    });
    (process, port)
}

/// What a path on this port of this machine answers; none where nobody listens.
pub(crate) fn get(port: u16, path: &str) -> Option<Answer> {
    ask(port, "GET", path)
}

/// What a path on this port of this machine answers to POST; none where nobody listens.
pub(crate) fn post(port: u16, path: &str) -> Option<Answer> {
    ask(port, "POST", path)
}

fn ask(port: u16, method: &str, path: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    Some(read_answer(&mut stream))
}

/// A Python with the packages `scripts/test` installs.
pub(crate) fn python() -> Command {
    let Some(python) = std::env::var_os("SIGNALBOX_TEST_PYTHON") else {
        panic!(
            "SIGNALBOX_TEST_PYTHON names no Python with prometheus_client; run scripts/test, which installs one"
        );
    };
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
