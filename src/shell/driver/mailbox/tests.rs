use super::*;

fn batch(payload: &[u8]) -> LaneItem {
    let mut batch = Batch::default();
    batch.push(b"s", b"", payload);
    LaneItem::Core(batch)
}

#[test]
fn a_full_lane_is_told_so_and_the_other_lane_is_not_touched() {
    let mailbox = Mailbox::new(4);
    assert!(mailbox.push(Slot::Core, batch(b"12345"), Duration::ZERO).is_ok());
    assert_eq!(mailbox.push(Slot::Core, batch(b"6"), Duration::ZERO).err(), Some(PushError::Full));
    assert!(mailbox.push(Slot::Stream, batch(b"6"), Duration::ZERO).is_ok());
    assert!(mailbox.take(LaneGate::Open).item.is_some());
    assert!(mailbox.take(LaneGate::Open).item.is_some());
    assert!(mailbox.push(Slot::Core, batch(b"6"), Duration::ZERO).is_ok());
}

#[test]
fn lanes_take_turns_and_commands_go_first() {
    let mailbox = Mailbox::new(1 << 20);
    for _ in 0..2 {
        mailbox.push(Slot::Core, batch(b"c"), Duration::ZERO).unwrap();
        mailbox.push(Slot::Stream, LaneItem::News(StreamNews::Drained), Duration::ZERO).unwrap();
    }
    mailbox.command(Command::Fact(Fact::Connected));
    let first = mailbox.take(LaneGate::Open);
    assert_eq!(first.commands.len(), 1);
    let mut kinds = vec![matches!(first.item, Some(LaneItem::Core(_)))];
    kinds.extend((0..3).map(|_| matches!(mailbox.take(LaneGate::Open).item, Some(LaneItem::Core(_)))));
    assert!(kinds == [false, true, false, true] || kinds == [true, false, true, false], "{kinds:?}");
}

#[test]
fn a_shut_gate_keeps_core_batches_until_their_queue_is_full() {
    let mailbox = Mailbox::new(4);
    mailbox.push(Slot::Core, batch(b"1"), Duration::ZERO).unwrap();
    mailbox.push(Slot::Stream, batch(b"2"), Duration::ZERO).unwrap();
    assert!(mailbox.take(LaneGate::CoreShut).item.is_some());
    assert!(mailbox.take(LaneGate::CoreShut).item.is_none());
    mailbox.push(Slot::Core, batch(b"3456"), Duration::ZERO).unwrap();
    assert!(mailbox.take(LaneGate::CoreShut).item.is_none(), "more waits while the gate is shut");
    mailbox.push(Slot::Core, batch(b"789012345"), Duration::ZERO).unwrap();
    assert_eq!(mailbox.push(Slot::Core, batch(b"6"), Duration::ZERO).err(), Some(PushError::Full));
    assert!(mailbox.take(LaneGate::CoreShut).item.is_some());
    assert!(mailbox.take(LaneGate::Open).item.is_some());
}

#[test]
fn a_command_too_many_comes_back_until_the_driver_took_the_others() {
    let mailbox = Mailbox::new(16);
    for _ in 0..COMMANDS_MAX {
        mailbox.try_command(Command::Fact(Fact::Connected)).unwrap();
    }
    assert!(mailbox.try_command(Command::Fact(Fact::Connected)).is_err());
    assert_eq!(mailbox.take(LaneGate::Open).commands.len(), COMMANDS_MAX);
    assert!(mailbox.try_command(Command::Fact(Fact::Connected)).is_ok());
}

#[test]
fn applied_batches_come_back_to_be_filled_again_a_few_of_them_and_none_that_is_too_big() {
    let mailbox = Mailbox::new(1 << 20);
    let mut big = Batch::default();
    big.push(b"s", b"", &vec![0; SPARE_BYTES_MAX + 1]);
    mailbox.give_back(big);
    mailbox.give_back(Batch::default());
    for _ in 0..2 * SPARES_MAX {
        let mut applied = Batch::default();
        applied.push(b"s", b"", b"payload");
        mailbox.give_back(applied);
    }
    assert_eq!(std::iter::from_fn(|| mailbox.spare()).count(), SPARES_MAX);
}

