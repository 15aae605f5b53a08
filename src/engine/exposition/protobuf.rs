//! Prometheus' protobuf messages (`io.prometheus.client`), each family after its length.
//!
//! The length of a family stands before it, so a large family is encoded twice, once to be measured: that costs time
//! where holding it would cost memory without bound.

use std::borrow::Cow;

use super::escape::family_name;
use super::exemplar::ExemplarText;
use super::format::Escaping;
use super::plan::{Header, Parts};
use super::{Source, Written};
use crate::engine::metric::{MetricType, Part};
use crate::engine::series::{FamilySpec, RowText, pairs};
use crate::engine::time::Timestamp;

const TYPE_COUNTER: u64 = 0;
const TYPE_GAUGE: u64 = 1;
const TYPE_UNTYPED: u64 = 3;
const TYPE_HISTOGRAM: u64 = 4;

/// How a family's series are encoded.
#[derive(Debug)]
pub(super) struct Messages {
    metric_type: MetricType,
    parts: Parts,
    header: Header,
    bounds: Vec<f64>,
    metric: Vec<u8>,
    inner: Vec<u8>,
    innermost: Vec<u8>,
    last_created: (Timestamp, Vec<u8>),
    labels: RowText,
}

impl Messages {
    /// Says how a family's series are encoded.
    pub(super) fn new(spec: &FamilySpec, (parts, header): (Parts, Header)) -> Self {
        Self {
            metric_type: spec.metric_type,
            parts,
            header,
            bounds: spec.buckets.iter().copied().chain([f64::INFINITY]).collect(),
            metric: Vec::new(),
            inner: Vec::new(),
            innermost: Vec::new(),
            last_created: (Timestamp::EPOCH, Vec::new()),
            labels: RowText::default(),
        }
    }

    /// Appends the fields a family has beside its series.
    pub(super) fn push_family(&self, spec: &FamilySpec, escaping: Escaping, out: &mut Vec<u8>) {
        let family = family_name(spec, escaping);
        let name = match self.header {
            Header::Sample(part) => Cow::Owned(part.sample_name(self.metric_type, &family)),
            Header::Family => self.metric_type.exposed_name(&family),
        };
        push_bytes(1, name.as_bytes(), out);
        if !spec.help.is_empty() {
            push_bytes(2, spec.help.as_bytes(), out);
        }
        let kind = match (self.header, self.metric_type) {
            (Header::Sample(_), _) => TYPE_UNTYPED,
            (Header::Family, MetricType::Counter) => TYPE_COUNTER,
            (Header::Family, MetricType::Gauge) => TYPE_GAUGE,
            (Header::Family, MetricType::Histogram) => TYPE_HISTOGRAM,
        };
        push_varint_field(3, kind, out);
        if let Some(unit) = &spec.unit {
            push_bytes(5, unit.as_bytes(), out);
        }
    }

    /// Forgets what it knows of a page: another follows.
    pub(super) fn begin_page(&mut self) {
        self.labels.begin_page();
    }

    /// Appends one series.
    pub(super) fn push(&mut self, source: &Source<'_>, series: &Written<'_>, out: &mut Vec<u8>) {
        let (cell, born) = (series.row.cell, series.born());
        self.metric.clear();
        let labels = series.spelled.unwrap_or_else(|| self.labels.read(series.page, series.row));
        push_labels(labels, &mut self.metric);
        self.inner.clear();
        let field = match self.metric_type {
            MetricType::Gauge => {
                push_double(1, source.frozen.cell(cell), &mut self.inner);
                2
            }
            MetricType::Counter => {
                push_double(1, source.frozen.cell(cell), &mut self.inner);
                push_exemplar(2, source, cell, &mut self.innermost, &mut self.inner);
                self.push_created(3, born);
                3
            }
            MetricType::Histogram => match self.header {
                Header::Sample(part) => {
                    self.push_alone(part, source, cell);
                    5
                }
                Header::Family => {
                    self.push_histogram(source, cell, born);
                    7
                }
            },
        };
        push_bytes(field, &self.inner, &mut self.metric);
        push_bytes(4, &self.metric, out);
    }

    /// A histogram's sum or count as a value of its own.
    fn push_alone(&mut self, part: Part, source: &Source<'_>, first: u32) {
        let end = first + self.bounds.len() as u32;
        let value = if part == Part::Sum {
            source.frozen.cell(end)
        } else {
            (first..end).map(|cell| source.frozen.cell(cell)).sum()
        };
        push_double(1, value, &mut self.inner);
    }

