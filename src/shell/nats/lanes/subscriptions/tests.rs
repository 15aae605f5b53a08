//! Subscriptions at a server that forbids some.

use super::*;
use crate::shell::nats::protocol::ServerInfo;

/// What was sent since the last call, a word for each line end.
fn sent(protocol: &mut Protocol) -> String {
    String::from_utf8(std::mem::take(protocol.outgoing())).unwrap().trim_end().replace("\r\n", ", ")
}

fn subjects() -> Vec<String> {
    ["a", "b", "c"].map(str::to_owned).to_vec()
}

fn asked(now: Instant) -> (Protocol, Subscriptions) {
    let mut protocol = Protocol::new(ServerInfo::default(), Duration::from_mins(1), now);
    let subscriptions = Subscriptions::ask(&mut protocol, &subjects(), now);
    assert_eq!(sent(&mut protocol), "SUB a 1, SUB b 2, SUB c 3, PING");
    (protocol, subscriptions)
}

#[test]
fn each_judgement_is_told_once() {
    let (_, mut subscriptions) = asked(Instant::now());
    assert_eq!(subscriptions.settle(), Some(&[][..]));
    assert_eq!(subscriptions.settle(), None);
    assert_eq!(subscriptions.deadline(), None);
}

#[test]
fn what_is_forbidden_is_named_by_its_subject() {
    let cases = [
        (r#"Permissions Violation for Subscription to "b""#, "b"),
        (r#"permissions violation for subscription to "events.>" using queue "q""#, "events.>"),
        ("Permissions Violation", "Permissions Violation"),
    ];
    for (text, expected) in cases {
        let (_, mut subscriptions) = asked(Instant::now());
        subscriptions.forbid(text);
        assert_eq!(subscriptions.settle(), Some(&[expected.to_owned()][..]), "{text}");
    }
}

#[test]
fn only_what_is_forbidden_is_asked_for_again() {
    let start = Instant::now();
    let (mut protocol, mut subscriptions) = asked(start);
    subscriptions.forbid(r#"Permissions Violation for Subscription to "b""#);
    subscriptions.settle();
    assert_eq!(subscriptions.deadline(), Some(start + ASK_AGAIN));
    subscriptions.due(&mut protocol, &subjects(), start + ASK_AGAIN / 2);
    assert_eq!(sent(&mut protocol), "");
    subscriptions.due(&mut protocol, &subjects(), start + ASK_AGAIN);
    assert_eq!(sent(&mut protocol), "SUB b 2, PING");
    assert_eq!(subscriptions.deadline(), Some(start + 2 * ASK_AGAIN));
    // Allowed meanwhile.
    assert_eq!(subscriptions.settle(), Some(&[][..]));
    assert_eq!(subscriptions.deadline(), None);
}

#[test]
fn they_end_with_a_ping_behind_which_nothing_comes() {
    let (mut protocol, _) = asked(Instant::now());
    Subscriptions::end(&mut protocol, &subjects());
    assert_eq!(sent(&mut protocol), "UNSUB 1, UNSUB 2, UNSUB 3, PING");
}
