//! Compiles `metric`, `stat`, `window`, `where`, `by` to PromQL, as the table of `CONTRACT.md` has it.

use std::ops::RangeInclusive;

use super::group::is_plain_metric;
use super::rule::Query;
use crate::engine::catalogue::{self, KnownMetrics, Meant};
use crate::engine::diagnostic::closest;
use crate::engine::metric::bound::BUCKET_BOUND;
use crate::engine::metric::{MetricType, Part, sample_names};
use crate::engine::promql;
use crate::engine::rules::checks::Written;
use crate::engine::rules::set::RefusedKind;
use crate::engine::yaml::{Fields, Findings, Text};
use crate::engine::yaml::{Node, Value};

/// The keys that go with `metric` alone.
const KEYS: [&str; 4] = ["stat", "window", "where", "by"];

/// The statistics beside the percentiles.
pub(crate) const STATS: [&str; 8] = ["last", "rate", "increase", "avg", "min", "max", "sum", "count"];

/// Says that the keys of `metric` mean nothing beside `expr`.
pub(super) fn refuse_keys(fields: &Fields<'_>, findings: &mut Findings<'_>) {
    for key in KEYS.iter().filter_map(|name| fields.key(name)) {
        let name = key.scalar().map_or("", |scalar| scalar.text.as_str());
        findings
            .error("expr-and-metric", &key.span, format!("`{name}` goes with `metric`, not with `expr`"))
            .advise("Write it in PromQL, or use `metric` instead of `expr`.");
    }
}

/// What stands in the file.
struct Wanted<'a> {
    metric: &'a str,
    selector: String,
    window: Option<String>,
    by: Option<Vec<String>>,
}

/// Compiles a rule's statistic.
pub(super) fn compile(
    node: &Node,
    fields: &Fields<'_>,
    metrics: &KnownMetrics,
    findings: &mut Findings<'_>,
) -> Option<Query> {
    let metric = findings.text(node, "`metric`")?.trim().to_owned();
    if refuse_expression(&metric, node, findings) {
        return None;
    }
    let stat = fields.get("stat").map_or(Some(Stat::Last), |node| stat(node, findings));
    let window = fields.get("window").map(|node| {
        let span = findings.duration(node, "`window`")?;
        if span.is_zero() {
            findings.error("bad-duration", &node.span, "`window` must be above 0");
            return None;
        }
        Some(node.scalar()?.text.clone())
    });
    let conditions = fields.get("where").map(|node| findings.texts(node, "`where`")).unwrap_or_default();
    let selector = matchers(&conditions, metrics);
    let by = fields.get("by").map(|node| labels(node, metrics, findings)).or_else(|| empty_list(fields));
    let stat = stat?;
    check_window(stat, fields, &metric, findings)?;
    let window = match window {
        Some(window) => Some(window?),
        None => None,
    };
    let message = |metric_type: MetricType| {
        format!("`{}` is not defined for the {} `{metric}`", stat.word(), metric_type.name())
    };
    let (mut texts, mut refused) = (Vec::new(), Vec::new());
    for Candidate { meant: Meant { name, metric_type }, of } in candidates(&metric, metrics) {
        let (selector, window, by) = (selector.clone(), window.clone(), by.clone());
        let wanted = Wanted { metric: &name, selector, window, by };
        match stat.promql(metric_type, &wanted) {
            Some(text) if texts.contains(&text) => {}
            Some(text) => texts.push(text),
            None => refused.push(RefusedKind {
                sample: shown_sample(&name, metric_type).into(),
                metric_type: of,
                message: message(metric_type).into(),
            }),
        }
    }
    if let (true, Some(first)) = (texts.is_empty(), refused.first()) {
        let span = fields.get("stat").map_or(&node.span, |node| &node.span);
        findings.error("stat-of-type", span, first.message.to_string()).advise(format!(
            "For a {} take one of {}.",
            first.metric_type.name(),
            allowed(first.metric_type)
        ));
        return None;
    }
    // Of the kinds that an undeclared metric may have it gets one, so that one side has series.
    match promql::parse(&texts.join(" or ")) {
        Ok(expr) => {
            let written = Written::Metric { span: node.span.clone() };
            Some(Query { expr, written, refused })
        }
        Err(error) => {
            findings.error(
                "promql",
                &node.span,
                format!("`{metric}` makes no expression: {}", error.message),
            );
            None
        }
    }
}

