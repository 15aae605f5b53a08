use super::*;

#[test]
fn what_is_no_escape_stays() {
    let cases = [("a%2Fb", "a/b"), ("%zz%4", "%zz%4"), ("%", "%"), ("%C3%A4", "ä"), ("%+1%-f", "%+1%-f")];
    for (text, expected) in cases {
        assert_eq!(decoded(text.as_bytes()), expected);
    }
}

#[test]
fn escapes_are_decoded_once_and_bytes_that_are_no_text_are_marked() {
    let cases = [
        ("", ""),
        ("%25%32%35", "%25"),
        ("%2525", "%25"),
        ("%00", "\0"),
        ("%e2%82%AC", "€"),
        ("%ff", "\u{fffd}"),
        ("%C3", "\u{fffd}"),
        ("a+b", "a+b"),
        ("%%41", "%A"),
        ("%4%41", "%4A"),
        ("% 41", "% 41"),
        ("ä%41", "äA"),
    ];
    for (text, expected) in cases {
        assert_eq!(decoded(text.as_bytes()), expected, "{text}");
    }
}
