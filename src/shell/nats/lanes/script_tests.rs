//! Runs the lanes' machines by scripts (`tests/lanes/*.txt`): what arrives when, and what must leave.
//!
//! | a line | means |
//! |---|---|
//! | `lane core TYPE…`, `lane stream TYPE…` | the machine of a lane of these types |
//! | `set KEY VALUE` | a setting, before the first event; `set position SEQUENCE` is the place of a state in the stream |
//! | `start`, `finish` | the lane begins, the process ends |
//! | `open N [JSON]` | connection N stands, to a server that says this of itself |
//! | `refuse`, `close N`, `renew` | no connection is made, a connection breaks, the credentials changed |
//! | `pending_max N` | a reload changes from how many waiting messages on it lags |
//! | `N < TEXT` | bytes of the server; `\r` and `\n` as they are read, a line end is added |
//! | `N < answer JSON`, `N < status TEXT` | an answer to the last request, a word on the last pull |
//! | `N < stored SEQUENCE[xDELIVERED][@SECOND] SUBJECT PAYLOAD` | a message of the stream by the consumer, the next of its deliveries |
//! | `N < pending COUNT` | what later messages say waits behind them |
//! | `wait SPAN` | time goes on, deadline by deadline |
//! | `applied`, `dropped` | what becomes of the items that are handed over from here on |
//! | `saved N`, `unsaved N` | a checkpoint with the batch of this number is on disk beside the last one, or cannot be written |
//! | `> …` | what leaves, in order; all of it, since the line before |
//!
//! What is sent shows as `> N SUB …`, `> N PUB subject body`; the inbox is `INBOX`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::arrival::{Epoch, Position, StreamNews};
use crate::engine::duration;
use crate::engine::wire::EventType;
use crate::shell::driver::mailbox::{FromStream, LaneItem};
use crate::shell::nats::link::LinkError;
use crate::shell::nats::protocol::ServerInfo;
use crate::shell::nats::scripts::{self, Course, Stage as _};
use crate::shell::saves::Saves;
use crate::shell::settings::{MissingStream, Settings, StreamReaders, StreamStart};

use super::core::CoreMachine;
use super::machine::{Handed, LinkNumber, Machine, Opened, Output, Terms};
use super::stream::StreamMachine;

/// A machine, the time, and what was not used of what came.
struct Stage<M> {
    machine: M,
    course: Course,
    unread: Vec<(LinkNumber, Vec<u8>)>,
    fate: Fate,
    deliveries: u64,
    pending: u64,
    answer_to: String,
    pull_of: String,
    saves: Saves,
}

#[derive(Clone, Copy)]
enum Fate {
    Taken,
    Applied,
    Dropped,
}

impl<M: Machine> scripts::Stage for Stage<M> {
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

impl<M: Machine> Stage<M> {
    fn new(machine: M) -> Self {
        Self {
            machine,
            course: Course::new(),
            unread: Vec::new(),
            fate: Fate::Taken,
            deliveries: 0,
            pending: 0,
            answer_to: String::new(),
            pull_of: String::new(),
            saves: Saves::default(),
        }
    }

    fn happen(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest.split_once(' ').unwrap_or((rest, ""))) {
            ("start", _) => self.machine.start(),
            ("finish", _) => self.machine.finish(),
            ("open", (number, json)) => {
                let info: ServerInfo = match json {
                    "" => ServerInfo::default(),
                    json => serde_json::from_str(json).unwrap(),
                };
                let opened = Opened { number: link(number), info, inbox: "INBOX".to_owned() };
                self.unread.push((opened.number, Vec::new()));
                self.machine.opened(opened, self.course.now);
            }
            ("renew", _) => self.machine.renew(),
            ("pending_max", (count, _)) => self.machine.bound_pending(count.parse().unwrap()),
            ("refuse", _) => self.machine.failed(&LinkError::Closed),
            ("close", (number, _)) => self.machine.closed(link(number), &LinkError::Closed, self.course.now),
            ("wait", (span, _)) => self.wait(duration::parse_duration(span).unwrap()),
            ("saved", (batch, _)) => {
                self.saves.saved(batch.parse().unwrap());
                self.machine.settled(self.saves.settled(), self.course.now);
            }
            ("unsaved", (batch, _)) => {
                self.saves.unsaved(batch.parse().unwrap());
                self.machine.settled(self.saves.settled(), self.course.now);
            }
            ("applied", _) => self.fate = Fate::Applied,
            ("dropped", _) => self.fate = Fate::Dropped,
            ("taken", _) => self.fate = Fate::Taken,
            (number, ("<", text)) => self.hear(link(number), text),
            _ => panic!("no such line: {line}"),
        }
        self.collect();
    }