#[test]
fn a_closed_mailbox_takes_no_batch_but_yields_what_it_has() {
    let mailbox = Mailbox::new(16);
    mailbox.push(Slot::Core, batch(b"c"), Duration::ZERO).unwrap();
    mailbox.close();
    assert_eq!(mailbox.push(Slot::Core, batch(b"c"), Duration::MAX).err(), Some(PushError::Closed));
    assert!(mailbox.take(LaneGate::Open).item.is_some());
}

fn payload(item: &LaneItem) -> String {
    match item {
        LaneItem::Core(batch) => String::from_utf8_lossy(batch.messages()[0].payload).into_owned(),
        LaneItem::Stream(_) | LaneItem::News(_) | LaneItem::Fact(_) => String::new(),
    }
}

fn take(mailbox: &Mailbox) -> Option<String> {
    mailbox.take(LaneGate::Open).item.as_ref().map(payload)
}

#[test]
fn a_batch_larger_than_all_room_is_taken_alone() {
    let mailbox = Mailbox::new(4);
    mailbox.push(Slot::Core, batch(&[b'x'; 1_000]), Duration::ZERO).unwrap();
    assert_eq!(mailbox.push(Slot::Core, batch(b"y"), Duration::ZERO).err(), Some(PushError::Full));
    assert!(take(&mailbox).is_some());
    assert!(mailbox.push(Slot::Core, batch(b"y"), Duration::ZERO).is_ok());
}

#[test]
fn news_and_facts_find_room_behind_a_full_lane_and_keep_their_place() {
    let mailbox = Mailbox::new(2);
    mailbox.push(Slot::Stream, batch(b"123"), Duration::ZERO).unwrap();
    mailbox.push(Slot::Stream, LaneItem::News(StreamNews::Drained), Duration::ZERO).unwrap();
    mailbox.push(Slot::Stream, LaneItem::Fact(Fact::Connected), Duration::ZERO).unwrap();
    assert_eq!(mailbox.push(Slot::Stream, batch(b"4"), Duration::ZERO).err(), Some(PushError::Full));
    let kinds = std::iter::from_fn(|| mailbox.take(LaneGate::Open).item);
    let kinds: Vec<&str> = kinds
        .map(|item| match item {
            LaneItem::Core(_) | LaneItem::Stream(_) => "batch",
            LaneItem::News(_) => "news",
            LaneItem::Fact(_) => "fact",
        })
        .collect();
    assert_eq!(kinds, ["batch", "news", "fact"]);
}

#[test]
fn a_lane_that_waits_for_room_goes_on_when_the_driver_took_something() {
    let mailbox = std::sync::Arc::new(Mailbox::new(1));
    mailbox.push(Slot::Core, batch(b"first"), Duration::ZERO).unwrap();
    let lane = std::thread::spawn({
        let mailbox = std::sync::Arc::clone(&mailbox);
        move || mailbox.push(Slot::Core, batch(b"second"), Duration::MAX)
    });
    let mut seen = Vec::new();
    while seen.len() < 2 {
        // Nobody is woken for what is pushed: who pushes it works.
        mailbox.wait(Duration::from_millis(1), LaneGate::Open);
        let taken = mailbox.take(LaneGate::Open);
        seen.extend(taken.item.as_ref().map(payload));
    }
    assert_eq!(seen, ["first", "second"]);
    assert!(lane.join().unwrap().is_ok());
}

#[test]
fn the_end_wakes_who_waits_for_room_and_who_waits_for_work() {
    let mailbox = std::sync::Arc::new(Mailbox::new(1));
    mailbox.push(Slot::Core, batch(b"full"), Duration::ZERO).unwrap();
    let lane = std::thread::spawn({
        let mailbox = std::sync::Arc::clone(&mailbox);
        move || mailbox.push(Slot::Core, batch(b"late"), Duration::MAX)
    });
    mailbox.close();
    assert_eq!(lane.join().unwrap().err(), Some(PushError::Closed));
    assert_eq!(take(&mailbox).as_deref(), Some("full"));
    mailbox.command(Command::Fact(Fact::Connected));
    mailbox.wait(Duration::MAX, LaneGate::Open);
    assert_eq!(mailbox.take(LaneGate::Open).commands.len(), 1, "commands still come through");
}

