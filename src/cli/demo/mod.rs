//! `signalbox demo`: a transcript-processing workload with incidents, played to NATS or printed.
//!
//! Without `--print` it is everything at once: a private nats-server unless another one is named, the sidecar with the
//! shipped rules, and the workload. Ctrl-C ends all of it.

mod ending;
mod leftovers;
mod player;
mod random;
mod server;
mod workload;

use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use clap::Args;

use super::settings;
use crate::engine::config::Config;
use crate::engine::config::server_url::split_urls;
use crate::engine::diagnostic::{Lines, printable};
use crate::engine::time::Timestamp;
use crate::engine::yaml::units;
use crate::shell::settings::{MissingStream, Secret, Settings};
use crate::shell::{self, Launch};
use ending::DemoEnding;
use player::{Player, StreamMaker};
use server::NatsServer;
use workload::Workload;

/// The server that is played to where a sidecar runs already and none is named.
const USUAL_SERVER: &str = "nats://127.0.0.1:4222";

/// Seconds of the story that `--print` writes where no `--duration` is given.
const PRINTED_STORY: Duration = Duration::from_mins(5);

/// What the demo is asked to do.
#[derive(Args, Clone, Debug)]
pub(super) struct Arguments {
    /// The NATS servers to play to; where none answers on this machine one is started there [default: a private one
    /// on a free port; port 4222 of 127.0.0.1 with --events-only]
    #[arg(long, value_name = "URL[,URL…]", env = "SIGNALBOX_NATS_URL", hide_env_values = true)]
    nats_url: Option<String>,
    /// Where the sidecar of the demo listens
    #[arg(long, value_name = "ADDR", env = "SIGNALBOX_LISTEN", default_value = "127.0.0.1:9469", value_parser = address)]
    listen: SocketAddr,
    /// Rule files and folders [default: rules/ if present]
    #[arg(long, num_args = 1..)]
    rules: Vec<PathBuf>,
    /// Events a second, about
    #[arg(long, default_value_t = 300.0, value_parser = positive)]
    rate: f64,
    /// How long to play, e.g. 90s or 5m30s [default: until Ctrl-C; 5m with --print]
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// The same seed tells the same story, with ids of its own at each start [default: another each time]
    #[arg(long, value_parser = seed)]
    seed: Option<u64>,
    /// When the story begins, with --print: RFC 3339 or seconds since the epoch [default: now]
    #[arg(long, value_name = "TIME", requires = "print", value_parser = instant)]
    start: Option<Timestamp>,
    /// Write the events as JSON lines to stdout instead of playing them
    #[arg(long)]
    print: bool,
    /// Only publish the events, to a server and for a sidecar that run already
    #[arg(long, conflicts_with = "print")]
    events_only: bool,
}

fn instant(text: &str) -> Result<Timestamp, String> {
    super::instant::parse(text)
        .ok_or_else(|| "expected RFC 3339, e.g. 2026-02-03T04:05:06Z, or seconds since the epoch".to_owned())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    settings::address(text, "--listen")
        .map_err(|_| "expected HOST:PORT, for example 127.0.0.1:9469".to_owned())
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "expected a number above 0".to_owned())
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
    let ending = DemoEnding::on_signals()?;
    let stage = stage(arguments)?;
    say(&format!("seed {seed}; --seed {seed} tells the same story again"));
    if arguments.events_only {
        stage.player.play(workload, &ending)
    } else {
        play_beside_sidecar(arguments, &stage, workload, &ending)
    }
}

/// Where it is played.
struct DemoStage {
    player: Player,
    /// The address of the server, for the person who watches.
    address: SocketAddr,
    /// The server, where it is the demo's own: it ends with this.
    _server: Option<NatsServer>,
}

/// Finds or starts the server, and says which it is.
fn stage(arguments: &Arguments) -> Result<DemoStage> {
    let (address, server) = match (&arguments.nats_url, arguments.events_only) {
        (url, true) => (server::reach(url.as_deref().unwrap_or(USUAL_SERVER))?, None),
        (Some(url), false) => server::reach_or_start(url)?,
        (None, false) => server::start_private().map(|(address, server)| (address, Some(server)))?,
    };
    say(&match &server {
        Some(_) => format!("started a private nats-server on {address}; it ends with the demo"),
        None => format!("playing to the NATS server on {address}"),
    });
    let nats_url = arguments.nats_url.clone().unwrap_or_else(|| format!("nats://{address}"));
    let stream = if arguments.events_only { StreamMaker::Player } else { StreamMaker::Sidecar };
    let player = Player { nats_url, length: arguments.duration, stream };
    Ok(DemoStage { player, address, _server: server })
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
fn play_beside_sidecar(
    arguments: &Arguments,
    stage: &DemoStage,
    workload: Workload,
    ending: &DemoEnding,
) -> Result<()> {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let playing: JoinHandle<Result<()>> = {
        let (player, ending) = (stage.player.clone(), ending.clone());
        let play = move || {
            let played = player.play(workload, &ending);
            // Nobody listens where the sidecar has ended before.
            let _ = stop.send(());
            played
        };
        std::thread::Builder::new().name("demo".to_owned()).spawn(play).context("cannot start a thread")?
    };
    let mut sidecar = Settings::default();
    sidecar.nats.urls = split_urls(&stage.player.nats_url).map(Secret::new).collect();
    sidecar.jetstream.missing_stream = MissingStream::Create;
    sidecar.http.listen = arguments.listen;
    let rule_paths = rule_paths(&arguments.rules);
    let (nats, rules) = (stage.address, rule_paths.clone());
    let ran = shell::run(Launch {
        settings: sidecar,
        config: Config { rules: Some(rule_paths), ..Config::with_defaults("signalbox-demo") },
        on_listening: Some(Box::new(move |page| say(&welcome(page, nats, &rules)))),
        stop: Some(stopped),
        source: None,
    });
    ending.begin();
    let played = playing.join().unwrap_or_else(|_| Err(anyhow!("the workload stopped unexpectedly")));
    ran.and(played)
}

fn rule_paths(given: &[PathBuf]) -> Vec<String> {
    if !given.is_empty() {
        return given.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    }
    let shipped = Some(settings::DEFAULT_RULES).filter(|folder| Path::new(folder).is_dir());
    shipped.map(str::to_owned).into_iter().collect()
}

/// What there is to see, and what will happen.
fn welcome(page: SocketAddr, nats: SocketAddr, rules: &[String]) -> String {
    let incidents = if rules.is_empty() {
        "There is no rules/ folder here, so the incidents raise no alert: start the demo where rules/ is, or name rules \
         with --rules."
    } else {
        "The first incident comes after 10 seconds, another each minute."
    };
    format!(
        "status page  http://{page}/\nmetrics      http://{page}/metrics\nalerts       http://{page}/api/v1/alerts\n\
         alert events nats -s nats://{nats} sub 'events.monitoring.>'\n{incidents} Ctrl-C ends the demo."
    )
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.after(since)
}

/// Words for the person who watches; events and metrics never go this way.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(text, Lines::Many));
}
