//! The JetStream lane: a stream read in its order, each message handed over once.
//!
//! The position is ours: the last stream sequence handed to the engine. A limits-retention stream is read by an
//! ephemeral consumer that acknowledges nothing; whatever goes wrong, it is made anew at position + 1 and what
//! comes twice is dropped by its sequence. Work-queue and interest streams, and `start: resume`, need a durable
//! consumer with acknowledgements ([`super::stream_durable`]).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::arrival::{Epoch, StreamNews};
use crate::engine::fact::{EpochReason, Fact};
use crate::engine::wire::{EventType, Subjects, subjects};
use crate::shell::driver::mailbox::{Item, Slot};
use crate::shell::limited_log::LimitedLog;
use crate::shell::settings::{JetStreamSettings, MissingStream, StreamStart};
use crate::shell::status::Topic;

use super::batch::Batch;
use super::stream_durable::Durable;
use super::stream_gaps::{GapMeans, Gaps};
use crate::shell::context::ShellContext;
use crate::shell::nats::api::{Api, ApiError, ConsumerInfo, StreamInfo};
use crate::shell::nats::link::{Link, LinkError};
use crate::shell::nats::servers::Servers;

/// How long to wait before looking again at a stream that cannot be read.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long an ephemeral consumer outlives its reader.
const INACTIVE: Duration = Duration::from_secs(30);

/// How far the stream was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    /// The last sequence handed over or known not to be ours.
    pub(super) sequence: u64,
    /// When the message of that sequence was stored, where it was ours.
    pub(super) stored_nanos: Option<i64>,
    /// Which life of the stream, once it was seen.
    pub(super) epoch: Option<Epoch>,
}

/// A consumer to pull from.
pub(super) struct Consumer {
    /// As the server made it.
    pub(super) info: ConsumerInfo,
    /// Whether subjects are told apart here, because the server does not.
    pub(super) filter: Filter,
    /// What a gap in what it delivers means.
    pub(super) gap_means: GapMeans,
    /// What a consumer with acknowledgements needs beside.
    pub(super) durable: Option<Durable>,
}

/// Where other types' messages are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// At the server.
    AtServer,
    /// Here, uncounted.
    Here,
}

/// What to do after a step.
pub(super) enum Next {
    /// Look at the stream again at once.
    LookAgain,
    /// Look at the stream again after a pause; the reason is noted.
    Wait,
    /// The process stops.
    Stop,
}

/// The JetStream lane.
pub(crate) struct StreamLane {
    pub(super) context: ShellContext,
    servers: Servers,
    pub(super) subjects: Vec<String>,
    pub(super) position: Position,
    /// What the stream held when it was first looked at.
    pub(super) held_at_first: Option<u64>,
    pub(super) told_drained: bool,
    pub(super) batch: Batch,
    pub(super) told_pending: Option<(Instant, u64)>,
    pub(super) gaps: Gaps,
    pub(super) log: LimitedLog,
}

impl StreamLane {
    /// The lane of these types.
    pub(crate) fn new(context: ShellContext, servers: Servers, types: &[EventType]) -> Self {
        Self {
            context,
            servers,
            subjects: types.iter().map(|event_type| Subjects::default().of(*event_type)).collect(),
            position: Position::default(),
            held_at_first: None,
            told_drained: false,
            batch: Batch::default(),
            told_pending: None,
            gaps: Gaps::default(),
            log: LimitedLog::default(),
        }
    }

    /// Reads until the process stops.
    pub(crate) fn run(mut self) {
        while !self.context.stop.is_stopping() {
            match self.servers.open(&self.context.settings.nats) {
                Ok(mut link) => {
                    let Err(error) = self.session(&mut link) else { return };
                    if link.info.leaving {
                        self.servers.pass_over();
                    }
                    self.context.link_is_down(Topic::StreamLink, error.to_string());
                }
                Err(error) => self.context.link_is_down(Topic::StreamLink, error.to_string()),
            }
            self.tell(StreamNews::Unreachable);
            self.context.stop.wait(self.servers.pause());
        }
    }

    pub(super) fn jetstream(&self) -> &JetStreamSettings {
        &self.context.settings.jetstream
    }

    /// Works on one connection until it breaks; fine where the process stops.
    fn session(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let timeout = self.context.settings.nats.request_timeout;
        let domain = self.jetstream().domain.clone();
        let mut api = Api::new(link, domain.as_deref(), timeout);
        self.context.link_is_up(Topic::StreamLink);
        while !self.context.stop.is_stopping() {
            let next = match self.prepare(link, &mut api) {
                Ok(Some(consumer)) => self.pull(link, &mut api, consumer)?,
                Ok(None) => Next::Wait,
                Err(ApiError::Link(error)) => return Err(error),
                Err(error) => {
                    self.context.status.set(Topic::Stream, error.to_string());
                    self.tell(StreamNews::Unreadable);
                    Next::Wait
                }
            };
            match next {
                Next::LookAgain => {}
                Next::Wait => idle(&self.context, link)?,
                Next::Stop => return Ok(()),
            }
        }
        Ok(())
    }

