use super::*;
use crate::engine::fact::Novelty;
use crate::engine::wire::Refusal;

#[test]
fn secrets_are_painted_over_wherever_they_stand() {
    let cases = [
        (r#"{"password":"hunter2","a":1}"#, r#"{"password":***,"a":1}"#),
        (r#"{"db_password": "hun\"ter2"}"#, r#"{"db_password": ***}"#),
        (r#"{"api_key":"hunter2 cut in the mid"#, r#"{"api_key":***"#),
        (r#"{"AccessToken":hunter2}"#, r#"{"AccessToken":***}"#),
        ("Authorization: Bearer hunter2hunter2", "Authorization: ***"),
        ("nats://user:hunter2@host/x", "nats://***host/x"),
        (r#"{\"token\":\"hunter2\"}"#, r#"{\"token\":***"#),
        (r#"{"queue":"bulk"}"#, r#"{"queue":"bulk"}"#),
    ];
    for (text, expected) in cases {
        assert_eq!(masked(text), expected, "{text}");
        assert!(!masked(text).contains("hunter2"), "{text}");
    }
}

#[test]
fn an_example_is_cut_and_a_flood_leaves_one() {
    let examples = RejectedExamples::default();
    let payload = "ä".repeat(10_000);
    let message = Message { subject: "events.x", headers: &[], payload: payload.as_bytes() };
    let refusal = Refusal::new(Reason::Malformed, "no JSON");
    let rejected = Rejected { message: 0, element: 0, refusal, novelty: Novelty::New };
    for _ in 0..1_000 {
        examples.notice((Lane::Core, &message), &rejected, Timestamp::EPOCH);
    }
    let kept = examples.of(Reason::Malformed);
    assert_eq!(kept.first().map(|kept| (kept.payload.len(), kept.payload_bytes)), Some((512, 20_000)));
    assert!(kept.len() <= KEPT_MAX && examples.of(Reason::Conflict).is_empty());
}

fn notice(
    examples: &RejectedExamples,
    reason: Reason,
    (subject, payload): (&str, &[u8]),
    detail: &'static str,
) {
    let message = Message { subject, headers: &[], payload };
    let refusal = Refusal::new(reason, detail);
    let rejected = Rejected { message: 0, element: 0, refusal, novelty: Novelty::New };
    examples.notice((Lane::JetStream, &message), &rejected, Timestamp::from_millis(5));
}

#[test]
fn each_reason_has_examples_of_its_own() {
    let examples = RejectedExamples::default();
    notice(&examples, Reason::Malformed, ("a", b"1"), "no object");
    notice(&examples, Reason::Conflict, ("b", b"2"), "another type");
    let of = |reason| examples.of(reason).pop().unwrap();
    let malformed = of(Reason::Malformed);
    assert_eq!((malformed.subject.as_str(), malformed.detail.as_str()), ("a", "no object"));
    assert_eq!((malformed.lane, malformed.at), (Lane::JetStream, Timestamp::from_millis(5)));
    assert_eq!(of(Reason::Conflict).payload, "2");
}

#[test]
fn nothing_secret_is_left_in_any_part_of_an_example() {
    let examples = RejectedExamples::default();
    let payload = br#"{"password":"hunter2","url":"nats://u:hunter2@h"}"#;
    notice(&examples, Reason::Malformed, ("events.x", payload), "password: \"hunter2\" is none");
    let example = examples.of(Reason::Malformed).pop().unwrap();
    assert!(!format!("{example:?}").contains("hunter2"), "{example:?}");
}

#[test]
fn what_is_cut_is_cut_between_characters_and_never_through_a_secret() {
    for length in 500..520 {
        let text = format!("{}{{\"token\":\"hunter2hunter2\"}}", "ä".repeat(length / 2));
        let shown = shown(text.as_bytes());
        assert!(shown.len() <= PAYLOAD_BYTES_MAX && !shown.contains("hunter"), "{length}: {shown}");
    }
    // A secret that begins where reading ends is not whole, and is painted over all the same.
    let text = format!("{{\"a\":\"{}\",\"secret\":\"hunter2", "x".repeat(480));
    assert!(!shown(text.as_bytes()).contains("hunter"));
}

#[test]
fn who_reads_does_not_hold_up_the_driver() {
    let examples = RejectedExamples::default();
    let held = examples.0.lock().unwrap();
    notice(&examples, Reason::Malformed, ("a", b"1"), "no");
    drop(held);
    assert_eq!(examples.of(Reason::Malformed), []);
}
