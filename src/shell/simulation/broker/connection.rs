//! A connection of a client that speaks the NATS protocol: bytes under way in both directions.

use std::collections::VecDeque;
use std::rc::Rc;

use super::Broker;
use super::stream::Demands;
use crate::engine::wire::subjects;
use crate::shell::simulation::time::Micros;

/// Whether a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    Open,
    Closed,
}

/// A connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    subscriptions: Vec<(u64, String)>,
    /// What the client sent, with when it arrives.
    sent: VecDeque<(Micros, Vec<u8>)>,
    unread: Vec<u8>,
    /// What goes to the client, with when it arrives.
    coming: VecDeque<(Micros, Vec<u8>)>,
    standing: Standing,
}

/// What a client says.
#[derive(Debug)]
enum Said {
    Subscribe { subject: String, subscription: u64 },
    Unsubscribe { subscription: u64 },
    Publish { subject: String, reply: Option<String>, payload: Vec<u8> },
    Ping,
    Nothing,
}

impl Connection {
    pub(super) fn close(&mut self) {
        self.standing = Standing::Closed;
        self.sent.clear();
    }

    /// Sends something to the client; what goes over a connection stays in order.
    fn push(&mut self, bytes: Vec<u8>, at: Micros) {
        if self.standing == Standing::Open {
            let at = self.coming.back().map_or(at, |(last, _)| at.max(*last));
            self.coming.push_back((at, bytes));
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8], at: Micros) {
        if self.standing == Standing::Open {
            let at = self.sent.back().map_or(at, |(last, _)| at.max(*last));
            self.sent.push_back((at, bytes.to_vec()));
        }
    }

    pub(super) fn due_at(&self) -> Option<Micros> {
        self.sent.front().map(|(at, _)| *at)
    }

    pub(super) fn readable_at(&self) -> Option<Micros> {
        let next = self.coming.front().map(|(at, _)| *at);
        next.or((self.standing == Standing::Closed).then_some(0))
    }

    pub(super) fn read(&mut self, now: Micros) -> Option<Vec<u8>> {
        let mut read = Vec::new();
        while let Some(bytes) = arrived(&mut self.coming, now) {
            read.extend_from_slice(&bytes);
        }
        let is_over = self.standing == Standing::Closed && self.coming.is_empty() && read.is_empty();
        (!is_over).then_some(read)
    }

    /// Hands a message to the subscriptions that take it.
    pub(super) fn deliver(&mut self, subject: &str, payload: &[u8], at: Micros) {
        let takes = |(_, pattern): &&(u64, String)| subjects::matches(pattern, subject);
        let Some((subscription, _)) = self.subscriptions.iter().find(takes) else { return };
        let mut frame = format!("MSG {subject} {subscription} {}\r\n", payload.len()).into_bytes();
        frame.extend_from_slice(payload);
        frame.extend_from_slice(b"\r\n");
        self.push(frame, at);
    }

    /// Hands a message with a reply subject or a status to an inbox.
    pub(super) fn deliver_to_inbox(&mut self, inbox: &str, letter: &Letter<'_>, at: Micros) {
        let takes = |(_, pattern): &&(u64, String)| subjects::matches(pattern, inbox);
        let Some((subscription, _)) = self.subscriptions.iter().find(takes) else { return };
        let frame = match letter {
            Letter::Message { subject, reply, payload } => {
                let head = format!("MSG {subject} {subscription} {reply} {}\r\n", payload.len());
                [head.as_bytes(), payload, b"\r\n"].concat()
            }
            Letter::Status(status) => {
                let block = format!("NATS/1.0 {status}\r\n\r\n");
                let (length, block) = (block.len(), block);
                format!("HMSG {inbox} {subscription} {length} {length}\r\n{block}\r\n").into_bytes()
            }
        };
        self.push(frame, at);
    }

    /// The next thing that the client says, of what arrived by now.
    fn next(&mut self, now: Micros) -> Option<Said> {
        while let Some(bytes) = arrived(&mut self.sent, now) {
            self.unread.extend_from_slice(&bytes);
        }
        let (said, used) = said(&self.unread)?;
        self.unread.drain(..used);
        Some(said)
    }
}

