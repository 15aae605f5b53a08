//! The lease of a pair: who publishes alert events, without the connection: answers, failures and `now` in; requests, the
//! role and deadlines out.
//!
//! It is a key of a NATS key-value bucket, which is a stream with a subject for each key. Who holds it writes it anew, each
//! time naming the revision it wrote last, so that the server refuses whoever was overtaken. Who does not hold it watches
//! the revision, and takes it where it did not move for as long as the lease lasts. Both count by their own clock alone:
//! the holder from before it wrote, the other from when it first saw what was written, so the holder is always the first
//! to hold it for over.

mod record;
#[cfg(test)]
mod script_tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::shell::nats::api::{ApiError, StoredMessage, api_prefix, read_answer};

use super::exchange::{AnswerEnding, Request};
use super::following::{Candidacy, OtherIs, PairRole};
use super::machine::WRONG_LAST_SEQUENCE;
use super::words::AnswerFault;
use record::LeaseRecord;

/// The first release of nats-server that a pair is offered with.
const SERVER_MIN: (u64, u64) = (2, 11);

/// The longest and the shortest time between two looks at the lease.
const LOOKS: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(200)];

/// The server's code for a stream of this name that is there already.
const NAME_IN_USE: u64 = 10_058;

/// What a lease is about.
#[derive(Clone, Debug)]
pub(crate) struct LeaseTerms {
    /// The bucket.
    pub(crate) bucket: String,
    /// The key.
    pub(crate) key: String,
    /// How long it lasts.
    pub(crate) lease: Duration,
    /// By which this process is known; another after each start.
    pub(crate) holder: String,
    /// This instance's name, for people.
    pub(crate) instance: String,
    /// The JetStream domain, where it is not the connection's own.
    pub(crate) domain: Option<String>,
}

/// What the machine wants done.
#[derive(Debug)]
pub(crate) enum LeaseOutput {
    /// Send this, and say what came of it.
    Ask(Request),
    /// This instance publishes, goes on to, or does not.
    Role(PairRole),
    /// Who publishes, as far as is known.
    Leader(Option<Arc<str>>),
    /// The other instance, which publishes, wrote the lease anew.
    Heard(OtherIs),
    /// Nothing is wrong.
    Ready,
    /// What is wrong.
    Unready(String),
}

/// What is done at present.
#[derive(Debug)]
enum LeaseStep {
    /// There is no connection, or no server to ask.
    Away,
    /// Nothing until then.
    Resting { until: Instant },
    /// A question is open since then.
    Asking { number: u64, what: Asked, since: Instant },
    /// The process ends.
    Over,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Whether the bucket is there.
    Bucket,
    /// For the bucket to be made.
    NewBucket,
    /// What the lease says.
    Lease,
    /// For the lease to be written.
    Write,
}

/// The lease as it is held here.
#[derive(Clone, Copy, Debug)]
struct Held {
    revision: u64,
    until: Instant,
}

/// The lease as another holds it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    revision: u64,
    since: Instant,
    lasts: Duration,
}

/// Whether the bucket is known to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BucketIs {
    There,
    Unknown,
}

/// An acknowledgement.
#[derive(Deserialize)]
struct Written {
    seq: u64,
}

/// Holds or watches the lease.
#[derive(Debug)]
pub(crate) struct LeaseMachine {
    terms: LeaseTerms,
    step: LeaseStep,
    bucket: BucketIs,
    held: Option<Held>,
    seen: Option<Seen>,
    candidacy: Candidacy,
    waiting: usize,
    asked: u64,
    failures: u32,
    /// What is to be done.
    pub(crate) outputs: VecDeque<LeaseOutput>,
}

impl LeaseMachine {
    /// No connection yet; the other instance may publish.
    pub(crate) fn new(terms: LeaseTerms) -> Self {
        Self {
            terms,
            step: LeaseStep::Away,
            bucket: BucketIs::Unknown,
            held: None,
            seen: None,
            candidacy: Candidacy::NotYet,
            waiting: 0,
            asked: 0,
            failures: 0,
            outputs: VecDeque::from([LeaseOutput::Role(PairRole::Follows), LeaseOutput::Leader(None)]),
        }
    }

    /// Whether this instance could publish, and how many events wait here.
    pub(crate) const fn note(&mut self, candidacy: Candidacy, waiting: usize) {
        self.candidacy = candidacy;
        self.waiting = waiting;
    }