/// Refuses what is no name but an expression; says whether it did.
fn refuse_expression(metric: &str, node: &Node, findings: &mut Findings<'_>) -> bool {
    let Some(sign) = metric.chars().find(|sign| "({[".contains(*sign)) else { return false };
    let advice = match sign {
        '{' => "Name the metric alone, and write its labels under `where:`.",
        '[' => "Name the metric alone, and write the range as `window:`.",
        _ => "Write it as `expr:`, or name the metric alone and write a `stat:`.",
    };
    findings
        .error("metric-name", &node.span, format!("`{metric}` is an expression, not the name of a metric"))
        .advise(advice);
    true
}

/// What a metric may turn out to be.
struct Candidate {
    /// What a person then means by the name.
    meant: Meant,
    /// The type of the metric that has the sample: of a histogram's, which is a counter by itself, the histogram.
    of: MetricType,
}

/// What the metric is where that is known; else everything it may turn out to be.
fn candidates(metric: &str, metrics: &KnownMetrics) -> Vec<Candidate> {
    let metric = metrics.named(metric);
    let metric = metric.as_ref();
    let candidate =
        |name: String, metric_type| Candidate { meant: Meant { name, metric_type }, of: metric_type };
    let exposed = |metric_type: MetricType| {
        let name = metric_type.exposed_name(metric_type.family_name(metric));
        candidate(name.into_owned(), metric_type)
    };
    if let Some(Meant { name, metric_type }) = metrics.meant(metric) {
        return vec![candidate(name, metric_type)];
    }
    if let Some(row) = catalogue::find(metric) {
        return vec![exposed(row.metric_type)];
    }
    // Rules record gauges.
    if metric.contains(':') {
        return vec![exposed(MetricType::Gauge)];
    }
    let is_of_histogram = sample_names(metric).any(|sample| {
        sample.metric_type == MetricType::Histogram && sample.metric_type.parts().contains(&sample.part)
    });
    let of_histogram = is_of_histogram.then(|| Candidate {
        meant: Meant { name: metric.to_owned(), metric_type: MetricType::Counter },
        of: MetricType::Histogram,
    });
    let kinds = [MetricType::Gauge, MetricType::Counter, MetricType::Histogram].map(exposed);
    kinds.into_iter().chain(of_histogram).collect()
}

/// A sample by which it is seen that a metric is there.
fn shown_sample(name: &str, metric_type: MetricType) -> String {
    match metric_type {
        MetricType::Counter | MetricType::Gauge => name.to_owned(),
        MetricType::Histogram => Part::Count.sample_name(metric_type, name),
    }
}

/// `by: []` and `by:` with nothing: all in one.
fn empty_list(fields: &Fields<'_>) -> Option<Vec<String>> {
    fields.iter().any(|(name, _)| name == "by").then(Vec::new)
}

/// The labels of `by`, as they are exposed.
fn labels(node: &Node, metrics: &KnownMetrics, findings: &mut Findings<'_>) -> Vec<String> {
    if matches!(node.value, Value::Scalar(_)) {
        findings.error("wrong-type", &node.span, "`by` must be a list").advise("Write `by: [label]`.");
        return Vec::new();
    }
    let items = findings.items(node, "`by`");
    let written = items.iter().filter_map(|item| findings.text(item, "a label of `by`"));
    written.map(|label| metrics.named_label(label).into_owned()).collect()
}

fn check_window(stat: Stat, fields: &Fields<'_>, metric: &str, findings: &mut Findings<'_>) -> Option<()> {
    match (stat, fields.get("window")) {
        (Stat::Last, Some(node)) => {
            findings
                .error("window", &node.span, "`last` is the present value and takes no `window`")
                .advise("Take the window away, or name another `stat`.");
            None
        }
        (Stat::Last, None) | (_, Some(_)) => Some(()),
        (_, None) => {
            let span = fields.get("stat").map_or(&fields.span, |node| &node.span);
            findings
                .error("window", span, format!("`{}` of `{metric}` needs a `window`", stat.word()))
                .advise("Add for example `window: 5m`.");
            None
        }
    }
}