/// What comes by an inbox.
#[derive(Debug)]
pub(super) enum Letter<'a> {
    Message { subject: &'a str, reply: &'a str, payload: &'a [u8] },
    Status(&'a str),
}

/// The first bytes under way, where they have arrived by now.
fn arrived(under_way: &mut VecDeque<(Micros, Vec<u8>)>, now: Micros) -> Option<Vec<u8>> {
    under_way.front().filter(|(at, _)| *at <= now)?;
    under_way.pop_front().map(|(_, bytes)| bytes)
}

/// The first thing that a client said, and how many bytes it took.
fn said(bytes: &[u8]) -> Option<(Said, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(bytes.get(..end)?).unwrap_or_default();
    let words: Vec<&str> = line.split(' ').collect();
    let number = |text: &str| text.parse().unwrap_or(0);
    let body = end + 2;
    let (subject, reply, length) = match words.as_slice() {
        ["SUB", subject, subscription] => {
            let (subject, subscription) = ((*subject).to_owned(), number(subscription));
            return Some((Said::Subscribe { subject, subscription }, body));
        }
        ["UNSUB", subscription] => {
            return Some((Said::Unsubscribe { subscription: number(subscription) }, body));
        }
        ["PING"] => return Some((Said::Ping, body)),
        ["PUB", subject, reply, length] => (*subject, Some((*reply).to_owned()), number(length)),
        ["PUB", subject, length] => (*subject, None, number(length)),
        _ => return Some((Said::Nothing, body)),
    };
    let after = body + length as usize;
    let payload = bytes.get(body..after)?.to_vec();
    bytes.get(after..after + 2)?;
    Some((Said::Publish { subject: subject.to_owned(), reply, payload }, after + 2))
}

impl Broker {
    /// Takes what a client said.
    pub(super) fn hear(&mut self, number: u32, now: Micros) {
        while let Some(said) = self.connections.get_mut(&number).and_then(|it| it.next(now)) {
            let delay = self.random.below(self.slowness);
            let Some(connection) = self.connections.get_mut(&number) else { return };
            match said {
                Said::Subscribe { subject, subscription } => {
                    connection.subscriptions.push((subscription, subject));
                }
                Said::Unsubscribe { subscription } => {
                    connection.subscriptions.retain(|(it, _)| *it != subscription);
                }
                Said::Ping => connection.push(b"PONG\r\n".to_vec(), now + delay),
                Said::Publish { subject, reply, payload } => {
                    self.take_published(number, (&subject, reply.as_deref(), &payload), now);
                }
                Said::Nothing => {}
            }
        }
    }

    fn take_published(
        &mut self,
        number: u32,
        (subject, reply, payload): (&str, Option<&str>, &[u8]),
        now: Micros,
    ) {
        if let Some(rest) = subject.strip_prefix("$JS.ACK.") {
            self.acknowledge(rest, payload, now);
        } else if let Some(what) = subject.strip_prefix("$JS.API.CONSUMER.MSG.NEXT.") {
            self.take_pull((number, reply.unwrap_or_default()), what, (payload, now));
        } else if let Some(what) = subject.strip_prefix("$JS.API.") {
            let answer = self.api(what, payload, now);
            self.answer((number, reply.unwrap_or_default()), answer.as_deref(), now);
        } else {
            let (subject, payload): (Rc<str>, Rc<[u8]>) = (Rc::from(subject), Rc::from(payload));
            drop(self.store(&subject, &payload, (Demands::default(), now)));
        }
    }

    fn answer(&mut self, (number, inbox): (u32, &str), answer: Option<&str>, now: Micros) {
        let delay = self.random.below(self.slowness);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let letter = match answer {
            Some(text) => Letter::Message { subject: inbox, reply: "", payload: text.as_bytes() },
            None => Letter::Status("503"),
        };
        connection.deliver_to_inbox(inbox, &letter, now + delay);
    }
}
