//! `signalbox demo`: a transcript-processing workload with incidents, played to NATS or printed.
//!
//! Without `--print` it is everything at once: a private nats-server where none is reachable and one is installed,
//! the sidecar with the shipped rules, and the workload. Ctrl-C ends all of it.

mod ending;
mod random;
mod server;
mod workload;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use clap::Args;

use crate::engine::config::Config;
use crate::engine::diagnostic::{Lines, printable};
use crate::engine::time::Timestamp;
use crate::engine::wire::{Event, Subjects};
use crate::engine::yaml::units;
use crate::shell::settings::{MissingStream, Secret, Settings};
use crate::shell::{self, Launch};
use ending::Ending;
use workload::Workload;

/// Seconds of the story that `--print` writes where no `--duration` is given.
const PRINTED_STORY: Duration = Duration::from_mins(5);

/// What the demo is asked to do.
#[derive(Args, Clone, Debug)]
pub(super) struct Arguments {
    /// The NATS server to play to; one is started on this address if none answers and nats-server is installed
    #[arg(long, env = "SIGNALBOX_NATS_URL", default_value = "nats://127.0.0.1:4222")]
    nats_url: String,
    /// Where the sidecar of the demo listens
    #[arg(long, env = "SIGNALBOX_LISTEN", default_value = "127.0.0.1:9469")]
    listen: std::net::SocketAddr,
    /// Rule files and folders [default: rules/ if present]
    #[arg(long, num_args = 1..)]
    rules: Vec<PathBuf>,
    /// Events a second, about
    #[arg(long, default_value_t = 300.0, value_parser = positive)]
    rate: f64,
    /// How long to play, e.g. 90s or 5m30s [default: until Ctrl-C; 5m with --print]
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// The same seed tells the same story [default: another each time]
    #[arg(long)]
    seed: Option<u64>,
    /// When the story begins, with --print: RFC 3339 or seconds since the epoch [default: now]
    #[arg(long, value_name = "TIME", requires = "print", value_parser = instant)]
    start: Option<Timestamp>,
    /// Write the events as JSON lines to stdout instead of playing them
    #[arg(long)]
    print: bool,
    /// Only publish the events; for a sidecar that runs already
    #[arg(long, conflicts_with = "print")]
    events_only: bool,
}

fn instant(text: &str) -> Result<Timestamp, String> {
    super::instant::parse(text)
        .ok_or_else(|| "expected RFC 3339, e.g. 2026-02-03T04:05:06Z, or seconds since the epoch".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().map_err(|error| error.to_string())?;
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err("expected a number above 0".to_owned()) }
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| "expected a duration such as 90s or 5m30s".to_owned())
}

/// Plays or prints the workload.
///
/// # Errors
/// NATS cannot be reached or started, an address is in use, or stdout is gone.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let start = arguments.start.unwrap_or_else(now);
    let seed = arguments.seed.unwrap_or_else(|| start.micros().unsigned_abs());
    let workload = Workload::new(seed, arguments.rate, start);
    if arguments.print {
        return print(workload, arguments.duration.unwrap_or(PRINTED_STORY));
    }
    let ending = Ending::on_signals()?;
    let (address, server) = server::reach_or_start(&arguments.nats_url)?;
    say(&match &server {
        Some(_) => format!("started a private nats-server on {address}; it ends with the demo"),
        None => format!("playing to the NATS server on {address}"),
    });
    say(&format!("seed {seed}; --seed {seed} tells the same story again"));
    let played = if arguments.events_only {
        play(arguments, workload, &ending)
    } else {
        play_beside_sidecar(arguments, workload, &ending)
    };
    drop(server);
    played
}

fn print(workload: Workload, length: Duration) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut line = String::new();
    for (offset, event) in workload.timed() {
        if offset > length {
            break;
        }
        line.clear();
        event.write_json(&mut line);
        line.push('\n');
        match out.write_all(line.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            result => result.context("cannot write to stdout")?,
        }
    }
    out.flush().context("cannot write to stdout")
}