/// A statistic.
#[derive(Clone, Copy)]
enum Stat {
    Last,
    Rate,
    Increase,
    Avg,
    Min,
    Max,
    Sum,
    Count,
    /// In thousandths of a percent, so that its quantile can be written exactly.
    Percentile(u32),
}

fn stat(node: &Node, findings: &mut Findings<'_>) -> Option<Stat> {
    let text = findings.text(node, "`stat`")?;
    let stat = match text {
        "last" => Some(Stat::Last),
        "rate" => Some(Stat::Rate),
        "increase" => Some(Stat::Increase),
        "avg" => Some(Stat::Avg),
        "min" => Some(Stat::Min),
        "max" => Some(Stat::Max),
        "sum" => Some(Stat::Sum),
        "count" => Some(Stat::Count),
        other => other.strip_prefix('p').and_then(percentile),
    };
    if stat.is_none() {
        let advice = findings.error("unknown-stat", &node.span, format!("no such `stat`: `{text}`"));
        match near_stat(text) {
            Some(near) => advice.advise(format!("Did you mean `{near}`?")),
            None if is_other_percentile(text) => advice.advise(
                "Percentiles are p50 to p99.9; write others as `expr`, with `quantile_over_time` or `histogram_quantile`.",
            ),
            None => advice.advise(format!("It is one of {}, or p50 to p99.9.", STATS.join(", "))),
        }
    }
    stat
}

/// The statistic that was likely meant by another word.
fn near_stat(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let meant = match text.as_str() {
        "mean" | "average" => Some("avg"),
        "median" => Some("p50"),
        "maximum" => Some("max"),
        "minimum" => Some("min"),
        "total" => Some("sum"),
        "value" | "current" | "latest" => Some("last"),
        _ => None,
    };
    let digits = text.trim_start_matches(['p', 'q']).trim_end_matches(['t', 'h', '%']);
    let of_ratio = digits.strip_prefix("0.").filter(|fraction| fraction.len() == 2).unwrap_or(digits);
    let percentile = percentile(of_ratio).map(|_| format!("p{of_ratio}"));
    meant.map(str::to_owned).or(percentile).or_else(|| closest(&text, STATS).map(str::to_owned))
}

/// Whether it names a percentile, of those that no `stat` has.
fn is_other_percentile(text: &str) -> bool {
    let number = text.strip_prefix(['p', 'P']).and_then(|number| number.parse::<f64>().ok());
    number.is_some_and(|number| number > 0.0 && number < 100.0)
}

/// The percentiles there are, in thousandths of a percent.
const PERCENTILES: RangeInclusive<u32> = 50_000..=99_900;

/// `99.9` as 99,900 thousandths.
fn percentile(text: &str) -> Option<Stat> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let thousandths = whole.parse::<u32>().ok()? * 1_000 + format!("{fraction:0<3}").parse::<u32>().ok()?;
    PERCENTILES.contains(&thousandths).then_some(Stat::Percentile(thousandths))
}

impl Stat {
    fn word(self) -> String {
        match self {
            Self::Last => "last".to_owned(),
            Self::Rate => "rate".to_owned(),
            Self::Increase => "increase".to_owned(),
            Self::Avg => "avg".to_owned(),
            Self::Min => "min".to_owned(),
            Self::Max => "max".to_owned(),
            Self::Sum => "sum".to_owned(),
            Self::Count => "count".to_owned(),
            Self::Percentile(thousandths) => format!("p{}", f64::from(thousandths) / 1_000.0),
        }
    }

    /// The cell of the table; none where it is "–".
    fn promql(self, metric_type: MetricType, wanted: &Wanted<'_>) -> Option<String> {
        match metric_type {
            MetricType::Counter => match self {
                Self::Last => Some(wanted.aggregated("sum", &wanted.now())),
                Self::Rate => Some(wanted.aggregated("sum", &wanted.anchored("rate", ""))),
                Self::Increase => Some(wanted.aggregated("sum", &wanted.anchored("increase", ""))),
                Self::Avg | Self::Min | Self::Max | Self::Sum | Self::Count | Self::Percentile(_) => None,
            },
            MetricType::Gauge => self.of_gauge(wanted),
            MetricType::Histogram => self.of_histogram(wanted),
        }
    }

