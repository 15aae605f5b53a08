use super::*;

#[test]
fn messages_come_out_as_they_went_in() {
    let mut batch = Batch::default();
    for (subject, headers, payload) in
        [("a.b", "", "1"), ("c", "NATS/1.0\r\n\r\n", ""), ("d", "", "23"), ("c", "", "4")]
    {
        batch.push(subject.as_bytes(), headers.as_bytes(), payload.as_bytes());
    }
    let seen: Vec<_> = batch.messages().iter().map(|m| (m.subject, m.headers.len(), m.payload)).collect();
    assert_eq!(seen, [("a.b", 0, &b"1"[..]), ("c", 12, b""), ("d", 0, b"23"), ("c", 0, b"4")]);
}

#[test]
fn more_subjects_than_are_remembered_come_out_as_they_went_in() {
    let mut batch = Batch::default();
    for _ in 0..2 {
        let subjects: Vec<String> = (0..3 * SUBJECTS_MAX).map(|number| number.to_string()).collect();
        for subject in subjects.iter().chain(&subjects) {
            batch.push(subject.as_bytes(), b"", b"");
        }
        let seen: Vec<_> = batch.messages().iter().map(|message| message.subject.to_owned()).collect();
        assert_eq!(seen, [subjects.clone(), subjects].concat());
        batch.clear();
    }
}

#[test]
fn a_batch_goes_on_in_the_memory_of_another_and_shows_nothing_of_it() {
    let mut applied = Batch::default();
    applied.push(b"old", b"", &[b'x'; 1_000]);
    let mut batch = Batch::default();
    batch.reuse(applied);
    assert!(batch.capacity() >= 1_000 && batch.is_empty() && batch.bytes() == 0);
    batch.push(b"new", b"", b"1");
    let mut another = Batch::default();
    another.push(b"old", b"", &[b'x'; 2_000]);
    batch.reuse(another);
    let seen: Vec<_> = batch.messages().iter().map(|m| (m.subject.to_owned(), m.payload.to_vec())).collect();
    assert_eq!(seen, [("new".to_owned(), b"1".to_vec())]);
}

#[test]
fn a_batch_that_is_taken_leaves_an_empty_one() {
    let mut batch = Batch::default();
    assert!(batch.is_empty() && batch.take().is_empty());
    batch.push(b"a", b"h", b"12");
    batch.note_stored(Stored { sequence: 7, at: crate::engine::time::Timestamp::EPOCH });
    let taken = batch.take();
    assert_eq!((taken.len(), taken.bytes(), taken.first_sequence()), (1, 4, Some(7)));
    assert_eq!((batch.len(), batch.bytes(), batch.last_sequence()), (0, 0, None));
    batch.push(b"b", b"", b"");
    assert_eq!(batch.messages()[0].subject, "b");
}

#[test]
fn a_subject_that_is_no_text_is_taken_for_none_and_the_rest_stays() {
    let mut batch = Batch::default();
    batch.push(b"\xff.a", b"", b"1");
    batch.push(b"ok", b"", b"2");
    let subjects: Vec<_> = batch.messages().iter().map(|it| (it.subject, it.payload)).collect();
    assert_eq!(subjects, [("", &b"1"[..]), ("ok", b"2")]);
}

#[test]
fn of_a_stream_it_knows_where_each_message_is_stored() {
    let mut batch = Batch::default();
    for sequence in [3, 9] {
        batch.push(b"a", b"", b"");
        let at = crate::engine::time::Timestamp::from_millis(i64::try_from(sequence).unwrap());
        batch.note_stored(Stored { sequence, at });
    }
    assert_eq!((batch.first_sequence(), batch.last_sequence()), (Some(3), Some(9)));
    let origin = Origin {
        stream: std::sync::Arc::from("S"),
        epoch: crate::engine::arrival::Epoch::first("a"),
        order: crate::engine::arrival::Order::Stream,
        first_sequence: 3,
        last_sequence: 9,
        pending: 0,
    };
    let messages = batch.messages();
    let stored = batch.of_stream(&origin, &messages).stored;
    assert_eq!(stored.iter().map(|it| it.at.millis()).collect::<Vec<_>>(), [3, 9]);
}