    /// The connection stands, to a server of this version.
    pub(crate) fn connected(&mut self, version: &str, now: Instant) {
        self.disconnected();
        if matches!(self.step, LeaseStep::Over) {
            return;
        }
        if is_too_old(version) {
            self.give_up_lease();
            let (major, minor) = SERVER_MIN;
            let reason = format!(
                "nats-server {version} is too old for a pair, which needs {major}.{minor} or newer: upgrade it, or \
                 take `pair` out of the configuration"
            );
            self.outputs.push_back(LeaseOutput::Unready(reason));
            return;
        }
        self.look(now);
    }

    /// The connection is gone, and with it every answer; the lease lasts as long as it does.
    pub(crate) fn disconnected(&mut self) {
        if !matches!(self.step, LeaseStep::Over) {
            self.step = LeaseStep::Away;
        }
        self.bucket = BucketIs::Unknown;
        if self.held.is_none() && self.seen.is_some() {
            // Whether the other one still publishes cannot be asked.
            self.outputs.push_back(LeaseOutput::Leader(None));
        }
    }

    /// Lets the lease go, so that the other instance need not wait for its end.
    pub(crate) fn release(&mut self) {
        if let (Some(held), false) = (self.held.take(), matches!(self.step, LeaseStep::Away)) {
            self.write(held.revision, vec![("KV-Operation", "DEL".to_owned())], Bytes::new());
        }
        self.step = LeaseStep::Over;
    }

