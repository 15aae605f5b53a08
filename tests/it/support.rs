//! What end-to-end tests stand on: a real nats-server, a sidecar in this process, and the two little clients.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use signalbox::engine::config::Config;
use signalbox::shell::settings::{MissingStream, Secret};
use signalbox::shell::{Launch, Settings, run};

/// The longest anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `look` yields something.
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_at_most(PATIENCE, what, look)
}

/// The same with another patience.
pub(crate) fn wait_at_most<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {patience:?} in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The servers to test against: the machine's own and, where `scripts/test` installed it, a current one.
pub(crate) fn server_programs() -> Vec<PathBuf> {
    let own =
        std::env::var_os("SIGNALBOX_NATS_SERVER").map_or_else(|| PathBuf::from("nats-server"), PathBuf::from);
    let current = std::env::var_os("SIGNALBOX_TEST_CURRENT_NATS_SERVER").map(PathBuf::from);
    std::iter::once(own).chain(current).collect()
}

/// A port nobody uses now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A nats-server with JetStream in a folder of its own; killed when dropped.
pub(crate) struct Nats {
    program: PathBuf,
    /// Where it listens.
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl Nats {
    /// Starts one.
    pub(crate) fn start(program: &Path) -> Self {
        Self::start_with(program, "")
    }

    /// Starts one with more configuration.
    pub(crate) fn start_with(program: &Path, config: &str) -> Self {
        let mut nats = Self::stopped(program, config);
        nats.go();
        nats
    }

    /// One that does not run yet.
    pub(crate) fn stopped(program: &Path, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let store = folder.path().join("store");
        let text = format!(
            "port: {port}\nhost: 127.0.0.1\njetstream {{ store_dir: {:?} }}\n{config}\n",
            store.display().to_string()
        );
        std::fs::write(folder.path().join("nats.conf"), text).unwrap();
        Self { program: program.to_owned(), port, folder, process: None }
    }

    /// One with nothing but this configuration, which does not run yet.
    pub(crate) fn bare(program: &Path, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let text = format!("port: {port}\nhost: 127.0.0.1\n{config}\n");
        std::fs::write(folder.path().join("nats.conf"), text).unwrap();
        Self { program: program.to_owned(), port, folder, process: None }
    }

    /// Two servers in a cluster, without `JetStream`.
    pub(crate) fn cluster(program: &Path) -> [Self; 2] {
        let (first, second) = (free_port(), free_port());
        let config = |own: u16, other: u16| {
            format!(
                "cluster {{ name: c, listen: 127.0.0.1:{own}, routes: [nats://127.0.0.1:{other}] }}\n\
                 lame_duck_duration: 30s\nlame_duck_grace_period: 3s\n"
            )
        };
        let mut servers =
            [Self::bare(program, &config(first, second)), Self::bare(program, &config(second, first))];
        for server in &mut servers {
            server.go();
        }
        wait_for("the cluster", || servers[0].client().info().contains("connect_urls").then_some(()));
        servers
    }

    /// Writes its configuration anew, part for part, and has it read that.
    pub(crate) fn reconfigure(&self, from: &str, to: &str) {
        let path = self.folder.path().join("nats.conf");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        self.signal("reload");
    }

    /// Sends it a signal: `reload`, `ldm`.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.process.as_ref().unwrap().id();
        let told = Command::new(&self.program)
            .args(["--signal", &format!("{name}={process}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(told.success());
    }

    /// Whether this server knows every key of its configuration.
    pub(crate) fn takes_its_configuration(&self) -> bool {
        let told = Command::new(&self.program)
            .arg("-t")
            .arg("-c")
            .arg(self.folder.path().join("nats.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        told.unwrap().success()
    }

    /// Runs it and waits until it answers.
    pub(crate) fn go(&mut self) {
        let child = Command::new(&self.program)
            .arg("-c")
            .arg(self.folder.path().join("nats.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot run {}: {error}; install it (apt-get install nats-server) or run scripts/test",
                    self.program.display()
                )
            });
        self.process = Some(child);
        wait_for("nats-server", || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    /// Kills it, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Has it do nothing, without a word to anybody.
    pub(crate) fn hang(&self) {
        self.send("-STOP");
    }

    /// Has it go on.
    pub(crate) fn wake(&self) {
        self.send("-CONT");
    }

    fn send(&self, signal: &str) {
        let process = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait_end(&mut self) {
        let mut process = self.process.take().unwrap();
        wait_for("the server's end", || process.try_wait().unwrap());
    }

    /// Has it end well, with everything on disk.
    pub(crate) fn stop(&mut self) {
        self.signal("quit");
        self.process.take().unwrap().wait().unwrap();
    }

    /// Has it listen elsewhere when it runs again.
    pub(crate) fn move_to(&mut self, port: u16) {
        let path = self.folder.path().join("nats.conf");
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace(&format!("port: {}\n", self.port), &format!("port: {port}\n"));
        std::fs::write(&path, text).unwrap();
        self.port = port;
    }

    /// The folder of its streams.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port, "")
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client that speaks just enough of the protocol.
pub(crate) struct Client {
    stream: TcpStream,
    heard: Vec<u8>,
    first: String,
}

impl Client {
    /// Connects; `login` is more of `CONNECT`'s JSON.
    pub(crate) fn connect(port: u16, login: &str) -> Self {
        let stream = wait_for("a connection", || TcpStream::connect(("127.0.0.1", port)).ok());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self { stream, heard: Vec::new(), first: String::new() };
        let connect = format!("CONNECT {{\"verbose\":false,\"headers\":true,\"echo\":true{login}}}\r\n");
        client.first = client.read_until("\r\n");
        client.stream.write_all(connect.as_bytes()).unwrap();
        client.flush();
        client
    }

    /// What the server said of itself.
    pub(crate) fn info(&mut self) -> String {
        self.first.clone()
    }

    /// Publishes.
    pub(crate) fn publish(&mut self, subject: &str, payload: &str) {
        let head = format!("PUB {subject} {}\r\n", payload.len());
        let message = [head.as_bytes(), payload.as_bytes(), b"\r\n"].concat();
        self.stream.write_all(&message).unwrap();
    }

    /// Publishes with a header block as it is given.
    pub(crate) fn publish_with(&mut self, subject: &str, headers: &[u8], payload: &str) {
        let head = format!("HPUB {subject} {} {}\r\n", headers.len(), headers.len() + payload.len());
        let message = [head.as_bytes(), headers, payload.as_bytes(), b"\r\n"].concat();
        self.stream.write_all(&message).unwrap();
    }

    /// Publishes bytes, with a header block where there is one.
    pub(crate) fn publish_bytes(&mut self, subject: &str, headers: &[u8], payload: &[u8]) {
        let whole = headers.len() + payload.len();
        let head = match headers.len() {
            0 => format!("PUB {subject} {whole}\r\n"),
            length => format!("HPUB {subject} {length} {whole}\r\n"),
        };
        self.stream.write_all(&[head.as_bytes(), headers, payload, b"\r\n"].concat()).unwrap();
    }

    /// Subscribes.
    pub(crate) fn subscribe(&mut self, subject: &str) {
        self.stream.write_all(format!("SUB {subject} 1\r\n").as_bytes()).unwrap();
        self.flush();
    }

    /// Waits until the server has taken everything.
    pub(crate) fn flush(&mut self) {
        self.stream.write_all(b"PING\r\n").unwrap();
        self.read_until("PONG\r\n");
    }

    /// Everything heard up to and with `end`.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.heard).into_owned();
            if let Some(at) = text.find(end) {
                self.heard = text.as_bytes()[at + end.len()..].to_vec();
                return text[..at + end.len()].to_owned();
            }
            let mut more = vec![0; 65_536];
            let count = self.stream.read(&mut more).unwrap();
            assert!(count > 0, "the server closed the connection; heard: {text}");
            self.heard.extend_from_slice(&more[..count]);
        }
    }

    /// A request to the JetStream API, answered.
    pub(crate) fn api(&mut self, subject: &str, body: &str) -> serde_json::Value {
        // In one piece: a second would wait for the first one's acknowledgement.
        let head = format!("SUB answers.* 9\r\nPUB $JS.API.{subject} answers.1 {}\r\n", body.len());
        self.stream.write_all(&[head.as_bytes(), body.as_bytes(), b"\r\n"].concat()).unwrap();
        self.read_until("MSG answers.1 9 ");
        self.read_until("\r\n");
        let answer = self.read_until("\r\n");
        serde_json::from_str(&answer).unwrap()
    }

    /// Creates a stream.
    pub(crate) fn create_stream(&mut self, config: &serde_json::Value) {
        let name = config["name"].as_str().unwrap();
        let answer = self.api(&format!("STREAM.CREATE.{name}"), &config.to_string());
        assert!(answer.get("error").is_none(), "{answer}");
    }
}

/// An event of this type with a number for its id.
pub(crate) fn event(event_type: &str, number: u64, fields: &str) -> String {
    format!(
        r#"{{"event_id":"00000000-0000-4000-8000-{number:012x}","event_type":"{event_type}","timestamp":"2026-11-24T00:00:00Z"{fields}}}"#
    )
}

/// A `JobQueued` event.
pub(crate) fn job_queued(number: u64) -> String {
    let fields = format!(
        r#","job_id":"job-{number}","job_type":"indexing","priority":"high","queue_name":"bulk","payload_size":1,"submitter":"api""#
    );
    event("JobQueued", number, &fields)
}

/// A `MetricRecorded` event of a counter.
pub(crate) fn metric_recorded(number: u64) -> String {
    event(
        "MetricRecorded",
        number,
        r#","metric_name":"clicks","metric_type":"counter","metric_value":1,"tags":{}"#,
    )
}

/// A sidecar in this process; stopped when dropped.
pub(crate) struct Sidecar {
    /// Where its HTTP server listens.
    pub(crate) address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

/// What a sidecar is started with.
pub(crate) struct Setup {
    /// Settings.
    pub(crate) settings: Settings,
    /// The configuration.
    pub(crate) config: Config,
    /// Rules.
    pub(crate) rules: Vec<PathBuf>,
}

impl Setup {
    /// A sidecar of this server that makes its stream.
    pub(crate) fn new(url: &str) -> Self {
        let mut settings = Settings::default();
        settings.nats.urls = vec![Secret::new(url)];
        settings.jetstream.missing_stream = MissingStream::Create;
        settings.http.listen = "127.0.0.1:0".parse().unwrap();
        Self { settings, config: Config::with_defaults("test"), rules: Vec::new() }
    }

    /// Starts it.
    pub(crate) fn start(self) -> Sidecar {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let mut config = self.config;
        config.rules = Some(self.rules.iter().map(|path| path.display().to_string()).collect());
        let launch = Launch {
            settings: self.settings,
            config,
            on_listening: Some(Box::new(move |address| tell.send(address).unwrap())),
            stop: Some(stopped),
            source: None,
        };
        let thread = std::thread::spawn(move || run(launch));
        let Ok(address) = told.recv_timeout(PATIENCE) else {
            panic!("the sidecar did not start: {:?}", thread.join());
        };
        Sidecar { address, stop: Some(stop), thread: Some(thread) }
    }
}

/// An answer.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    /// The body, chunks joined.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }
}

impl Sidecar {
    /// Sends a request and reads the answer.
    pub(crate) fn request(&self, method: &str, path: &str, more: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let text = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{more}\r\n");
        stream.write_all(text.as_bytes()).unwrap();
        read_answer(&mut stream)
    }

    /// GET.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "")
    }

    /// Waits until it is ready.
    pub(crate) fn wait_ready(&self) {
        wait_for("readiness", || (self.get("/-/ready").status == 200).then_some(()));
    }

    /// Waits until it is not ready for a reason that contains `words`.
    pub(crate) fn wait_unready(&self, words: &str) {
        wait_for(words, || {
            let answer = self.get("/-/ready");
            (answer.status == 503 && answer.text().contains(words)).then_some(())
        });
    }

    /// The sum of a metric's samples whose line contains `words`.
    pub(crate) fn sum(&self, metric: &str, words: &str) -> f64 {
        let text = self.get("/metrics").text();
        let of_metric = |line: &&str| {
            line.strip_prefix(metric).is_some_and(|rest| rest.starts_with([' ', '{'])) && line.contains(words)
        };
        let values = text.lines().filter(of_metric);
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until that sum is `expected`.
    pub(crate) fn wait_sum(&self, metric: &str, words: &str, expected: f64) {
        let end = Instant::now() + PATIENCE;
        loop {
            let sum = self.sum(metric, words);
            if sum == expected {
                return;
            }
            assert!(Instant::now() < end, "{metric} {words} is {sum}, not {expected}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Stops it and waits for its end.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            if !std::thread::panicking() {
                outcome.unwrap().unwrap();
            }
        }
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads an answer to its end.
pub(crate) fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
    let rest = bytes.get(at + 4..).unwrap_or_default();
    let body =
        if head.to_lowercase().contains("transfer-encoding: chunked") { joined(rest) } else { rest.to_vec() };
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head, body }
}

fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(at) = chunks.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(&String::from_utf8_lossy(&chunks[..at]), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&chunks[at + 2..at + 2 + size]);
        chunks = &chunks[at + 4 + size..];
    }
    body
}
