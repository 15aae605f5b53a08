use super::*;

/// Which of these messages pass, each with the side it came by.
fn passed(messages: &str) -> String {
    let mut overlap = Overlap::default();
    let mut passed = String::new();
    for pair in messages.split(' ') {
        let (side, payload) = pair.split_at(1);
        let side = if side == "o" { Side::Older } else { Side::Newer };
        let payload = payload.as_bytes();
        let delivery = Delivery { subscription: 1, subject: b"s", reply: b"", headers: b"", payload };
        if overlap.note(side, &delivery) == Pass::Yes {
            passed.push_str(&String::from_utf8_lossy(payload));
        }
    }
    passed
}

#[test]
fn each_message_passes_as_often_as_it_was_sent() {
    let cases = [
        ("oa ob na nb", "ab"),
        ("na oa ob nb nc", "abc"),
        ("oa oa na na", "aa"),
        ("oa na na oa", "aa"),
        ("oa nb", "ab"),
    ];
    for (messages, expected) in cases {
        assert_eq!(passed(messages), expected, "{messages}");
    }
}

#[test]
fn messages_that_differ_in_any_part_are_others() {
    let one = Delivery { subscription: 1, subject: b"ab", reply: b"", headers: b"c", payload: b"d" };
    let others = [
        Delivery { subject: b"a", headers: b"bc", ..delivery() },
        Delivery { headers: b"", payload: b"cd", ..delivery() },
        Delivery { payload: b"e", ..delivery() },
    ];
    let mut overlap = Overlap::default();
    assert_eq!(overlap.note(Side::Older, &one), Pass::Yes);
    for other in &others {
        assert_eq!(overlap.note(Side::Newer, other), Pass::Yes, "{other:?}");
    }
    let same = Delivery { subscription: 9, reply: b"r", ..delivery() };
    assert_eq!(overlap.note(Side::Newer, &same), Pass::No, "by whom it came is no part of it");
}

fn delivery() -> Delivery<'static> {
    Delivery { subscription: 1, subject: b"ab", reply: b"", headers: b"c", payload: b"d" }
}

#[test]
fn beyond_what_is_remembered_nothing_is_lost() {
    let mut overlap = Overlap::default();
    let note = |overlap: &mut Overlap, side, payload: &str| {
        overlap.note(side, &Delivery { payload: payload.as_bytes(), ..delivery() })
    };
    for number in 0..MESSAGES_MAX {
        assert_eq!(note(&mut overlap, Side::Older, &number.to_string()), Pass::Yes);
    }
    assert_eq!(note(&mut overlap, Side::Older, "one more"), Pass::Yes);
    assert_eq!(note(&mut overlap, Side::Newer, "one more"), Pass::Yes, "twice rather than never");
    assert_eq!(note(&mut overlap, Side::Newer, "17"), Pass::No, "what is remembered is still told apart");
    assert_eq!(overlap.heard.len(), MESSAGES_MAX);
}
