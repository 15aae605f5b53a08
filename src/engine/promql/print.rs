//! Expressions as text, in Prometheus' style; what is printed parses to the same expression.

use std::fmt;

use super::ast::{
    Aggregate, At, Binary, BinaryOp, Cardinality, ComparisonMode, DurationExpr, DurationNode, Expr, Grouping,
    Node, RangeMode, Shift, Sign, VectorSelector,
};
use super::inspect::UNARY_PRECEDENCE;
use super::storage::{MatchCondition, Matcher};
use super::text::{Decimal, Quoted, Span};
use crate::engine::labels::METRIC_NAME;
use crate::engine::pattern::Pattern;

type Out<'a> = fmt::Formatter<'a>;

/// What binds tightest: anything that is no operation.
const OPERAND: u8 = 10;

impl fmt::Display for Expr {
    fn fmt(&self, out: &mut Out<'_>) -> fmt::Result {
        match &self.node {
            Node::Number(value) => write!(out, "{}", Decimal(*value)),
            Node::String(value) => write!(out, "{value}"),
            Node::Vector(selector) => {
                write_selector(selector, out)?;
                write_modifiers(selector, out)
            }
            Node::Matrix { selector, range } => {
                write_selector(selector, out)?;
                write!(out, "[{range}]")?;
                write_modifiers(selector, out)
            }
            Node::Subquery { expr, range, step, shift } => {
                operand(expr, OPERAND, out)?;
                write!(out, "[{range}:")?;
                if let Some(step) = step {
                    write!(out, "{step}")?;
                }
                out.write_str("]")?;
                write_shift(shift, out)
            }
            Node::Unary { sign, expr } => {
                out.write_str(sign.symbol())?;
                let signs = matches!(expr.node, Node::Unary { .. });
                operand(expr, if signs { 0 } else { UNARY_PRECEDENCE + 1 }, out)
            }
            Node::Binary(binary) => binary.fmt(out),
            Node::Aggregate(aggregate) => aggregate.fmt(out),
            Node::Call { function, args } => {
                write!(out, "{}(", function.name)?;
                for (at, arg) in args.iter().enumerate() {
                    write!(out, "{}{arg}", if at > 0 { ", " } else { "" })?;
                }
                out.write_str(")")
            }
            Node::Paren(inner) => write!(out, "({inner})"),
        }
    }
}

impl Sign {
    /// How it is written.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
        }
    }
}

/// Writes `expr` where only what binds at least as tightly as `tightness` needs no parentheses.
fn operand(expr: &Expr, tightness: u8, out: &mut Out<'_>) -> fmt::Result {
    let own = match &expr.node {
        Node::Binary(binary) => binary.op.precedence(),
        Node::Unary { .. } => UNARY_PRECEDENCE,
        Node::Number(value) if value.is_sign_negative() || *value == f64::INFINITY => UNARY_PRECEDENCE,
        Node::Number(_)
        | Node::String(_)
        | Node::Vector(_)
        | Node::Matrix { .. }
        | Node::Subquery { .. }
        | Node::Aggregate(_)
        | Node::Call { .. }
        | Node::Paren(_) => OPERAND,
    };
    if own < tightness { write!(out, "({expr})") } else { write!(out, "{expr}") }
}

impl fmt::Display for Binary {
    fn fmt(&self, out: &mut Out<'_>) -> fmt::Result {
        let tightness = self.op.precedence();
        let right_grouped = self.op == BinaryOp::Pow;
        operand(&self.left, tightness + u8::from(right_grouped), out)?;
        write!(out, " {}", self.op.symbol())?;
        if self.comparison == ComparisonMode::Bool {
            out.write_str(" bool")?;
        }
        self.matching(out)?;
        out.write_str(" ")?;
        // A sign at the right of an operator is no operation of its own.
        let signed = matches!(self.right.node, Node::Unary { .. } | Node::Number(_));
        operand(&self.right, if signed { 0 } else { tightness + u8::from(!right_grouped) }, out)
    }
}

