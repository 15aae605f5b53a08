//! The runner over real sockets, with a machine that does what each line it reads says.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use super::*;
use crate::engine::arrival::{Epoch, Order, Origin};
use crate::engine::config::Config;
use crate::engine::fact::Fact;
use crate::shell::driver::mailbox::LaneGate;
use crate::shell::for_tests::facts;
use crate::shell::nats::lanes::machine::Used;
use crate::shell::settings::{FlowSettings, NatsSettings, Secret, Settings};
use crate::shell::status::Topic;

/// Tells what happens to it, and does what lines say: `core N`, `stream`, `bye` and so on.
struct Obedient {
    told: Sender<String>,
    outgoing: Vec<u8>,
    outputs: VecDeque<Output>,
    link: Option<LinkNumber>,
}

impl Obedient {
    fn tell(&self, text: impl Into<String>) {
        // A test may have seen enough.
        let _ = self.told.send(text.into());
    }

    fn obey(&mut self, line: &str, number: LinkNumber) {
        let batch = |messages: usize| {
            let mut batch = Batch::default();
            (0..messages).for_each(|_| batch.push(b"events.a", b"", b"payload"));
            batch
        };
        self.outputs.push_back(match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["core", messages] => {
                let item = LaneItem::Core(batch(messages.parse().unwrap()));
                Output::Hand(item, Terms::OrDrop(Duration::ZERO))
            }
            ["stream"] => {
                let (stream, epoch, order) = (Arc::from("S"), Epoch::first("a"), Order::Consumer);
                let origin = Origin { stream, epoch, order, first_sequence: 1, last_sequence: 1, pending: 0 };
                let item = FromStream { origin, batch: batch(1), receipt: None, number: 1 };
                Output::Hand(LaneItem::Stream(item), Terms::UntilApplied)
            }
            ["bye"] => {
                self.outgoing.extend_from_slice(b"GOODBYE\r\n");
                Output::Close(number)
            }
            ["open"] => Output::Open(Choice::Another),
            ["ready"] => Output::Ready(Topic::Lag),
            ["fact"] => Output::Fact(Fact::NotLogged),
            ["save"] => Output::Save,
            _ => Output::Learn(vec![line.to_owned()]),
        });
    }
}

impl Machine for Obedient {
    const LINK: Topic = Topic::CoreLink;

    fn start(&mut self) {
        self.outputs.push_back(Output::Open(Choice::Any));
    }

    fn opened(&mut self, opened: Opened, _now: Instant) {
        self.tell(format!("opened {} at {}", opened.number.0, opened.info.server_id));
        self.tell(format!("inbox {}", opened.inbox));
        self.link = Some(opened.number);
        self.outputs.push_back(Output::Up);
        self.outgoing.extend_from_slice(b"HELLO\r\n");
    }

    fn failed(&mut self, error: &LinkError) {
        self.tell(format!("failed: {error}"));
        self.outputs.extend([Output::Down(error.to_string()), Output::Open(Choice::Any)]);
    }

    fn closed(&mut self, number: LinkNumber, error: &LinkError, _now: Instant) {
        self.tell(format!("closed {}: {error}", number.0));
        self.outputs.extend([Output::Down(error.to_string()), Output::Open(Choice::Any)]);
    }

    fn read(&mut self, number: LinkNumber, unread: &[u8], _now: Instant) -> Used {
        let mut used = Used::default();
        while let Some(length) = unread[used.bytes..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&unread[used.bytes..used.bytes + length]).into_owned();
            used.bytes += length + 1;
            self.tell(format!("read {line}"));
            self.obey(&line, number);
        }
        used
    }

    fn due(&mut self, _now: Instant) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn handed(&mut self, handed: Handed, _now: Instant) {
        self.tell(format!("handed {handed:?}"));
    }

    fn settled(&mut self, settled: Settled, _now: Instant) {
        self.tell(format!("settled {} {}", settled.saved, settled.unsaved));
    }

    fn reuse(&mut self, spare: Batch) {
        self.tell(format!("spare {}", spare.capacity() > 0));
    }

    fn renew(&mut self) {
        if let Some(number) = self.link.take() {
            self.tell(format!("renew {}", number.0));
            self.outputs.extend([Output::Close(number), Output::Open(Choice::Any)]);
        }
    }

    fn finish(&mut self) {
        self.outgoing.extend_from_slice(b"LAST\r\n");
    }

    fn outgoing(&mut self, _number: LinkNumber) -> Option<&mut Vec<u8>> {
        Some(&mut self.outgoing)
    }

    fn outputs(&mut self) -> &mut VecDeque<Output> {
        &mut self.outputs
    }
}