    /// Looks at the stream and makes a consumer at the position; none where the stream cannot be read yet.
    fn prepare(&mut self, link: &mut Link, api: &mut Api) -> Result<Option<Consumer>, ApiError> {
        let stream = self.jetstream().stream.clone();
        let info = match api.stream(link, &stream) {
            Ok(info) => info,
            Err(ApiError::NotFound) => match self.jetstream().missing_stream {
                MissingStream::Create => {
                    tracing::info!(stream = %stream, "creating the stream");
                    api.create_stream(link, &stream, &self.subjects)?
                }
                MissingStream::Wait => {
                    let reason = format!(
                        "the stream {stream} does not exist; create it: nats stream add {stream} --subjects '{}' \
                         --defaults, or set jetstream.create_stream: true in the configuration",
                        self.subjects.join(",")
                    );
                    self.context.status.set(Topic::Stream, reason);
                    self.tell(StreamNews::Missing);
                    return Ok(None);
                }
            },
            Err(error) => return Err(error),
        };
        let durable = info.config.retention != "limits" || self.jetstream().start == StreamStart::Resume;
        self.check_epoch(link, api, &info, durable)?;
        let consumer = if durable {
            self.durable_consumer(link, api, &info)?
        } else {
            self.ephemeral(link, api, &info)?
        };
        if let Some(consumer) = &consumer {
            self.warn_of_uncovered(&info);
            self.context.status.clear(Topic::Stream);
            self.begin(&info, consumer);
        }
        Ok(consumer)
    }

    /// Notices a stream that is not the one that was read, and what left it unread.
    fn check_epoch(
        &mut self,
        link: &mut Link,
        api: &mut Api,
        info: &StreamInfo,
        durable: bool,
    ) -> Result<(), ApiError> {
        let stream = self.jetstream().stream.clone();
        let Some(epoch) = self.position.epoch.clone() else {
            self.position.epoch = Some(Epoch::first(&info.created));
            if self.jetstream().start == StreamStart::New {
                self.position.sequence = info.state.last_seq;
            }
            return Ok(());
        };
        let reason = if *epoch.created != *info.created {
            Some(EpochReason::Recreated)
        } else if info.state.last_seq < self.position.sequence {
            Some(EpochReason::RolledBack)
        } else if let Some(ours) = self.position.stored_nanos {
            let theirs = api.stored_at(link, &stream, self.position.sequence)?;
            theirs.is_some_and(|theirs| theirs != ours).then_some(EpochReason::RolledBack)
        } else {
            None
        };
        if let Some(reason) = reason {
            tracing::warn!(stream = %stream, reason = reason.word(), "the stream began anew; it is read from its first message");
            let epoch = match reason {
                EpochReason::Recreated => Epoch::first(&info.created),
                EpochReason::RolledBack => Epoch { rollbacks: epoch.rollbacks + 1, ..epoch },
            };
            self.position = Position { epoch: Some(epoch), ..Position::default() };
            return Ok(());
        }
        let lost = info.state.first_seq.saturating_sub(self.position.sequence.saturating_add(1));
        if lost > 0 && self.position.sequence > 0 && !durable {
            let from = self.position.sequence + 1;
            tracing::warn!(stream = %stream, from, to = info.state.first_seq - 1, "messages left the stream before they were read");
            self.context.hand_over(Slot::Stream, Item::Fact(Fact::StreamLost { stream, count: lost }));
            self.position.sequence = info.state.first_seq - 1;
            self.position.stored_nanos = None;
        }
        Ok(())
    }

    /// A consumer that acknowledges nothing, from position + 1 on.
    fn ephemeral(
        &mut self,
        link: &mut Link,
        api: &mut Api,
        info: &StreamInfo,
    ) -> Result<Option<Consumer>, ApiError> {
        let mut config = json!({
            "description": "signalbox",
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self.position.sequence + 1,
            "ack_policy": "none",
            "replay_policy": "instant",
            "inactive_threshold": INACTIVE.as_nanos() as u64,
            "num_replicas": 1,
            "mem_storage": true,
        });
        let asked = self.put_filter(&mut config, info);
        let stream = self.jetstream().stream.clone();
        let made = match api.create_consumer(link, &stream, &config) {
            Err(ApiError::Refused { .. }) if asked => {
                // A filter the stream's subjects do not cover is refused as a whole: then it is done here.
                take_filter(&mut config);
                api.create_consumer(link, &stream, &config)?
            }
            other => other?,
        };
        let filter = if self.is_filtered(&made, info) { Filter::AtServer } else { Filter::Here };
        let gap_means = if filter == Filter::Here || self.covers_stream(info) {
            GapMeans::Loss
        } else {
            GapMeans::LossOrOthers
        };
        Ok(Some(Consumer { info: made, filter, gap_means, durable: None }))
    }

