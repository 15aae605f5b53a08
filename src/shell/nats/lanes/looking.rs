//! Looking at the stream: what it is and holds, whether it is the one that was read, and the consumer to read it by.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::engine::arrival::position::Applied;
use crate::engine::arrival::{Epoch, StreamNews};
use crate::engine::fact::EpochReason;
use crate::engine::wire;
use crate::shell::nats::api::{
    ApiError, Asked, ConsumerConfig, ConsumerInfo, StoredMessage, StreamInfo, StreamState, answer,
};
use crate::shell::nats::frames::Delivery;
use crate::shell::settings::{MissingStream, StreamReaders, StreamStart};
use crate::shell::status::Topic;

use super::durable::{DESCRIPTION, Durable};
use super::filters::{FilterAsked, take_filter};
use super::gaps::GapMeans;
use super::machine::Output;
use super::owing::AckLimits;
use super::pulling::{Consumer, Filter, Pulling};
use super::stream::{Cursor, FirstLook, StreamMachine, StreamStage, Suspicion};
use super::words::{Remark, Trouble};

/// How long an ephemeral consumer outlives its reader.
const INACTIVE: Duration = Duration::from_secs(30);

/// A question about the stream that is open.
#[derive(Debug)]
pub(super) struct Looking {
    question: Question,
    pub(super) asked: Asked,
    pub(super) deadline: Instant,
}

/// What is asked, with what is known already.
#[derive(Clone, Debug)]
enum Question {
    /// What the stream is and holds.
    Stream,
    /// Whether it can be made.
    Creation,
    /// Which message stands where the last one stood that was handed over.
    MessageAt { info: StreamInfo, known: Applied },
    /// Whether the durable consumer is there.
    Durable { info: StreamInfo },
    /// Whether the limits of the durable consumer can be widened.
    Change { info: StreamInfo, config: Value, found: ConsumerInfo },
    /// Whether a consumer can be made.
    Consumer { info: StreamInfo, config: Value, filter: FilterAsked },
}

/// How the stream has to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// By a consumer that acknowledges nothing.
    Ephemeral,
    /// By a durable one with acknowledgements.
    Durable,
}

impl StreamMachine {
    /// Asks what the stream is and holds.
    pub(super) fn look(&mut self, now: Instant) {
        self.question(Question::Stream, now);
    }

    fn question(&mut self, question: Question, now: Instant) {
        let stream = self.stream();
        let Some(connection) = &mut self.connection else { return };
        let (protocol, api) = (&mut connection.protocol, &mut connection.api);
        let asked = match &question {
            Question::Stream => api.ask_stream(protocol, &stream),
            Question::Creation => {
                let subjects: Vec<&str> = self.wanted.iter().map(|it| it.pattern.as_str()).collect();
                api.create_stream(protocol, &stream, &subjects)
            }
            Question::MessageAt { known, .. } => api.ask_message(protocol, &stream, known.sequence),
            Question::Durable { .. } => api.ask_consumer(protocol, &stream, &self.settings.jetstream.durable),
            Question::Change { config, .. } | Question::Consumer { config, .. } => {
                api.create_consumer(protocol, &stream, config)
            }
        };
        let deadline = now + self.settings.nats.request_timeout;
        self.stage = StreamStage::Looking(Box::new(Looking { question, asked, deadline }));
    }

    /// Takes the answer to the open question.
    pub(super) fn take_look(&mut self, delivery: &Delivery<'_>, now: Instant) {
        let StreamStage::Looking(looking) = &self.stage else { return };
        let taken = match looking.question.clone() {
            Question::Stream => self.take_stream(answer(delivery), now),
            Question::Creation => {
                answer(delivery).map_err(Trouble::Api).and_then(|it| self.take_info(it, now))
            }
            Question::MessageAt { info, known } => self.take_message((info, known), answer(delivery), now),
            Question::Durable { info } => self.take_durable(info, answer(delivery), now),
            Question::Change { info, found, .. } => self.take_change((info, found), answer(delivery), now),
            Question::Consumer { info, config, filter } => {
                self.take_consumer((info, config, filter), answer(delivery), now)
            }
        };
        if let Err(trouble) = taken {
            self.rest(trouble, now);
        }
    }

