use super::*;

#[test]
fn a_gap_is_a_loss_where_everything_is_delivered() {
    let mut gaps = Gaps::default();
    gaps.note(5..5, GapMeans::Loss);
    gaps.note(5..9, GapMeans::Loss);
    gaps.note(5..9, GapMeans::Nothing);
    assert_eq!((gaps.take_lost(), gaps.take_lost()), (4, 0));
}

#[test]
fn what_stands_before_the_streams_first_message_is_lost_and_other_types_are_not() {
    let mut gaps = Gaps::default();
    let start = Instant::now();
    assert!(!gaps.should_ask(start));
    gaps.note(5..9, GapMeans::LossOrOthers);
    gaps.note(20..30, GapMeans::LossOrOthers);
    assert!(gaps.should_ask(start) && !gaps.should_ask(start + ASK_EVERY));
    gaps.note(40..50, GapMeans::LossOrOthers);
    gaps.answered(22);
    assert_eq!(gaps.take_lost(), 4 + 2);
    assert!(gaps.should_ask(start + ASK_EVERY));
    gaps.answered(22);
    assert_eq!(gaps.take_lost(), 0);
}

#[test]
fn a_question_without_an_answer_is_asked_again() {
    let mut gaps = Gaps::default();
    let start = Instant::now();
    gaps.note(5..9, GapMeans::LossOrOthers);
    assert!(gaps.should_ask(start) && gaps.should_ask(start + ANSWER_WAIT));
    gaps.answered(100);
    assert_eq!(gaps.take_lost(), 4);
}

/// What is lost, by a script: `gap A-B`, `ask SECONDS` (which must be granted), `refused SECONDS`, `first SEQUENCE`.
fn lost(script: &str) -> u64 {
    let start = Instant::now();
    let mut gaps = Gaps::default();
    for line in script.split(", ") {
        let (word, rest) = line.split_once(' ').unwrap();
        let at = || start + Duration::from_secs(rest.parse().unwrap());
        match word {
            "gap" => {
                let (from, to) = rest.split_once('-').unwrap();
                gaps.note(from.parse().unwrap()..to.parse().unwrap(), GapMeans::LossOrOthers);
            }
            "ask" => assert!(gaps.should_ask(at()), "{line} in {script}"),
            "refused" => assert!(!gaps.should_ask(at()), "{line} in {script}"),
            _ => gaps.answered(rest.parse().unwrap()),
        }
    }
    gaps.take_lost()
}

#[test]
fn the_streams_beginning_says_what_of_a_gap_is_gone() {
    let cases = [
        ("gap 5-9, ask 0, first 1", 0),
        ("gap 5-9, ask 0, first 5", 0),
        ("gap 5-9, ask 0, first 6", 1),
        ("gap 5-9, ask 0, first 9", 4),
        ("gap 5-9, ask 0, first 1000", 4),
        ("gap 5-9, gap 10-11, gap 20-25, ask 0, first 22", 4 + 1 + 2),
        // What comes after the question waits for the next.
        ("gap 5-9, ask 0, gap 20-30, first 100", 4),
        ("gap 5-9, ask 0, gap 20-30, first 100, refused 0, ask 1, first 100", 14),
        // An answer nobody asked for judges nothing.
        ("gap 5-9, first 100", 0),
        // Without an answer the question is asked again, with what came meanwhile.
        ("gap 5-9, ask 0, gap 20-30, refused 1, refused 4, ask 5, first 100", 14),
        ("gap 9-5, refused 0", 0),
    ];
    for (script, expected) in cases {
        assert_eq!(lost(script), expected, "{script}");
    }
}

#[test]
fn it_wakes_up_only_for_a_question_that_may_be_asked() {
    let start = Instant::now();
    let mut gaps = Gaps::default();
    assert_eq!(gaps.deadline(), None);
    gaps.note(5..9, GapMeans::LossOrOthers);
    assert_eq!(gaps.deadline(), None, "the first question needs no wait: the next turn asks it");
    assert!(gaps.should_ask(start));
    assert_eq!(gaps.deadline(), Some(start + ANSWER_WAIT));
    gaps.answered(1);
    assert_eq!(gaps.deadline(), None);
    gaps.note(10..12, GapMeans::LossOrOthers);
    assert_eq!(gaps.deadline(), Some(start + ASK_EVERY));
}

#[test]
fn gaps_that_nobody_answers_for_are_bounded() {
    let start = Instant::now();
    let mut gaps = Gaps::default();
    for round in 0..10_u64 {
        for gap in 0..GAPS_MAX as u64 {
            let begin = (round * GAPS_MAX as u64 + gap) * 10;
            gaps.note(begin..begin + 1, GapMeans::LossOrOthers);
        }
        assert!(gaps.should_ask(start + ANSWER_WAIT * round as u32));
    }
    assert!(gaps.asked_for.len() <= GAPS_MAX + 10, "{}", gaps.asked_for.len());
}

#[test]
fn gaps_of_a_stream_that_is_no_more_are_forgotten_and_what_was_found_lost_is_not() {
    let mut gaps = Gaps::default();
    gaps.note(1..3, GapMeans::Loss);
    gaps.note(5..9, GapMeans::LossOrOthers);
    assert!(gaps.should_ask(Instant::now()));
    gaps.note(10..12, GapMeans::LossOrOthers);
    gaps.forget();
    assert_eq!(gaps.deadline(), None);
    gaps.answered(1_000);
    assert_eq!(gaps.take_lost(), 2);
}
