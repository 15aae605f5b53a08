//! Floods a real nats-server with core-lane events and prints what signalbox needs for them beside a bare
//! async-nats subscriber that only counts. Run it with `scripts/bench`.
//!
//! Both readers run in turn over the same flood; each figure is a whole process' (CPU from `/proc/<pid>/stat`, peak
//! memory from `/proc/<pid>/status`). Quote the ratios: they hold when the machine's speed drifts.
#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench measures the world"
)]

#[path = "flood/events.rs"]
mod events;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const EVENTS: u64 = 1_000_000;
const ROUNDS: usize = 3;
/// The kernel's clock ticks a second, as `/proc/<pid>/stat` counts.
const TICKS: f64 = 100.0;

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Clone, Copy)]
struct Figure {
    cpu_seconds: f64,
    peak_mib: f64,
    received: u64,
    seconds: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--count") {
        return count(&arguments[place + 1]);
    }
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        bare.push(run_counter());
        ours.push(run_signalbox());
        let (counter, signalbox) = (bare[round - 1], ours[round - 1]);
        println!("round {round}: bare counter {}", counter.text());
        println!("         signalbox    {}", signalbox.text());
        println!("         ratio {:.2}", signalbox.cpu_seconds / counter.cpu_seconds);
    }
    let mut ratios: Vec<f64> =
        bare.iter().zip(&ours).map(|(bare, ours)| ours.cpu_seconds / bare.cpu_seconds).collect();
    ratios.sort_by(f64::total_cmp);
    let lost: u64 = ours.iter().map(|figure| EVENTS - figure.received.min(EVENTS)).sum();
    let peak = ours.iter().map(|figure| figure.peak_mib).fold(0.0, f64::max);
    println!("CPU, signalbox / bare counter: median {:.2} (of {ROUNDS} pairs)", ratios[ratios.len() / 2]);
    println!("lost by signalbox: {lost} of {} events", EVENTS * ROUNDS as u64);
    println!("peak memory of signalbox: {peak:.0} MiB");
}

impl Figure {
    fn text(self) -> String {
        let Self { cpu_seconds, peak_mib, received, seconds } = self;
        format!("{cpu_seconds:.2} CPU-s, {received} events, {peak_mib:.0} MiB, {seconds:.1} s")
    }
}

/// The bare counter: subscribes, says that it is ready, and says when it has counted everything.
fn count(url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use futures_util::StreamExt;
        let client =
            async_nats::ConnectOptions::new().subscription_capacity(1 << 20).connect(url).await.unwrap();
        let mut events = client.subscribe("events.>").await.unwrap();
        client.flush().await.unwrap();
        println!("ready");
        let mut received = 0_u64;
        while received < EVENTS {
            let Ok(Some(_)) = tokio::time::timeout(Duration::from_secs(10), events.next()).await else {
                break;
            };
            received += 1;
        }
        println!("{received}");
        std::future::pending::<()>().await;
    });
}

fn run_counter() -> Figure {
    let (_server, port) = nats_server();
    let binary = std::env::current_exe().unwrap();
    let url = format!("nats://127.0.0.1:{port}");
    let mut child = Command::new(binary).args(["--count", &url]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let child = Killed(child);
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let (before, start) = (cpu_seconds(child.0.id()), Instant::now());
    flood(port);
    let received = lines.next().unwrap().unwrap().parse().unwrap();
    Figure::taken(&child, before, start, received)
}

fn run_signalbox() -> Figure {
    let (_server, port) = nats_server();
    let http = free_port();
    let child = Command::new(env!("CARGO_BIN_EXE_signalbox"))
        .args([
            "run",
            "--nats-url",
            &format!("nats://127.0.0.1:{port}"),
            "--listen",
            &format!("127.0.0.1:{http}"),
        ])
        .args(["--config", "benches/flood.yaml"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let child = Killed(child);
    wait_until("signalbox is ready", || {
        get(http, "/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    });
    let (before, start) = (cpu_seconds(child.0.id()), Instant::now());
    flood(port);
    let (mut received, mut quiet) = (0, Instant::now());
    while received < EVENTS && quiet.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(100));
        let now = received_total(http);
        if now > received {
            quiet = Instant::now();
        }
        received = now;
    }
    Figure::taken(&child, before, start, received)
}

impl Figure {
    fn taken(child: &Killed, cpu_before: f64, start: Instant, received: u64) -> Self {
        let process = child.0.id();
        let cpu_seconds = cpu_seconds(process) - cpu_before;
        Self { cpu_seconds, peak_mib: peak_mib(process), received, seconds: start.elapsed().as_secs_f64() }
    }
}

/// Publishes the events as fast as the server takes them, and returns once it has taken all.
fn flood(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n").unwrap();
    let (mut chunk, mut payload) = (String::new(), String::new());
    for number in 0..EVENTS {
        payload.clear();
        let subject = events::event(number, &mut payload);
        let _ = write!(chunk, "PUB {subject} {}\r\n{payload}\r\n", payload.len());
        if chunk.len() > 256 << 10 || number + 1 == EVENTS {
            stream.write_all(chunk.as_bytes()).unwrap();
            chunk.clear();
        }
    }
    stream.write_all(b"PING\r\n").unwrap();
    while !line.starts_with("PONG") {
        line.clear();
        if answers.read_line(&mut line).unwrap() == 0 {
            break;
        }
    }
}

fn nats_server() -> (Killed, u16) {
    let port = free_port();
    let binary = std::env::var("SIGNALBOX_NATS_SERVER").unwrap_or_else(|_| String::from("nats-server"));
    let child = Command::new(binary)
        .args(["-a", "127.0.0.1", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("cannot start nats-server ({error}); run scripts/bench, which installs it")
        });
    wait_until("nats-server listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    (Killed(child), port)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited 20 s in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn received_total(port: u16) -> u64 {
    let answer = get(port, "/metrics?name[]=signalbox_events_received_total").unwrap_or_default();
    let samples = answer.lines().filter(|line| line.starts_with("signalbox_events_received_total{"));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
}

fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

fn peak_mib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
