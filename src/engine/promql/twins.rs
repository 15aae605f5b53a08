//! Sub-expressions that stand in an expression more than once, so that they are evaluated once an instant.

use std::collections::BTreeMap;

use super::ast::{Expr, Node};
use super::inspect::walk;

/// Gives the sub-expressions that stand in `expr` more than once their [`Expr::twin`]. Their messages are told once.
pub fn number_twins(expr: &mut Expr) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    walk(expr, &mut |part| {
        if is_worth_keeping(part) {
            *counts.entry(part.to_string()).or_default() += 1;
        }
    });
    counts.retain(|_, count| *count > 1);
    if !counts.is_empty() {
        let twins: BTreeMap<String, u16> = counts.into_keys().zip(0..).collect();
        number(expr, &twins);
    }
}

/// Whether evaluating it costs more than a look at what it was.
fn is_worth_keeping(expr: &Expr) -> bool {
    match &expr.node {
        Node::Vector(_) | Node::Unary { .. } | Node::Binary(_) | Node::Aggregate(_) | Node::Call { .. } => {
            true
        }
        // What stands in parentheses is known itself, and ranges are no values.
        Node::Number(_) | Node::String(_) | Node::Matrix { .. } | Node::Subquery { .. } | Node::Paren(_) => {
            false
        }
    }
}

fn number(expr: &mut Expr, twins: &BTreeMap<String, u16>) {
    if is_worth_keeping(expr) {
        expr.twin = twins.get(&expr.to_string()).copied();
    }
    match &mut expr.node {
        Node::Number(_) | Node::String(_) | Node::Vector(_) | Node::Matrix { .. } => {}
        Node::Subquery { expr, .. } | Node::Unary { expr, .. } | Node::Paren(expr) => number(expr, twins),
        Node::Binary(binary) => {
            number(&mut binary.left, twins);
            number(&mut binary.right, twins);
        }
        Node::Aggregate(aggregate) => {
            if let Some(param) = &mut aggregate.param {
                number(param, twins);
            }
            number(&mut aggregate.expr, twins);
        }
        Node::Call { args, .. } => args.iter_mut().for_each(|arg| number(arg, twins)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::promql::parse;

    #[test]
    fn what_stands_twice_has_one_number_and_all_else_has_none() {
        let mut expr = parse("sum(rate(a[5m])) / (sum(rate(a[5m])) + sum(rate(b[5m])))").unwrap();
        number_twins(&mut expr);
        let mut twins = Vec::new();
        walk(&expr, &mut |part| twins.extend(part.twin.map(|twin| (twin, part.to_string()))));
        let expected =
            [(1, "sum(rate(a[5m]))"), (0, "rate(a[5m])"), (1, "sum(rate(a[5m]))"), (0, "rate(a[5m])")];
        assert_eq!(twins, expected.map(|(twin, text)| (twin, text.to_owned())));
    }
}
