use std::io::Read;

use super::*;
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::rules::RuleSet;
use crate::engine::time::Timestamp;

/// A scrape of a new engine under an encoding, and the same in the clear.
fn encoded(encoding: Encoding) -> (Vec<u8>, Vec<u8>) {
    let mut engine = Engine::new(&Config::with_defaults("test"), RuleSet::default(), Timestamp::EPOCH);
    let mut scrape = |encoding| {
        let scrape = Scrape { format: negotiate(""), names: Vec::new() };
        let chunks = engine.freeze(Timestamp::EPOCH).write(scrape);
        let (sender, mut receiver) = channel(1_024);
        write(chunks, encoding, &sender);
        drop(sender);
        let mut bytes = Vec::new();
        while let Some(chunk) = receiver.blocking_recv() {
            bytes.extend_from_slice(&chunk);
        }
        bytes
    };
    (scrape(encoding), scrape(Encoding::Identity))
}

#[test]
fn zstd_and_gzip_decode_to_what_is_sent_in_the_clear() {
    let (zstd, clear) = encoded(Encoding::Zstd);
    let (mut rest, mut decoded) = (zstd.as_slice(), Vec::new());
    while !rest.is_empty() {
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(&mut rest).unwrap();
        decoder.read_to_end(&mut decoded).unwrap();
    }
    assert!(decoded == clear && zstd.len() < clear.len());
    let (gzip, clear) = encoded(Encoding::Gzip);
    let mut decoded = Vec::new();
    flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut decoded).unwrap();
    assert!(decoded == clear && gzip.len() < clear.len());
}

#[test]
fn the_encoding_liked_best_is_used() {
    let cases = [
        ("gzip", Encoding::Gzip),
        ("deflate, gzip;q=0.5", Encoding::Gzip),
        ("gzip;q=0", Encoding::Identity),
        ("*", Encoding::Gzip),
        ("identity", Encoding::Identity),
        ("", Encoding::Identity),
        ("zstd;q=x,,;", Encoding::Identity),
        ("zstd", Encoding::Zstd),
        ("deflate, gzip, br, zstd", Encoding::Gzip),
        ("gzip;q=0.5, zstd", Encoding::Zstd),
        ("gzip;q=0, *", Encoding::Zstd),
    ];
    for (header, expected) in cases {
        assert_eq!(encoding(header), expected, "{header}");
    }
}

#[test]
fn several_headers_are_one_list_and_what_is_no_text_is_left_out() {
    let mut headers = HeaderMap::new();
    assert_eq!((joined(&headers, &header::ACCEPT).as_str(), takes_gzip(&headers)), ("", false));
    for value in ["br", "zstd;q=0.1", "gzip"] {
        headers.append(header::ACCEPT_ENCODING, value.parse().unwrap());
    }
    headers.append(header::ACCEPT_ENCODING, axum::http::HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(joined(&headers, &header::ACCEPT_ENCODING), "br,zstd;q=0.1,gzip");
    assert!(takes_gzip(&headers));
}

#[test]
fn qualities_are_weighed_however_they_are_spelt() {
    let cases = [
        ("GZIP", Encoding::Gzip),
        ("x-gzip", Encoding::Gzip),
        ("gzip ; q=0.5 , zstd ; q=0.6", Encoding::Zstd),
        ("gzip;Q=0", Encoding::Identity),
        ("gzip;q=0.000", Encoding::Identity),
        ("gzip;q=0.001", Encoding::Gzip),
        ("gzip;a=b;q=0", Encoding::Identity),
        ("gzip;q=-1", Encoding::Identity),
        ("gzip;q=NaN", Encoding::Identity),
        ("*;q=0", Encoding::Identity),
        ("*;q=0, zstd", Encoding::Zstd),
        ("zstd, *;q=0.5", Encoding::Zstd),
        ("gzipped", Encoding::Identity),
    ];
    for (header, expected) in cases {
        assert_eq!(encoding(header), expected, "{header}");
    }
}

#[test]
fn a_client_that_leaves_ends_the_writing() {
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
        let mut engine = Engine::new(&Config::with_defaults("test"), RuleSet::default(), Timestamp::EPOCH);
        let chunks =
            engine.freeze(Timestamp::EPOCH).write(Scrape { format: negotiate(""), names: Vec::new() });
        let (sender, receiver) = channel(1);
        drop(receiver);
        write(chunks, encoding, &sender);
    }
}
