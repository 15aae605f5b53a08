//! What a running sidecar says of a metric now.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::super::ask::{self, Answer, Request};
use crate::engine::config::{HttpScheme, HttpUrl};
use crate::engine::rules::rule_url::write_segment;
use crate::shell::plain::plain;

/// How long each step of the question may take: somebody waits with the mouse over a word.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Values that are shown; the rest are counted.
const SHOWN_MAX: usize = 3;

/// Bytes of an answer that are read: some 50,000 series.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// A sidecar that runs.
pub(super) struct Live(HttpUrl);

impl Live {
    /// The sidecar of a URL without TLS; none where the URL is no such.
    pub(super) fn of(url: &str) -> Option<Self> {
        HttpUrl::parse(url).ok().filter(|url| url.scheme == HttpScheme::Http).map(Self)
    }

    /// The present values of a metric, for people.
    pub(super) fn about(&self, metric: &str) -> String {
        let mut path = format!("{}/api/v1/query?query=", self.0.path);
        // Writing to a string cannot fail.
        let _ = write_segment(&mut path, metric);
        match self.ask(&path) {
            Ok(answer) if answer.is_ok() => shown(&answer.body),
            Ok(answer) => format!("{} answers {}.", self.0.authority(), answer.status),
            Err(error) => format!("Its present value is not known: cannot {}.", plain(&error)),
        }
    }

    fn ask(&self, path: &str) -> anyhow::Result<Answer> {
        let authority = &self.0.authority();
        let stream = ask::connect((self.0.host.as_str(), self.0.port), authority, TIMEOUT)?;
        let request = Request { authority, path, more: "", answer_bytes_max: ANSWER_BYTES_MAX };
        ask::over(stream, &request).with_context(|| format!("ask {authority}"))
    }
}

/// An answer of Prometheus' API, as people read it.
fn shown(body: &str) -> String {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    let Some(series) = answer.pointer("/data/result").and_then(Value::as_array) else {
        return "The answer of the sidecar makes no sense here.".to_owned();
    };
    let line = |one: &Value| {
        let labels = one.get("metric").and_then(Value::as_object).into_iter().flatten();
        let labels: Vec<String> = labels
            .filter(|(name, _)| *name != "__name__")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let value = one.pointer("/value/1").and_then(Value::as_str).unwrap_or("a histogram");
        format!("- `{{{}}}` {value}", labels.join(", "))
    };
    match series.len() {
        0 => "Now: no series.".to_owned(),
        1 => format!("Now, 1 series:\n{}", series.iter().map(line).collect::<String>()),
        count => {
            let mut lines: Vec<String> = series.iter().take(SHOWN_MAX).map(line).collect();
            if count > SHOWN_MAX {
                lines.push(format!("- and {} more", count - SHOWN_MAX));
            }
            format!("Now, {count} series:\n{}", lines.join("\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_and_the_rest_is_counted() {
        let one = r#"{"metric":{"__name__":"a","q":"x"},"value":[1,"2.5"]}"#;
        let body = |count: usize| format!(r#"{{"data":{{"result":[{}]}}}}"#, vec![one; count].join(","));
        assert_eq!(shown(&body(0)), "Now: no series.");
        assert_eq!(shown(&body(1)), "Now, 1 series:\n- `{q=\"x\"}` 2.5");
        assert!(shown(&body(5)).ends_with("- and 2 more"));
        assert!(shown("<html>").contains("makes no sense"));
    }

    #[test]
    fn only_a_url_without_tls_is_asked() {
        assert!(Live::of("http://127.0.0.1:9469/").is_some());
        assert!(Live::of("https://127.0.0.1:9469").is_none());
    }
}
