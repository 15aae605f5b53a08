//! Questions about an expression: its type, its selectors, how far back it looks, whether it is a comparison.

use std::ops::Range;
use std::time::Duration;

use super::ast::{
    AggregateOp, Binary, BinaryOp, ComparisonMode, DurationExpr, DurationNode, Expr, Node, RangeMode, Shift,
    Sign, VectorSelector,
};
use super::functions::ValueType;
use super::storage::Matcher;

/// The type of what an expression yields.
pub(crate) fn value_type(expr: &Expr) -> ValueType {
    match &expr.node {
        Node::Number(_) => ValueType::Scalar,
        Node::String(_) => ValueType::String,
        Node::Vector(_) | Node::Aggregate(_) => ValueType::Vector,
        Node::Matrix { .. } | Node::Subquery { .. } => ValueType::Matrix,
        Node::Unary { expr, .. } | Node::Paren(expr) => value_type(expr),
        Node::Binary(binary) => {
            let scalars = [&binary.left, &binary.right].map(value_type) == [ValueType::Scalar; 2];
            if scalars { ValueType::Scalar } else { ValueType::Vector }
        }
        Node::Call { function, .. } => function.returns,
    }
}

/// Calls `visit` with `expr` and every expression inside it, in reading order, the outer before the inner.
pub(crate) fn walk<'a>(expr: &'a Expr, visit: &mut impl FnMut(&'a Expr)) {
    visit(expr);
    match &expr.node {
        Node::Number(_) | Node::String(_) | Node::Vector(_) | Node::Matrix { .. } => {}
        Node::Subquery { expr, .. } | Node::Unary { expr, .. } | Node::Paren(expr) => walk(expr, visit),
        Node::Binary(binary) => {
            walk(&binary.left, visit);
            walk(&binary.right, visit);
        }
        Node::Aggregate(aggregate) => {
            if let Some(param) = &aggregate.param {
                walk(param, visit);
            }
            walk(&aggregate.expr, visit);
        }
        Node::Call { args, .. } => {
            for arg in args {
                walk(arg, visit);
            }
        }
    }
}

/// A selector in an expression.
#[derive(Clone, Debug)]
pub(crate) struct Selector<'a> {
    /// The bytes in the query text, range and modifiers included.
    pub(crate) span: Range<usize>,
    /// The selector.
    pub(crate) vector: &'a VectorSelector,
    /// Its range, where it has one.
    pub(crate) range: Option<&'a DurationExpr>,
}

/// Every selector of an expression, in reading order.
pub(crate) fn selectors(expr: &Expr) -> Vec<Selector<'_>> {
    let mut found = Vec::new();
    walk(expr, &mut |part| {
        let span = part.span.clone();
        if let Node::Vector(vector) = &part.node {
            found.push(Selector { span, vector, range: None });
        } else if let Node::Matrix { selector: vector, range } = &part.node {
            found.push(Selector { span, vector, range: Some(range) });
        }
    });
    found
}

/// The one metric name a selector asks for, whether it stands outside its braces or in a matcher.
pub(crate) fn literal_name(selector: &VectorSelector) -> Option<&str> {
    selector.name.as_deref().or_else(|| selector.matchers.iter().find_map(Matcher::metric_name))
}

