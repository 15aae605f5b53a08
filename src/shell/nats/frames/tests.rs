use proptest::prelude::*;

use super::*;

fn whole(bytes: &[u8]) -> (Frame<'_>, usize) {
    parse(bytes).unwrap().unwrap()
}

#[test]
fn a_message_is_cut_out_with_what_belongs_to_it() {
    let plain = whole(b"MSG a.b 7 3\r\nxyz\r\nPING\r\n");
    let delivery = Delivery { subscription: 7, subject: b"a.b", reply: b"", headers: b"", payload: b"xyz" };
    assert_eq!(plain, (Frame::Message(delivery), 18));
    let (frame, _) = whole(b"HMSG a 1 r.2 12 15\r\nNATS/1.0\r\n\r\nxyz\r\n");
    let delivery = Delivery {
        subscription: 1,
        subject: b"a",
        reply: b"r.2",
        headers: b"NATS/1.0\r\n\r\n",
        payload: b"xyz",
    };
    assert_eq!(frame, Frame::Message(delivery));
}

#[test]
fn a_header_block_nobody_can_read_is_passed_on_as_it_is() {
    let (frame, _) = whole(b"HMSG a 1 4 6\r\n\xff\xfe\0\nxy\r\n");
    let Frame::Message(delivery) = frame else { panic!("no message") };
    assert_eq!((delivery.headers, delivery.payload), (&b"\xff\xfe\0\n"[..], &b"xy"[..]));
}

#[test]
fn every_cut_off_frame_waits_for_more() {
    let text = b"HMSG a 1 r.2 12 15\r\nNATS/1.0\r\n\r\nxyz\r\n";
    for length in 0..text.len() {
        assert_eq!(parse(&text[..length]), Ok(None), "{length}");
    }
}

#[test]
fn what_is_no_frame_is_an_error() {
    let cases: &[&[u8]] = &[
        b"HELLO\r\n",
        b"MSG a 1\r\n",
        b"MSG a 1 x\r\n",
        b"MSG a 1 2\r\nabc\r\n",
        b"HMSG a 1 9 3\r\nabc\r\n",
        b"MSG a 1 99999999999999999999\r\n",
    ];
    for case in cases {
        assert_eq!(parse(case), Err(FrameError::Unknown), "{}", String::from_utf8_lossy(case));
    }
}

#[test]
fn an_error_comes_without_its_quotes() {
    assert_eq!(whole(b"-ERR 'Authorization Violation'\r\n").0, Frame::Error(b"Authorization Violation"));
}

/// All frames of a text, each shown by its kind and what it carries; what is left is shown in brackets.
fn frames(text: &[u8]) -> Result<String, FrameError> {
    let mut shown = Vec::new();
    let mut rest = text;
    while let Some((frame, used)) = parse(rest)? {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        shown.push(match frame {
            Frame::Message(Delivery { subscription, subject, reply, headers, payload }) => {
                let parts = [subject, reply, headers, payload].map(text);
                format!("{subscription}:{}", parts.join("|"))
            }
            Frame::Ping => "ping".to_owned(),
            Frame::Pong => "pong".to_owned(),
            Frame::Ok => "ok".to_owned(),
            Frame::Error(words) => format!("err({})", text(words)),
            Frame::Info(json) => format!("info({})", text(json)),
        });
        rest = &rest[used..];
    }
    if !rest.is_empty() {
        shown.push(format!("[{}]", String::from_utf8_lossy(rest)));
    }
    Ok(shown.join(" "))
}

#[test]
fn frames_follow_each_other_whatever_their_spelling() {
    let cases: &[(&str, &str)] = &[
        ("PING\r\nPONG\r\n+OK\r\n", "ping pong ok"),
        ("ping\r\npong\r\n+ok\r\n", "ping pong ok"),
        ("PING\nPONG\n", "ping pong"),
        ("msg a 1 2\r\nxy\r\n", "1:a|||xy"),
        ("MSG\ta  1\t \t2\r\nxy\r\n", ""),
        ("MSG  a \t 1   2 \r\nxy\r\n", "1:a|||xy"),
        ("MSG a 1 0\r\n\r\nPING\r\n", "1:a||| ping"),
        ("MSG a 1 r 4\r\n\r\n\r\n\r\n", "1:a|r||\r\n\r\n"),
        ("MSG a 1 6\r\nPING\r\n\r\n", "1:a|||PING\r\n"),
        ("HMSG a 1 0 2\r\nxy\r\n", "1:a|||xy"),
        ("HMSG a 1 2 2\r\nxy\r\n", "1:a||xy|"),
        ("MSG a 999999999999999 1\r\nx\r\n", "999999999999999:a|||x"),
        ("INFO {\"a\": 1}\r\n", "info({\"a\": 1})"),
        ("-ERR 'x'\r\n", "err(x)"),
        ("-ERR x\r\n", "err(x)"),
        ("-err  'Permissions Violation for \"a\"' \r\n", "err(Permissions Violation for \"a\")"),
        ("-ERR\r\n", "err()"),
        ("-ERR ''\r\n", "err()"),
        ("PING\r\nMSG a 1 5\r\nxy", "ping [MSG a 1 5\r\nxy]"),
    ];
    for (text, expected) in cases {
        match *expected {
            "" => assert_eq!(frames(text.as_bytes()), Err(FrameError::Unknown), "{text:?}"),
            expected => assert_eq!(frames(text.as_bytes()).as_deref(), Ok(expected), "{text:?}"),
        }
    }
}

