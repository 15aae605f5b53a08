//! Text 0.0.4 and OpenMetrics: a family's lines, with everything that is the same in each made once.

use std::borrow::Cow;
use std::ops::Range;

use super::escape::{NameOf, family_name, is_legacy};
use super::exemplar::ExemplarText;
use super::format::{ScrapeFormat, Syntax};
use super::number::{push_seconds, push_value};
use super::plan::{Header, Parts};
use super::{Source, Written};
use crate::engine::metric::bound::bound_text;
use crate::engine::metric::{MetricType, Part};
use crate::engine::series::{FamilySpec, RowText, push_escaped};
use crate::engine::time::Timestamp;

/// How a sample's line begins: without labels, and with those of one series after another.
#[derive(Debug)]
struct Opening {
    bare: Vec<u8>,
    line: RowText,
}

impl Opening {
    fn new(name: &str) -> Self {
        if is_legacy(name, NameOf::Metric) {
            return Self { bare: format!("{name} ").into(), line: RowText::behind(&format!("{name}{{")) };
        }
        let mut quoted = String::new();
        push_escaped(name, &mut quoted);
        let line = RowText::behind(&format!("{{\"{quoted}\","));
        Self { bare: format!("{{\"{quoted}\"}} ").into(), line }
    }

    /// Begins the line of a series, and says where in `out` its labels stand.
    #[inline]
    fn push(&mut self, series: &Written<'_>, out: &mut Vec<u8>) -> Range<usize> {
        let labels = out.len() + self.line.opening().len();
        match series.spelled {
            None if series.row.is_bare() => out.extend_from_slice(&self.bare),
            None => {
                out.extend_from_slice(self.line.read(series.page, series.row).as_bytes());
                out.extend_from_slice(b"} ");
            }
            Some(spelled) => self.push_spelled(spelled, out),
        }
        labels..(out.len() - b"} ".len()).max(labels)
    }

    /// Begins another line of the series whose labels stand there.
    fn push_again(&self, labels: Range<usize>, out: &mut Vec<u8>) {
        if labels.is_empty() {
            out.extend_from_slice(&self.bare);
        } else {
            out.extend_from_slice(self.line.opening().as_bytes());
            out.extend_from_within(labels);
            out.extend_from_slice(b"} ");
        }
    }

    fn push_spelled(&self, labels: &str, out: &mut Vec<u8>) {
        if labels.is_empty() {
            out.extend_from_slice(&self.bare);
        } else {
            out.extend_from_slice(self.line.opening().as_bytes());
            out.extend_from_slice(labels.as_bytes());
            out.extend_from_slice(b"} ");
        }
    }

    fn push_with_bound(&self, labels: &str, bound: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.line.opening().as_bytes());
        if !labels.is_empty() {
            out.extend_from_slice(labels.as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(b"le=\"");
        out.extend_from_slice(bound);
        out.extend_from_slice(b"\"} ");
    }
}

/// What a family's lines are made of.
#[derive(Debug)]
pub(super) struct Lines {
    metric_type: MetricType,
    style: Style,
    value: Option<Opening>,
    created: Option<Opening>,
    bucket: Option<Opening>,
    sum: Option<Opening>,
    count: Option<Opening>,
    bounds: Vec<Vec<u8>>,
    has_negative_bounds: bool,
    /// The last birth, and what ends its lines.
    last_created: (Timestamp, Vec<u8>),
    /// The labels of the histogram being written.
    labels: RowText,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Text,
    OpenMetrics,
}

impl Lines {
    /// Writes a family's header and says how its series are written.
    pub(super) fn begin(
        spec: &FamilySpec,
        format: ScrapeFormat,
        (parts, header): (Parts, Header),
        out: &mut Vec<u8>,
    ) -> Self {
        let style = match format.syntax {
            Syntax::OpenMetrics | Syntax::OpenMetrics0 => Style::OpenMetrics,
            Syntax::Text | Syntax::Text1 | Syntax::Protobuf => Style::Text,
        };
        let name = family_name(spec, format.escaping());
        let opening =
            |part: Part| parts.has(part).then(|| Opening::new(&part.sample_name(spec.metric_type, &name)));
        push_header(spec, style, (&name, header), out);
        let created = if style == Style::OpenMetrics { opening(Part::Created) } else { None };
        let mut lines = Self {
            metric_type: spec.metric_type,
            style,
            value: None,
            created,
            bucket: None,
            sum: None,
            count: None,
            bounds: Vec::new(),
            has_negative_bounds: spec.buckets.iter().any(|bound| *bound < 0.0),
            last_created: (Timestamp::EPOCH, b"0\n".to_vec()),
            labels: RowText::default(),
        };
        match spec.metric_type {
            MetricType::Counter => lines.value = opening(Part::Value),
            MetricType::Gauge => {
                lines.value = opening(Part::Value);
                lines.created = None;
            }
            MetricType::Histogram => {
                lines.bucket = opening(Part::Bucket);
                lines.sum = opening(Part::Sum);
                lines.count = opening(Part::Count);
                let bounds = spec.buckets.iter().copied().chain([f64::INFINITY]);
                lines.bounds = bounds.map(|bound| bound_text(bound).into_bytes()).collect();
            }
        }
        lines
    }

