//! The real program as a child process.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use super::super::support::{Answer, read_answer, wait_for};
use super::scrape::Series;

/// The longest anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `signalbox run`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it serves HTTP.
    pub(crate) address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Process {
    /// Starts one with this configuration file.
    pub(crate) fn start(url: &str, config: &str) -> Self {
        Self::start_with(url, config, &[])
    }

    /// Starts one with more arguments.
    pub(crate) fn start_with(url: &str, config: &str, more: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_signalbox")), (url, config), more)
    }

    /// Starts one that sees the folder as another file system, mounted by these words of a shell over `$1`.
    pub(crate) fn start_on_mount(
        (folder, mount): (&Path, &str),
        (url, config): (&str, &str),
        more: &[&str],
    ) -> Self {
        let script = format!("set -e; {mount}; folder=$1; shift; exec \"$@\"");
        let mut command = Command::new("/usr/bin/env");
        command.args(["unshare", "--mount", "sh", "-c", &script, "sh"]).arg(folder);
        command.arg(env!("CARGO_BIN_EXE_signalbox"));
        Self::start_by(command, (url, config), more)
    }

    fn start_by(mut command: Command, (url, config): (&str, &str), more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("signalbox.yaml"), config).unwrap();
        let mut child = command
            .args(["run", "--listen", "127.0.0.1:0", "--log-format", "json", "--nats-url", url])
            .args(more)
            .current_dir(folder.path())
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (tell, told) = mpsc::channel();
        let reader = BufReader::new(child.stderr.take().unwrap());
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let fields: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                if fields["message"] == "listening for HTTP" {
                    let _ = tell.send(fields["address"].as_str().unwrap_or_default().to_owned());
                }
                kept.lock().unwrap().push(line);
            }
        });
        let address = told
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("it does not listen: {}", lines.lock().unwrap().join("\n")));
        Self { child, address: address.parse().unwrap(), lines, _folder: folder }
    }

    /// GET.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        read_answer(&mut stream)
    }

    /// Waits until it is ready.
    pub(crate) fn wait_ready(&self) {
        wait_for("readiness", || (self.get("/-/ready").status == 200).then_some(()));
    }

    /// All samples now.
    pub(crate) fn scrape(&self) -> Series {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.text());
        Series::parse(&answer.body)
    }

    /// Waits until the lane has received exactly so many events; the scrape that shows it.
    pub(crate) fn wait_received(&mut self, lane: &str, wanted: f64) -> Result<Series, String> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Err(format!("it ended with {status}: {}", self.panic().unwrap_or_default()));
            }
            let series = self.scrape();
            let received = series.total("signalbox_events_received_total", lane);
            if received >= wanted {
                return Ok(series);
            }
            if Instant::now() > end {
                return Err(format!("{received} events received, not {wanted}"));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Whether one log line holds all of these words.
    pub(crate) fn has_logged(&self, words: &[String]) -> bool {
        self.lines.lock().unwrap().iter().any(|line| words.iter().all(|word| line.contains(word.as_str())))
    }

    /// All log lines.
    pub(crate) fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// What a thread said at its end, if one panicked.
    pub(crate) fn panic(&self) -> Option<String> {
        self.lines.lock().unwrap().iter().find(|line| line.contains("panicked at")).cloned()
    }

    /// Lets no file it writes grow past this; a write is refused then, as by a full disk.
    pub(crate) fn limit_files(&self, bytes: u64) {
        let (id, limit) = (self.child.id().to_string(), format!("--fsize={bytes}:unlimited"));
        assert!(Command::new("prlimit").args(["--pid", &id, &limit]).status().unwrap().success());
    }

    /// Lets it have so many file descriptors; those it has stay open.
    pub(crate) fn limit_descriptors(&self, count: u64) {
        let (id, limit) = (self.child.id().to_string(), format!("--nofile={count}:"));
        assert!(Command::new("prlimit").args(["--pid", &id, &limit]).status().unwrap().success());
    }

    /// Has a shell do this where it sees the folder `$1` as it was mounted by [`Process::start_on_mount`].
    pub(crate) fn on_mount(&self, folder: &Path, script: &str) {
        let id = self.child.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &id, "--mount", "sh", "-ec", script, "sh"]).arg(folder);
        assert!(command.status().unwrap().success(), "{script}");
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has ended well.
    pub(crate) fn terminate(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = wait_for("its end", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
