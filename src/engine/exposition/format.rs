//! Which format a scraper gets, from its Accept header (RFC 9110 section 12.5.1, Prometheus' content negotiation).

/// How a scrape is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrapeFormat {
    /// The syntax.
    pub syntax: Syntax,
    /// How names reach the scraper, where it asked; [`Escaping::Underscores`] where it did not.
    pub escaping: Option<Escaping>,
}

/// The syntaxes and their versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Prometheus text 0.0.4.
    Text,
    /// Prometheus text 1.0.0: 0.0.4 with names that may be quoted.
    Text1,
    /// OpenMetrics 0.0.1, of which 1.0.0 is a stricter reading.
    OpenMetrics0,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus protobuf, each family after its length.
    Protobuf,
}

/// How names outside `[a-zA-Z0-9_:]` reach a scraper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escaping {
    /// As they are, in quotes.
    AllowUtf8,
    /// Every such character becomes `_`.
    Underscores,
    /// `.` becomes `_dot_`, `_` and every other such character `__`.
    Dots,
    /// `U__` in front, and every such character as `_<code point in hexadecimal>_`.
    Values,
}

impl ScrapeFormat {
    /// Text 0.0.4, what everybody reads.
    pub const TEXT: Self = Self { syntax: Syntax::Text, escaping: None };

    /// How names are escaped.
    pub(crate) fn escaping(self) -> Escaping {
        self.escaping.unwrap_or(Escaping::Underscores)
    }

    /// The Content-Type of an answer in this format.
    pub(crate) fn content_type(self) -> String {
        let media = match self.syntax {
            Syntax::Text => "text/plain; version=0.0.4; charset=utf-8",
            Syntax::Text1 => "text/plain; version=1.0.0; charset=utf-8",
            Syntax::OpenMetrics0 => "application/openmetrics-text; version=0.0.1; charset=utf-8",
            Syntax::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Syntax::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        };
        let escaping = match self.escaping {
            None => "",
            Some(Escaping::AllowUtf8) => "; escaping=allow-utf-8",
            Some(Escaping::Underscores) => "; escaping=underscores",
            Some(Escaping::Dots) => "; escaping=dots",
            Some(Escaping::Values) => "; escaping=values",
        };
        format!("{media}{escaping}")
    }
}

/// The format for an Accept header (several joined with commas): the best quality wins, then the more specific,
/// then the earlier one. What cannot be served gets text 0.0.4.
pub fn negotiate(accept: &str) -> ScrapeFormat {
    let ranges: Vec<Range> = split(accept, ',').filter_map(Range::parse).collect();
    let refused: Vec<Syntax> =
        ranges.iter().filter(|range| range.quality == 0).filter_map(Range::named).collect();
    let mut best: Option<(&Range, Syntax)> = None;
    for range in ranges.iter().filter(|range| range.quality > 0) {
        let Some(syntax) = range.serves(&refused) else { continue };
        if best.is_none_or(|(known, _)| (range.quality, range.specific()) > (known.quality, known.specific()))
        {
            best = Some((range, syntax));
        }
    }
    best.map_or(ScrapeFormat::TEXT, |(range, syntax)| ScrapeFormat { syntax, escaping: range.escaping })
}