    fn take_stream(&mut self, answer: Result<StreamInfo, ApiError>, now: Instant) -> Result<(), Trouble> {
        match (answer, self.settings.jetstream.missing_stream) {
            (Ok(info), _) => self.take_info(info, now),
            (Err(ApiError::NotFound), MissingStream::Create) => {
                self.say(Remark::CreatingStream);
                self.was_missing = true;
                self.tell(StreamNews::Missing);
                self.question(Question::Creation, now);
                Ok(())
            }
            (Err(ApiError::NotFound), MissingStream::Wait) => {
                let subjects = self.wanted.iter().map(|it| it.pattern.clone()).collect();
                Err(Trouble::NoStream { stream: self.stream(), subjects })
            }
            (Err(error), MissingStream::Create | MissingStream::Wait) => Err(error.into()),
        }
    }

    fn take_info(&mut self, info: StreamInfo, now: Instant) -> Result<(), Trouble> {
        self.check_subjects(&info)?;
        let Some(epoch) = &self.cursor.epoch else {
            self.cursor.epoch = Some(Epoch::first(&info.created));
            self.cursor.sequence = if self.settings.jetstream.start == StreamStart::New {
                info.state.last_seq
            } else if self.was_missing {
                before_first(&info)
            } else {
                // What left it before anybody looked was never ours.
                info.state.first_seq.saturating_sub(1)
            };
            self.take_known(info, now);
            return Ok(());
        };
        let known = self.cursor.known.filter(|known| known.sequence >= info.state.first_seq);
        if *epoch.created != *info.created {
            self.begin_anew(&info, EpochReason::Recreated);
        } else if self.cursor.suspicion == Suspicion::RolledBack
            || self.is_rolled_back(&info, self.cursor.sequence)
        {
            self.begin_anew(&info, EpochReason::RolledBack);
        } else if let Some(known) = known {
            self.question(Question::MessageAt { info, known }, now);
            return Ok(());
        }
        self.take_known(info, now);
        Ok(())
    }

    /// Whether the stream, of which so much was read, ends before it ended. Where a consumer acknowledges, what earlier runs
    /// read is known by nothing but how far the stream went when it was looked at. Elsewhere only what was read counts: what
    /// else came and went is read when it comes again.
    pub(super) fn is_rolled_back(&self, info: &StreamInfo, read: u64) -> bool {
        let least = match self.reading(info) {
            Reading::Durable => read.max(self.cursor.seen),
            Reading::Ephemeral => read,
        };
        info.state.last_seq < least
    }

    fn take_message(
        &mut self,
        (info, known): (StreamInfo, Applied),
        answer: Result<StoredMessage, ApiError>,
        now: Instant,
    ) -> Result<(), Trouble> {
        let is_another = match answer {
            Ok(stored) => is_another(&stored, &known),
            Err(ApiError::NotFound) => false,
            Err(error) => return Err(error.into()),
        };
        if is_another {
            self.begin_anew(&info, EpochReason::RolledBack);
        }
        self.take_known(info, now);
        Ok(())
    }

    /// The stream is not the one that was read.
    fn begin_anew(&mut self, info: &StreamInfo, reason: EpochReason) {
        let rollbacks = self.cursor.epoch.as_ref().map_or(0, |epoch| epoch.rollbacks);
        let epoch = match reason {
            EpochReason::Recreated => Epoch::first(&info.created),
            EpochReason::RolledBack => Epoch { rollbacks: rollbacks + 1, ..Epoch::first(&info.created) },
        };
        self.say(Remark::StreamAnew(reason));
        let sequence = match reason {
            EpochReason::Recreated => before_first(info),
            EpochReason::RolledBack => info.state.first_seq.saturating_sub(1),
        };
        self.cursor = Cursor { epoch: Some(epoch), sequence, ..Cursor::default() };
        self.first_look = match reason {
            EpochReason::Recreated => Some(FirstLook { others_until: sequence, holes_until: sequence }),
            EpochReason::RolledBack => None,
        };
        self.owing.forget();
        // What was found out of the one that was read is none of this one's.
        self.gaps.forget();
    }

    /// The stream is known; what left it unread is counted, and a consumer is made.
    fn take_known(&mut self, info: StreamInfo, now: Instant) {
        self.cursor.seen = self.cursor.seen.max(info.state.last_seq);
        self.cursor.gone = self.cursor.gone.max(info.state.first_seq.saturating_sub(1));
        let reading = self.reading(&info);
        let lost = info.state.first_seq.saturating_sub(self.cursor.sequence.saturating_add(1));
        if lost > 0 && reading == Reading::Ephemeral {
            self.count_lost(lost);
            self.cursor.sequence = info.state.first_seq - 1;
        }
        match reading {
            Reading::Durable if self.settings.jetstream.readers == StreamReaders::Pair => {
                let (stream, retention) = (self.stream(), info.config.retention);
                self.rest(Trouble::NotForPair { stream, retention }, now);
            }
            Reading::Durable => self.question(Question::Durable { info }, now),
            Reading::Ephemeral => {
                let config = json!({
                    "description": "signalbox",
                    "deliver_policy": "by_start_sequence",
                    "opt_start_seq": self.cursor.sequence + 1,
                    "ack_policy": "none",
                    "replay_policy": "instant",
                    "inactive_threshold": INACTIVE.as_nanos() as u64,
                    "num_replicas": 1,
                    "mem_storage": true,
                });
                self.ask_consumer(info, config, now);
            }
        }
    }

