//! What NATS can call a stream, a subject, an inbox: a name with a blank in it would end the command it stands in.

use super::http_url::HttpUrl;
use crate::engine::wire::Subjects;
use crate::engine::yaml::{Findings, Read, ReadValue, Text, Values};

/// Notes names that nothing outside can have.
pub(super) fn check(top: &Values, findings: &mut Findings<'_>) {
    let jetstream = top.section("jetstream");
    if let Some(name) = jetstream.written("stream").filter(|name| !is_stream(&name.content)) {
        let message = format!("`jetstream.stream` is `{}`, which no stream can be called", name.content);
        findings
            .error("bad-name", &name.span, message)
            .advise("Write a name without blanks, dots, `*`, `>` and slashes, for example `EVENTS`.");
    }
    let (nats, rejected) = (top.section("nats"), top.section("rejected"));
    subject("nats.inbox_prefix", nats.written("inbox_prefix"), findings);
    subject("rejected.subject", rejected.written("subject"), findings);
    if let Some(name) = top.written("instance").filter(|name| !is_instance(&name.content)) {
        findings
            .error("bad-name", &name.span, "`instance` is empty, or holds control characters")
            .advise("Write a name, or leave it out: then it is the host's.");
    }
    if let Some(url) = top.written("external_url")
        && let Err(fault) = HttpUrl::parse(&url.content)
    {
        findings
            .error("bad-url", &url.span, format!("the URL {fault}"))
            .advise("Write where people reach the page, for example `https://alerts.example/signalbox`.");
    }
    if let Some(Read { value: ReadValue::Map(entries), .. }) = top.find("external_labels") {
        for (name, read) in entries.iter().filter(|(name, _)| !super::checks::is_label(name)) {
            findings
                .error("bad-name", &read.span, format!("no label can be called `{name}`"))
                .advise("Use letters, digits and `_`, not beginning with a digit or `__`; `le` and `quantile` are taken.");
        }
    }
}

fn subject(key: &str, written: Option<&Text>, findings: &mut Findings<'_>) {
    let Some(text) = written.filter(|text| Subjects::below(&text.content).is_none()) else { return };
    findings
        .error("bad-subject", &text.span, format!("`{key}` is `{}`, which is no subject", text.content))
        .advise("Write tokens joined by dots, without blanks, `*` and `>`, for example `acme.inbox`.");
}

fn is_stream(name: &str) -> bool {
    let is_odd = |letter: char| letter.is_whitespace() || letter.is_control() || ".*>/\\".contains(letter);
    !name.is_empty() && !name.contains(is_odd)
}

fn is_instance(name: &str) -> bool {
    !name.trim().is_empty() && !name.contains(char::is_control)
}