#[test]
fn a_thread_that_has_too_many_commands_waits_for_the_driver_and_loses_none() {
    let mailbox = std::sync::Arc::new(Mailbox::new(1));
    let most = COMMANDS_MAX * 2 + 1;
    let asking = std::thread::spawn({
        let mailbox = std::sync::Arc::clone(&mailbox);
        move || (0..most).for_each(|_| mailbox.command(Command::Fact(Fact::Connected)))
    });
    let mut seen = 0;
    while seen < most {
        mailbox.wait(Duration::from_secs(10), LaneGate::Open);
        let taken = mailbox.take(LaneGate::Open).commands.len();
        assert!(taken <= COMMANDS_MAX, "{taken}");
        seen += taken;
    }
    asking.join().unwrap();
    assert_eq!(seen, most);
}

#[test]
fn a_command_wakes_the_driver_though_the_gate_keeps_what_else_waits() {
    let mailbox = Mailbox::new(100);
    mailbox.push(Slot::Core, batch(b"kept"), Duration::ZERO).unwrap();
    mailbox.command(Command::Fact(Fact::Connected));
    mailbox.wait(Duration::MAX, LaneGate::CoreShut);
    let taken = mailbox.take(LaneGate::CoreShut);
    assert_eq!((taken.commands.len(), taken.item.is_none()), (1, true));
    assert_eq!(take(&mailbox).as_deref(), Some("kept"));
}

#[test]
fn who_was_woken_before_it_slept_does_not_sleep() {
    let mailbox = Mailbox::new(1);
    mailbox.plan_sleep(Duration::MAX, LaneGate::Open);
    mailbox.wake(Duration::ZERO, LaneGate::Open);
    mailbox.sleep(LaneGate::Open);
}

/// Whether a sleeper who would wait for a minute is awake after `wake` with these.
fn wakes(patience: Duration, gate: LaneGate, item: Option<LaneItem>) -> bool {
    let mailbox = std::sync::Arc::new(Mailbox::new(100));
    let sleeper = std::thread::spawn({
        let mailbox = std::sync::Arc::clone(&mailbox);
        move || mailbox.wait(Duration::from_mins(1), gate)
    });
    while mailbox.locked().sleeps_until.is_none() {
        std::thread::yield_now();
    }
    if let Some(item) = item {
        mailbox.push(Slot::Core, item, Duration::ZERO).unwrap();
    }
    mailbox.wake(patience, gate);
    let is_woken = mailbox.locked().sleeps_until.is_none();
    mailbox.command(Command::Fact(Fact::Connected));
    sleeper.join().unwrap();
    is_woken
}

#[test]
fn who_worked_wakes_the_drivers_thread_for_what_is_left_and_for_what_is_due_before_it_would_look() {
    let long = Duration::from_mins(2);
    assert!(!wakes(long, LaneGate::Open, None));
    assert!(wakes(Duration::from_secs(1), LaneGate::Open, None));
    assert!(wakes(long, LaneGate::Open, Some(batch(b"1"))));
    assert!(!wakes(long, LaneGate::CoreShut, Some(batch(b"1"))));
}

proptest::proptest! {
    /// Whatever is pushed and taken, a lane's items come out in the order they went in, and room is counted right.
    #[test]
    fn a_lane_is_a_queue_of_so_many_bytes(steps in proptest::collection::vec((0_usize..3, 0_usize..9), 0..200)) {
        let mailbox = Mailbox::new(16);
        let mut model: VecDeque<(usize, usize)> = VecDeque::new();
        for (number, (step, size)) in steps.into_iter().enumerate() {
            if step == 0 {
                let seen = take(&mailbox);
                let expected = model.pop_front().map(|(number, _)| number);
                proptest::prop_assert_eq!(seen.map(|text| text.trim_end_matches('.').parse().unwrap()), expected);
                continue;
            }
            let held: usize = model.iter().map(|(_, bytes)| bytes).sum();
            let text = format!("{number}{}", ".".repeat(size));
            let item = batch(text.as_bytes());
            let bytes = item.bytes();
            let pushed = mailbox.push(Slot::Core, item, Duration::ZERO);
            proptest::prop_assert_eq!(pushed.is_ok(), held < 16);
            if pushed.is_ok() {
                model.push_back((number, bytes));
            }
        }
    }
}
