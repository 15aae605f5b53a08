//! Where replayed events come from: a file, stdin, or a stream that a server keeps.

use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::cli::recording::{self, Flow, Recorded};
use crate::cli::settings;
use crate::engine::config::Config;
use crate::engine::wire::Subjects;
use crate::shell::clock::Clock;
use crate::shell::nats::stored::{self, StreamChoice, Wanted};
use crate::shell::settings::NatsSettings;

/// A stream in place of a file.
#[derive(Args, Clone)]
pub(in crate::cli) struct StreamArguments {
    /// Reads a stored stream of this server instead of a file, changing nothing there.
    #[arg(long, value_name = "URL", hide_env_values = true)]
    nats_url: Option<String>,
    /// The stream [default: the configuration's, EVENTS].
    #[arg(long, value_name = "NAME", requires = "nats_url")]
    stream: Option<String>,
    /// How far back the stream is read.
    #[arg(long, value_name = "DURATION", value_parser = super::duration, requires = "nats_url")]
    since: Option<Duration>,
}

impl StreamArguments {
    /// Whether a server is named.
    pub(super) const fn is_named(&self) -> bool {
        self.nats_url.is_some()
    }
}

/// A place that has events.
pub(in crate::cli) enum Source<'a> {
    /// A file, or stdin where it is `-`.
    File(&'a Path),
    /// A stored stream.
    Stream(Box<StoredStream>),
}

/// A stream of a server.
pub(in crate::cli) struct StoredStream {
    settings: NatsSettings,
    domain: Option<String>,
    wanted: Wanted,
    /// The subjects that are events.
    subjects: Subjects,
}

impl<'a> Source<'a> {
    /// The file where there is one, else the stream.
    ///
    /// # Errors
    /// Neither is named, or a URL that is none.
    pub(in crate::cli) fn of(
        file: Option<&'a Path>,
        stream: &StreamArguments,
        config: &Config,
    ) -> anyhow::Result<Self> {
        match (file, &stream.nats_url, stream.since) {
            (Some(path), _, _) => Ok(Self::File(path)),
            (None, Some(url), Some(since)) => Self::stream(url, (stream.stream.as_deref(), since), config),
            (None, Some(_), None) => bail!("read a stream: say how far back, for example --since 2h"),
            (None, None, _) => bail!("find events: name a file, or a server with --nats-url"),
        }
    }

    /// A stream at this address, as the configuration has the rest.
    ///
    /// # Errors
    /// A URL that is none.
    fn stream(url: &str, (name, since): (Option<&str>, Duration), config: &Config) -> anyhow::Result<Self> {
        Ok(Self::Stream(Box::new(StoredStream {
            settings: settings::nats_at(url, config)?,
            domain: config.jetstream.domain.clone(),
            wanted: Wanted {
                stream: StreamChoice::Named(name.unwrap_or(&config.jetstream.stream).to_owned()),
                since: Clock::start().now().before(since),
            },
            subjects: config.event_subjects(),
        })))
    }

    /// Calls `sink` with every event, in order, until it says to stop.
    ///
    /// # Errors
    /// What cannot be read, in words that fit after "cannot".
    pub(in crate::cli) fn for_each(&self, mut sink: impl FnMut(Recorded) -> Flow) -> anyhow::Result<()> {
        match self {
            Self::File(path) => {
                let shown = path.display();
                let stream: Box<dyn BufRead> = if *path == Path::new("-") {
                    Box::new(std::io::stdin().lock())
                } else {
                    let file = std::fs::File::open(path).with_context(|| format!("read {shown}"))?;
                    Box::new(BufReader::new(file))
                };
                recording::for_each(stream, sink).with_context(|| format!("read {shown}"))
            }
            Self::Stream(stream) => {
                let domain = stream.domain.as_deref();
                stored::read(&stream.settings, domain, &stream.wanted, &mut |message| {
                    let Some(event_type) = stream.subjects.type_of(&message.subject) else {
                        return ControlFlow::Continue(());
                    };
                    match sink(Recorded::stored(message, event_type)) {
                        Flow::Continue => ControlFlow::Continue(()),
                        Flow::Stop => ControlFlow::Break(()),
                    }
                })
            }
        }
    }
}
