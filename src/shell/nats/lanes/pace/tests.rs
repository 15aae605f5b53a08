use super::*;

#[test]
fn a_lone_message_is_never_waited_for_and_a_stream_of_them_is_gathered() {
    let mut now = Instant::now();
    let mut pace = Pace::new(Duration::from_millis(5), now);
    let few = |messages| Gathered { messages, bytes: messages * 300, waiting: 0 };
    for _ in 0..10 {
        now += Duration::from_millis(50);
        assert_eq!(pace.after(few(1), now), Duration::ZERO);
    }
    let close = |now: &mut Instant| {
        *now += Duration::from_micros(100);
        *now
    };
    let pauses: Vec<Duration> = (0..4).map(|_| pace.after(few(1), close(&mut now))).collect();
    assert_eq!(pauses.last(), Some(&Duration::from_millis(5)), "{pauses:?}");
    now += Duration::from_millis(5);
    assert_eq!(pace.after(few(50), now), Duration::from_millis(5));
    now += Duration::from_millis(5);
    assert_eq!(pace.after(few(2_000), now), Duration::ZERO);
    now += Duration::from_millis(5);
    let behind = Gathered { waiting: 100_000, ..few(50) };
    assert_eq!(pace.after(behind, now), Duration::ZERO, "the server has more and waits to be asked");
    now += Duration::from_millis(5);
    assert_eq!(pace.after(few(50), now), Duration::from_millis(5));
    now += Duration::from_millis(5);
    assert_eq!(pace.after(few(1), now), Duration::ZERO);
}

/// The pauses after reads, each `MICROSECONDS-SINCE-THE-LAST:MESSAGES[:BYTES[:WAITING]]`; `-` for none, `p` for one.
fn pauses(reads: &str) -> String {
    let mut now = Instant::now();
    let mut pace = Pace::new(Duration::from_millis(5), now);
    let mut pauses = String::new();
    for read in reads.split_whitespace() {
        let numbers: Vec<u64> = read.split(':').map(|number| number.parse().unwrap()).collect();
        now += Duration::from_micros(numbers[0]);
        let gathered = Gathered {
            messages: numbers[1] as usize,
            bytes: numbers.get(2).map_or(300, |bytes| *bytes as usize),
            waiting: numbers.get(3).copied().unwrap_or_default(),
        };
        pauses.push(if pace.after(gathered, now).is_zero() { '-' } else { 'p' });
    }
    pauses
}

#[test]
fn pauses_follow_what_reads_bring() {
    let cases = [
        // Four wake-ups in short succession begin the pauses.
        ("100:1 100:1 100:1 100:1 100:1", "---p-"),
        // One that is not breaks the streak.
        ("100:1 100:1 100:1 5000:1 100:1 100:1 100:1 100:1", "-------p"),
        // Nothing breaks it too.
        ("100:1 100:1 100:1 100:0 100:1 100:1 100:1 100:1", "-------p"),
        // Pauses end where they gather too little.
        ("100:1 100:1 100:1 100:1 5000:50 5000:3 5000:50", "---pp--"),
        // Much that waits already, here or at the server, is read on at once, and pauses go on behind it.
        ("100:1 100:1 100:1 100:1 5000:50:65536 5000:50", "---p-p"),
        ("100:1 100:1 100:1 100:1 5000:50:300:256 5000:50", "---p-p"),
        ("100:1 100:1 100:1 100:1 5000:50:65535:255", "---pp"),
    ];
    for (reads, expected) in cases {
        assert_eq!(pauses(reads), expected, "{reads}");
    }
}

#[test]
fn a_lane_that_is_told_not_to_pause_never_does() {
    let mut now = Instant::now();
    let mut pace = Pace::new(Duration::ZERO, now);
    for _ in 0..100 {
        now += Duration::from_micros(100);
        assert_eq!(pace.after(Gathered { messages: 50, bytes: 1, waiting: 0 }, now), Duration::ZERO);
    }
}
