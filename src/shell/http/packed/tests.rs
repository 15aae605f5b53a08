//! Packing answers on their way.

use std::io::Read;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::routing::get;

use super::*;
use crate::shell::http::tests::{Answered, send};

/// Answers with `lines` numbered lines, in pieces.
fn router(lines: usize) -> Router {
    let answer = move || async move {
        let pieces = (0..lines).map(|line| Ok::<_, std::convert::Infallible>(format!("line {line}\n")));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        ([(header::CONTENT_LENGTH, "0")], body)
    };
    Router::new().route("/", get(answer)).route("/none", get(StatusCode::NO_CONTENT)).layer(from_fn(pack))
}

fn unpacked(answered: &Answered) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(answered.body.as_slice()).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn a_long_answer_is_the_same_when_it_is_unpacked() {
    for lines in [1, 10, 100_000] {
        let expected = (0..lines).map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat();
        let answered = send(&router(lines), "GET /", &[("accept-encoding", "br, gzip")], "").await;
        assert_eq!(answered.header("content-encoding"), "gzip");
        assert!(!answered.headers.contains_key("content-length"), "the length was that of the unpacked");
        assert!(unpacked(&answered) == expected, "{lines}");
    }
}

#[tokio::test]
async fn who_does_not_take_gzip_gets_it_plain_and_caches_are_told() {
    for accepted in ["", "identity", "gzip;q=0", "zstd"] {
        let answered = send(&router(2), "GET /", &[("accept-encoding", accepted)], "").await;
        assert_eq!((answered.header("content-encoding"), answered.header("vary")), ("", "Accept-Encoding"));
        assert_eq!(answered.text(), "line 0\nline 1\n", "{accepted}");
    }
}

#[tokio::test]
async fn what_has_no_body_is_not_packed() {
    let answered = send(&router(1), "GET /none", &[("accept-encoding", "gzip")], "").await;
    assert_eq!((answered.status, answered.header("content-encoding")), (StatusCode::NO_CONTENT, ""));
    assert!(answered.body.is_empty());
}

#[tokio::test]
async fn an_answer_that_breaks_is_not_ended_as_if_it_were_whole() {
    let broken = futures_util::stream::iter([Ok("begun"), Err(std::io::Error::other("broken"))]);
    let encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    let body = Body::new(Packed { body: Body::from_stream(broken), encoder });
    assert!(axum::body::to_bytes(body, 1_000).await.is_err());
}