    /// A durable consumer with acknowledgements, where it stopped.
    fn durable_consumer(
        &mut self,
        link: &mut Link,
        api: &mut Api,
        info: &StreamInfo,
    ) -> Result<Option<Consumer>, ApiError> {
        let name = self.jetstream().durable.clone();
        let stream = self.jetstream().stream.clone();
        let mut config = Durable::config(&name);
        self.put_filter(&mut config, info);
        let made = match api.consumer(link, &stream, &name) {
            Err(ApiError::NotFound) => api.create_consumer(link, &stream, &config)?,
            other => other?,
        };
        let filter = if self.is_filtered(&made, info) { Filter::AtServer } else { Filter::Here };
        if filter == Filter::Here && info.config.retention == "workqueue" {
            let reason = format!(
                "the work-queue stream {stream} holds other types too and this server ({}) cannot leave them to \
                 others; use nats-server 2.10 or newer, or a stream of its own",
                link.info.version
            );
            api.delete_consumer(link, &stream, &name);
            self.context.status.set(Topic::Stream, reason);
            self.tell(StreamNews::Unreadable);
            return Ok(None);
        }
        let durable = Durable::new(&made, Instant::now());
        Ok(Some(Consumer { info: made, filter, gap_means: GapMeans::Nothing, durable: Some(durable) }))
    }

    /// Asks the server to leave other types out, where the stream takes any; whether it was asked.
    fn put_filter(&self, config: &mut Value, info: &StreamInfo) -> bool {
        if self.covers_stream(info) {
            return false;
        }
        let Some(fields) = config.as_object_mut() else { return false };
        match self.subjects.as_slice() {
            [only] => fields.insert("filter_subject".to_owned(), json!(only)),
            several => fields.insert("filter_subjects".to_owned(), json!(several)),
        };
        true
    }

    /// Whether the consumer as the server made it delivers our types alone.
    fn is_filtered(&self, made: &ConsumerInfo, info: &StreamInfo) -> bool {
        let ours = |subject: &String| self.subjects.contains(subject);
        let several = &made.config.filter_subjects;
        self.covers_stream(info)
            || ours(&made.config.filter_subject)
            || (!several.is_empty() && several.iter().all(ours))
    }

    /// Whether the stream takes nothing but our types.
    fn covers_stream(&self, info: &StreamInfo) -> bool {
        !info.config.subjects.is_empty() && info.config.subjects.iter().all(|it| self.subjects.contains(it))
    }

    fn warn_of_uncovered(&self, info: &StreamInfo) {
        let uncovered: Vec<&str> = self
            .subjects
            .iter()
            .filter(|subject| !info.config.subjects.iter().any(|pattern| subjects::matches(pattern, subject)))
            .map(String::as_str)
            .collect();
        if self.held_at_first.is_none() && !uncovered.is_empty() && !info.config.subjects.is_empty() {
            let stream = &self.jetstream().stream;
            tracing::warn!(stream = %stream, subjects = uncovered.join(","), "the stream does not take these types of the JetStream lane; their events will not be seen");
        }
    }

    /// Tells that the stream is read from here on.
    fn begin(&mut self, info: &StreamInfo, consumer: &Consumer) {
        self.held_at_first.get_or_insert(info.state.last_seq);
        if let Some(epoch) = self.position.epoch.clone() {
            let stream = self.jetstream().stream.clone();
            let pending = consumer.info.num_pending + consumer.info.num_ack_pending;
            self.tell(StreamNews::Found { stream, epoch, last_sequence: info.state.last_seq, pending });
        }
        self.told_drained = false;
        self.tell_pending(consumer.info.num_pending);
    }

    /// Tells that nothing waits any more.
    pub(super) fn drained(&mut self) {
        if !self.told_drained {
            self.told_drained = true;
            self.hand_batch(0);
            self.tell(StreamNews::Drained);
        }
    }

    fn tell(&self, news: StreamNews) {
        self.context.hand_over(Slot::Stream, Item::News(news));
    }
}

/// Keeps the connection alive for a while without reading the stream.
fn idle(context: &ShellContext, link: &mut Link) -> Result<(), LinkError> {
    let until = Instant::now() + LOOK_AGAIN;
    while Instant::now() < until && !context.stop.is_stopping() {
        link.read()?;
        while link.next()?.is_some() {}
    }
    Ok(())
}

/// Takes the filter out again.
fn take_filter(config: &mut Value) {
    if let Some(fields) = config.as_object_mut() {
        fields.remove("filter_subject");
        fields.remove("filter_subjects");
    }
}