/// How long before the instant of evaluation the oldest sample that can count may lie.
///
/// `lookback` is how far an instant selector looks back. An `@` with a fixed time is not counted, and `step()` and
/// `range()` count as nothing, as in an instant query.
pub(crate) fn reach(expr: &Expr, lookback: Duration) -> Duration {
    let seconds = reach_seconds(expr, lookback.as_secs_f64());
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

fn reach_seconds(expr: &Expr, lookback: f64) -> f64 {
    let inside = |expr| reach_seconds(expr, lookback);
    let offset = |shift: &Shift| shift.offset.as_ref().map_or(0.0, |offset| seconds(offset, 0.0, 0.0));
    match &expr.node {
        Node::Number(_) | Node::String(_) => 0.0,
        Node::Vector(selector) => lookback + offset(&selector.shift),
        Node::Matrix { selector, range } => {
            let before = match selector.range_mode {
                RangeMode::Extrapolated => 0.0,
                RangeMode::Anchored | RangeMode::Smoothed => lookback,
            };
            seconds(range, 0.0, 0.0) + before + offset(&selector.shift)
        }
        Node::Subquery { expr, range, shift, .. } => inside(expr) + seconds(range, 0.0, 0.0) + offset(shift),
        Node::Unary { expr, .. } | Node::Paren(expr) => inside(expr),
        Node::Binary(binary) => inside(&binary.left).max(inside(&binary.right)),
        Node::Aggregate(aggregate) => {
            aggregate.param.as_ref().map_or(0.0, inside).max(inside(&aggregate.expr))
        }
        Node::Call { args, .. } => args.iter().map(inside).fold(0.0, f64::max),
    }
}

/// The seconds a duration comes to in a query with this step and range, both in seconds.
pub(crate) fn seconds(duration: &DurationExpr, step: f64, range: f64) -> f64 {
    let inside = |part: &DurationExpr| seconds(part, step, range);
    match &duration.node {
        DurationNode::Seconds(seconds) => *seconds,
        DurationNode::Step => step,
        DurationNode::Range => range,
        DurationNode::Unary(Sign::Plus, part) => inside(part),
        DurationNode::Unary(Sign::Minus, part) => -inside(part),
        DurationNode::Min(left, right) => inside(left).min(inside(right)),
        DurationNode::Max(left, right) => inside(left).max(inside(right)),
        DurationNode::Binary(op, left, right) => {
            // The parser makes only arithmetic of a duration.
            op.arithmetic(inside(left), inside(right)).unwrap_or(f64::NAN)
        }
    }
}

/// Whether a duration is the same in every query.
pub(super) fn is_constant(duration: &DurationExpr) -> bool {
    match &duration.node {
        DurationNode::Seconds(_) => true,
        DurationNode::Step | DurationNode::Range => false,
        DurationNode::Unary(_, part) => is_constant(part),
        DurationNode::Binary(_, left, right)
        | DurationNode::Min(left, right)
        | DurationNode::Max(left, right) => is_constant(left) && is_constant(right),
    }
}

/// The expression inside any parentheses.
pub(crate) fn unwrapped(expr: &Expr) -> &Expr {
    if let Node::Paren(inner) = &expr.node { unwrapped(inner) } else { expr }
}

/// The comparison an expression is at its top, where it filters (no `bool`) and is one.
pub(crate) fn comparison(expr: &Expr) -> Option<&Binary> {
    let Node::Binary(binary) = &unwrapped(expr).node else { return None };
    (binary.op.is_comparison() && binary.comparison == ComparisonMode::Filter).then_some(binary)
}

/// The value of an expression that is a number, signs and parentheses included.
pub fn number(expr: &Expr) -> Option<f64> {
    match &expr.node {
        Node::Number(value) => Some(*value),
        Node::Paren(inner) => number(inner),
        Node::Unary { sign: Sign::Minus, expr } => number(expr).map(|value| -value),
        Node::Unary { sign: Sign::Plus, expr } => number(expr),
        Node::String(_)
        | Node::Vector(_)
        | Node::Matrix { .. }
        | Node::Subquery { .. }
        | Node::Binary(_)
        | Node::Aggregate(_)
        | Node::Call { .. } => None,
    }
}

impl BinaryOp {
    /// How PromQL writes it.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::GreaterOrEqual => ">=",
            Self::LessOrEqual => "<=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
        }
    }

    /// What it makes of two numbers, where it calculates.
    pub(super) fn arithmetic(self, left: f64, right: f64) -> Option<f64> {
        Some(match self {
            Self::Add => left + right,
            Self::Sub => left - right,
            Self::Mul => left * right,
            Self::Div => left / right,
            Self::Mod => left % right,
            Self::Pow => left.powf(right),
            Self::Atan2 => left.atan2(right),
            Self::Equal
            | Self::NotEqual
            | Self::Greater
            | Self::Less
            | Self::GreaterOrEqual
            | Self::LessOrEqual
            | Self::And
            | Self::Or
            | Self::Unless
            | Self::TrimUpper
            | Self::TrimLower => return None,
        })
    }

    /// Whether it is `and`, `or` or `unless`.
    pub(crate) const fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// How tightly it binds; more is tighter.
    pub(super) const fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Greater
            | Self::Less
            | Self::GreaterOrEqual
            | Self::LessOrEqual
            | Self::TrimUpper
            | Self::TrimLower => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod | Self::Atan2 => UNARY_PRECEDENCE,
            Self::Pow => 6,
        }
    }
}

/// A sign binds as tightly as a multiplication.
pub(super) const UNARY_PRECEDENCE: u8 = 5;

impl AggregateOp {
    /// Every operator.
    pub(crate) const ALL: [Self; 14] = [
        Self::Sum,
        Self::Avg,
        Self::Min,
        Self::Max,
        Self::Count,
        Self::Group,
        Self::Stddev,
        Self::Stdvar,
        Self::Topk,
        Self::Bottomk,
        Self::CountValues,
        Self::Quantile,
        Self::Limitk,
        Self::LimitRatio,
    ];

    /// How PromQL writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }

    /// The type of its parameter, where it takes one.
    pub(crate) const fn param(self) -> Option<ValueType> {
        match self {
            Self::Topk | Self::Bottomk | Self::Quantile | Self::Limitk | Self::LimitRatio => {
                Some(ValueType::Scalar)
            }
            Self::CountValues => Some(ValueType::String),
            Self::Sum
            | Self::Avg
            | Self::Min
            | Self::Max
            | Self::Count
            | Self::Group
            | Self::Stddev
            | Self::Stdvar => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn selectors_come_in_reading_order() {
        let expr = parse("topk(scalar(a), b) / on (x) rate(c[5m] offset 1m) > {__name__='d'}").unwrap();
        let names: Vec<_> = selectors(&expr).iter().map(|found| literal_name(found.vector)).collect();
        assert_eq!(names, [Some("a"), Some("b"), Some("c"), Some("d")]);
    }

    #[test]
    fn the_reach_adds_up_ranges_offsets_and_subqueries() {
        for (text, seconds) in [
            ("a", 300),
            ("a offset 1m", 360),
            ("rate(a[10m] offset 1m)", 660),
            ("rate(a[10m] anchored)", 900),
            ("max_over_time(rate(a[5m])[1h:1m] offset 10m)", 4500),
            ("1 + 2", 0),
            ("a[1m * 20]", 1200),
        ] {
            let found = reach(&parse(text).unwrap(), Duration::from_mins(5));
            assert_eq!(found, Duration::from_secs(seconds), "{text}");
        }
    }

    #[test]
    fn a_comparison_at_the_top_is_found_through_parentheses() {
        let expr = parse("(sum(a) > -(5))").unwrap();
        let found = comparison(&expr).unwrap();
        assert_eq!((found.op, number(&found.right)), (BinaryOp::Greater, Some(-5.0)));
        for other in ["a", "a > bool 5", "a > 5 and b", "a + 5"] {
            assert!(comparison(&parse(other).unwrap()).is_none(), "{other}");
        }
    }
}
