//! A threshold that the unit of the metric makes implausible: percents for a ratio, milliseconds for seconds.

use super::Subject;
use crate::engine::duration::format_duration;
use crate::engine::metric::{Part, sample_names};
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{AggregateOp, BinaryOp, DurationExpr, Node, VectorSelector};
use crate::engine::promql::inspect::{comparison, literal_name, number, seconds, selectors, unwrapped};
use crate::engine::promql::storage::{MatchCondition, Matcher};
use crate::engine::rules::set::{Condition, RuleKind};
use crate::engine::yaml::Findings;
use crate::engine::yaml::{Node as YamlNode, Value, name_of};

/// Seconds from which the threshold of a duration is more likely meant in milliseconds.
const LONG_SECONDS: f64 = 100.0;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let RuleKind::Alerting(alerting) = &subject.rule.kind else { return };
    if let Some(binary) = comparison(&subject.rule.expr) {
        let sides = [(&binary.left, &binary.right, false), (&binary.right, &binary.left, true)];
        for (value, bound, swapped) in sides {
            // A comparison with NaN has a finding of its own.
            let Some(threshold) = number(bound).filter(|threshold| !threshold.is_nan()) else { continue };
            let limit = Limit {
                threshold,
                rising: matches!(binary.op, BinaryOp::Greater | BinaryOp::GreaterOrEqual) != swapped,
                reaches: matches!(binary.op, BinaryOp::GreaterOrEqual | BinaryOp::LessOrEqual),
            };
            let place = subject.written.place(&bound.span);
            report(quantity(subject, value), limit, &place, findings);
            let orders = [BinaryOp::Greater, BinaryOp::Less, BinaryOp::GreaterOrEqual, BinaryOp::LessOrEqual];
            if orders.contains(&binary.op) && is_never_negative(subject, value) {
                report_sign(limit, &place, findings);
            }
        }
        return;
    }
    let quantity = quantity(subject, &subject.rule.expr);
    for level in alerting.policy.levels.iter().chain(alerting.overrides.iter().flat_map(|o| &o.policy.levels))
    {
        let Some(threshold) = level.condition.threshold() else { continue };
        let rising = matches!(level.condition, Condition::Above { .. });
        let limit = Limit { threshold, rising, reaches: false };
        if let Some(node) = threshold_node(subject, threshold) {
            report(quantity, limit, &node.span, findings);
            if is_never_negative(subject, &subject.rule.expr) {
                report_sign(limit, &node.span, findings);
            }
        }
    }
    levels_in_order(subject, findings);
}

/// What a value counts.
#[derive(Clone, Copy)]
enum Quantity {
    Ratio,
    Duration,
    Unknown,
}

/// What a value is compared with.
#[derive(Clone, Copy)]
struct Limit {
    threshold: f64,
    /// Whether it fires above the threshold, not below.
    rising: bool,
    /// Whether it fires at the threshold too.
    reaches: bool,
}

fn report(
    quantity: Quantity,
    Limit { threshold, rising, .. }: Limit,
    place: &std::ops::Range<usize>,
    findings: &mut Findings<'_>,
) {
    match quantity {
        Quantity::Ratio if !(0.0..=1.0).contains(&threshold) || (rising && threshold == 1.0) => {
            let advice = findings.warning(
                "implausible-threshold",
                place,
                format!("{threshold} for a ratio from 0 to 1"),
            );
            if threshold > 1.0 && threshold <= 100.0 {
                advice.advise(format!("{threshold} percent is {}.", threshold / 100.0));
            } else {
                advice.advise("No value ever crosses it.");
            }
        }
        Quantity::Duration if threshold >= LONG_SECONDS => {
            let span = std::time::Duration::from_secs_f64(threshold.min(1e15));
            findings
                .warning(
                    "implausible-threshold",
                    place,
                    format!("{threshold} seconds is {}", format_duration(span)),
                )
                .advise(format!(
                    "The metric is in seconds: {threshold} milliseconds is {}.",
                    threshold / 1e3
                ));
        }
        Quantity::Ratio | Quantity::Duration | Quantity::Unknown => {}
    }
}

/// A threshold that a value which is never below 0 cannot cross, or never leaves.
fn report_sign(
    Limit { threshold, rising, reaches }: Limit,
    place: &std::ops::Range<usize>,
    findings: &mut Findings<'_>,
) {
    if threshold > 0.0 || (threshold == 0.0 && rising != reaches) {
        return;
    }
    let message = if rising {
        "the value is never below 0, so this always fires"
    } else {
        "the value is never below 0, so this never fires"
    };
    findings.warning("implausible-threshold", place, message).advise(if rising {
        "Take 0 or more."
    } else {
        "Take a number above 0, or `no_data: alert` for what goes missing."
    });
}

