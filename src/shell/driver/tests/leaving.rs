//! What leaves, in which order, and what was logged before.

use super::*;
use crate::engine::rules::StoredAlert;

#[test]
fn so_many_events_are_on_their_way_and_the_next_one_follows_an_acknowledgement() {
    let mut rig = firing_rig();
    rig.fire(0..300);
    assert_eq!(rig.dispatched().len(), IN_FLIGHT_MAX);
    rig.driver.turn(DriverStage::Running);
    assert_eq!(rig.dispatched(), Vec::<String>::new(), "nothing goes out twice");
    let id = rig.first_id();
    rig.order(Command::Confirmed(id));
    let dispatched = rig.dispatched();
    assert_eq!(dispatched.len(), 2, "{dispatched:?}");
    assert_eq!(dispatched[0], "acknowledged");
    assert!(dispatched[1].starts_with("publish "), "{dispatched:?}");
    assert_eq!(rig.driver.in_flight, IN_FLIGHT_MAX);
}

#[test]
fn what_waits_for_others_on_their_way_is_logged_before_anybody_is_told_of_it() {
    let mut rig = logging_rig();
    rig.fire(0..300);
    let dispatched = rig.dispatched();
    let (mut logged, mut told) = (0, 0);
    for line in &dispatched {
        match line.strip_prefix("tell ") {
            None => logged += 1,
            Some(count) => told += count.parse::<usize>().unwrap(),
        }
        assert!(told <= logged, "{told} were told and {logged} logged: {line}");
    }
    assert_eq!((logged, told), (300, 300));
    assert_eq!(dispatched.iter().filter(|line| line.starts_with("publish ")).count(), IN_FLIGHT_MAX);
    let id = rig.first_id();
    rig.order(Command::Confirmed(id));
    let dispatched = rig.dispatched();
    assert!(dispatched[1].starts_with("publish, logged before, "), "{dispatched:?}");
    rig.order(Command::Adopt(Box::default()));
    let dispatched = rig.dispatched();
    let anew = dispatched.iter().filter(|line| line.starts_with("publish ") || line.starts_with("decided "));
    assert_eq!(anew.count(), 299, "{dispatched:?}");
}

#[test]
fn events_go_out_in_the_order_of_their_decisions() {
    let mut rig = firing_rig();
    for host in [3, 1, 2] {
        rig.fire(host..host + 1);
    }
    assert_eq!(rig.dispatched(), ["publish 3", "publish 1", "publish 2"]);
}

#[test]
fn an_acknowledgement_that_nobody_waits_for_frees_no_place() {
    let mut rig = firing_rig();
    rig.order(Command::Confirmed(EventId(7)));
    assert_eq!(rig.driver.in_flight, 0);
    rig.fire(0..300);
    assert_eq!(rig.dispatched().iter().filter(|it| it.starts_with("publish")).count(), IN_FLIGHT_MAX);
    rig.order(Command::Confirmed(EventId(7)));
    assert_eq!(rig.dispatched(), ["acknowledged"]);
    assert_eq!(rig.driver.in_flight, IN_FLIGHT_MAX);
}

#[test]
fn once_the_streams_alerts_are_taken_over_everything_is_given_anew() {
    let mut rig = firing_rig();
    rig.fire(1..4);
    assert_eq!(rig.dispatched().len(), 3);
    rig.order(Command::Adopt(Box::default()));
    assert_eq!(rig.dispatched(), ["begin anew", "publish 1", "publish 2", "publish 3"]);
    assert_eq!(rig.driver.in_flight, 3);
}

#[test]
fn what_the_turn_decided_that_takes_a_streams_alerts_over_is_logged_before_what_becomes_of_it() {
    let mut earlier = firing_rig();
    earlier.fire(0..1);
    let told = earlier.driver.engine.outbox().next().unwrap().to_json();
    let open = StoredAlert::read(told.as_bytes()).unwrap();
    let mut rig = logging_rig();
    rig.driver.mailbox.command(Command::Adopt(Box::new(StoredAlerts {
        decided_at: open.timestamp,
        begun: [open.id].into(),
        open: vec![open],
        ..StoredAlerts::default()
    })));
    // It fires anew here, which the stream knows to have begun before.
    rig.fire(0..1);
    assert_eq!(rig.dispatched(), ["decided 0", "withdrawn", "begin anew", "tell 1"]);
}
