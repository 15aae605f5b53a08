use super::*;

#[test]
fn a_flood_of_one_kind_is_cut_and_does_not_silence_another() {
    let mut log = LimitedLog::default();
    let said = (0..1_000).filter(|_| log.may_say("malformed").is_some()).count();
    assert_eq!(said as u64, LINES_MAX);
    assert_eq!(log.may_say("conflict"), Some(0));
}

/// What is said of one kind at these milliseconds: how many were left out before it, or nothing.
fn said(milliseconds: impl IntoIterator<Item = u64>) -> Vec<Option<u64>> {
    let (mut log, start) = (LimitedLog::default(), Instant::now());
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    milliseconds.into_iter().map(|milliseconds| log.may_say_at("lost", at(milliseconds))).collect()
}

#[test]
fn what_was_left_out_is_counted_with_the_next_line() {
    let span = u64::try_from(SPAN.as_millis()).unwrap();
    assert_eq!(said([0, 0, 0, 0, 0, 1, 2]), [Some(0), Some(0), Some(0), Some(0), Some(0), None, None]);
    let times = [0, 0, 0, 0, 0, 1, 2, span - 1, span, span + 1];
    assert_eq!(said(times)[7..], [None, Some(3), Some(0)]);
    // A span begins with its first line, not with the last one that was left out.
    assert_eq!(said([0, span * 5, span * 5, span * 6])[1..], [Some(0); 3]);
}

#[test]
fn a_steady_flood_is_said_a_few_times_in_each_span() {
    let lines = said((0..600).map(|number| number * 100));
    let count = lines.iter().flatten().count() as u64;
    assert_eq!(count, 6 * LINES_MAX);
    let unsaid: u64 = lines.iter().flatten().sum();
    assert_eq!(count + unsaid, 501 + LINES_MAX - 1, "all that came before the last line is counted");
}