/// Whether an expression counts or measures what has no negative values: the catalogue's metrics do.
fn is_never_negative(subject: &Subject<'_>, expr: &Expr) -> bool {
    match &unwrapped(expr).node {
        Node::Vector(selector) | Node::Matrix { selector, .. } => {
            let found = literal_name(selector).and_then(|name| subject.metrics.find(name));
            found.is_some_and(|found| found.metric.labels.is_some())
        }
        Node::Number(number) => *number >= 0.0,
        Node::Aggregate(aggregate) => is_never_negative(subject, &aggregate.expr),
        Node::Binary(binary) => {
            matches!(binary.op, BinaryOp::Add | BinaryOp::Mul | BinaryOp::Div)
                && [&binary.left, &binary.right].iter().all(|side| is_never_negative(subject, side))
        }
        Node::Call { function, args } => {
            let keeps_sign = matches!(
                function.name,
                "rate"
                    | "irate"
                    | "increase"
                    | "histogram_quantile"
                    | "avg_over_time"
                    | "min_over_time"
                    | "max_over_time"
                    | "sum_over_time"
                    | "last_over_time"
                    | "quantile_over_time"
            );
            keeps_sign && args.last().is_some_and(|arg| is_never_negative(subject, arg))
        }
        Node::String(_) | Node::Subquery { .. } | Node::Unary { .. } | Node::Paren(_) => false,
    }
}

/// What the value of an expression counts, where it is plain to see.
fn quantity(subject: &Subject<'_>, expr: &Expr) -> Quantity {
    match &unwrapped(expr).node {
        Node::Vector(selector) | Node::Matrix { selector, .. } => {
            let Some(name) = literal_name(selector) else { return Quantity::Unknown };
            let Some(found) = subject.metrics.find(name) else { return Quantity::Unknown };
            match (found.metric.unit.as_ref(), found.part) {
                ("ratio", Some(Part::Value)) => Quantity::Ratio,
                ("seconds", Some(Part::Value | Part::Bucket)) if name.contains("duration") => {
                    Quantity::Duration
                }
                _ => Quantity::Unknown,
            }
        }
        Node::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::Avg | AggregateOp::Min | AggregateOp::Max => quantity(subject, &aggregate.expr),
            // The buckets of a histogram are added up before its quantile is taken.
            AggregateOp::Sum if is_bucket(&aggregate.expr) => quantity(subject, &aggregate.expr),
            AggregateOp::Sum
            | AggregateOp::Count
            | AggregateOp::Group
            | AggregateOp::Stddev
            | AggregateOp::Stdvar
            | AggregateOp::Topk
            | AggregateOp::Bottomk
            | AggregateOp::CountValues
            | AggregateOp::Quantile
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio => Quantity::Unknown,
        },
        Node::Call { function, args } => match function.name {
            "histogram_quantile" => args.get(1).map_or(Quantity::Unknown, |arg| quantity(subject, arg)),
            "rate" | "increase" if is_bucket(expr) => {
                args.first().map_or(Quantity::Unknown, |arg| quantity(subject, arg))
            }
            "avg_over_time" | "min_over_time" | "max_over_time" | "last_over_time" => {
                args.first().map_or(Quantity::Unknown, |arg| quantity(subject, arg))
            }
            _ => Quantity::Unknown,
        },
        Node::Binary(binary) if binary.op == BinaryOp::Div && is_part(&binary.left, &binary.right) => {
            Quantity::Ratio
        }
        Node::Binary(_)
        | Node::Number(_)
        | Node::String(_)
        | Node::Subquery { .. }
        | Node::Unary { .. }
        | Node::Paren(_) => Quantity::Unknown,
    }
}

