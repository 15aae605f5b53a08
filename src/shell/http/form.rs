//! Parameters of Prometheus' API: from the query string and, with POST, from a form.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use tokio::time::timeout;

use crate::engine::duration::parse_duration;
use crate::engine::time::Timestamp;
use crate::shell::percent::decoded;

/// The longest a client may take for its body: a request that waits for one keeps a place others may need.
const BODY_WAIT: Duration = Duration::from_secs(10);

/// Parameters in the order they came, the form's first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    /// More than is read.
    #[error("the request's body has more than {0} bytes")]
    TooLarge(usize),
    /// It does not come.
    #[error("the request's body did not come within {0:?}")]
    TooSlow(Duration),
    /// A value that cannot be read.
    #[error("invalid parameter {name:?}: cannot parse {value:?} to a valid {what}")]
    Invalid {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        what: &'static str,
    },
    /// A time that may be left out, and cannot be read.
    #[error(
        "invalid parameter {name:?}: Invalid time value for '{name}': cannot parse {value:?} to a valid timestamp"
    )]
    InvalidTime {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// A number that is none.
    #[error("{0} must be a number")]
    NoNumber(&'static str),
}

impl Form {
    /// Reads a request's parameters.
    pub(crate) async fn read(request: Request<Body>, bytes_max: usize) -> Result<Self, FormError> {
        let query = request.uri().query().unwrap_or("").to_owned();
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let mut form = Self::default();
        if request.method() == Method::POST && is_form {
            let body = timeout(BODY_WAIT, to_bytes(request.into_body(), bytes_max))
                .await
                .map_err(|_| FormError::TooSlow(BODY_WAIT))?
                .map_err(|_| FormError::TooLarge(bytes_max))?;
            form.add(&body);
        }
        form.add(query.as_bytes());
        Ok(form)
    }

    /// Reads `a=b&c=d`.
    pub(crate) fn of(text: &str) -> Self {
        let mut form = Self::default();
        form.add(text.as_bytes());
        form
    }

    fn add(&mut self, text: &[u8]) {
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut sides = pair.splitn(2, |byte| *byte == b'=');
            let name = plain(sides.next().unwrap_or_default());
            let value = plain(sides.next().unwrap_or_default());
            self.pairs.push((name, value));
        }
    }

    /// The first value of a parameter that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let known = self.pairs.iter().find(|(known, value)| known == name && !value.is_empty());
        known.map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<i64>, FormError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| FormError::NoNumber(name))
    }

    /// An instant that may be left out: seconds since the epoch, or RFC 3339.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, FormError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        time_of(value).map(Some).ok_or_else(|| FormError::InvalidTime { name, value: value.to_owned() })
    }

    /// An instant that must be there.
    pub(crate) fn required_time(&self, name: &'static str) -> Result<Timestamp, FormError> {
        let value = self.get(name).unwrap_or("");
        let invalid = || FormError::Invalid { name, value: value.to_owned(), what: "timestamp" };
        time_of(value).ok_or_else(invalid)
    }

    /// A span that may be left out: seconds, or a Prometheus duration.
    pub(crate) fn span(&self, name: &'static str) -> Result<Option<Duration>, FormError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        span_of(value).map(Some).ok_or_else(|| Self::no_span(name, value))
    }

    /// A span that must be there.
    pub(crate) fn required_span(&self, name: &'static str) -> Result<Duration, FormError> {
        let value = self.get(name).unwrap_or("");
        span_of(value).ok_or_else(|| Self::no_span(name, value))
    }

    fn no_span(name: &'static str, value: &str) -> FormError {
        FormError::Invalid { name, value: value.to_owned(), what: "duration" }
    }
}

fn time_of(value: &str) -> Option<Timestamp> {
    match value.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds.abs() < 9e12 => {
            Some(Timestamp::from_micros((seconds * 1e6).round() as i64))
        }
        Ok(_) => None,
        Err(_) => {
            let time = chrono::DateTime::parse_from_rfc3339(value).ok()?;
            Some(Timestamp::from_micros(time.timestamp_micros()))
        }
    }
}

fn span_of(value: &str) -> Option<Duration> {
    match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => parse_duration(value).ok(),
    }
}

/// The text of a form's name or value, in which a plus stands for a blank.
fn plain(text: &[u8]) -> String {
    let blanks: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    decoded(&blanks)
}

#[cfg(test)]
mod tests;
