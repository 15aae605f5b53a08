//! What is asked of a driver that answers, that is busy, and that is gone.

use super::*;
use crate::engine::Engine;
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::time::Timestamp;
use crate::shell::driver::mailbox::LaneGate;
use crate::shell::for_tests;

fn engine() -> Engine {
    Engine::new(&Config::with_defaults("test"), RuleSet::default(), Timestamp::EPOCH)
}

/// A mailbox in which as many commands wait as may.
fn busy() -> Mailbox {
    let mailbox = Mailbox::new(1);
    while mailbox.try_command(Command::Fact(Fact::Connected)).is_ok() {}
    mailbox
}

#[tokio::test]
async fn a_driver_that_is_busy_is_told_from_one_that_is_gone() {
    assert_eq!(busy().freeze().await.err(), Some(Unreadable::Busy));
    let mailbox = Mailbox::new(1);
    let asked = mailbox.ask_to_freeze().unwrap();
    // It took the command and did not answer.
    drop(mailbox.take(LaneGate::Open));
    assert!(asked.await.is_err());
}

#[test]
fn a_thread_gets_the_instant_too() {
    let mailbox = Arc::new(Mailbox::new(1));
    for_tests::drive(engine(), &mailbox, Timestamp::from_millis(7));
    assert_eq!(mailbox.freeze_blocking().unwrap().now(), Timestamp::from_millis(7));
    assert_eq!(busy().freeze_blocking().err(), Some(Unreadable::Busy));
}

#[tokio::test]
async fn a_reload_is_over_when_it_is_in_force() {
    let mailbox = Arc::new(Mailbox::new(1));
    for_tests::drive(engine(), &mailbox, Timestamp::EPOCH);
    let rules = rule_set("groups: [{name: g, rules: [{alert: High, expr: load, above: 0}]}]");
    assert!(mailbox.reload(None, rules).await.is_empty());
    assert_eq!(mailbox.freeze().await.unwrap().groups().len(), 1);
}

#[tokio::test]
async fn a_reload_without_a_driver_keeps_nobody_waiting() {
    let mailbox = Arc::new(Mailbox::new(1));
    let driver = std::thread::spawn({
        let mailbox = Arc::clone(&mailbox);
        move || {
            mailbox.wait(Duration::from_secs(10), LaneGate::Open);
            drop(mailbox.take(LaneGate::Open));
        }
    });
    assert!(mailbox.reload(None, RuleSet::default()).await.is_empty());
    driver.join().unwrap();
}
