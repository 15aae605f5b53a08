//! Requests for messages: when they go out, and what their ends say.

use super::*;
use crate::shell::nats::protocol::ServerInfo;

/// Requests to one consumer, and when they began.
struct Rig {
    pulls: Pulls,
    protocol: Protocol,
    api: Api,
    start: Instant,
}

fn rig(messages_max: usize, bytes_max: usize) -> Rig {
    let start = Instant::now();
    let second = Duration::from_secs(1);
    let mut protocol = Protocol::new(ServerInfo::default(), 60 * second, start);
    let api = Api::new(&mut protocol, None, "i");
    let heartbeat = second / 2;
    let request = Request { messages_max, bytes_max, expires: 2 * second, heartbeat };
    let pulls = Pulls::new("pull".to_owned(), request, start);
    let mut rig = Rig { pulls, protocol, api, start };
    rig.protocol.outgoing().clear();
    rig
}

impl Rig {
    /// What is asked for now: the inbox of the request, and its messages and bytes.
    fn asked(&mut self) -> String {
        self.pulls.ask(&mut self.protocol, &mut self.api);
        let text = String::from_utf8(std::mem::take(self.protocol.outgoing())).unwrap();
        let Some(head) = text.lines().next() else { return "nothing".to_owned() };
        let inbox = head.split(' ').nth(2).unwrap();
        let body: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        format!("{inbox} {} {}", body["batch"], body["max_bytes"])
    }

    fn messages(&mut self, count: usize, bytes: usize) {
        for _ in 0..count {
            self.pulls.note_message(bytes, self.start);
        }
    }

    fn done(&mut self, inbox: &str, ending: RequestEnding) -> Drained {
        self.pulls.note(inbox.as_bytes(), Pulled::Done(ending), self.start)
    }
}

#[test]
fn the_next_request_goes_out_when_half_of_the_last_is_there() {
    let mut rig = rig(10, 1_000);
    assert_eq!(rig.asked(), "i.p.1 10 1000");
    assert_eq!(rig.asked(), "nothing", "one request is enough while most of it is to come");
    rig.messages(4, 10);
    assert_eq!(rig.asked(), "nothing");
    rig.messages(1, 10);
    assert_eq!(rig.asked(), "i.p.2 10 1000");
    rig.messages(4, 10);
    assert_eq!(rig.asked(), "nothing", "no more than two are open");
    rig.messages(1, 10);
    assert!(!rig.pulls.is_open(b"i.p.1") && rig.pulls.is_open(b"i.p.2"));
    assert_eq!(rig.asked(), "nothing", "the second is whole still");
    rig.messages(5, 10);
    assert_eq!(rig.asked(), "i.p.3 10 1000");
}

#[test]
fn bytes_that_are_used_up_call_for_another_request_too() {
    let mut rig = rig(10, 1_000);
    rig.asked();
    rig.messages(1, 499);
    assert_eq!(rig.asked(), "nothing");
    rig.messages(1, 1);
    assert_eq!(rig.asked(), "i.p.2 10 1000");
    // A message bigger than all that is left takes what there is.
    rig.messages(1, 5_000);
    assert!(rig.pulls.is_open(b"i.p.1"), "the server says when it is done");
    assert_eq!(rig.done("i.p.1", RequestEnding::Bytes), Drained::Unknown);
    assert!(!rig.pulls.is_open(b"i.p.1"));
}

#[test]
fn only_a_whole_request_that_brought_nothing_says_that_nothing_waits() {
    let ends = |messages: usize, ending: RequestEnding| {
        let mut rig = rig(10, 1_000);
        rig.asked();
        rig.messages(messages, 1);
        rig.done("i.p.1", ending)
    };
    assert_eq!(ends(0, RequestEnding::Expired), Drained::Yes);
    assert_eq!(ends(1, RequestEnding::Expired), Drained::Unknown);
    assert_eq!(ends(0, RequestEnding::Bytes), Drained::Unknown);
    assert_eq!(ends(0, RequestEnding::TooBig), Drained::Unknown);
}

#[test]
fn the_end_of_a_request_that_is_not_open_says_nothing() {
    let mut rig = rig(10, 1_000);
    rig.asked();
    for inbox in ["i.p.2", "i.p.", "i.p.x", ""] {
        assert_eq!(rig.done(inbox, RequestEnding::Expired), Drained::Unknown, "{inbox}");
    }
    assert!(rig.pulls.is_open(b"i.p.1"));
    assert_eq!(rig.done("i.p.1", RequestEnding::Expired), Drained::Yes);
    assert_eq!(rig.done("i.p.1", RequestEnding::Expired), Drained::Unknown);
}