    fn of_gauge(self, wanted: &Wanted<'_>) -> Option<String> {
        let over = |function: &str| format!("{function}({})", wanted.range(""));
        let (aggregation, inner) = match self {
            Self::Last => ("sum", wanted.now()),
            Self::Avg => ("avg", over("avg_over_time")),
            Self::Min => ("min", over("min_over_time")),
            Self::Max => ("max", over("max_over_time")),
            Self::Sum => ("sum", over("sum_over_time")),
            Self::Count => ("sum", over("count_over_time")),
            Self::Percentile(thousandths) => {
                ("max", format!("quantile_over_time({}, {})", quantile(thousandths), wanted.range("")))
            }
            Self::Rate | Self::Increase => return None,
        };
        Some(wanted.aggregated(aggregation, &inner))
    }

    fn of_histogram(self, wanted: &Wanted<'_>) -> Option<String> {
        let sum = |function: &str, suffix: &str| wanted.aggregated("sum", &wanted.anchored(function, suffix));
        match self {
            Self::Rate => Some(sum("rate", "_count")),
            Self::Increase | Self::Count => Some(sum("increase", "_count")),
            Self::Sum => Some(sum("increase", "_sum")),
            Self::Avg => Some(format!("{} / {}", sum("rate", "_sum"), sum("rate", "_count"))),
            Self::Percentile(thousandths) => {
                let buckets = wanted.anchored("rate", "_bucket");
                let buckets = match &wanted.by {
                    Some(by) => {
                        let own = by.iter().map(|label| label_text(label));
                        let labels: Vec<String> = [BUCKET_BOUND.to_owned()].into_iter().chain(own).collect();
                        format!("sum by ({}) ({buckets})", labels.join(", "))
                    }
                    None => buckets,
                };
                Some(format!("histogram_quantile({}, {buckets})", quantile(thousandths)))
            }
            Self::Last | Self::Min | Self::Max => None,
        }
    }
}

/// Thousandths of a percent as a quantile, exactly.
fn quantile(thousandths: u32) -> String {
    format!("0.{thousandths:05}").trim_end_matches('0').to_owned()
}

impl Wanted<'_> {
    fn name(&self, suffix: &str) -> String {
        let name = format!("{}{suffix}", self.metric);
        match (is_plain_metric(&name), self.selector.is_empty()) {
            (true, true) => name,
            (true, false) => format!("{name}{{{}}}", self.selector),
            (false, true) => format!("{{{}}}", quoted(&name)),
            (false, false) => format!("{{{}, {}}}", quoted(&name), self.selector),
        }
    }

    fn now(&self) -> String {
        self.name("")
    }

    fn range(&self, suffix: &str) -> String {
        format!("{}[{}]", self.name(suffix), self.window.as_deref().unwrap_or("5m"))
    }

    fn anchored(&self, function: &str, suffix: &str) -> String {
        format!("{function}({} anchored)", self.range(suffix))
    }

    fn aggregated(&self, aggregation: &str, inner: &str) -> String {
        match self.by.as_deref() {
            None => inner.to_owned(),
            Some([]) => format!("{aggregation}({inner})"),
            Some(by) => {
                let labels: Vec<String> = by.iter().map(|label| label_text(label)).collect();
                format!("{aggregation} by ({}) ({inner})", labels.join(", "))
            }
        }
    }
}

fn matchers(conditions: &[(Text, Text)], metrics: &KnownMetrics) -> String {
    let matcher = |(name, value): &(Text, Text)| {
        format!("{}={}", label_text(&metrics.named_label(&name.content)), quoted(&value.content))
    };
    conditions.iter().map(matcher).collect::<Vec<_>>().join(", ")
}

fn label_text(name: &str) -> String {
    if super::group::is_plain_label(name) { name.to_owned() } else { quoted(name) }
}

/// A string of PromQL.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn allowed(metric_type: MetricType) -> &'static str {
    match metric_type {
        MetricType::Counter => "last, rate, increase",
        MetricType::Gauge => "last, avg, min, max, sum, count, p50 to p99.9",
        MetricType::Histogram => "rate, increase, avg, sum, count, p50 to p99.9",
    }
}
