//! Copies of rejected events, published one by one.

use std::time::Duration;

use async_nats::Client;

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
        if let Some(sequence) = copy.sequence.filter(|_| config.pair.is_on()) {
            // Both instances of a pair publish it, of which a stream keeps one.
            let stream = &context.settings.jetstream.stream;
            let id = format!("{}-rejected-{stream}-{sequence}-{}", config.pair.name, copy.element);
            headers.insert("Nats-Msg-Id", id);
        }
        // What the header block takes beside names and values stays well below this.
        let bytes = copy.payload.len() + copy.headers.len() + copy.subject.len() + 128;
        if bytes > client.max_payload() {
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

/// A text that fits into a header value.
fn one_line(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}
