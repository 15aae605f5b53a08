//! Copies of rejected events, published one by one.

use std::time::Duration;

use async_nats::{Client, HeaderMap};

use crate::engine::fact::{CopyFault, Fact};
use crate::shell::context::ShellContext;
use crate::shell::driver::rejections::RejectedCopies;
use crate::shell::nats::copied;

/// How long one copy may take to be sent.
const SEND_WAIT: Duration = Duration::from_secs(5);

/// Publishes copies until the driver is gone.
pub(crate) async fn publish(mut copies: RejectedCopies, client: Client, context: ShellContext) {
    while let Some(copy) = copies.next().await {
        let mut headers = copied::header_map(&copy.headers);
        headers.insert("Signalbox-Reason", copy.reason.name());
        headers.insert("Signalbox-Subject", one_line(&copy.subject));
        let config = context.config.get();
        if let Some(sequence) = copy.sequence {
            // Both instances of a pair publish it, and one that could not log it does again after a kill: a stream keeps one.
            let stream = &context.settings.jetstream.stream;
            // A stream that began anew gives the same sequence to another message.
            let content = crc32fast::hash(&copy.payload);
            let source = one_line(config.alert_source());
            let id = format!("{source}-rejected-{stream}-{sequence}-{}-{content:08x}", copy.element);
            headers.insert("Nats-Msg-Id", id);
        }
        if copy.payload.len() + block_bytes(&headers) > client.max_payload() {
            context.fact(Fact::RejectedCopyDropped { reason: CopyFault::TooLarge });
            continue;
        }
        let subject = config.rejected.subject.clone();
        let sent = client.publish_with_headers(subject, headers, copy.payload);
        if !matches!(tokio::time::timeout(SEND_WAIT, sent).await, Ok(Ok(()))) {
            context.fact(Fact::RejectedCopyDropped { reason: CopyFault::NotSent });
        }
    }
    // Nobody waits longer than the process's end.
    drop(tokio::time::timeout(SEND_WAIT, client.flush()).await);
}

/// What headers take in a message: a line each, the protocol's before and an empty one behind them.
fn block_bytes(headers: &HeaderMap) -> usize {
    let line = |name: &str, value: &str| name.len() + ": ".len() + value.len() + "\r\n".len();
    let lines = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let lines = lines.map(|(name, value)| line(name.as_ref(), value.as_str())).sum::<usize>();
    "NATS/1.0\r\n\r\n".len() + lines
}

/// A text that fits into a header value.
fn one_line(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_headers_takes_what_it_is_written_as() {
        let mut headers = HeaderMap::new();
        assert_eq!(block_bytes(&headers), "NATS/1.0\r\n\r\n".len());
        headers.append("A", "1");
        headers.append("A", "2");
        headers.append("Nats-Msg-Id", "pair-rejected-EVENTS-7-0");
        let written = "NATS/1.0\r\nA: 1\r\nA: 2\r\nNats-Msg-Id: pair-rejected-EVENTS-7-0\r\n\r\n";
        assert_eq!(block_bytes(&headers), written.len());
    }
}
