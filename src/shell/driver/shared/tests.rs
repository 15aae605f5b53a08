//! Lanes that work with the driver themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use super::*;
use crate::shell::clock::Clock;
use crate::shell::driver::command::Command;
use crate::shell::driver::mailbox::LaneGate;
use crate::shell::driver::tests::firing_rig;
use crate::shell::for_tests;

fn shared() -> SharedDriver {
    SharedDriver::new(firing_rig().driver)
}

/// A batch of one event: a counter moves by one, and a gauge's value is the event's number.
fn item(number: u64) -> LaneItem {
    let mut batch = Batch::default();
    for event in [
        for_tests::counter(2 * number, ("moved_total", 1.0), &json!({})),
        for_tests::gauge(2 * number + 1, ("last", number as f64), &json!({})),
    ] {
        batch.push(for_tests::METRIC_SUBJECT.as_bytes(), b"", event.as_bytes());
    }
    LaneItem::Core(batch)
}

/// The lines of a scrape that tell of [`item`]s.
fn told(engine: &mut Engine) -> Vec<String> {
    let scrape = for_tests::scraped(engine, Clock::start().now());
    let is_told = |line: &&str| line.starts_with("moved_total ") || line.starts_with("last ");
    scrape.lines().filter(is_told).map(str::to_owned).collect()
}

fn told_by(driver: &SharedDriver) -> Vec<String> {
    told(&mut driver.seat.lock().unwrap().driver.as_mut().unwrap().engine)
}

#[test]
fn who_brings_work_does_it_and_gets_the_memory_back() {
    let driver = shared();
    let spare = driver.hand_over(Slot::Core, item(1), Duration::ZERO).unwrap();
    assert_eq!(told_by(&driver), ["last 1", "moved_total 1"]);
    assert!(spare.is_some_and(|spare| spare.capacity() > 0));
    assert!(driver.mailbox.is_empty(LaneGate::Open));
}

#[test]
fn what_comes_while_another_works_waits_and_is_done_in_its_order() {
    let driver = shared();
    let seat = driver.seat.lock().unwrap();
    driver.hand_over(Slot::Core, item(1), Duration::ZERO).unwrap();
    driver.hand_over(Slot::Core, item(2), Duration::ZERO).unwrap();
    drop(seat);
    assert!(!driver.mailbox.is_empty(LaneGate::Open));
    driver.hand_over(Slot::Core, item(3), Duration::ZERO).unwrap();
    assert!(driver.mailbox.is_empty(LaneGate::Open));
    assert_eq!(told_by(&driver), ["last 3", "moved_total 3"]);
}

#[test]
fn nothing_is_lost_between_two_lanes_and_the_drivers_own_thread() {
    let driver = Arc::new(shared());
    let own = std::thread::spawn({
        let driver = Arc::clone(&driver);
        move || driver.run()
    });
    let lane = |slot, numbers: std::ops::Range<u64>| {
        let driver = Arc::clone(&driver);
        std::thread::spawn(move || {
            for number in numbers {
                driver.hand_over(slot, item(number), Duration::MAX).unwrap();
                if number % 50 == 0 {
                    // A command is for the driver's own thread, or for who works just then.
                    driver.mailbox.freeze_blocking().unwrap();
                }
            }
        })
    };
    for lane in [lane(Slot::Core, 0..500), lane(Slot::Stream, 1_000..1_500)] {
        lane.join().unwrap();
    }
    driver.mailbox.close();
    driver.mailbox.command(Command::Finish(None));
    let mut engine = own.join().unwrap().unwrap();
    assert_eq!(told(&mut engine).last().map(String::as_str), Some("moved_total 1000"));
    assert_eq!(driver.hand_over(Slot::Core, item(1), Duration::MAX).err(), Some(PushError::Closed));
}

#[test]
fn a_panic_at_work_ends_it_for_everybody() {
    let driver = shared();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _seat = driver.seat.lock().unwrap();
        panic!("a bug");
    }));
    assert!(caught.is_err());
    driver.hand_over(Slot::Core, item(1), Duration::ZERO).unwrap();
    assert_eq!(driver.hand_over(Slot::Core, item(2), Duration::ZERO).err(), Some(PushError::Closed));
    assert!(driver.run().is_none());
}