    /// Forgets what it knows of a page: another follows.
    pub(super) fn begin_page(&mut self) {
        let openings = [&mut self.value, &mut self.created].into_iter().flatten();
        openings.for_each(|opening| opening.line.begin_page());
        self.labels.begin_page();
    }

    /// Writes the lines of one series.
    #[inline]
    pub(super) fn push(&mut self, source: &Source<'_>, series: &Written<'_>, out: &mut Vec<u8>) {
        let cell = series.row.cell;
        if self.metric_type == MetricType::Histogram {
            let mut known = std::mem::take(&mut self.labels);
            let labels = series.spelled.unwrap_or_else(|| known.read(series.page, series.row));
            self.push_histogram(source, cell, labels, out);
            self.push_created(series, out, |created, out| created.push_spelled(labels, out));
            self.labels = known;
        } else if let Some(value) = &mut self.value {
            let labels = value.push(series, out);
            push_value(source.frozen.cell(cell), out);
            if self.metric_type == MetricType::Counter {
                self.push_exemplar(source, cell, out);
            }
            out.push(b'\n');
            self.push_created(series, out, |created, out| created.push_again(labels, out));
        } else {
            self.push_created(series, out, |created, out| {
                created.push(series, out);
            });
        }
    }

    fn push_exemplar(&self, source: &Source<'_>, cell: u32, out: &mut Vec<u8>) {
        if self.style == Style::OpenMetrics
            && let Some(exemplar) = source.frozen.exemplar(cell)
            && let Some(shown) = ExemplarText::of(exemplar, source.events)
        {
            shown.push(out);
        }
    }

    /// Writes when a series was born, where that is shown; `begin` begins the line.
    #[inline]
    fn push_created(
        &mut self,
        series: &Written<'_>,
        out: &mut Vec<u8>,
        begin: impl FnOnce(&mut Opening, &mut Vec<u8>),
    ) {
        let Some(created) = &mut self.created else { return };
        let born = series.born();
        if self.last_created.0 != born {
            self.last_created.1.clear();
            push_seconds(born, &mut self.last_created.1);
            self.last_created.1.push(b'\n');
            self.last_created.0 = born;
        }
        begin(created, out);
        out.extend_from_slice(&self.last_created.1);
    }

    fn push_histogram(&self, source: &Source<'_>, first: u32, labels: &str, out: &mut Vec<u8>) {
        let mut count = 0.0;
        let mut cell = first;
        for bound in &self.bounds {
            count += source.frozen.cell(cell);
            if let Some(bucket) = &self.bucket {
                bucket.push_with_bound(labels, bound, out);
                push_value(count, out);
                self.push_exemplar(source, cell, out);
                out.push(b'\n');
            }
            cell += 1;
        }
        let sum = source.frozen.cell(cell);
        // OpenMetrics forbids a negative sum, and a count without a sum.
        let is_sum_hidden = self.style == Style::OpenMetrics && (self.has_negative_bounds || sum < 0.0);
        if is_sum_hidden && self.bucket.is_some() {
            return;
        }
        for (opening, value) in [(&self.sum, sum), (&self.count, count)] {
            if let Some(opening) = opening {
                opening.push_spelled(labels, out);
                push_value(value, out);
                out.push(b'\n');
            }
        }
    }
}

fn push_header(spec: &FamilySpec, style: Style, (family, header): (&str, Header), out: &mut Vec<u8>) {
    let name = match (header, style) {
        (Header::Sample(part), _) => Cow::Owned(part.sample_name(spec.metric_type, family)),
        (Header::Family, Style::Text) => spec.metric_type.exposed_name(family),
        (Header::Family, Style::OpenMetrics) => Cow::Borrowed(family),
    };
    let kind = match (header, style) {
        (Header::Sample(_), Style::Text) => "untyped",
        (Header::Sample(_), Style::OpenMetrics) => "unknown",
        (Header::Family, _) => spec.metric_type.name(),
    };
    let mut shown = name.to_string();
    if !is_legacy(&name, NameOf::Metric) {
        shown = String::from("\"");
        push_escaped(&name, &mut shown);
        shown.push('"');
    }
    if !spec.help.is_empty() {
        out.extend_from_slice(format!("# HELP {shown} ").as_bytes());
        push_help(&spec.help, style, out);
        out.push(b'\n');
    }
    out.extend_from_slice(format!("# TYPE {shown} {kind}\n").as_bytes());
    if style == Style::OpenMetrics
        && let Some(unit) = &spec.unit
        && is_unit_of(&name, unit)
    {
        out.extend_from_slice(format!("# UNIT {shown} {unit}\n").as_bytes());
    }
}

/// Whether OpenMetrics lets a family of this name have this unit.
fn is_unit_of(name: &str, unit: &str) -> bool {
    !unit.is_empty()
        && is_legacy(unit, NameOf::Metric)
        && name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
}

fn push_help(help: &str, style: Style, out: &mut Vec<u8>) {
    for byte in help.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' if style == Style::OpenMetrics => out.extend_from_slice(b"\\\""),
            other => out.push(other),
        }
    }
}