    /// How long an answer is waited for.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.terms.lease.as_millis() / 3).unwrap_or(u64::MAX))
    }

    /// Takes the answer to a request.
    pub(crate) fn answered(&mut self, number: u64, answer: Result<&[u8], AnswerFault>, now: Instant) {
        let LeaseStep::Asking { number: asked, what, since } = self.step else { return };
        if asked != number {
            return;
        }
        self.step = LeaseStep::Resting { until: now };
        match what {
            Asked::Bucket => self.take_bucket(answer, now),
            Asked::NewBucket => self.take_new_bucket(answer, now),
            Asked::Lease => self.take_lease(answer, since, now),
            Asked::Write => self.take_written(answer, since, now),
        }
    }

    /// Time went on.
    pub(crate) fn due(&mut self, now: Instant) {
        if self.held.is_some_and(|held| now >= held.until) {
            self.give_up_lease();
        }
        match self.step {
            LeaseStep::Resting { until } if now >= until => match self.held {
                Some(held) => self.renew(held.revision, now),
                None => self.look(now),
            },
            LeaseStep::Resting { .. } | LeaseStep::Away | LeaseStep::Asking { .. } | LeaseStep::Over => {}
        }
    }

    /// When [`LeaseMachine::due`] has something to do next, where nothing comes before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let of_step = match self.step {
            LeaseStep::Resting { until } => Some(until),
            LeaseStep::Away | LeaseStep::Asking { .. } | LeaseStep::Over => None,
        };
        [of_step, self.held.map(|held| held.until)].into_iter().flatten().min()
    }

    /// The time between two looks at the lease.
    fn pause(&self) -> Duration {
        let [most, least] = LOOKS;
        (self.terms.lease / 5).clamp(least, most)
    }

    fn look(&mut self, now: Instant) {
        match self.bucket {
            BucketIs::Unknown => self.ask_api(Asked::Bucket, "STREAM.INFO", String::new(), now),
            BucketIs::There => {
                let body = json!({ "last_by_subj": self.subject() }).to_string();
                self.ask_api(Asked::Lease, "STREAM.MSG.GET", body, now);
            }
        }
    }

    fn subject(&self) -> String {
        format!("$KV.{}.{}", self.terms.bucket, self.terms.key)
    }

    fn stream(&self) -> String {
        format!("KV_{}", self.terms.bucket)
    }

    /// Where the lease is written: in a domain that is not the connection's own, by way of its API.
    fn written_to(&self) -> String {
        let subject = self.subject();
        let domain = self.terms.domain.as_deref();
        domain.map_or_else(|| subject.clone(), |_| format!("{}.{subject}", api_prefix(domain)))
    }

    fn ask(&mut self, request: Request) -> u64 {
        self.asked += 1;
        self.outputs.push_back(LeaseOutput::Ask(Request { number: self.asked, ..request }));
        self.asked
    }

    /// Asks something of the bucket's stream.
    fn ask_api(&mut self, asked: Asked, what: &str, body: String, now: Instant) {
        let prefix = api_prefix(self.terms.domain.as_deref());
        let subject = format!("{prefix}.{what}.{}", self.stream());
        let (headers, payload, ending) = (Vec::new(), Bytes::from(body), AnswerEnding::Answer);
        let number = self.ask(Request { number: 0, subject, headers, payload, ending });
        self.step = LeaseStep::Asking { number, what: asked, since: now };
    }

    /// Writes the lease over this revision.
    fn write(&mut self, over: u64, mut headers: Vec<(&'static str, String)>, payload: Bytes) -> u64 {
        headers.push(("Nats-Expected-Last-Subject-Sequence", over.to_string()));
        let (subject, ending) = (self.written_to(), AnswerEnding::Answer);
        self.ask(Request { number: 0, subject, headers, payload, ending })
    }

    fn renew(&mut self, over: u64, now: Instant) {
        let record = LeaseRecord {
            holder: self.terms.holder.clone(),
            instance: self.terms.instance.clone(),
            lease_ms: u64::try_from(self.terms.lease.as_millis()).unwrap_or(u64::MAX),
            waiting: self.waiting,
        };
        let number = self.write(over, Vec::new(), record.to_json().into());
        self.step = LeaseStep::Asking { number, what: Asked::Write, since: now };
    }

    fn take_bucket(&mut self, answer: Result<&[u8], AnswerFault>, now: Instant) {
        match answer.map(read_answer::<IgnoredAny>) {
            Ok(Ok(_)) => self.bucket_is_there(now),
            Ok(Err(ApiError::NotFound)) => {
                let body = json!({
                    "name": self.stream(),
                    "description": "signalbox: which instance of a pair publishes",
                    "subjects": [format!("$KV.{}.>", self.terms.bucket)],
                    "retention": "limits",
                    "storage": "file",
                    "discard": "new",
                    "max_msgs_per_subject": 1,
                    "allow_rollup_hdrs": true,
                    "deny_delete": true,
                    "allow_direct": true,
                });
                self.ask_api(Asked::NewBucket, "STREAM.CREATE", body.to_string(), now);
            }
            Ok(Err(error)) => self.fail(&error.to_string(), now),
            Err(fault) => self.fail(&fault.to_string(), now),
        }
    }

    fn take_new_bucket(&mut self, answer: Result<&[u8], AnswerFault>, now: Instant) {
        match answer.map(read_answer::<IgnoredAny>) {
            // The other instance was quicker.
            Ok(Ok(_) | Err(ApiError::Refused { code: NAME_IN_USE, .. })) => self.bucket_is_there(now),
            Ok(Err(error)) => self.fail(&error.to_string(), now),
            Err(fault) => self.fail(&fault.to_string(), now),
        }
    }

    fn bucket_is_there(&mut self, now: Instant) {
        self.bucket = BucketIs::There;
        self.look(now);
    }

    fn take_lease(&mut self, answer: Result<&[u8], AnswerFault>, since: Instant, now: Instant) {
        let message = match answer.map(read_answer::<StoredMessage>) {
            Ok(Ok(message)) => Some(message),
            Ok(Err(ApiError::NotFound)) => None,
            Ok(Err(error)) => return self.fail(&error.to_string(), now),
            Err(fault) => return self.fail(&fault.to_string(), now),
        };
        let revision = message.as_ref().map_or(0, StoredMessage::sequence);
        let record = message.and_then(|message| LeaseRecord::read(&message.payload()));
        match record {
            Some(record) if record.holder == self.terms.holder => {
                // An acknowledgement was lost, or the lease was over and nobody took it.
                self.take_free(revision, now);
            }
            Some(record) => self.see_other(&record, revision, (since, now)),
            None => {
                self.give_up_lease();
                self.outputs.push_back(LeaseOutput::Leader(None));
                self.seen = None;
                self.take_free(revision, now);
            }
        }
    }

    /// Writes a lease that nobody else holds, where this instance can publish.
    fn take_free(&mut self, revision: u64, now: Instant) {
        match self.candidacy {
            Candidacy::Ready => self.renew(revision, now),
            Candidacy::NotYet => {
                self.succeed();
                self.step = LeaseStep::Resting { until: now + self.pause() };
            }
        }
    }

    fn see_other(&mut self, record: &LeaseRecord, revision: u64, (asked, now): (Instant, Instant)) {
        self.give_up_lease();
        let lasts = self.terms.lease.max(Duration::from_millis(record.lease_ms));
        let known = self.seen.filter(|seen| seen.revision == revision && seen.lasts == lasts);
        let seen = known.unwrap_or(Seen { revision, since: now, lasts });
        self.seen = Some(seen);
        let over = seen.since + seen.lasts;
        if known.is_none() {
            self.outputs.push_back(LeaseOutput::Leader(Some(Arc::from(record.instance.as_str()))));
            let other = if record.waiting == 0 { OtherIs::Idle } else { OtherIs::Busy };
            self.outputs.push_back(LeaseOutput::Heard(other));
        } else if asked >= over {
            // What was read was asked for when the lease was over.
            self.outputs.push_back(LeaseOutput::Leader(None));
            return self.take_free(revision, now);
        }
        self.succeed();
        self.step = LeaseStep::Resting { until: (now + self.pause()).min(over.max(now)) };
    }

    fn take_written(&mut self, answer: Result<&[u8], AnswerFault>, since: Instant, now: Instant) {
        match answer.map(read_answer::<Written>) {
            Ok(Ok(written)) => {
                self.succeed();
                let until = since + self.terms.lease;
                if until <= now {
                    // It took longer than the lease lasts.
                    return self.renew(written.seq, now);
                }
                if self.held.is_none() {
                    self.outputs
                        .push_back(LeaseOutput::Leader(Some(Arc::from(self.terms.instance.as_str()))));
                }
                self.seen = None;
                self.held = Some(Held { revision: written.seq, until });
                self.outputs.push_back(LeaseOutput::Role(PairRole::Leads { until }));
                self.step = LeaseStep::Resting { until: (since + self.pause()).max(now) };
            }
            // Somebody else wrote it, or this process did and was not told: what it says decides.
            Ok(Err(ApiError::Refused { code, .. })) if WRONG_LAST_SEQUENCE.contains(&code) => self.look(now),
            Err(fault @ AnswerFault::Silent(_)) => {
                self.note_failure(&fault.to_string());
                self.look(now);
            }
            Ok(Err(error)) => self.fail(&error.to_string(), now),
            Err(fault) => self.fail(&fault.to_string(), now),
        }
    }

    /// Whoever held it, this instance does not any more.
    fn give_up_lease(&mut self) {
        if self.held.take().is_some() {
            self.outputs.push_back(LeaseOutput::Role(PairRole::Follows));
            self.outputs.push_back(LeaseOutput::Leader(None));
        }
    }

    fn succeed(&mut self) {
        self.failures = 0;
        self.outputs.push_back(LeaseOutput::Ready);
    }

    fn fail(&mut self, reason: &str, now: Instant) {
        self.bucket = BucketIs::Unknown;
        self.note_failure(reason);
        self.step = LeaseStep::Resting { until: now + self.pause() };
    }

    /// What a read tells does not make up for a lease that cannot be written.
    fn note_failure(&mut self, reason: &str) {
        self.failures = self.failures.saturating_add(1);
        // One answer may get lost.
        if self.failures > 1 {
            let (bucket, stream) = (&self.terms.bucket, self.stream());
            let reason = format!(
                "no lease of the bucket {bucket}: {reason}; this user must be allowed to publish to \
                 $JS.API.STREAM.*.{stream}, $JS.API.STREAM.MSG.GET.{stream} and $KV.{bucket}.>, or make the bucket: \
                 nats kv add {bucket}"
            );
            self.outputs.push_back(LeaseOutput::Unready(reason));
        }
    }
}

/// Whether a pair is not offered with a server of this version; one that says nothing is not.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u64>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < SERVER_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_apart_by_their_first_two_numbers() {
        for (version, expected) in [
            ("2.9.10", true),
            ("2.10.29", true),
            ("2.11.0", false),
            ("2.11.0-RC.1", false),
            ("2.15.1", false),
            ("3.0.0", false),
            ("", true),
        ] {
            assert_eq!(is_too_old(version), expected, "{version}");
        }
    }
}
