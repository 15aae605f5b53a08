//! Who is let in, and whose forms are taken.

use axum::http::{HeaderName, HeaderValue};

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn asked<'a>(headers: &'a HeaderMap, caller: Option<&'a Caller>) -> Asked<'a> {
    Asked { headers, caller, peer: None, external_url: "https://signalbox.example/box" }
}

/// The cookie and the token of somebody who opens the editor.
fn opened(edits: &Edits, caller: Option<&Caller>) -> (String, String) {
    let headers = headers(&[("host", "127.0.0.1:9469")]);
    let editor = edits.open(&asked(&headers, caller)).unwrap();
    let cookie = editor.cookie.unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict"), "{cookie}");
    (cookie.split(';').next().unwrap().to_owned(), editor.token)
}

/// Headers, a token, and what becomes of a form with them.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Result<(), Refused>);

#[test]
fn a_form_is_taken_with_its_token_cookie_and_site_alone() {
    let edits = Edits::new(Reach::Loopback).unwrap();
    let (cookie, token) = opened(&edits, None);
    let (other_cookie, other_token) = opened(&edits, None);
    let own = ("host", "127.0.0.1:9469");
    let mine = ("cookie", format!("theme=dark; {cookie}"));
    let mine = (mine.0, mine.1.as_str());
    let cases: &[Case<'_>] = &[
        (&[own, mine], &token, Ok(())),
        (&[own, mine, ("sec-fetch-site", "same-origin")], &token, Ok(())),
        (&[own, mine, ("origin", "http://127.0.0.1:9469")], &token, Ok(())),
        (&[own, mine, ("origin", "https://signalbox.example")], &token, Ok(())),
        (&[own, mine, ("sec-fetch-site", "same-site")], &token, Err(Refused::OtherSite)),
        (&[own, mine, ("sec-fetch-site", "cross-site")], &token, Err(Refused::OtherSite)),
        (&[own, mine, ("sec-fetch-site", "none")], &token, Err(Refused::OtherSite)),
        (&[own, mine, ("origin", "http://127.0.0.1:9470")], &token, Err(Refused::OtherSite)),
        (&[own, mine, ("origin", "https://evil.example")], &token, Err(Refused::OtherSite)),
        (&[own, mine, ("origin", "null")], &token, Err(Refused::OtherSite)),
        (&[own, mine], "", Err(Refused::NoToken)),
        (&[own, mine], &other_token, Err(Refused::NoToken)),
        (&[own, mine], "zz", Err(Refused::NoToken)),
        (&[own], &token, Err(Refused::NoToken)),
        (&[own, ("cookie", &other_cookie)], &token, Err(Refused::NoToken)),
        (&[own, ("cookie", "signalbox-edit=00")], &token, Err(Refused::NoToken)),
        (&[("host", "evil.example:9469"), mine], &token, Err(Refused::OtherHost)),
    ];
    for (pairs, token, expected) in cases {
        let headers = headers(pairs);
        let seen = edits.submit(&asked(&headers, None), token).map(|_| ());
        assert_eq!(seen, *expected, "{pairs:?}");
    }
    // Another process has another key.
    let headers = headers(&[own, mine]);
    let restarted = Edits::new(Reach::Loopback).unwrap();
    assert_eq!(restarted.submit(&asked(&headers, None), &token), Err(Refused::NoToken));
}

#[test]
fn a_token_is_of_one_user() {
    let edits = Edits::new(Reach::Network).unwrap();
    let (alice, bob) = (Caller::named("alice"), Caller::named("bob"));
    let (cookie, token) = opened(&edits, Some(&alice));
    let headers = headers(&[("host", "box:9469"), ("cookie", &cookie)]);
    let name = edits.submit(&asked(&headers, Some(&alice)), &token).map(|editor| editor.name);
    assert_eq!(name.as_deref(), Ok("alice"));
    assert_eq!(edits.submit(&asked(&headers, Some(&bob)), &token), Err(Refused::NoToken));
    assert_eq!(edits.submit(&asked(&headers, None), &token), Err(Refused::Unknown));
    assert_eq!(edits.open(&asked(&headers, None)), Err(Refused::Unknown));
}

#[test]
fn without_users_only_names_of_this_machine_are_answered() {
    let edits = Edits::new(Reach::Loopback).unwrap();
    for (host, is_let_in) in [
        ("127.0.0.1:9469", true),
        ("127.9.9.9", true),
        ("localhost:80", true),
        ("[::1]:9469", true),
        ("signalbox.example", true),
        ("evil.example", false),
        ("localhost.evil.example", false),
        ("192.168.0.7:9469", false),
        ("", false),
    ] {
        let headers = headers(&[("host", host)]);
        assert_eq!(edits.open(&asked(&headers, None)).is_ok(), is_let_in, "{host}");
    }
    for (address, reach) in [
        ("127.0.0.1:1", Reach::Loopback),
        ("[::1]:1", Reach::Loopback),
        ("[::ffff:127.0.0.1]:1", Reach::Loopback),
        ("0.0.0.0:1", Reach::Network),
        ("[::]:1", Reach::Network),
        ("10.0.0.1:1", Reach::Network),
    ] {
        assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
    }
}