/// Whether an expression counts some of what the other counts, over the same time: then it is never the greater one.
fn is_part(part: &Expr, whole: &Expr) -> bool {
    match (&unwrapped(part).node, &unwrapped(whole).node) {
        (Node::Vector(part), Node::Vector(whole)) => selects_part(part, whole),
        (
            Node::Matrix { selector: part, range: of_part },
            Node::Matrix { selector: whole, range: of_whole },
        ) => selects_part(part, whole) && is_same_time(Some(of_part), Some(of_whole)),
        (Node::Aggregate(part), Node::Aggregate(whole)) => {
            let adds_up = matches!(part.op, AggregateOp::Sum | AggregateOp::Count);
            adds_up
                && part.op == whole.op
                && part.grouping == whole.grouping
                && is_part(&part.expr, &whole.expr)
        }
        (Node::Call { function: of_part, args: part }, Node::Call { function: of_whole, args: whole }) => {
            match (part.as_slice(), whole.as_slice()) {
                ([part], [whole]) => {
                    let keeps_order = matches!(of_part.name, "rate" | "irate" | "increase");
                    keeps_order && of_part.name == of_whole.name && is_part(part, whole)
                }
                _ => false,
            }
        }
        _ => false,
    }
}

fn is_same_time(one: Option<&DurationExpr>, other: Option<&DurationExpr>) -> bool {
    let length = |of: Option<&DurationExpr>| of.map_or(0.0, |it| seconds(it, 0.0, 0.0));
    length(one).total_cmp(&length(other)).is_eq()
}

/// Whether a selector of one metric asks for all that the other asks for, and perhaps for more.
fn selects_part(part: &VectorSelector, whole: &VectorSelector) -> bool {
    let asks_for = |wanted: &Matcher| {
        part.matchers.iter().any(|asked| {
            asked.name == wanted.name
                && match (&asked.condition, &wanted.condition) {
                    (MatchCondition::Equal(one), MatchCondition::Equal(other))
                    | (MatchCondition::NotEqual(one), MatchCondition::NotEqual(other)) => one == other,
                    (MatchCondition::Match(one), MatchCondition::Match(other))
                    | (MatchCondition::NoMatch(one), MatchCondition::NoMatch(other)) => {
                        one.text() == other.text()
                    }
                    _ => false,
                }
        })
    };
    literal_name(part).is_some()
        && literal_name(part) == literal_name(whole)
        && part.shift.at == whole.shift.at
        && is_same_time(part.shift.offset.as_ref(), whole.shift.offset.as_ref())
        && whole.matchers.iter().filter(|wanted| wanted.metric_name().is_none()).all(asks_for)
}

fn is_bucket(expr: &Expr) -> bool {
    let names_buckets = |name| sample_names(name).any(|sample| sample.part == Part::Bucket);
    selectors(expr).iter().all(|found| literal_name(found.vector).is_some_and(names_buckets))
}

/// The node that holds a threshold of this value.
fn threshold_node<'a>(subject: &Subject<'a>, threshold: f64) -> Option<&'a YamlNode> {
    let keys = ["above", "below", "severities", "overrides"];
    keys.into_iter().filter_map(|key| subject.fields.get(key).map(|node| (key, node))).find_map(
        |(key, node)| {
            if matches!(key, "above" | "below") {
                is_number(node, threshold).then_some(node)
            } else {
                inside(node, threshold)
            }
        },
    )
}

fn inside(node: &YamlNode, threshold: f64) -> Option<&YamlNode> {
    match &node.value {
        Value::Scalar(_) => None,
        Value::Sequence(items) => items.iter().find_map(|item| inside(item, threshold)),
        Value::Mapping(entries) => entries.iter().find_map(|(key, value)| {
            let names = matches!(name_of(key), "above" | "below");
            if names && is_number(value, threshold) { Some(value) } else { inside(value, threshold) }
        }),
    }
}

fn is_number(node: &YamlNode, number: f64) -> bool {
    node.scalar().and_then(|scalar| scalar.text.parse::<f64>().ok()) == Some(number)
}

/// Levels whose higher one begins before its lower one, so that the lower is never shown.
fn levels_in_order(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let (RuleKind::Alerting(alerting), Some(node)) = (&subject.rule.kind, subject.fields.get("severities"))
    else {
        return;
    };
    for pair in alerting.policy.levels.windows(2) {
        let [lower, higher] = pair else { continue };
        let hidden = match (lower.condition, higher.condition) {
            (Condition::Above { threshold: lower, .. }, Condition::Above { threshold: higher, .. }) => {
                higher <= lower
            }
            (Condition::Below { threshold: lower, .. }, Condition::Below { threshold: higher, .. }) => {
                higher >= lower
            }
            _ => false,
        };
        let names = [lower, higher].map(|level| level.severity.map_or("", |severity| severity.name()));
        if hidden && higher.wait <= lower.wait {
            let [lower, higher] = names;
            let message = format!("`{lower}` is never shown: `{higher}` begins no later");
            findings
                .warning("hidden-level", &node.span, message)
                .advise(format!("Give `{higher}` the more extreme threshold."));
        }
    }
}
