//! The log of decided transitions and of acknowledgements, between two checkpoints: what a record says, and its bytes.
//!
//! A record is its length, its checksum and its content; the file begins with what it is. Reading ends at the first
//! record that is not whole: that is where a write was broken off, and nobody saw what it would have told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::event::AlertEvent;
use super::outbox::{event_of, event_twin};
use super::reach::Reach;
use super::stored::StoredAlert;
use crate::engine::checkpoint::CheckpointAge;
use crate::engine::checkpoint::bytes::{Damage, Reader, Twin, Writer};
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventId, EventType};

/// How a log begins: what it is, and its version.
pub(crate) const LOG_HEADER: [u8; 8] = *b"SBXLOG\0\x01";

/// Bytes of length and checksum before a record.
const FRAME_BYTES: usize = 8;

/// The longest record that is read.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LogRecord {
    /// A transition was decided when the stream was applied up to this sequence.
    Decided {
        /// Its event.
        event: Box<AlertEvent>,
        /// The sequence; 0 where no stream is read.
        sequence: u64,
        /// What made its rule the rule it was; none where that is not known.
        essence: Option<Arc<str>>,
    },
    /// The broker has the event.
    Acknowledged(EventId),
    /// A copy of the rejected message of this sequence of the stream is published.
    Copied(u64),
    /// The event is not to be sent: what a stream shows took its place.
    Withdrawn(EventId),
    /// A checkpoint was handed out here: it holds what was decided before.
    Marked {
        /// The engine's time in it.
        at: Timestamp,
        /// Of what it is.
        age: CheckpointAge,
    },
}

impl LogRecord {
    /// The record as it is written.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Decided { event, sequence, essence } => {
                3_u8.write(&mut out);
                sequence.write(&mut out);
                event_twin(event).write(&mut out);
                essence.write(&mut out);
            }
            Self::Acknowledged(id) => {
                1_u8.write(&mut out);
                id.0.write(&mut out);
            }
            Self::Copied(sequence) => {
                2_u8.write(&mut out);
                sequence.write(&mut out);
            }
            Self::Withdrawn(id) => {
                4_u8.write(&mut out);
                id.0.write(&mut out);
            }
            Self::Marked { at, age } => {
                5_u8.write(&mut out);
                at.write(&mut out);
                u8::from(*age == CheckpointAge::Past).write(&mut out);
            }
        }
        let content = out.finish();
        let mut bytes = Vec::with_capacity(FRAME_BYTES + content.len());
        bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&content).to_le_bytes());
        bytes.extend_from_slice(&content);
        bytes
    }

    /// The event that was decided.
    pub(crate) fn decided(&self) -> Option<&AlertEvent> {
        match self {
            Self::Decided { event, .. } => Some(event),
            Self::Acknowledged(_) | Self::Copied(_) | Self::Withdrawn(_) | Self::Marked { .. } => None,
        }
    }

    /// The sequence of the message whose copy is published.
    pub(crate) const fn copied(&self) -> Option<u64> {
        match self {
            Self::Copied(sequence) => Some(*sequence),
            Self::Decided { .. } | Self::Acknowledged(_) | Self::Withdrawn(_) | Self::Marked { .. } => None,
        }
    }

    fn of_bytes(content: &[u8]) -> Result<Self, Damage> {
        let mut from = Reader::new(content);
        let record = match u8::read(&mut from)? {
            // The first logs did not say which rule it was.
            version @ (0 | 3) => {
                let sequence = u64::read(&mut from)?;
                let event = Box::new(event_of(Twin::read(&mut from)?)?);
                let essence = if version == 0 { None } else { Twin::read(&mut from)? };
                Self::Decided { event, sequence, essence }
            }
            1 => Self::Acknowledged(EventId(u128::read(&mut from)?)),
            2 => Self::Copied(u64::read(&mut from)?),
            4 => Self::Withdrawn(EventId(u128::read(&mut from)?)),
            5 => {
                let (at, is_past) = (Twin::read(&mut from)?, u8::read(&mut from)? != 0);
                Self::Marked { at, age: if is_past { CheckpointAge::Past } else { CheckpointAge::Present } }
            }
            _ => return Err(Damage("a record says nothing that is known")),
        };
        from.end()?;
        Ok(record)
    }
}

