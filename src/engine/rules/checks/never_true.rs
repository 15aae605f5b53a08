//! A condition that no value meets, or every value does: two numbers, NaN, bounds that exclude each other, `absent` and
//! `vector` against another number than theirs.

use std::ops::Range;

use super::Subject;
use super::bound::bound;
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{Binary, BinaryOp, ComparisonMode, Grouping, Node};
use crate::engine::promql::comparison::Comparison;
use crate::engine::promql::inspect::{number, unwrapped, walk};
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let mut found: Vec<(Range<usize>, Finding)> = Vec::new();
    walk(&subject.rule.expr, &mut |part| {
        let Node::Binary(binary) = &part.node else { return };
        if binary.comparison == ComparisonMode::Filter
            && let Some(finding) = constant(binary)
        {
            found.push((part.span.clone(), finding));
        }
        if binary.op == BinaryOp::And && excludes(binary) {
            found.push((binary.op_span.clone(), Finding::Excluded));
        }
    });
    for (span, finding) in found {
        let place = subject.written.place(&span);
        match finding {
            Finding::Never => findings
                .warning("never-true", &place, "this comparison never holds")
                .advise("Compare with what the value can be."),
            Finding::Always => findings
                .warning("always-true", &place, "this comparison always holds")
                .advise("Take it away, or compare what changes."),
            Finding::Excluded => findings
                .warning("never-true", &place, "no value is on both sides of `and`")
                .advise("Turn one comparison round, or take `or`."),
        }
    }
}

enum Finding {
    Never,
    Always,
    Excluded,
}

/// What a comparison comes to whatever the data is.
fn constant(binary: &Binary) -> Option<Finding> {
    let sides = [&binary.left, &binary.right];
    let comparison = binary.op.comparison()?;
    if sides.iter().any(|side| number(side).is_some_and(f64::is_nan)) {
        return Some(if comparison == Comparison::NotEqual { Finding::Always } else { Finding::Never });
    }
    if !comparison.holds(fixed(&binary.left)?, fixed(&binary.right)?) {
        return Some(Finding::Never);
    }
    // `absent(…) == 1` is how some write it.
    let is_absence = |side: &&Expr| matches!(&unwrapped(side).node, Node::Call { function, .. } if function.name.starts_with("absent"));
    (!sides.iter().any(is_absence)).then_some(Finding::Always)
}

/// The one value an expression can have, where it has any.
fn fixed(expr: &Expr) -> Option<f64> {
    if let Node::Call { function, args } = &unwrapped(expr).node {
        return match (function.name, args.as_slice()) {
            ("absent" | "absent_over_time", _) => Some(1.0),
            ("vector", [arg]) => number(arg),
            _ => None,
        };
    }
    number(expr)
}

/// Whether both sides of an `and` bound the same value so that none is inside both.
fn excludes(binary: &Binary) -> bool {
    // With `on` the sides may be different series.
    let is_plain = matches!(&binary.matching.on, Grouping::Without(ignored) if ignored.is_empty());
    let (true, Some(left), Some(right)) = (is_plain, bound(&binary.left), bound(&binary.right)) else {
        return false;
    };
    let (low, high) = (left.low.max(right.low), left.high.min(right.high));
    left.value == right.value && (low > high || low == high && (left.is_open || right.is_open))
}