/// The sidecar on this thread, the workload on another; either one's end ends both.
fn play_beside_sidecar(arguments: &Arguments, workload: Workload, ending: &Ending) -> Result<()> {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let player: JoinHandle<Result<()>> = {
        let (arguments, ending) = (arguments.clone(), ending.clone());
        let play = move || {
            let played = play(&arguments, workload, &ending);
            // Nobody listens where the sidecar has ended before.
            let _ = stop.send(());
            played
        };
        std::thread::Builder::new().name("demo".to_owned()).spawn(play).context("cannot start a thread")?
    };
    let mut settings = Settings::default();
    settings.nats.urls = vec![Secret::new(arguments.nats_url.clone())];
    settings.jetstream.missing_stream = MissingStream::Create;
    settings.http.listen = arguments.listen;
    let ran = shell::run(Launch {
        settings,
        config: Config {
            rules: Some(rule_paths(&arguments.rules)),
            ..Config::with_defaults("signalbox-demo")
        },
        on_listening: Some(Box::new(|address| say(&addresses(address)))),
        stop: Some(stopped),
        source: None,
    });
    ending.begin();
    let played = player.join().unwrap_or_else(|_| Err(anyhow!("the workload stopped unexpectedly")));
    ran.and(played)
}

fn rule_paths(given: &[PathBuf]) -> Vec<String> {
    if !given.is_empty() {
        return given.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    }
    if PathBuf::from("rules").is_dir() {
        return vec!["rules".to_owned()];
    }
    say("no rules/ folder here, so no alert will fire; name one with --rules");
    Vec::new()
}

fn addresses(address: std::net::SocketAddr) -> String {
    format!(
        "status page  http://{address}/\nmetrics      http://{address}/metrics\nalerts       http://{address}/api/v1/alerts\n\
         alert events nats sub 'events.monitoring.Alert*'\nThe first incident comes after 10 seconds, another each minute. Ctrl-C ends the demo."
    )
}

/// Publishes the workload in its own time.
fn play(arguments: &Arguments, workload: Workload, ending: &Ending) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(async {
        let playing = publish_all(arguments, workload);
        tokio::select! {
            played = playing => played,
            () = ending.begun() => Ok(()),
        }
    })
}

async fn publish_all(arguments: &Arguments, workload: Workload) -> Result<()> {
    let client = async_nats::connect(arguments.nats_url.as_str()).await.context("cannot connect to NATS")?;
    if !arguments.events_only {
        await_stream(&client).await;
    }
    let begin = Instant::now();
    let length = arguments.duration.unwrap_or(Duration::MAX);
    let mut last_flush = Duration::ZERO;
    for (offset, event) in workload.timed().take_while(|(offset, _)| *offset <= length) {
        if let Some(wait) = offset.checked_sub(begin.elapsed()) {
            tokio::time::sleep(wait).await;
        }
        publish(&client, &event).await?;
        if offset.saturating_sub(last_flush) > Duration::from_millis(500) {
            client.flush().await.context("cannot publish to NATS")?;
            last_flush = offset;
        }
    }
    client.flush().await.context("cannot publish to NATS")
}

/// Waits until the sidecar has made the stream, so that the first events are in it.
async fn await_stream(client: &async_nats::Client) {
    let jetstream = async_nats::jetstream::new(client.clone());
    for _ in 0..50 {
        if jetstream.get_stream("EVENTS").await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn publish(client: &async_nats::Client, event: &Event<'static>) -> Result<()> {
    let event_type = event.payload.event_type();
    let subject = Subjects::default().of(event_type);
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", uuid::Uuid::from_u128(event.id.0).to_string());
    if let Some(trace) = event.trace {
        headers.insert("traceparent", format!("00-{trace:032x}-{:016x}-01", event.id.0 as u64));
    }
    client
        .publish_with_headers(subject, headers, event.to_json().into())
        .await
        .context("cannot publish to NATS")
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.after(since)
}

/// Words for the person who watches; events and metrics never go this way.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(text, Lines::Many));
}