    fn hear(&mut self, number: LinkNumber, text: &str) {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let bytes = match word {
            "answer" => format!("MSG {} 1 {}\r\n{rest}\r\n", self.answer_to, rest.len()),
            "status" => {
                let block = format!("NATS/1.0 {rest}\r\n\r\n");
                format!("HMSG {} 2 {} {}\r\n{block}\r\n", self.pull_of, block.len(), block.len())
            }
            "pending" => {
                self.pending = rest.parse().unwrap();
                return;
            }
            "consumer" => {
                self.deliveries = 0;
                return;
            }
            "stored" => self.stored(rest),
            _ => format!("{}\r\n", text.replace("\\r", "\r").replace("\\n", "\n")),
        };
        let place = self.unread.iter().position(|(there, _)| *there == number).unwrap();
        self.unread[place].1.extend_from_slice(bytes.as_bytes());
        let used = self.machine.read(number, &self.unread[place].1, self.course.now);
        self.unread[place].1.drain(..used.bytes);
    }

    fn stored(&mut self, text: &str) -> String {
        let mut parts = text.splitn(3, ' ');
        let (sequence, subject) = (parts.next().unwrap(), parts.next().unwrap());
        let payload = parts.next().unwrap_or_default();
        let (sequence, second) = sequence.split_once('@').unwrap_or((sequence, ""));
        let (sequence, delivered) = sequence.split_once('x').unwrap_or((sequence, "1"));
        let second = if second.is_empty() { sequence } else { second };
        self.deliveries += 1;
        let (consumer, pending) = (self.deliveries, self.pending);
        let reply = format!("$JS.ACK.EVENTS.C.{delivered}.{sequence}.{consumer}.{second}000000000.{pending}");
        format!("MSG {subject} 2 {reply} {}\r\n{payload}\r\n", payload.len())
    }

    /// Takes down what the machine says and sends.
    fn collect(&mut self) {
        while let Some(output) = self.machine.outputs().pop_front() {
            if let Some(line) = shown(&output) {
                self.course.seen.push_back(line.trim_end().to_owned());
            }
            if let Output::Hand(item, terms) = output {
                let handed = match (self.fate, terms) {
                    (Fate::Dropped, Terms::OrDrop(_)) => Handed::Dropped { messages: messages(&item) },
                    (Fate::Applied, Terms::UntilApplied) => Handed::Applied,
                    (Fate::Taken | Fate::Applied | Fate::Dropped, _) => Handed::Taken,
                };
                self.machine.handed(handed, self.course.now);
            }
        }
        let numbers: Vec<LinkNumber> = self.unread.iter().map(|(number, _)| *number).collect();
        for number in numbers {
            if let Some(outgoing) = self.machine.outgoing(number) {
                let text = String::from_utf8(std::mem::take(outgoing)).unwrap();
                self.note_sent(number, &text);
            }
        }
    }

    fn note_sent(&mut self, number: LinkNumber, text: &str) {
        let mut lines = text.split("\r\n");
        while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split(' ').collect();
            let shown = match words.as_slice() {
                ["PUB", subject, reply, _] => {
                    if reply.contains(".p.") {
                        (*reply).clone_into(&mut self.pull_of);
                    } else {
                        (*reply).clone_into(&mut self.answer_to);
                    }
                    format!("PUB {subject} {}", lines.next().unwrap_or_default())
                }
                ["PUB", subject, _] => format!("PUB {subject} {}", lines.next().unwrap_or_default()),
                _ => line.to_owned(),
            };
            self.course.seen.push_back(format!("{} {}", number.0, shown.trim_end()));
        }
    }
}

fn link(number: &str) -> LinkNumber {
    LinkNumber(number.parse().unwrap())
}

fn messages(item: &LaneItem) -> usize {
    match item {
        LaneItem::Core(batch) | LaneItem::Stream(FromStream { batch, .. }) => batch.len(),
        LaneItem::News(_) | LaneItem::Fact(_) => 0,
    }
}