#[test]
fn torn_anywhere_a_text_yields_the_same_frames() {
    let text =
        b"INFO {}\r\nMSG a.b 1 5\r\n\r\n\r\nx\r\nPING\r\nHMSG c 2 r 12 15\r\nNATS/1.0\r\n\r\nxyz\r\n+OK\r\n";
    let whole = frames(text).unwrap();
    for cut in 0..text.len() {
        let mut unread = Vec::new();
        let mut seen = Vec::new();
        for part in [&text[..cut], &text[cut..]] {
            unread.extend_from_slice(part);
            let mut used = 0;
            while let Some((_, length)) = parse(&unread[used..]).unwrap() {
                seen.push(frames(&unread[used..used + length]).unwrap());
                used += length;
            }
            unread.drain(..used);
        }
        assert_eq!((seen.join(" "), unread.len()), (whole.clone(), 0), "cut at {cut}");
    }
}

#[test]
fn garbage_is_refused_and_never_a_message() {
    let cases: &[&[u8]] = &[
        b"\r\n",
        b"\n",
        b"\0\0\0\0\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x16\x03\x01\x02\x00\x01\n",
        b"MSG\r\n",
        b"MSG a\r\n",
        b"MSG a b c d e 1\r\n",
        b"HMSG a 1 5\r\n",
        b"HMSG a 1 r 1 2 3\r\n",
        b"MSG a 1 -1\r\n",
        b"MSG a 1 +1\r\n",
        b"MSG a 1 0x1\r\n",
        b"MSG a 1 1.0\r\n",
        b"MSG a x 1\r\ny\r\n",
        b"MSG a 1 1\r\nxy\r\n",
        b"MSG a 1 1\r\nx\n\n",
        b"HMSG a 1 3 2\r\nxyz\r\n",
        b"INFO\r\n",
        b"INF",
    ];
    for case in cases {
        let expected = if case.ends_with(b"\n") { Err(FrameError::Unknown) } else { Ok(None) };
        assert_eq!(parse(case), expected, "{}", String::from_utf8_lossy(case));
    }
}

#[test]
fn a_control_line_without_an_end_is_given_up_and_so_is_a_message_nobody_may_send() {
    let line = vec![b'x'; LINE_BYTES_MAX];
    assert_eq!(parse(&line), Ok(None));
    assert_eq!(parse(&[&line[..], b"x"].concat()), Err(FrameError::LineTooLong));
    let largest = format!("MSG a 1 {CONTENT_BYTES_MAX}\r\n");
    assert_eq!(parse(largest.as_bytes()), Ok(None));
    let larger = format!("MSG a 1 {}\r\n", CONTENT_BYTES_MAX + 1);
    assert_eq!(parse(larger.as_bytes()), Err(FrameError::TooLarge));
}

#[test]
fn numbers_are_plain_digits_and_not_too_many() {
    let cases: [(&[u8], Option<u64>); 10] = [
        (b"0", Some(0)),
        (b"007", Some(7)),
        (b"999999999999999", Some(999_999_999_999_999)),
        (b"1000000000000000", None),
        (b"", None),
        (b" 1", None),
        (b"-1", None),
        (b"1e3", None),
        ("١".as_bytes(), None),
        (b"1_000", None),
    ];
    for (digits, expected) in cases {
        assert_eq!(number(digits).ok(), expected, "{digits:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn the_usual_line_of_a_message_says_what_any_line_says(pieces in prop::collection::vec(prop::sample::select(vec![
        "MSG ", "MSG\t", "HMSG ", "events.queue.JobQueued", "a.b", "é.\u{7f}", "$JS.ACK.EVENTS.signalbox.1.2.3.4.5", "1", "7", "12",
        " ", "  ", "\t", "\r\n", "\n", "\r", "\0", "12345678\r\n", "0", "01", "999999999999999", "9999999999999999",
        " 5\r\nhello\r\n", " 1 5\r\nhello\r\n", " 1 3\r\nMSG\r\n",
    ]), 0..9)) {
        for text in [pieces.concat(), format!("MSG {}", pieces.concat()), format!("MSG a.b.c 1 {}", pieces.concat())] {
            prop_assert_eq!(parse(text.as_bytes()), parse_any(text.as_bytes()), "{:?}", text);
        }
    }
}
