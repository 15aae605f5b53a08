use super::*;
use crate::engine::config::Config;
use crate::engine::wire::Refusal;

fn rejected(reason: Reason, novelty: Novelty) -> Rejected {
    Rejected { message: 0, element: 0, refusal: Refusal::new(reason, "why"), novelty }
}

fn message(payload: &[u8]) -> Message<'_> {
    Message { subject: "events.queue.JobQueued", headers: b"", payload }
}

fn queue_of(publish: RejectedLanes, messages_max: usize) -> (Rejections, RejectedCopies) {
    let mut config = Config::default();
    config.rejected.publish = publish;
    let settings = RejectedSettings { queue_messages_max: messages_max };
    queue(&settings, Arc::new(ConfigInForce::new(config)), Arc::default())
}

#[test]
fn copies_are_made_for_the_lanes_that_the_configuration_names() {
    let cases: [(RejectedLanes, &[&str]); 4] = [
        (RejectedLanes::Both, &["core", "jetstream"]),
        (RejectedLanes::Core, &["core"]),
        (RejectedLanes::JetStream, &["jetstream"]),
        (RejectedLanes::None, &[]),
    ];
    for (publish, expected) in cases {
        let (mut rejections, mut copies) = queue_of(publish, 8);
        for (lane, name) in [(Lane::Core, "core"), (Lane::JetStream, "jetstream")] {
            let rejected = rejected(Reason::Malformed, Novelty::New);
            rejections.take(lane, (&message(name.as_bytes()), None), &rejected).unwrap();
        }
        assert_eq!(copies.waiting_payloads(), expected, "{publish:?}");
    }
}

#[test]
fn no_copy_is_made_of_what_rides_the_other_lane_or_was_told_of_before() {
    let (mut rejections, mut copies) = queue_of(RejectedLanes::Both, 8);
    for (reason, novelty) in [
        (Reason::OtherLane, Novelty::New),
        (Reason::Malformed, Novelty::Known),
        (Reason::Conflict, Novelty::New),
    ] {
        let payload = format!("{} {novelty:?}", reason.name());
        let message = message(payload.as_bytes());
        rejections.take(Lane::JetStream, (&message, None), &rejected(reason, novelty)).unwrap();
    }
    assert_eq!(copies.waiting_payloads(), ["conflict New"]);
}

#[tokio::test]
async fn a_full_queue_refuses_by_number_and_by_bytes() {
    let rejected = rejected(Reason::TooLarge, Novelty::New);
    let (mut rejections, mut copies) = queue_of(RejectedLanes::Both, 1);
    rejections.take(Lane::Core, (&message(b"first"), None), &rejected).unwrap();
    assert!(rejections.take(Lane::Core, (&message(b"second"), None), &rejected).is_err());
    assert_eq!(copies.next().await.unwrap().payload, "first");
    rejections.take(Lane::Core, (&message(b"third"), None), &rejected).unwrap();

    let (mut rejections, mut copies) = queue_of(RejectedLanes::Both, 8);
    let half = vec![b'x'; QUEUE_BYTES_MAX / 2];
    rejections.take(Lane::Core, (&message(&half), None), &rejected).unwrap();
    rejections.take(Lane::Core, (&message(&half), None), &rejected).unwrap();
    assert!(rejections.take(Lane::Core, (&message(b"x"), None), &rejected).is_err());
    copies.next().await.unwrap();
    rejections.take(Lane::Core, (&message(b"x"), None), &rejected).unwrap();
}

#[tokio::test]
async fn a_copy_carries_the_message_as_it_came_with_the_reason() {
    let (mut rejections, mut copies) = queue_of(RejectedLanes::Both, 8);
    let payload = b"\xff\x00{";
    rejections
        .take(Lane::Core, (&message(payload), None), &rejected(Reason::Malformed, Novelty::New))
        .unwrap();
    let copy = copies.next().await.unwrap();
    assert_eq!((copy.subject.as_str(), &copy.payload[..]), ("events.queue.JobQueued", &payload[..]));
    assert_eq!(copy.reason, Reason::Malformed);
}

#[tokio::test]
async fn what_the_configuration_says_counts_from_its_next_reload_on() {
    let config = Arc::new(ConfigInForce::new(Config::default()));
    let (mut rejections, mut copies) =
        queue(&RejectedSettings::default(), Arc::clone(&config), Arc::default());
    for (publish, payload) in
        [(RejectedLanes::Core, "one"), (RejectedLanes::None, "two"), (RejectedLanes::Both, "three")]
    {
        let mut next = Config::default();
        next.rejected.publish = publish;
        config.put(Arc::new(next));
        let rejected = rejected(Reason::Malformed, Novelty::New);
        rejections.take(Lane::Core, (&message(payload.as_bytes()), None), &rejected).unwrap();
    }
    assert_eq!(copies.waiting_payloads(), ["one", "three"]);
    drop(rejections);
    assert!(copies.next().await.is_none(), "the publisher ends with the driver");
}
