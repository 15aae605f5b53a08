//! Runs the machine that publishes by scripts (`tests/outbox/*.txt`): what arrives when, and what must leave.
//!
//! | a line | means |
//! |---|---|
//! | `delivery auto`, `jetstream`, `core` | how events go out, from here on |
//! | `up`, `down` | the connection stands anew, or is gone |
//! | `read` | a stream was read |
//! | `found` | the stream that is read was found, or made |
//! | `push triggered NAME`, `push cleared NAME` | an event of this name is decided |
//! | `N < JSON` | the answer to request N |
//! | `N < stored SEQUENCE NAME`, `N < stored SEQUENCE NAME by SOURCE` | the answer: an event of this name, as a stream has it |
//! | `N < looked CREATED FIRST…` | answers to a whole look that begins with request N: one stream for both kinds, last sequences, no alert of ours |
//! | `N < pulled triggered NAME cleared NAME other NAME…` | the answer: messages of a stream, ours or others' |
//! | `N < read SEQUENCE KIND NAME [APPLIED]; …` | the answer: messages of a stream with their sequences; `theirs` for KIND is a stranger's |
//! | `pair` | the machine is one of a pair, from the beginning on |
//! | `creates` | a missing stream is made, by the lane that reads it |
//! | `leads SPAN`, `follows` | this instance publishes for so long, or does not |
//! | `other idle` | the other instance published all it decided |
//! | `anew` | the engine took over what the streams show |
//! | `renew` | the engine let go of some of what waits, and gives the rest anew |
//! | `N silent`, `N nobody`, `N too big` | no answer in time, nobody there, more than the server takes |
//! | `wait SPAN` | time goes on, deadline by deadline |
//! | `> …` | what leaves, in order; all of it, since the line before |

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::engine::config::AlertDelivery;
use crate::engine::duration;
use crate::engine::labels::Labels;
use crate::engine::rules::AlertEvent;
use crate::engine::rules::event::{AlertEventKind, Reason};
use crate::engine::wire::EventId;
use crate::shell::nats::scripts::{self, Course, Stage as _};
use crate::shell::settings::{MissingStream, Settings};

use super::exchange::{AlertKind, Answer, AnswerEnding, Output};
use super::fold::Pulled;
use super::following::{OtherIs, PairRole};
use super::machine::{AlertMachine, Company, Terms};
use super::words::AnswerFault;

/// The `source` of the machine under test.
const SOURCE: &str = "ours";

/// An event whose id shows its name.
fn event(kind: &str, name: &str, source: &str) -> AlertEvent {
    let id = name.bytes().fold(0_u128, |id, byte| id << 8 | u128::from(byte));
    let kind = match kind {
        "triggered" => AlertEventKind::Triggered {
            metric_name: Arc::from("m"),
            current_value: 1.0,
            threshold: 0.0,
            message: name.repeat(2_000),
        },
        _ => AlertEventKind::Cleared { reason: Reason::Recovered, value: None },
    };
    let (source, labels) = (Arc::from(source), Labels::collect([("name", name)]));
    AlertEvent { source, labels, ..AlertEvent::sample(EventId(id), kind) }
}

/// The name of the event with this id.
fn name_of(id: EventId) -> String {
    id.0.to_be_bytes().iter().filter(|byte| **byte != 0).map(|byte| char::from(*byte)).collect()
}

/// A machine and the time.
struct Stage {
    machine: AlertMachine,
    course: Course,
}

impl scripts::Stage for Stage {
    fn act(&mut self, line: &str) {
        self.happen(line);
    }