/// A runner on a thread, and the server that it connects to.
struct Rig {
    context: ShellContext,
    listener: TcpListener,
    told: Receiver<String>,
    runner: JoinHandle<()>,
}

impl Rig {
    fn new(queue_bytes_max: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let nats = NatsSettings { urls: vec![Secret::new(&url)], ..NatsSettings::default() };
        let servers = Servers::new(&nats).unwrap();
        let flow = FlowSettings { queue_bytes_max, ..FlowSettings::default() };
        let settings = Settings { nats, flow, ..Settings::default() };
        let context = ShellContext::new(settings, Config::with_defaults("test"));
        context.status.expect(&[Topic::CoreLink]);
        let (tell, told) = channel();
        let machine = Obedient { told: tell, outgoing: Vec::new(), outputs: VecDeque::new(), link: None };
        let driver = Arc::new(SharedDriver::vacant(Arc::clone(&context.mailbox)));
        let runner = Runner::new(machine, (context.clone(), driver), servers);
        Self { context, listener, told, runner: std::thread::spawn(move || runner.run()) }
    }

    /// Lets a connection in under the server's name, once `before` has happened.
    fn accept(&self, name: &str, before: impl FnOnce()) -> TcpStream {
        let (mut stream, _) = self.listener.accept().unwrap();
        stream.write_all(format!("INFO {{\"server_id\":\"{name}\"}}\r\n").as_bytes()).unwrap();
        assert!(line_of(&mut stream).starts_with("CONNECT {"));
        assert_eq!(line_of(&mut stream), "PING");
        before();
        stream.write_all(b"PONG\r\n").unwrap();
        stream
    }

    /// What the machine was told next; the inbox, which is another each time, is left out.
    fn next(&self) -> String {
        loop {
            let told = self.told.recv_timeout(Duration::from_mins(1)).unwrap();
            if !told.starts_with("inbox ") {
                return told;
            }
        }
    }

    fn expect(&self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.next(), *expected);
        }
    }

    /// Stops the lane and waits for its end.
    fn stop(self) -> ShellContext {
        self.context.stop.stop();
        self.runner.join().unwrap();
        self.context
    }
}