impl Binary {
    fn matching(&self, out: &mut Out<'_>) -> fmt::Result {
        let matching = &self.matching;
        let one_to_one = matching.cardinality == Cardinality::OneToOne;
        match &matching.on {
            Grouping::Without(labels) if labels.is_empty() && one_to_one => {}
            Grouping::Without(labels) => write!(out, " ignoring ({})", Names(labels))?,
            Grouping::By(labels) => write!(out, " on ({})", Names(labels))?,
        }
        match matching.cardinality {
            Cardinality::OneToOne => {}
            Cardinality::ManyToOne => write!(out, " group_left ({})", Names(&matching.include))?,
            Cardinality::OneToMany => write!(out, " group_right ({})", Names(&matching.include))?,
        }
        match (matching.fill_left, matching.fill_right) {
            (Some(left), Some(right)) if left.to_bits() == right.to_bits() => {
                write!(out, " fill ({})", Decimal(left))
            }
            (left, right) => {
                if let Some(left) = left {
                    write!(out, " fill_left ({})", Decimal(left))?;
                }
                right.map_or(Ok(()), |right| write!(out, " fill_right ({})", Decimal(right)))
            }
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, out: &mut Out<'_>) -> fmt::Result {
        out.write_str(self.op.name())?;
        match &self.grouping {
            Grouping::By(labels) if labels.is_empty() => {}
            Grouping::By(labels) => write!(out, " by ({}) ", Names(labels))?,
            Grouping::Without(labels) => write!(out, " without ({}) ", Names(labels))?,
        }
        out.write_str("(")?;
        if let Some(param) = &self.param {
            write!(out, "{param}, ")?;
        }
        write!(out, "{})", self.expr)
    }
}

/// Label names, separated by commas.
struct Names<'a>(&'a [std::sync::Arc<str>]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, out: &mut Out<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            write!(out, "{}{}", if at > 0 { ", " } else { "" }, Name(name))?;
        }
        Ok(())
    }
}

/// A label name, in quotes where it needs them.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, out: &mut Out<'_>) -> fmt::Result {
        if is_plain(self.0) { out.write_str(self.0) } else { write!(out, "{}", Quoted(self.0)) }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a metric name may stand outside braces whatever comes before and after it.