/// What of a log came after a checkpoint that is gone on from, by the engine's time in it. A log that ends before its mark,
/// as it was torn or could not be written any more, tells nothing that the checkpoint does not hold; one without marks is of
/// an earlier release, or was torn at its beginning, and all of it is taken. What came while a past was lived through is
/// needed whole, to be left alone.
pub(crate) fn since_checkpoint(log: &[LogRecord], saved_at: Timestamp) -> &[LogRecord] {
    let marks = || {
        log.iter().enumerate().filter_map(|(place, record)| match record {
            LogRecord::Marked { at, age } => Some((place, *at, *age)),
            LogRecord::Decided { .. }
            | LogRecord::Acknowledged(_)
            | LogRecord::Copied(_)
            | LogRecord::Withdrawn(_) => None,
        })
    };
    let from = match marks().find(|(_, at, _)| *at == saved_at) {
        Some((place, _, CheckpointAge::Present)) => place,
        None if marks().next().is_some() && marks().all(|(_, at, _)| at < saved_at) => log.len(),
        Some((_, _, CheckpointAge::Past)) | None => 0,
    };
    log.get(from..).unwrap_or_default()
}

/// A log that was read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ReadLog {
    /// Its records.
    pub(crate) records: Vec<LogRecord>,
    /// Bytes up to the end of the last whole one; 0 where it is no log of ours.
    pub(crate) whole_bytes: usize,
}

/// Reads a log up to where it is not whole.
pub(crate) fn read_log(bytes: &[u8]) -> ReadLog {
    let Some(mut rest) = bytes.strip_prefix(&LOG_HEADER) else { return ReadLog::default() };
    let mut read = ReadLog { records: Vec::new(), whole_bytes: LOG_HEADER.len() };
    while let Some((record, after)) = next_record(rest) {
        read.records.push(record);
        read.whole_bytes += rest.len() - after.len();
        rest = after;
    }
    read
}

fn next_record(bytes: &[u8]) -> Option<(LogRecord, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|it| *it <= RECORD_BYTES_MAX)?;
    let (content, rest) = rest.split_at_checked(length)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
        return None;
    }
    Some((LogRecord::of_bytes(content).ok()?, rest))
}

/// What a log tells of alerts.
#[derive(Debug, Default)]
pub(super) struct LoggedTransitions {
    /// Events that were decided and not acknowledged, in order.
    pub(super) waiting: Vec<AlertEvent>,
    /// Ids that were acknowledged.
    pub(super) acknowledged: BTreeSet<EventId>,
    /// Ids that were withdrawn and not decided again.
    pub(super) withdrawn: BTreeSet<EventId>,
    /// Ids that were decided and not withdrawn.
    known: BTreeSet<EventId>,
    /// Ids of the AlertCleared.
    pub(super) ended: BTreeSet<EventId>,
    /// Episodes that did not end, and what made their rules the rules they were.
    pub(super) open: Vec<(StoredAlert, Option<Arc<str>>)>,
    /// By fingerprint: up to which sequence, and at which instant, everything is decided.
    pub(super) settled: Vec<(u64, (u64, Timestamp))>,
}

impl LoggedTransitions {
    pub(super) fn by(log: &[LogRecord]) -> Self {
        let mut told = Self::default();
        for record in log {
            match record {
                LogRecord::Acknowledged(id) => drop(told.acknowledged.insert(*id)),
                LogRecord::Copied(_) | LogRecord::Marked { .. } => {}
                LogRecord::Withdrawn(id) => told.withdraw(*id),
                LogRecord::Decided { event, sequence, essence } => {
                    let at = settled_at(&StoredAlert::of(event));
                    told.settled.push((event.fingerprint, (*sequence, at)));
                    let reach = Reach::exactly(*sequence);
                    told.decide(AlertEvent { reach, ..AlertEvent::clone(event) }, essence.clone());
                }
            }
        }
        let Self { waiting, acknowledged, ended, open, .. } = &mut told;
        waiting.retain(|event| !acknowledged.contains(&event.id));
        open.retain(|(open, _)| !ended.contains(&open.end_id()));
        told
    }