/// One media range of an Accept header.
#[derive(Debug)]
struct Range {
    media: String,
    version: Option<String>,
    proto: Option<String>,
    encoding: Option<String>,
    escaping: Option<Escaping>,
    /// In thousandths.
    quality: u16,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = split(text, ';');
        let media = parts.next()?.trim().to_ascii_lowercase();
        if !media.contains('/') {
            return None;
        }
        let mut range =
            Self { media, version: None, proto: None, encoding: None, escaping: None, quality: 1_000 };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "version" => range.version = Some(value.to_owned()),
                "proto" => range.proto = Some(value.to_owned()),
                "encoding" => range.encoding = Some(value.to_ascii_lowercase()),
                "escaping" => range.escaping = escaping(value),
                "q" => range.quality = quality(value),
                _ => {}
            }
        }
        Some(range)
    }

    /// The one syntax a range without wildcards asks for.
    fn named(&self) -> Option<Syntax> {
        let version = self.version.as_deref();
        match self.media.as_str() {
            "text/plain" => match version {
                None | Some("0.0.4") => Some(Syntax::Text),
                Some("1.0.0") => Some(Syntax::Text1),
                Some(_) => None,
            },
            "application/openmetrics-text" => match version {
                None | Some("1.0.0") => Some(Syntax::OpenMetrics),
                Some("0.0.1") => Some(Syntax::OpenMetrics0),
                Some(_) => None,
            },
            "application/vnd.google.protobuf" => {
                let family = self.proto.as_deref() == Some("io.prometheus.client.MetricFamily");
                let delimited = self.encoding.as_deref().is_none_or(|encoding| encoding == "delimited");
                (family && delimited).then_some(Syntax::Protobuf)
            }
            _ => None,
        }
    }

    fn serves(&self, refused: &[Syntax]) -> Option<Syntax> {
        let offers: &[Syntax] = match self.media.as_str() {
            "*/*" => &[Syntax::Text, Syntax::OpenMetrics],
            "text/*" => &[Syntax::Text],
            "application/*" => &[Syntax::OpenMetrics],
            _ => return self.named(),
        };
        offers.iter().copied().find(|offer| !refused.contains(offer))
    }

    fn specific(&self) -> u8 {
        match self.media.as_str() {
            "*/*" => 0,
            media if media.ends_with("/*") => 1,
            _ => 2,
        }
    }
}

fn escaping(value: &str) -> Option<Escaping> {
    match value.to_ascii_lowercase().as_str() {
        "allow-utf-8" => Some(Escaping::AllowUtf8),
        "underscores" => Some(Escaping::Underscores),
        "dots" => Some(Escaping::Dots),
        "values" => Some(Escaping::Values),
        _ => None,
    }
}

/// A quality in thousandths; one that cannot be read counts as 1, as in Prometheus' client library.
fn quality(value: &str) -> u16 {
    match value.parse::<f64>() {
        Ok(quality) if quality.is_finite() => (quality.clamp(0.0, 1.0) * 1_000.0).round() as u16,
        _ => 1_000,
    }
}

/// Splits at separators that stand outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character| {
        if character == '"' {
            quoted = !quoted;
        }
        character == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_gets_the_best_it_accepts() {
        let protobuf =
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        let prometheus_2_42 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
             version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let text = "text/plain; version=0.0.4; charset=utf-8";
        let cases: &[(&str, &str)] = &[
            ("", text),
            ("*/*", text),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", text),
            ("application/json", text),
            ("application/openmetrics-text", open),
            ("application/openmetrics-text; version=\"1.0.0\"", open),
            ("application/openmetrics-text; version=2.0.0", text),
            (
                "application/openmetrics-text; version=0.0.1",
                "application/openmetrics-text; version=0.0.1; charset=utf-8",
            ),
            (prometheus_2_42, open),
            (
                prometheus_3,
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
            ),
            ("text/plain;version=0.0.4;q=0.3,application/openmetrics-text;q=0.2", text),
            ("*/*,application/openmetrics-text", open),
            ("text/plain;q=0,*/*", open),
            ("application/openmetrics-text;q=0,text/plain;q=0.1", text),
            (
                "text/plain;version=1.0.0;escaping=dots",
                "text/plain; version=1.0.0; charset=utf-8; escaping=dots",
            ),
            ("text/plain;escaping=nonsense", text),
            ("TEXT/PLAIN; Q=0.5, APPLICATION/OPENMETRICS-TEXT; Q=0.4", text),
            ("application/vnd.google.protobuf", text),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", text),
            (";;;,,,=\"\u{0}\u{ffff}q=q=q", text),
        ];
        for (accept, expected) in cases {
            assert_eq!(negotiate(accept).content_type(), *expected, "{accept}");
        }
        let expected =
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
        assert_eq!(negotiate(&format!("{protobuf};q=0.7,{prometheus_3}")).content_type(), expected);
    }
}