    fn course(&mut self) -> &mut Course {
        &mut self.course
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    fn due(&mut self) {
        self.machine.due(self.course.now);
        self.collect();
    }
}

impl Stage {
    fn happen(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let machine = &mut self.machine;
        match words.as_slice() {
            ["delivery", word] => {
                let delivery = match *word {
                    "auto" => AlertDelivery::Auto,
                    "jetstream" => AlertDelivery::JetStream,
                    _ => AlertDelivery::Core,
                };
                machine.deliver_by(delivery, self.course.now);
            }
            ["up"] => machine.connected(self.course.now),
            ["down"] => machine.disconnected(),
            ["read"] => machine.expect_answers(),
            ["found"] => machine.stream_found(self.course.now),
            ["push", kind, name] => machine.push(event(kind, name, SOURCE), self.course.now),
            ["wait", span] => self.wait(duration::parse_duration(span).unwrap()),
            [number, "silent"] => self.fault(number, AnswerFault::Silent(Duration::from_secs(5))),
            [number, "nobody"] => self.fault(number, AnswerFault::NobodyThere),
            [number, "too", "big"] => self.fault(number, AnswerFault::TooLarge),
            [number, "<", "looked", created, lasts @ ..] => {
                self.look(number.parse().unwrap(), created, lasts);
            }
            [number, "<", "pulled", messages @ ..] => self.pulled(number, messages),
            ["anew"] => machine.begin_anew(self.course.now),
            ["renew"] => machine.renew(self.course.now),
            ["pair"] => self.machine = machine_of(Company::Pair, MissingStream::Wait),
            ["creates"] => self.machine = machine_of(Company::Alone, MissingStream::Create),
            ["leads", span] => {
                let until = self.course.now + duration::parse_duration(span).unwrap();
                machine.take_role(PairRole::Leads { until }, self.course.now);
            }
            ["follows"] => machine.take_role(PairRole::Follows, self.course.now),
            ["other", "idle"] => machine.hear_of_other(OtherIs::Idle),
            [number, "<", "read", ..] => {
                self.read(number, line.split_once(" read ").map_or("", |(_, messages)| messages));
            }
            [number, "<", "stored", sequence, name] => self.stored(number, (sequence, name, SOURCE)),
            [number, "<", "stored", sequence, name, "by", source] => {
                self.stored(number, (sequence, name, source));
            }
            [number, "<", ..] => self.answer(number, line.split_once(" < ").map_or("", |(_, json)| json)),
            _ => panic!("no such line: {line}"),
        }
        self.collect();
    }

    fn answer(&mut self, number: &str, json: &str) {
        let answer = Answer::Text(json.to_owned().into());
        self.machine.answered(number.parse().unwrap(), Ok(&answer), self.course.now);
    }

    fn fault(&mut self, number: &str, fault: AnswerFault) {
        self.machine.answered(number.parse().unwrap(), Err(fault), self.course.now);
    }

