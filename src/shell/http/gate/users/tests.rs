//! Who is let in.

use axum::http::HeaderValue;

use super::*;
use crate::engine::config::Secret;

/// Users whose password is their name, hashed as cheaply as bcrypt allows.
fn users(names: &[&str]) -> Users {
    let hashed = |name: &&str| ((*name).to_owned(), Secret::new(bcrypt::hash(*name, 4).unwrap()));
    Users(names.iter().map(hashed).collect())
}

fn basic(text: &str) -> HeaderMap {
    authorization(&format!("Basic {}", STANDARD.encode(text)))
}

fn authorization(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
}

#[tokio::test]
async fn only_a_user_with_the_right_password_is_known() {
    let (users, doorkeeper) = (users(&["alice", "with:colon"]), Doorkeeper::default());
    let cases = [
        ("alice:alice", true),
        ("alice:Alice", false),
        ("alice:", false),
        ("Alice:alice", false),
        ("alice:alice\n", false),
        ("bob:bob", false),
        (":", false),
        ("alice", false),
        // The first colon ends the user's name.
        ("with:colon:with:colon", false),
    ];
    for (text, expected) in cases {
        assert_eq!(doorkeeper.user(&users, &basic(text)).await.is_some(), expected, "{text}");
        // The same again, from what is remembered.
        assert_eq!(doorkeeper.user(&users, &basic(text)).await.is_some(), expected, "{text} again");
    }
    assert_eq!(doorkeeper.known.lock().unwrap().len(), 1, "only who is right is remembered");
}

#[tokio::test]
async fn what_is_no_basic_authorization_lets_nobody_in() {
    let (users, doorkeeper) = (users(&["a"]), Doorkeeper::default());
    let encoded = STANDARD.encode("a:a");
    let cases = [
        (format!("Basic {encoded}"), true),
        (format!("basic  {encoded} "), true),
        (format!("Bearer {encoded}"), false),
        (encoded.clone(), false),
        ("Basic".to_owned(), false),
        ("Basic !!!".to_owned(), false),
        (format!("Basic {}", STANDARD.encode(b"a:\xff")), false),
    ];
    for (value, expected) in cases {
        assert_eq!(doorkeeper.user(&users, &authorization(&value)).await.is_some(), expected, "{value}");
    }
    assert!(doorkeeper.user(&users, &HeaderMap::new()).await.is_none());
}

#[tokio::test]
async fn another_password_in_the_file_ends_the_old_one_at_once() {
    let doorkeeper = Doorkeeper::default();
    assert!(doorkeeper.user(&users(&["a"]), &basic("a:a")).await.is_some());
    let changed = Users([("a".to_owned(), Secret::new(bcrypt::hash("new", 4).unwrap()))].into());
    assert!(doorkeeper.user(&changed, &basic("a:a")).await.is_none());
    assert!(doorkeeper.user(&changed, &basic("a:new")).await.is_some());
    assert!(
        doorkeeper.user(&Users::default(), &basic("a:new")).await.is_none(),
        "who is not in the file any more"
    );
}

#[tokio::test]
async fn what_is_remembered_is_bounded() {
    let doorkeeper = Doorkeeper::default();
    *doorkeeper.known.lock().unwrap() = (0..KNOWN_MAX as u64).map(|number| [number, number]).collect();
    assert!(doorkeeper.user(&users(&["a"]), &basic("a:a")).await.is_some());
    assert_eq!(doorkeeper.known.lock().unwrap().len(), 1);
}

#[test]
fn nobody_is_a_hash_that_takes_as_long_as_others() {
    assert_eq!(bcrypt::verify("anything", NOBODY).ok(), Some(false));
}
