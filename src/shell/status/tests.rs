use super::*;

#[test]
fn it_is_ready_when_nothing_speaks_against_it() {
    let status = Status::default();
    assert_eq!(status.set(Topic::CoreLink, "refused"), Connectivity::Lost);
    assert_eq!(status.set(Topic::CoreLink, "refused again"), Connectivity::Same);
    assert_eq!(status.set(Topic::Stream, "EVENTS is missing"), Connectivity::Same);
    assert_eq!(
        status.reasons(),
        ["NATS connection of the core lane: refused again", "stream: EVENTS is missing"]
    );
    assert_eq!(status.clear(Topic::CoreLink), Connectivity::Gained);
    status.clear(Topic::Stream);
    assert!(status.reasons().is_empty());
}

#[test]
fn the_connections_stand_when_all_of_them_do() {
    let status = Status::default();
    status.expect(&[Topic::CoreLink, Topic::PublishLink]);
    assert_eq!(
        status.reasons(),
        ["NATS connection of the core lane: not seen yet", "NATS connection for publishing: not seen yet"]
    );
    assert_eq!(status.clear(Topic::CoreLink), Connectivity::Same);
    assert_eq!(status.clear(Topic::PublishLink), Connectivity::Gained);
    assert_eq!(status.clear(Topic::PublishLink), Connectivity::Same);
    assert_eq!(status.set(Topic::Lag, "9 messages wait"), Connectivity::Same);
    assert_eq!(status.set(Topic::StreamLink, "refused"), Connectivity::Lost);
    assert_eq!(status.set(Topic::CoreLink, "refused"), Connectivity::Same);
    assert_eq!(status.clear(Topic::StreamLink), Connectivity::Same);
}

#[test]
fn a_scrape_is_refused_while_it_catches_up_and_for_nothing_else() {
    let status = Status::default();
    for topic in [Topic::CoreLink, Topic::Stream, Topic::Lag, Topic::Rules, Topic::Publishing] {
        status.set(topic, "no");
    }
    assert_eq!(status.scrape_refusal(), None);
    status.set(Topic::CatchUp, "5 of 9 messages");
    assert_eq!(status.scrape_refusal().as_deref(), Some("5 of 9 messages"));
    assert!(status.has(Topic::CatchUp) && !status.has(Topic::Subscriptions));
    status.clear(Topic::CatchUp);
    assert_eq!(status.scrape_refusal(), None);
}

#[test]
fn a_concern_and_diagnostics_do_not_make_it_unready() {
    let status = Status::default();
    assert_eq!(status.note_concern(Concern::State, "the disk is full".to_owned()), Noted::Now);
    assert_eq!(status.note_concern(Concern::State, "the disk is full".to_owned()), Noted::Before);
    status.note_diagnostics("a.yaml:1: no");
    assert!(status.unready().is_empty());
    assert_eq!(status.concerns(), [(Concern::State, "the disk is full".to_owned())]);
    status.resolve_concern(Concern::State);
    assert_eq!((status.concerns().len(), status.diagnostics().as_str()), (0, "a.yaml:1: no"));
    status.note_diagnostics("");
    assert_eq!(status.diagnostics(), "");
}