    /// It was decided, perhaps for another time after it was withdrawn: the end of an episode has one id.
    fn decide(&mut self, event: AlertEvent, essence: Option<Arc<str>>) {
        self.withdrawn.remove(&event.id);
        if !self.known.insert(event.id) {
            return;
        }
        if event.event_type() == EventType::AlertCleared {
            self.ended.insert(event.id);
        } else {
            self.open.push((StoredAlert::of(&event), essence));
        }
        self.waiting.push(event);
    }

    fn withdraw(&mut self, id: EventId) {
        self.withdrawn.insert(id);
        if self.known.remove(&id) {
            self.ended.remove(&id);
            self.waiting.retain(|event| event.id != id);
            self.open.retain(|(open, _)| open.id != id);
        }
    }
}

/// Up to which instant everything is decided of an alert. What began anew at the very instant at which an episode both began and
/// ended, with its rule, would be taken for that episode.
pub(super) fn settled_at(event: &StoredAlert) -> Timestamp {
    if event.event_type == EventType::AlertCleared {
        event.timestamp.max(event.started_at.after(Duration::from_micros(1)))
    } else {
        event.timestamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::labels::Labels;
    use crate::engine::rules::event::{AlertEventKind, Identity, Reason, fingerprint};
    use crate::engine::rules::set::Severity;

    /// The beginning of an episode at a second, and its end.
    fn episode(second: i64) -> [AlertEvent; 2] {
        let labels = Labels::collect([("alertname", "A")]);
        let started_at = Timestamp::from_millis(second * 1_000);
        let kinds = [
            AlertEventKind::Triggered {
                metric_name: Arc::from("m"),
                current_value: 1.5,
                threshold: f64::MAX,
                message: "é".to_owned(),
            },
            AlertEventKind::Cleared { reason: Reason::NoData, value: None },
        ];
        kinds.map(|kind| AlertEvent {
            id: Identity { rule_id: "r", labels: &labels, started_at }.event_id(kind.event_type()),
            timestamp: started_at,
            source: Arc::from("s"),
            rule_id: Arc::from("r"),
            alert_name: Arc::from("A"),
            severity: Severity::Critical,
            fingerprint: fingerprint("r", &labels),
            labels: labels.clone(),
            started_at,
            annotations: vec![(Arc::from("summary"), "text".to_owned())],
            generator_url: Some(Arc::from("http://x/")),
            evidence: vec![EventId(7)],
            moved_at: Some(started_at),
            reach: Reach::default(),
            kind,
        })
    }

    fn log() -> Vec<LogRecord> {
        let essence = Some(Arc::from("m > 1"));
        let decided = |event: AlertEvent, sequence| {
            let (event, essence) = (Box::new(event), essence.clone());
            LogRecord::Decided { event, sequence, essence }
        };
        let ([first, end], [second, _]) = (episode(1), episode(2));
        let acknowledged = LogRecord::Acknowledged(first.id);
        vec![decided(first, 3), decided(end, 4), acknowledged, LogRecord::Copied(300), decided(second, 9)]
    }

    fn bytes() -> Vec<u8> {
        LOG_HEADER.into_iter().chain(log().iter().flat_map(LogRecord::to_bytes)).collect()
    }

    #[test]
    fn what_was_written_is_read_back_up_to_a_torn_end() {
        let bytes = bytes();
        assert_eq!(read_log(&bytes), ReadLog { records: log(), whole_bytes: bytes.len() });
        for cut in 0..bytes.len() {
            let read = read_log(&bytes[..cut]);
            assert!(read.whole_bytes <= cut && log().starts_with(&read.records), "{cut}");
            assert!(cut < LOG_HEADER.len() || read.whole_bytes >= LOG_HEADER.len(), "{cut}");
        }
    }

    #[test]
    fn a_changed_byte_ends_the_log_where_it_stands() {
        let bytes = bytes();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 0x10;
            let read = read_log(&changed);
            assert!(read.whole_bytes <= place && log().starts_with(&read.records), "{place}");
        }
    }

    #[test]
    fn a_log_tells_what_waits_and_what_is_open() {
        let told = LoggedTransitions::by(&log());
        let ([_, end], [second, _]) = (episode(1), episode(2));
        let ids: Vec<EventId> = told.waiting.iter().map(|event| event.id).collect();
        assert_eq!(ids, [end.id, second.id]);
        assert_eq!(told.open.iter().map(|(open, _)| open.id).collect::<Vec<_>>(), [second.id]);
        assert_eq!(told.settled.iter().map(|(_, (sequence, _))| *sequence).max(), Some(9));
    }

    #[test]
    fn what_was_withdrawn_and_decided_again_waits_where_it_was_decided_last() {
        let ([first, end], [second, _]) = (episode(1), episode(2));
        let decided = |event: &AlertEvent| LogRecord::Decided {
            event: Box::new(event.clone()),
            sequence: 1,
            essence: None,
        };
        let log =
            [decided(&first), decided(&end), LogRecord::Withdrawn(end.id), decided(&second), decided(&end)];
        let told = LoggedTransitions::by(&log);
        let ids: Vec<EventId> = told.waiting.iter().map(|event| event.id).collect();
        assert_eq!(ids, [first.id, second.id, end.id]);
        assert!(told.withdrawn.is_empty());
        assert_eq!(told.open.iter().map(|(open, _)| open.id).collect::<Vec<_>>(), [second.id]);
    }

    #[test]
    fn what_a_checkpoint_holds_is_not_told_again() {
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        let mark = |second: i64, age: CheckpointAge| LogRecord::Marked { at: at(second), age };
        let (present, past) = (CheckpointAge::Present, CheckpointAge::Past);
        let acknowledged = |id: u128| LogRecord::Acknowledged(EventId(id));
        let log = [mark(0, present), acknowledged(1), mark(5, present), acknowledged(2), mark(8, past)];
        assert_eq!(since_checkpoint(&log, at(5)), &log[2..]);
        // It was torn, or given up, before the checkpoint was handed out.
        assert_eq!(since_checkpoint(&log, at(9)), []);
        assert_eq!(since_checkpoint(&log[..2], at(5)), []);
        // What lived in a past takes all of it, and so does what is older than the log.
        assert_eq!(since_checkpoint(&log, at(8)), log);
        assert_eq!(since_checkpoint(&log[2..], at(3)), &log[2..]);
        // An earlier release wrote no marks.
        assert_eq!(since_checkpoint(&log[1..2], at(9)), &log[1..2]);
        let bytes: Vec<u8> = LOG_HEADER.into_iter().chain(log.iter().flat_map(LogRecord::to_bytes)).collect();
        assert_eq!(read_log(&bytes).records, log);
    }

    #[test]
    fn what_was_withdrawn_neither_waits_nor_is_open() {
        let [_, end] = episode(1);
        let [second, _] = episode(2);
        let withdrawn = [LogRecord::Withdrawn(end.id), LogRecord::Withdrawn(second.id)];
        let told = LoggedTransitions::by(&[log(), withdrawn.to_vec()].concat());
        assert_eq!(told.waiting, []);
        // The first goes on: its end was taken back.
        assert_eq!(told.open.iter().map(|(open, _)| open.end_id()).collect::<Vec<_>>(), [end.id]);
        let bytes = withdrawn.iter().flat_map(LogRecord::to_bytes);
        let bytes: Vec<u8> = LOG_HEADER.into_iter().chain(bytes).collect();
        assert_eq!(read_log(&bytes).records, withdrawn);
    }
}