    fn push_histogram(&mut self, source: &Source<'_>, first: u32, born: Timestamp) {
        let end = first + self.bounds.len() as u32;
        let count: f64 = (first..end).map(|cell| source.frozen.cell(cell)).sum();
        if self.parts.has(Part::Count) {
            push_varint_field(1, count as u64, &mut self.inner);
        }
        if self.parts.has(Part::Sum) {
            push_double(2, source.frozen.cell(end), &mut self.inner);
        }
        let mut below = 0.0;
        let mut bucket = Vec::with_capacity(32);
        for (cell, bound) in (first..end).zip(&self.bounds) {
            below += source.frozen.cell(cell);
            bucket.clear();
            push_varint_field(1, below as u64, &mut bucket);
            push_double(2, *bound, &mut bucket);
            push_exemplar(3, source, cell, &mut self.innermost, &mut bucket);
            push_bytes(3, &bucket, &mut self.inner);
        }
        if self.parts.has(Part::Created) {
            self.push_created(15, born);
        }
    }

    /// Appends when a series was born, encoded once for all born at the same time.
    fn push_created(&mut self, field: u64, born: Timestamp) {
        if self.last_created.0 != born || self.last_created.1.is_empty() {
            self.last_created.1.clear();
            push_timestamp(field, born, &mut self.last_created.1);
            self.last_created.0 = born;
        }
        self.inner.extend_from_slice(&self.last_created.1);
    }
}

/// Appends a series' labels as pairs. A text without escapes, nearly every one, is read in place.
fn push_labels(labels: &str, out: &mut Vec<u8>) {
    let mut rest = labels.as_bytes();
    if memchr::memchr(b'\\', rest).is_some() || rest.starts_with(b"\"") {
        return push_escaped_labels(labels, out);
    }
    let start = out.len();
    while let Some(name_end) = memchr::memchr(b'=', rest) {
        let (name, quoted) = rest.split_at(name_end);
        let Some(value) = quoted.get(2..) else { return };
        let Some(value_end) = memchr::memchr(b'"', value) else { return };
        if name.starts_with(b"\"") {
            out.truncate(start);
            return push_escaped_labels(labels, out);
        }
        let (value, after) = value.split_at(value_end);
        push_label(name, value, out);
        rest = after.get(2..).unwrap_or_default();
    }
}

fn push_escaped_labels(labels: &str, out: &mut Vec<u8>) {
    for (name, value) in pairs(labels) {
        push_label(name.as_bytes(), value.as_bytes(), out);
    }
}

#[inline]
fn push_label(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    let bytes = field_bytes(name.len()) + field_bytes(value.len());
    push_varint(1 << 3 | 2, out);
    push_varint(bytes as u64, out);
    push_bytes(1, name, out);
    push_bytes(2, value, out);
}

/// How long a field of so many bytes is with its tag and length.
fn field_bytes(len: usize) -> usize {
    1 + varint_bytes(len as u64) + len
}

fn push_exemplar(field: u64, source: &Source<'_>, cell: u32, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    let Some(exemplar) = source.frozen.exemplar(cell) else { return };
    let Some(shown) = ExemplarText::of(exemplar, source.events) else { return };
    scratch.clear();
    for (name, value) in shown.labels() {
        push_label(name.as_bytes(), value, scratch);
    }
    push_double(2, shown.value, scratch);
    push_timestamp(3, shown.timestamp, scratch);
    push_bytes(field, scratch, out);
}

/// Appends a `google.protobuf.Timestamp`.
fn push_timestamp(field: u64, instant: Timestamp, out: &mut Vec<u8>) {
    let seconds = instant.micros().div_euclid(1_000_000).cast_unsigned();
    let nanos = (instant.micros().rem_euclid(1_000_000) * 1_000).cast_unsigned();
    push_varint(field << 3 | 2, out);
    out.push((2 + varint_bytes(seconds) + varint_bytes(nanos)) as u8);
    push_varint_field(1, seconds, out);
    push_varint_field(2, nanos, out);
}

/// How long a number is in groups of seven bits.
fn varint_bytes(value: u64) -> usize {
    (u64::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

fn push_double(field: u64, value: f64, out: &mut Vec<u8>) {
    push_varint(field << 3 | 1, out);
    out.extend_from_slice(&value.to_le_bytes());
}

#[inline]
fn push_varint_field(field: u64, value: u64, out: &mut Vec<u8>) {
    push_varint(field << 3, out);
    push_varint(value, out);
}

#[inline]
fn push_bytes(field: u64, bytes: &[u8], out: &mut Vec<u8>) {
    push_varint(field << 3 | 2, out);
    push_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends a number in groups of seven bits, the lowest first.
#[inline]
pub(super) fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