    fn stored(&mut self, number: &str, (sequence, name, source): (&str, &str, &str)) {
        let data = STANDARD.encode(event("triggered", name, source).to_json().as_bytes());
        let message = format!(r#"{{"message":{{"seq":{sequence},"data":"{data}","time":"x"}}}}"#);
        self.answer(number, &message);
    }

    /// Answers a whole look: one stream takes both kinds, and these are the last sequences of the two subjects.
    fn look(&mut self, first: u64, created: &str, lasts: &[&str]) {
        let info = format!(r#"{{"config":{{"retention":"limits","storage":"file"}},"created":"{created}"}}"#);
        let names = r#"{"streams":["S"]}"#;
        for (number, json) in (first..).zip([names, names, &info]) {
            self.answer(&number.to_string(), json);
        }
        for (number, last) in (first + 3..).zip(lasts) {
            let json = match *last {
                "0" => {
                    r#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#.to_owned()
                }
                last => format!(r#"{{"message":{{"seq":{last},"data":"","time":"x"}}}}"#),
            };
            self.answer(&number.to_string(), &json);
        }
        for number in (first + 3..).skip(lasts.len()).take(2) {
            if self.machine.fold.is_about(number) {
                self.answer(&number.to_string(), r#"{"name":"C","num_pending":0}"#);
            }
        }
    }

    /// Messages that were pulled: `triggered NAME`, `cleared NAME` of ours, or `other NAME`, with how many wait behind.
    fn pulled(&mut self, number: &str, messages: &[&str]) {
        let pull = |(place, words): (usize, &[&str])| {
            let [kind, name] = words else { panic!("{messages:?}") };
            let source = if *kind == "other" { "theirs" } else { SOURCE };
            let pending = (messages.len() / 2 - place - 1) as u64;
            let subject =
                Settings::default().subjects.of(AlertKind::of(&event(kind, name, source)).event_type());
            let payload = event(kind, name, source).to_json().into();
            Pulled { subject, sequence: place as u64, applied: None, payload, pending }
        };
        let pulled = messages.chunks(2).enumerate().map(pull).collect();
        self.machine.answered(number.parse().unwrap(), Ok(&Answer::Messages(pulled)), self.course.now);
    }

    /// Messages with their sequences, the last of which nothing waits behind.
    fn read(&mut self, number: &str, messages: &str) {
        let messages: Vec<&str> = messages.split("; ").collect();
        let pull = |(place, text): (usize, &&str)| {
            let words: Vec<&str> = text.split(' ').collect();
            let [sequence, kind, name, applied @ ..] = words.as_slice() else { panic!("{text}") };
            let source = if *kind == "theirs" { "theirs" } else { SOURCE };
            let event = event(if *kind == "theirs" { "triggered" } else { kind }, name, source);
            Pulled {
                subject: Settings::default().subjects.of(event.event_type()),
                sequence: sequence.parse().unwrap(),
                applied: applied.first().map(|text| (*text).to_owned()),
                payload: event.to_json().into(),
                pending: (messages.len() - place - 1) as u64,
            }
        };
        let pulled = messages.iter().enumerate().map(pull).collect();
        self.machine.answered(number.parse().unwrap(), Ok(&Answer::Messages(pulled)), self.course.now);
    }

    fn collect(&mut self) {
        while let Some(output) = self.machine.outputs.pop_front() {
            if !matches!(output, Output::Concern(None)) {
                self.course.seen.push_back(shown(&output));
            }
        }
    }
}

/// An output as a line.
fn shown(output: &Output) -> String {
    match output {
        Output::Ask(request) => {
            let mut line = format!("{} {}", request.number, request.subject);
            for (name, value) in &request.headers {
                match (*name, value.parse::<EventId>()) {
                    ("Nats-Msg-Id", Ok(id)) => write!(line, " id {}", name_of(id)).unwrap(),
                    ("Signalbox-Applied", _) => write!(line, " applied {value}").unwrap(),
                    (_, _) => write!(line, " last {value}").unwrap(),
                }
            }
            match (request.headers.is_empty(), request.ending) {
                (true, _) => write!(line, " {}", String::from_utf8_lossy(&request.payload)).unwrap(),
                (false, AnswerEnding::Flush) => line.push_str(" flush"),
                (false, AnswerEnding::Answer) if request.payload.len() < 1_000 => line.push_str(" short"),
                (false, AnswerEnding::Answer | AnswerEnding::Messages(_)) => {}
            }
            line.trim_end().to_owned()
        }
        Output::Published(event) => format!("published {}", name_of(event.id)),
        Output::Fact(fact) => format!("fact {fact:?}"),
        Output::Ready(topic) => format!("ready {topic}"),
        Output::Unready(topic, reason) => format!("unready {topic}: {reason}"),
        Output::Concern(text) => format!("concern {}", text.as_deref().unwrap_or_default()),
        Output::Shown(shown) => {
            let open: Vec<String> = shown.open.iter().map(|open| name_of(open.id)).collect();
            let latest: Vec<String> =
                shown.latest.iter().map(|it| format!("{}@{}", name_of(it.id), it.reach.at_most)).collect();
            let latest =
                if latest.is_empty() { String::new() } else { format!(", latest {}", latest.join(" ")) };
            format!("shown open {}, {} ended{latest}", open.join(" "), shown.ended.len())
        }
        Output::NothingShown => "nothing shown".to_owned(),
        Output::Unread => "unread".to_owned(),
        Output::PassedOver { first, count } => format!("passed over {count} from {first}"),
        Output::LetGo => "let go".to_owned(),
        Output::Foreign(stored) => format!("foreign {}", name_of(stored.id)),
    }
}

/// A machine that has nothing to publish.
fn machine_of(company: Company, missing_stream: MissingStream) -> AlertMachine {
    let mut settings = Settings::default();
    settings.jetstream.missing_stream = missing_stream;
    let (settings, source) = (Arc::new(settings), Arc::from(SOURCE));
    AlertMachine::new(Terms { settings, source, random: || 0, company }, AlertDelivery::Auto)
}

#[test]
fn publishing_does_what_its_scripts_say() {
    scripts::run_folder("tests/outbox", 10, |name, text| {
        let machine = machine_of(Company::Alone, MissingStream::Wait);
        scripts::play(Stage { machine, course: Course::new() }, name, &scripts::lines(text))
    });
}