    fn take_durable(
        &mut self,
        info: StreamInfo,
        answer: Result<ConsumerInfo, ApiError>,
        now: Instant,
    ) -> Result<(), Trouble> {
        match answer {
            Ok(found) if self.is_too_narrow(&found) => {
                let config = Durable::config(&self.settings.jetstream.durable, self.ack_limits());
                self.question(
                    Question::Change { info: info.clone(), config: self.filtered(config, &info), found },
                    now,
                );
                Ok(())
            }
            Ok(found) => self.read_by(&info, found, now),
            Err(ApiError::NotFound) => {
                let config = Durable::config(&self.settings.jetstream.durable, self.ack_limits());
                self.ask_consumer(info, config, now);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a consumer that was made here waits for fewer acknowledgements than may be owed now, or not as long.
    fn is_too_narrow(&self, found: &ConsumerInfo) -> bool {
        let (limits, config) = (self.ack_limits(), &found.config);
        let waits_less = config.ack_wait > 0 && u128::from(config.ack_wait) < limits.wait.as_nanos();
        let holds_less =
            config.max_ack_pending > 0 && (config.max_ack_pending as u64) < limits.messages_max as u64;
        config.description == DESCRIPTION && (waits_less || holds_less)
    }

    /// Takes the consumer as it was changed; as it was found where the server does not let it be changed.
    fn take_change(
        &mut self,
        (info, found): (StreamInfo, ConsumerInfo),
        answer: Result<ConsumerInfo, ApiError>,
        now: Instant,
    ) -> Result<(), Trouble> {
        match answer {
            Ok(changed) => self.read_by(&info, changed, now),
            Err(ApiError::Refused { .. }) => self.read_by(&info, found, now),
            Err(error) => Err(error.into()),
        }
    }

    /// The same with the filter that the server took when the consumer was made.
    fn filtered(&self, mut config: Value, info: &StreamInfo) -> Value {
        self.put_filter(&mut config, info);
        config
    }

    fn ask_consumer(&mut self, info: StreamInfo, mut config: Value, now: Instant) {
        let filter = self.put_filter(&mut config, &info);
        self.question(Question::Consumer { info, config, filter }, now);
    }

    fn take_consumer(
        &mut self,
        (info, mut config, filter): (StreamInfo, Value, FilterAsked),
        answer: Result<ConsumerInfo, ApiError>,
        now: Instant,
    ) -> Result<(), Trouble> {
        match (answer, filter) {
            (Ok(made), _) => self.read_by(&info, made, now),
            // A filter the stream's subjects do not cover is refused as a whole: then it is done here.
            (Err(ApiError::Refused { .. }), FilterAsked::Yes) => {
                take_filter(&mut config);
                self.question(Question::Consumer { info, config, filter: FilterAsked::No }, now);
                Ok(())
            }
            (Err(error), FilterAsked::Yes | FilterAsked::No) => Err(error.into()),
        }
    }

    /// Reads the stream by this consumer.
    fn read_by(&mut self, info: &StreamInfo, made: ConsumerInfo, now: Instant) -> Result<(), Trouble> {
        let filter = if self.is_filtered(&made, info) { Filter::AtServer } else { Filter::Here };
        let reading = self.reading(info);
        if reading == Reading::Durable && filter == Filter::Here && info.config.retention == "workqueue" {
            return Err(self.refuse_shared_queue());
        }
        let (gap_means, durable) = match reading {
            Reading::Durable => (GapMeans::Nothing, Some(self.take_up(&made, now))),
            Reading::Ephemeral if filter == Filter::Here || self.covers_stream(info) => {
                (GapMeans::Loss, None)
            }
            Reading::Ephemeral => (GapMeans::LossOrOthers, None),
        };
        if info.config.retention == "workqueue" {
            // What is acknowledged leaves a queue, though other types' messages stay before it.
            self.cursor.gone = self.cursor.gone.max(made.ack_floor.stream_seq);
        }
        // Past messages of other types the floor goes as well.
        if reading == Reading::Durable && self.covers_stream(info) {
            self.count_acknowledged(made.ack_floor.stream_seq);
        }
        self.outputs.push_back(Output::Ready(Topic::Stream));
        self.first_look.get_or_insert(first_look(info));
        let pending = made.num_pending;
        if let Some(epoch) = self.cursor.epoch.clone() {
            let (stream, last_sequence) = (self.stream(), info.state.last_seq);
            let pending = pending + made.num_ack_pending;
            self.tell(StreamNews::Found { stream, epoch, last_sequence, pending });
            if reading == Reading::Durable {
                self.tell(StreamNews::Acknowledged { sequence: made.ack_floor.stream_seq });
            } else if self.cursor.known.is_none() && self.cursor.sequence > 0 {
                self.hand_position(pending);
            }
        }
        self.tell_pending(pending, now);
        let consumer = Consumer { info: made, filter, gap_means, durable };
        if let Some(connection) = &self.connection {
            let pulling = Pulling::new(&self.settings, &connection.api, consumer, now);
            self.stage = StreamStage::Pulling(Box::new(pulling));
            self.go_on(now);
            self.ask_again();
            self.acknowledge(now);
        }
        Ok(())
    }

    /// Goes on with a durable consumer: what an earlier run had of it and did not acknowledge comes again first.
    fn take_up(&mut self, found: &ConsumerInfo, now: Instant) -> Durable {
        let limits = limits_of(&found.config, self.ack_limits());
        self.owing.limit(limits);
        Durable::new(found, &self.owing, limits, now)
    }

    /// Has a durable consumer deliver that at once. It is asked to send messages before: nats-server 2.9 loses what it is to
    /// deliver again while only requests of a process that is gone wait for it, until it gives up waiting for its
    /// acknowledgement.
    fn ask_again(&mut self) {
        let stream = self.stream();
        let has_domain = self.settings.jetstream.domain.is_some();
        if let (StreamStage::Pulling(pulling), Some(connection)) = (&self.stage, &mut self.connection)
            && let Some(durable) = pulling.consumer.durable.as_ref().filter(|_| !has_domain)
        {
            let found = (&*stream, &pulling.consumer.info);
            durable.ask_again(found, &self.owing, &mut connection.protocol);
        }
    }

    fn refuse_shared_queue(&mut self) -> Trouble {
        let stream = self.stream();
        let mut version = String::new();
        if let Some(connection) = &mut self.connection {
            version.clone_from(&connection.protocol.info().version);
            let durable = &self.settings.jetstream.durable;
            connection.api.delete_consumer(&mut connection.protocol, &stream, durable);
        }
        Trouble::SharedWorkQueue { stream, version }
    }

    fn reading(&self, info: &StreamInfo) -> Reading {
        if info.config.retention != "limits" || self.settings.jetstream.start == StreamStart::Resume {
            Reading::Durable
        } else {
            Reading::Ephemeral
        }
    }
}

/// The sequence before the first message a stream ever took.
const fn before_first(info: &StreamInfo) -> u64 {
    info.config.first_seq.saturating_sub(1)
}

/// Whether another message stands where this one was applied.
fn is_another(theirs: &StoredMessage, known: &Applied) -> bool {
    let id = wire::likely_id(&theirs.payload()).map(|glance| glance.id);
    let has_another_id = known.event_id.is_some() && id.is_some() && id != known.event_id;
    has_another_id || theirs.time().is_some_and(|time| time != known.stored)
}

/// What a stream holds that nobody here looked at before.
fn first_look(info: &StreamInfo) -> FirstLook {
    let StreamState { first_seq, last_seq, num_deleted } = info.state;
    let holes_until = if num_deleted == 0 { first_seq.saturating_sub(1) } else { last_seq };
    FirstLook { others_until: last_seq, holes_until }
}

/// How long a consumer waits for acknowledgements, and for how many; what it does not say is as it was asked for.
fn limits_of(config: &ConsumerConfig, asked: AckLimits) -> AckLimits {
    let wait = if config.ack_wait == 0 { asked.wait } else { Duration::from_nanos(config.ack_wait) };
    let messages_max = usize::try_from(config.max_ack_pending).ok().filter(|max| *max > 0);
    AckLimits { wait, messages_max: messages_max.unwrap_or(asked.messages_max) }
}

/// Reads an answer, where it is one of this kind.
pub(super) fn read<T: DeserializeOwned>(delivery: &Delivery<'_>) -> Option<T> {
    answer(delivery).ok()
}