#[test]
fn a_message_too_big_for_the_bytes_is_asked_for_alone_and_without_a_limit() {
    let mut rig = rig(10, 1_000);
    rig.asked();
    rig.messages(6, 10);
    assert_eq!(rig.asked(), "i.p.2 10 1000");
    rig.done("i.p.1", RequestEnding::Bytes);
    assert_eq!(rig.done("i.p.2", RequestEnding::TooBig), Drained::Unknown);
    assert_eq!(rig.asked(), "i.p.3 1 null");
    assert_eq!(rig.asked(), "i.p.4 10 1000", "behind it all goes on as before");
}

#[test]
fn while_another_request_is_open_the_big_message_waits_for_its_end() {
    let mut rig = rig(10, 1_000);
    rig.asked();
    rig.messages(6, 10);
    rig.asked();
    assert_eq!(rig.done("i.p.2", RequestEnding::TooBig), Drained::Unknown);
    assert_eq!(rig.asked(), "nothing");
    rig.done("i.p.1", RequestEnding::Bytes);
    assert_eq!(rig.asked(), "i.p.3 1 null");
}

#[test]
fn what_came_after_some_messages_too_big_is_asked_for_as_usual_first() {
    // The server says so also of a request whose rest is too small for the next message.
    let mut rig = rig(10, 1_000);
    rig.asked();
    rig.messages(3, 300);
    rig.done("i.p.1", RequestEnding::TooBig);
    assert_eq!(rig.asked(), "i.p.2 10 1000");
}

#[test]
fn the_servers_silence_counts_from_its_last_sign_of_life() {
    let mut rig = rig(10, 1_000);
    rig.asked();
    let after = |seconds: u64| rig.start + Duration::from_secs(seconds);
    let patience = Duration::from_millis(1_500);
    assert_eq!(rig.pulls.deadline(), rig.start + patience);
    rig.pulls.note(b"i.p.1", Pulled::Heartbeat, after(1));
    assert_eq!(rig.pulls.deadline(), after(1) + patience);
    rig.pulls.note_message(1, after(2));
    assert_eq!(rig.pulls.deadline(), after(2) + patience);
    rig.pulls.excuse(after(3));
    assert_eq!(rig.pulls.deadline(), after(3) + patience);
}

#[test]
fn a_delivery_is_known_by_the_consumers_name_as_a_whole_token() {
    let reply = b"$JS.ACK.EVENTS.abc.1.42.7.1.3";
    for (consumer, expected) in [("abc", true), ("ab", false), ("abcd", false), ("EVENTS", true), ("", false)]
    {
        assert_eq!(is_of(reply, consumer), expected, "{consumer}");
    }
}

#[test]
fn a_place_tells_when_it_was_stored() {
    let cases = [(0, 0), (1_999, 1), (1_700_000_000_123_456_789, 1_700_000_000_123_456), (-1, -1)];
    for (nanos, micros) in cases {
        let place = MessagePlace {
            delivered: 1,
            stream_sequence: 9,
            consumer_sequence: 1,
            stored_nanos: nanos,
            pending: 0,
        };
        assert_eq!(place.stored(), Stored { sequence: 9, at: Timestamp::from_micros(micros) }, "{nanos}");
    }
}

#[test]
fn a_reply_of_any_other_shape_is_no_place() {
    let cases = [
        "$JS.ACK.EVENTS.abc.1.42.7.1700000000000000001",
        "$JS.ACK.EVENTS.abc.1.42.7.1700000000000000001.3.4",
        "$JS.ACK.a.b.EVENTS.abc.1.42.7.1700000000000000001.3.x.y",
        "$JS.ACK.EVENTS.abc..42.7.1700000000000000001.3",
        "$JS.ACK.EVENTS.abc.1.42.7.17e9.3",
        "$JS.ACK.EVENTS.abc.1.42.7.99999999999999999999999.3",
        "$js.ack.EVENTS.abc.1.42.7.1.3",
        " $JS.ACK.EVENTS.abc.1.42.7.1.3",
        "$JS.ACK.EVENTS.abc.1.-42.7.1.3",
    ];
    for case in cases {
        assert_eq!(place_of(case.as_bytes()), None, "{case}");
    }
}
