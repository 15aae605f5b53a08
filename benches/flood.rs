//! Floods a real nats-server and prints what signalbox needs for the events beside what reads them otherwise. Run it
//! with `scripts/bench`; what it printed last is in `docs/performance.md`.
//!
//! All readers run in turn over the same flood, round after round; each figure is a whole process' (CPU from
//! `/proc/<pid>/stat`, peak memory from `/proc/<pid>/status`). Quote the ratios, each the median of those within one
//! round: they hold when the machine's speed drifts.
#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::format_push_string,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench measures the world"
)]

#[path = "flood/events.rs"]
mod events;
#[path = "flood/stand_ins.rs"]
mod stand_ins;
#[path = "flood/world.rs"]
mod world;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use signalbox::engine::wire::{EventType, Subjects};
use world::{Killed, Server, cpu_seconds, free_port, get, peak_mib, wait_until};

const EVENTS: u64 = 1_000_000;
const BURST_EVENTS: u64 = 3_000_000;
const STORED_EVENTS: u64 = 500_000;
const ROUNDS: usize = 5;

/// How often a process is asked how far it is; asking costs it something too.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// What reads the events.
#[derive(Clone, Copy)]
enum Reader {
    /// A stand-in of this name.
    StandIn(&'static str),
    /// A script in Python.
    Script,
    /// signalbox under this configuration.
    Signalbox(&'static str),
}

#[derive(Clone, Copy)]
struct Figure {
    cpu_seconds: f64,
    seconds: f64,
    peak_mib: f64,
    received: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--stand-in") {
        let events = arguments[place + 3].parse().unwrap();
        return stand_ins::run(&arguments[place + 1], &arguments[place + 2], events);
    }
    core_lane();
    stream_lane();
    let burst = from_core(Reader::Signalbox("window"), BURST_EVENTS);
    println!(
        "\nA burst of {BURST_EVENTS} events: peak {:.0} MiB, {} received",
        burst.peak_mib, burst.received
    );
}

fn core_lane() {
    let readers = [
        ("async-nats that only counts", Reader::StandIn("bare")),
        ("async-nats, serde_json, `prometheus` vectors", Reader::StandIn("usual")),
        ("a Python script", Reader::Script),
        ("signalbox", Reader::Signalbox("window")),
        ("signalbox without the duplicate window", Reader::Signalbox("no_window")),
    ];
    println!("\n{EVENTS} distinct events on the core lane\n");
    table(&readers, EVENTS, |reader| from_core(reader, EVENTS));
}

fn stream_lane() {
    let stored = jetstream_events();
    let readers = [
        ("async-nats pull consumer that only counts", Reader::StandIn("bare pull")),
        ("signalbox", Reader::Signalbox("stream")),
    ];
    println!("\n{STORED_EVENTS} stored events of the JetStream lane's types\n");
    let server = Server::start();
    server.create_stream();
    server.store(STORED_EVENTS, |number, payload| {
        let (subject, text) = &stored[number as usize % stored.len()];
        payload.push_str(text);
        subject.clone()
    });
    table(&readers, STORED_EVENTS, |reader| from_stream(reader, &server));
}

/// Runs all readers in turn, and prints each one's medians and what they are beside the first reader's.
fn table(readers: &[(&str, Reader)], events: u64, run: impl Fn(Reader) -> Figure) {
    let rounds: Vec<Vec<Figure>> =
        (0..ROUNDS).map(|_| readers.iter().map(|(_, reader)| run(*reader)).collect()).collect();
    println!("| reader | CPU, µs an event | × the first | events/s | × the first | peak MiB | lost |");
    println!("|---|---|---|---|---|---|---|");
    for (place, (name, _)) in readers.iter().enumerate() {
        let median_of = |figure: &dyn Fn(&[Figure]) -> f64| median(rounds.iter().map(|round| figure(round)));
        let cpu = median_of(&|round| round[place].cpu_seconds) * 1e6 / events as f64;
        let cpu_ratio = median_of(&|round| round[place].cpu_seconds / round[0].cpu_seconds);
        let rate = median_of(&|round| events as f64 / round[place].seconds);
        let rate_ratio = median_of(&|round| round[0].seconds / round[place].seconds);
        let peak = median_of(&|round| round[place].peak_mib);
        let lost: u64 = rounds.iter().map(|round| events - round[place].received.min(events)).sum();
        println!("| {name} | {cpu:.2} | {cpu_ratio:.2} | {rate:.0} | {rate_ratio:.2} | {peak:.0} | {lost} |");
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One reader of a flood of core NATS.
fn from_core(reader: Reader, events: u64) -> Figure {
    let server = Server::start();
    let flood = || server.flood(events, |number, payload| events::event(number, payload).to_owned());
    match reader {
        Reader::StandIn(name) => stand_in(stand_in_command(name, &server, events), flood),
        Reader::Script => stand_in(script_command(&server, events), flood),
        Reader::Signalbox(config) => signalbox(config, &server, events, flood),
    }
}

/// One reader of what a stream holds.
fn from_stream(reader: Reader, server: &Server) -> Figure {
    match reader {
        Reader::StandIn(name) => stand_in(stand_in_command(name, server, STORED_EVENTS), || ()),
        Reader::Script => panic!("the script reads core NATS"),
        Reader::Signalbox(config) => signalbox(config, server, STORED_EVENTS, || ()),
    }
}

fn stand_in_command(name: &str, server: &Server, events: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--stand-in", name, &server.url(), &events.to_string()]);
    command
}

fn script_command(server: &Server, events: u64) -> Command {
    let mut command = Command::new("python3");
    command.args(["benches/flood/script.py", "127.0.0.1", &server.port.to_string(), &events.to_string()]);
    command
}

fn stand_in(mut command: Command, flood: impl Fn()) -> Figure {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let child = Killed(child);
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let start = Instant::now();
    flood();
    let received = lines.next().unwrap().unwrap().parse().unwrap();
    Figure::taken(&child, start.elapsed(), received)
}

fn signalbox(config: &str, server: &Server, events: u64, flood: impl Fn()) -> Figure {
    let http = free_port();
    let child = Command::new(env!("CARGO_BIN_EXE_signalbox"))
        .args(["run", "--nats-url", &server.url(), "--listen", &format!("127.0.0.1:{http}")])
        .args(["--config", &format!("benches/flood/{config}.yaml")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let child = Killed(child);
    wait_until("signalbox listens", || get(http, "/-/healthy").is_some());
    if config != "stream" {
        let is_ready = |answer: String| answer.starts_with("HTTP/1.1 200");
        wait_until("signalbox is ready", || get(http, "/-/ready").is_some_and(is_ready));
    }
    let start = Instant::now();
    flood();
    let (mut received, mut moved) = (0, Instant::now());
    while received < events && moved.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(ASK_EVERY);
        let now = received_total(http);
        if now > received {
            moved = Instant::now();
        }
        received = now;
    }
    Figure::taken(&child, moved.duration_since(start), received)
}

impl Figure {
    /// What a process cost from its start on.
    fn taken(child: &Killed, took: Duration, received: u64) -> Self {
        let process = child.0.id();
        let cpu_seconds = cpu_seconds(process);
        Self { cpu_seconds, peak_mib: peak_mib(process), received, seconds: took.as_secs_f64() }
    }
}

fn received_total(port: u16) -> u64 {
    let answer = get(port, "/metrics?name[]=signalbox_events_received_total").unwrap_or_default();
    let samples = answer.lines().filter(|line| line.starts_with("signalbox_events_received_total{"));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
}

/// Subjects and payloads of what `signalbox demo` plays on the JetStream lane.
fn jetstream_events() -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_signalbox"))
        .args(["demo", "--print", "--rate", "2000", "--duration", "15m", "--seed", "1"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let core = ["MetricRecorded", "ProgressUpdated", "JobProgressUpdated"];
    let event = |line: &str| {
        let found = line.split("\"event_type\":\"").nth(1)?.split('"').next()?;
        let event_type = EventType::ALL.iter().find(|known| known.name() == found)?;
        (!core.contains(&found)).then(|| (Subjects::default().of(*event_type), line.to_owned()))
    };
    let mut events: Vec<(String, String)> = text.lines().filter_map(event).collect();
    events.truncate(STORED_EVENTS as usize);
    assert_eq!(events.len() as u64, STORED_EVENTS, "the demo has to play for longer");
    events
}