/// An output as a line; none for what no script is about.
fn shown(output: &Output) -> Option<String> {
    let payloads = |batch: &crate::shell::driver::batch::Batch| {
        let text = |message: &crate::engine::wire::Message<'_>| {
            String::from_utf8_lossy(message.payload).into_owned()
        };
        batch.messages().iter().map(text).collect::<Vec<_>>().join(" ")
    };
    Some(match output {
        Output::Learn(_) => return None,
        Output::Open(choice) => format!("open {choice:?}"),
        Output::Close(number) => format!("close {}", number.0),
        Output::Hand(LaneItem::Core(batch), _) => format!("batch {}", payloads(batch)),
        Output::Hand(LaneItem::Stream(FromStream { origin, batch, .. }), _) => {
            let rollbacks = origin.epoch.rollbacks;
            let epoch = format!("{}{}", origin.epoch.created, "'".repeat(rollbacks as usize));
            let (first, last, pending) = (origin.first_sequence, origin.last_sequence, origin.pending);
            format!("batch {epoch} {first}-{last} +{pending}: {}", payloads(batch))
        }
        Output::Hand(LaneItem::News(news), _) => match news {
            StreamNews::Found { epoch, last_sequence, pending, .. } => {
                let epoch = format!("{}{}", epoch.created, "'".repeat(epoch.rollbacks as usize));
                format!("news Found {epoch} last {last_sequence} pending {pending}")
            }
            StreamNews::Drained
            | StreamNews::Acknowledged { .. }
            | StreamNews::Missing
            | StreamNews::Unreadable
            | StreamNews::Unreachable => {
                format!("news {news:?}")
            }
        },
        Output::Hand(LaneItem::Fact(fact), _) | Output::Fact(fact) => format!("fact {fact:?}"),
        Output::Up => "up".to_owned(),
        Output::Down(reason) => format!("down {reason}"),
        Output::Ready(topic) => format!("ready {topic}"),
        Output::Unready(topic, trouble) => format!("unready {topic}: {trouble}"),
        Output::Say(remark) => format!("say {remark:?}"),
        Output::Save => "save".to_owned(),
    })
}

fn run(name: &str, text: &str) -> Vec<String> {
    let (mut settings, mut position) = (Settings::default(), None);
    let is_setting = |line: &str| line.starts_with("lane ") || line.starts_with("set ");
    let (before, script): (Vec<_>, Vec<_>) =
        scripts::lines(text).into_iter().partition(|(_, line)| is_setting(line));
    let mut lane = Vec::new();
    for (_, line) in before {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["lane", rest @ ..] => lane = rest.to_vec(),
            ["set", "position", sequence] => {
                position = Some(Position {
                    sequence: sequence.parse().unwrap(),
                    ..Position::before_all(&settings.jetstream.stream, &Epoch::first("a"))
                });
            }
            ["set", "state"] => settings.state_dir = Some(PathBuf::from("state")),
            ["set", "create_stream"] => settings.jetstream.missing_stream = MissingStream::Create,
            ["set", "readers", "pair"] => settings.jetstream.readers = StreamReaders::Pair,
            ["set", "start", "new"] => settings.jetstream.start = StreamStart::New,
            ["set", "start", "resume"] => settings.jetstream.start = StreamStart::Resume,
            ["set", "heartbeat", span] => {
                settings.jetstream.heartbeat = duration::parse_duration(span).unwrap();
            }
            ["set", "batch_messages_max", count] => settings.flow.batch_messages_max = count.parse().unwrap(),
            ["set", "pull_bytes_max", count] => settings.jetstream.pull_bytes_max = count.parse().unwrap(),
            ["set", "ready_pending_max", count] => {
                settings.jetstream.ready_pending_max = count.parse().unwrap();
            }
            _ => panic!("no such setting: {line}"),
        }
    }
    let types: Vec<EventType> = lane[1..].iter().map(|name| EventType::from_name(name).unwrap()).collect();
    if lane[0] == "core" {
        scripts::play(Stage::new(CoreMachine::new(&settings, &types)), name, &script)
    } else {
        scripts::play(Stage::new(StreamMachine::new(&Arc::new(settings), &types, position)), name, &script)
    }
}

#[test]
fn lanes_do_what_their_scripts_say() {
    scripts::run_folder("tests/lanes", 12, run);
}