/// The next line that the client wrote.
fn line_of(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

#[test]
fn what_is_read_comes_with_what_was_left_over_and_what_is_owed_at_the_end_is_sent() {
    let rig = Rig::new(1 << 20);
    let mut server = rig.accept("one", || {});
    rig.expect(&["opened 1 at one"]);
    assert_eq!(line_of(&mut server), "HELLO");
    assert!(rig.context.status.reasons().is_empty(), "{:?}", rig.context.status.reasons());
    server.write_all(b"first\nsec").unwrap();
    rig.expect(&["read first"]);
    server.write_all(b"ond\nfact\n").unwrap();
    rig.expect(&["read second", "read fact"]);
    let context = rig.stop();
    assert_eq!(line_of(&mut server), "LAST");
    assert_eq!(facts(&context.mailbox), ["Connected", "NotLogged"]);
}

#[test]
fn a_server_that_fails_or_goes_is_told_and_connected_to_again() {
    let rig = Rig::new(1 << 20);
    drop(rig.listener.accept().unwrap());
    assert!(rig.next().starts_with("failed: "));
    assert_eq!(rig.context.status.reasons().len(), 1);
    let mut server = rig.accept("two", || {});
    rig.expect(&["opened 1 at two"]);
    server.write_all(b"unfinished").unwrap();
    drop(server);
    let told = rig.next();
    assert!(told.starts_with("closed 1: "), "{told}");
    let mut server = rig.accept("three", || {});
    rig.expect(&["opened 2 at three"]);
    server.write_all(b"whole\n").unwrap();
    rig.expect(&["read whole"]);
    let context = rig.stop();
    assert_eq!(facts(&context.mailbox), ["Connected", "Disconnected", "Connected"]);
}

#[test]
fn a_connection_that_is_closed_here_takes_along_what_was_owed_to_it() {
    let rig = Rig::new(1 << 20);
    let mut server = rig.accept("one", || {});
    rig.expect(&["opened 1 at one"]);
    assert_eq!(line_of(&mut server), "HELLO");
    server.write_all(b"open\nbye\n").unwrap();
    rig.expect(&["read open", "read bye"]);
    assert_eq!(line_of(&mut server), "GOODBYE");
    assert_eq!(line_of(&mut server), "", "it is closed");
    drop(rig.accept("two", || {}));
    rig.expect(&["opened 2 at two"]);
    rig.stop();
}

#[test]
fn the_machine_hears_what_became_of_what_it_hands_over() {
    let rig = Rig::new(1);
    let mut server = rig.accept("one", || {});
    rig.expect(&["opened 1 at one"]);
    server.write_all(b"core 3\ncore 2\n").unwrap();
    rig.expect(&["read core 3", "read core 2", "handed Taken", "handed Dropped { messages: 2 }"]);
    let taken = rig.context.mailbox.take(LaneGate::Open);
    let Some(LaneItem::Core(batch)) = taken.item else { panic!("{taken:?}") };
    assert_eq!(batch.len(), 3);
    rig.context.mailbox.give_back(batch);
    server.write_all(b"stream\n").unwrap();
    rig.expect(&["read stream"]);
    let taken = loop {
        rig.context.mailbox.wait(Duration::from_millis(1), LaneGate::Open);
        let taken = rig.context.mailbox.take(LaneGate::Open);
        if let Some(LaneItem::Stream(item)) = taken.item {
            break item;
        }
    };
    rig.expect(&["spare true"]);
    assert!(rig.told.try_recv().is_err(), "it is not applied yet");
    taken.receipt.unwrap().send(()).unwrap();
    rig.expect(&["handed Applied"]);
    rig.context.mailbox.close();
    server.write_all(b"stream\ncore 1\n").unwrap();
    rig.expect(&["read stream", "read core 1", "handed Refused", "handed Refused"]);
    rig.stop();
}

#[test]
fn checkpoints_are_wished_for_and_told_of_once() {
    let rig = Rig::new(1 << 20);
    let mut server = rig.accept("one", || {});
    rig.expect(&["opened 1 at one"]);
    rig.context.status.set(Topic::Lag, "far behind");
    server.write_all(b"save\nready\n").unwrap();
    rig.expect(&["read save", "read ready"]);
    rig.context.saves.wait(Duration::from_mins(1));
    rig.context.saves.saved(4);
    rig.expect(&["settled 4 0"]);
    // What was read is dealt with before that.
    assert_eq!(rig.context.status.reasons(), Vec::<String>::new());
    rig.context.saves.unsaved(6);
    rig.expect(&["settled 4 6"]);
    rig.stop();
}

#[test]
fn credentials_that_change_sign_in_anew_also_while_signing_in_with_those_before() {
    let rig = Rig::new(1 << 20);
    let first = rig.accept("one", || {});
    rig.expect(&["opened 1 at one"]);
    rig.context.renewals.renew();
    rig.expect(&["renew 1"]);
    drop(first);
    // The server knows the old ones by now, and takes its time.
    let second = rig.accept("two", || {
        rig.context.renewals.renew();
        // Long enough for the lane to look.
        let (saved, told) = (9, "settled 9 0");
        rig.context.saves.saved(saved);
        rig.expect(&[told]);
    });
    rig.expect(&["opened 2 at two", "renew 2"]);
    drop(second);
    drop(rig.accept("three", || {}));
    rig.expect(&["opened 3 at three"]);
    rig.stop();
}
