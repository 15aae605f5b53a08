//! Parameters of Prometheus' API: from the query string and, with POST, from a form.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use tokio::time::timeout;

use crate::engine::duration::parse_duration;
use crate::engine::time::Timestamp;
use crate::shell::nats::percent::decoded;

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
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_may_repeat() {
        let form = Form::of("match[]=up%7Ba%3D%22b%22%7D&match%5B%5D=x+y&time=&z=%zz");
        assert_eq!(form.all("match[]").collect::<Vec<_>>(), [r#"up{a="b"}"#, "x y"]);
        assert_eq!(form.get("time"), None);
        assert_eq!(form.get("z"), Some("%zz"));
    }

    #[test]
    fn instants_and_spans_are_read_as_prometheus_has_them() {
        let form = Form::of("a=1.5&b=2023-11-14T22:13:20Z&c=soon&d=1h30m&e=15&f=-1&g=1x&h=NaN");
        assert_eq!(form.time("a").unwrap().map(Timestamp::millis), Some(1_500));
        assert_eq!(form.time("b").unwrap().map(Timestamp::millis), Some(1_700_000_000_000));
        assert!(form.time("c").is_err() && form.time("h").is_err());
        assert_eq!(form.span("d"), Ok(Some(Duration::from_mins(90))));
        assert_eq!(form.span("e"), Ok(Some(Duration::from_secs(15))));
        assert!(form.span("f").is_err() && form.span("g").is_err());
    }

    async fn read(method: Method, kind: &str, body: &'static str) -> Result<Form, FormError> {
        let request = Request::builder().method(method).uri("/api/v1/query?query=up&step=1");
        Form::read(request.header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap(), 16).await
    }

    #[tokio::test]
    async fn a_posted_form_comes_before_the_query_string() {
        let urlencoded = "application/x-www-form-urlencoded";
        let cases = [
            (Method::POST, urlencoded, "query=down", Some("down")),
            (Method::POST, "application/x-www-form-urlencoded; charset=utf-8", "query=down", Some("down")),
            (Method::POST, urlencoded, "query=", Some("up")),
            (Method::POST, "application/json", "query=down", Some("up")),
            (Method::GET, urlencoded, "query=down", Some("up")),
        ];
        for (method, kind, body, expected) in cases {
            let form = read(method.clone(), kind, body).await.unwrap();
            assert_eq!(
                (form.get("query"), form.get("step")),
                (expected, Some("1")),
                "{method} {kind} {body}"
            );
        }
        let refused = read(Method::POST, urlencoded, "query=more_than_is_read").await;
        assert_eq!(refused, Err(FormError::TooLarge(16)));
    }

    #[test]
    fn errors_say_what_prometheus_says() {
        let form = Form::of("time=soon&step=fast&limit=few&start=");
        let words = |error: FormError| error.to_string();
        assert_eq!(
            form.time("time").map_err(words),
            Err("invalid parameter \"time\": Invalid time value for 'time': cannot parse \"soon\" to a valid \
                 timestamp"
                .to_owned())
        );
        assert_eq!(
            form.required_time("start").map_err(words),
            Err("invalid parameter \"start\": cannot parse \"\" to a valid timestamp".to_owned())
        );
        assert_eq!(
            form.required_span("step").map_err(words),
            Err("invalid parameter \"step\": cannot parse \"fast\" to a valid duration".to_owned())
        );
        assert_eq!(form.number("limit").map_err(words), Err("limit must be a number".to_owned()));
        assert_eq!(
            (form.time("end"), form.span("timeout"), form.number("x")),
            (Ok(None), Ok(None), Ok(None))
        );
    }

    #[test]
    fn instants_beyond_all_times_are_refused() {
        for text in ["inf", "-inf", "1e300", "9e12", "2023-02-30T00:00:00Z", "2023-11-14"] {
            assert!(Form::of(&format!("t={text}")).time("t").is_err(), "{text}");
        }
        for text in ["inf", "1e300", "-1s", "1d1d", "1.5h"] {
            assert!(Form::of(&format!("t={text}")).span("t").is_err(), "{text}");
        }
        assert_eq!(
            Form::of("t=-62135596800").time("t").unwrap().map(Timestamp::millis),
            Some(-62_135_596_800_000)
        );
    }
}