fn stands_alone(name: &str) -> bool {
    const WORDS: [&str; 8] = ["atan2", "bool", "group_left", "group_right", "ignoring", "inf", "nan", "on"];
    !WORDS.iter().any(|word| word.eq_ignore_ascii_case(name))
        && !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

fn write_selector(selector: &VectorSelector, out: &mut Out<'_>) -> fmt::Result {
    let bare = selector.name.as_deref().filter(|name| stands_alone(name));
    let quoted = selector.name.as_deref().filter(|name| !stands_alone(name));
    // The name is one of the matchers, so the first one that says the same is left out.
    let implied = selector.name.as_deref().and_then(|name| {
        selector.matchers.iter().position(|matcher| {
            matcher.name.as_ref() == METRIC_NAME
                && matches!(&matcher.condition, MatchCondition::Equal(value) if value.as_ref() == name)
        })
    });
    out.write_str(bare.unwrap_or_default())?;
    let mut separator = "{";
    if let Some(name) = quoted {
        write!(out, "{{{}", Quoted(name))?;
        separator = ",";
    }
    for (at, matcher) in selector.matchers.iter().enumerate() {
        if Some(at) != implied {
            write!(out, "{separator}{matcher}")?;
            separator = ",";
        }
    }
    match separator {
        "," => out.write_str("}"),
        _ if bare.is_none() => out.write_str("{}"),
        _ => Ok(()),
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, out: &mut Out<'_>) -> fmt::Result {
        let any: String;
        let (operator, value) = match &self.condition {
            MatchCondition::OneOf(values) => {
                any = values.iter().map(|value| Pattern::quoted(value)).collect::<Vec<_>>().join("|");
                ("=~", any.as_str())
            }
            MatchCondition::Equal(value) => ("=", value.as_ref()),
            MatchCondition::NotEqual(value) => ("!=", value.as_ref()),
            MatchCondition::Match(regex) => ("=~", regex.text()),
            MatchCondition::NoMatch(regex) => ("!~", regex.text()),
        };
        write!(out, "{}{operator}{}", Name(&self.name), Quoted(value))
    }
}

fn write_modifiers(selector: &VectorSelector, out: &mut Out<'_>) -> fmt::Result {
    out.write_str(match selector.range_mode {
        RangeMode::Extrapolated => "",
        RangeMode::Anchored => " anchored",
        RangeMode::Smoothed => " smoothed",
    })?;
    write_shift(&selector.shift, out)
}

fn write_shift(shift: &Shift, out: &mut Out<'_>) -> fmt::Result {
    match shift.at {
        None => {}
        Some(At::Time(millis)) => {
            let sign = if millis < 0 { "-" } else { "" };
            let (seconds, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
            write!(out, " @ {sign}{seconds}.{rest:03}")?;
        }
        Some(At::Start) => out.write_str(" @ start()")?,
        Some(At::End) => out.write_str(" @ end()")?,
    }
    let Some(offset) = &shift.offset else { return Ok(()) };
    match &offset.node {
        DurationNode::Binary(..) => write!(out, " offset ({offset})"),
        DurationNode::Unary(sign, inner) if matches!(inner.node, DurationNode::Binary(..)) => {
            write!(out, " offset {}({inner})", sign.symbol())
        }
        DurationNode::Unary(_, inner) if matches!(inner.node, DurationNode::Unary(..)) => {
            write!(out, " offset ({offset})")
        }
        DurationNode::Seconds(_)
        | DurationNode::Step
        | DurationNode::Range
        | DurationNode::Unary(..)
        | DurationNode::Min(..)
        | DurationNode::Max(..) => write!(out, " offset {offset}"),
    }
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, out: &mut Out<'_>) -> fmt::Result {
        match &self.node {
            DurationNode::Seconds(seconds) => write!(out, "{}", Span(*seconds)),
            DurationNode::Step => out.write_str("step()"),
            DurationNode::Range => out.write_str("range()"),
            DurationNode::Unary(sign, inner) => {
                out.write_str(sign.symbol())?;
                let signs = matches!(inner.node, DurationNode::Unary(..));
                duration_operand(inner, if signs { 0 } else { UNARY_PRECEDENCE + 1 }, out)
            }
            DurationNode::Binary(op, left, right) => {
                let right_grouped = *op == BinaryOp::Pow;
                duration_operand(left, op.precedence() + u8::from(right_grouped), out)?;
                write!(out, " {} ", op.symbol())?;
                if matches!(right.node, DurationNode::Unary(..)) {
                    return duration_operand(right, 0, out);
                }
                duration_operand(right, op.precedence() + u8::from(!right_grouped), out)
            }
            DurationNode::Min(left, right) => write!(out, "min_of({left}, {right})"),
            DurationNode::Max(left, right) => write!(out, "max_of({left}, {right})"),
        }
    }
}

fn duration_operand(part: &DurationExpr, tightness: u8, out: &mut Out<'_>) -> fmt::Result {
    let own = match &part.node {
        DurationNode::Binary(op, ..) => op.precedence(),
        DurationNode::Unary(..) => UNARY_PRECEDENCE,
        // Less than a minute is as likely a plain factor; both mean the same.
        DurationNode::Seconds(seconds) if seconds.abs() < 60.0 => {
            return write!(out, "{}", Decimal(*seconds));
        }
        DurationNode::Seconds(_)
        | DurationNode::Step
        | DurationNode::Range
        | DurationNode::Min(..)
        | DurationNode::Max(..) => OPERAND,
    };
    if own < tightness { write!(out, "({part})") } else { write!(out, "{part}") }
}
