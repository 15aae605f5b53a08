//! The headers that a copy of a rejected message keeps, and that it is sent again with.

use std::str::FromStr;

use async_nats::{HeaderMap, HeaderName, HeaderValue};

/// Beginnings of the names of headers that are not kept: the server acts by its own (a `Nats-Msg-Id` would make the
/// message a duplicate), and ours say what the copy is.
const OTHERS: [&str; 2] = ["nats-", "signalbox-"];

/// The publisher's headers of a raw block, to be sent.
pub(crate) fn header_map(block: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in of_publisher(block) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// A raw block with the publisher's headers of another alone; empty where there are none.
pub(crate) fn block(block: &[u8]) -> Vec<u8> {
    let named = of_publisher(block);
    if named.is_empty() {
        return Vec::new();
    }
    let mut block = "NATS/1.0\r\n".to_owned();
    for (name, value) in named {
        block.extend([name, ": ", value, "\r\n"]);
    }
    block.push_str("\r\n");
    block.into_bytes()
}

/// The headers of a raw block that are the publisher's, in order.
fn of_publisher(block: &[u8]) -> Vec<(&str, &str)> {
    let text = std::str::from_utf8(block).unwrap_or_default();
    let lines = text.split("\r\n").skip(1).take_while(|line| !line.is_empty());
    let named = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()));
    named.filter(|(name, _)| !OTHERS.iter().any(|other| begins_with(name, other))).collect()
}

fn begins_with(name: &str, beginning: &str) -> bool {
    name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_publishers_headers_are_kept_and_those_of_the_server_and_ours_are_not() {
        let block =
            b"NATS/1.0\r\nce-type: org.example.JobQueued\r\nNats-Msg-Id: 7\r\nsignalbox-reason: x\r\n\
            traceparent:00-a-b-01\r\nce-type: second\r\n\r\nnot: a header";
        let kept =
            [("ce-type", "org.example.JobQueued"), ("traceparent", "00-a-b-01"), ("ce-type", "second")];
        assert_eq!(of_publisher(block), kept);
        assert_eq!(of_publisher(&super::block(block)), kept);
        for nothing in [&b""[..], b"NATS/1.0\r\nbad: \xff\r\n\r\n", b"NATS/1.0\r\nNats-Msg-Id: 7\r\n\r\n"] {
            assert!(super::block(nothing).is_empty());
        }
    }
}
