//! The syntax tree of an expression as `/parse_query` shows it.

use serde_json::{Map, Value, json};

use crate::engine::labels::METRIC_NAME;
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{
    Aggregate, At, Binary, Cardinality, ComparisonMode, DurationExpr, Grouping, Node, Shift, VectorSelector,
};
use crate::engine::promql::functions::{Function, ValueType, Variadic};
use crate::engine::promql::inspect::{seconds, value_type};
use crate::engine::promql::storage::{MatchCondition, Matcher};
use crate::shell::prometheus_json::float;

/// The tree of an expression.
pub(super) fn of(expr: &Expr) -> Value {
    match &expr.node {
        Node::Number(number) => json!({ "type": "numberLiteral", "val": float(*number) }),
        Node::String(text) => json!({ "type": "stringLiteral", "val": text.text().as_ref() }),
        Node::Vector(selector) => with_selector("vectorSelector", selector),
        Node::Matrix { selector, range } => {
            let mut node = with_selector("matrixSelector", selector);
            put(&mut node, "range", millis(range));
            node
        }
        Node::Subquery { expr, range, step, shift } => {
            let mut node = json!({ "type": "subquery", "expr": of(expr), "range": millis(range) });
            put(&mut node, "step", step.as_ref().map_or(json!(0), millis));
            put_shift(&mut node, shift);
            node
        }
        Node::Unary { sign, expr } => {
            json!({ "type": "unaryExpr", "op": sign.symbol(), "expr": of(expr) })
        }
        Node::Binary(binary) => operation(binary),
        Node::Aggregate(aggregate) => aggregation(aggregate),
        Node::Call { function, args } => {
            let args: Vec<Value> = args.iter().map(of).collect();
            json!({ "type": "call", "func": signature(function), "args": args })
        }
        Node::Paren(inner) => json!({ "type": "parenExpr", "expr": of(inner) }),
    }
}

fn with_selector(kind: &str, selector: &VectorSelector) -> Value {
    let name = selector.name.as_deref().unwrap_or("");
    let mut matchers: Vec<Value> = selector.matchers.iter().filter_map(matcher).collect();
    if !name.is_empty() && selector.matchers.first().is_some_and(|first| first.name.as_ref() == METRIC_NAME) {
        // A name outside the braces is the last condition there.
        matchers.rotate_left(1);
    }
    let mut node = json!({ "type": kind, "name": name, "matchers": matchers });
    put_shift(&mut node, &selector.shift);
    node
}

fn matcher(matcher: &Matcher) -> Option<Value> {
    let (kind, value) = match &matcher.condition {
        MatchCondition::Equal(value) => ("=", value.to_string()),
        MatchCondition::NotEqual(value) => ("!=", value.to_string()),
        MatchCondition::Match(pattern) => ("=~", pattern.text().to_owned()),
        MatchCondition::NoMatch(pattern) => ("!~", pattern.text().to_owned()),
        // No text says so.
        MatchCondition::OneOf(_) => return None,
    };
    Some(json!({ "type": kind, "name": matcher.name.as_ref(), "value": value }))
}

fn operation(binary: &Binary) -> Value {
    let both_are_vectors =
        [&binary.left, &binary.right].iter().all(|side| value_type(side) == ValueType::Vector);
    let matching = both_are_vectors.then(|| {
        let (labels, on) = match &binary.matching.on {
            Grouping::By(labels) => (labels, true),
            Grouping::Without(labels) => (labels, false),
        };
        let card = match binary.matching.cardinality {
            _ if binary.op.is_set() => "many-to-many",
            Cardinality::OneToOne => "one-to-one",
            Cardinality::ManyToOne => "many-to-one",
            Cardinality::OneToMany => "one-to-many",
        };
        json!({ "card": card, "labels": texts(labels), "on": on, "include": texts(&binary.matching.include) })
    });
    json!({
        "type": "binaryExpr",
        "op": binary.op.symbol(),
        "lhs": of(&binary.left),
        "rhs": of(&binary.right),
        "matching": matching,
        "bool": binary.comparison == ComparisonMode::Bool,
    })
}

fn aggregation(aggregate: &Aggregate) -> Value {
    let (labels, without) = match &aggregate.grouping {
        Grouping::By(labels) => (labels, false),
        // Nothing said is "by nothing" there.
        Grouping::Without(labels) => (labels, true),
    };
    json!({
        "type": "aggregation",
        "op": aggregate.op.name(),
        "expr": of(&aggregate.expr),
        "param": aggregate.param.as_ref().map(of),
        "grouping": texts(labels),
        "without": without,
    })
}

fn signature(function: &Function) -> Value {
    let args: Vec<&str> = function.args.iter().map(|argument| word(*argument)).collect();
    let variadic = match function.variadic {
        Variadic::No => 0,
        Variadic::UpTo(count) => i64::try_from(count).unwrap_or(i64::MAX),
        Variadic::Unlimited => -1,
    };
    json!({ "name": function.name, "argTypes": args, "variadic": variadic, "returnType": word(function.returns) })
}

/// The word for a type, which is not the one for people.
const fn word(value: ValueType) -> &'static str {
    match value {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    }
}

fn texts(labels: &[std::sync::Arc<str>]) -> Vec<&str> {
    labels.iter().map(AsRef::as_ref).collect()
}

/// A span in milliseconds; what depends on the query's step or range has none.
fn millis(span: &DurationExpr) -> Value {
    let seconds = seconds(span, f64::NAN, f64::NAN);
    if seconds.is_finite() { json!((seconds * 1e3).round() as i64) } else { Value::Null }
}

fn put_shift(node: &mut Value, shift: &Shift) {
    put(node, "offset", shift.offset.as_ref().map_or(json!(0), millis));
    let (timestamp, word) = match shift.at {
        Some(At::Time(millis)) => (json!(millis), Value::Null),
        Some(At::Start) => (Value::Null, json!("start")),
        Some(At::End) => (Value::Null, json!("end")),
        None => (Value::Null, Value::Null),
    };
    put(node, "timestamp", timestamp);
    put(node, "startOrEnd", word);
}

fn put(node: &mut Value, name: &str, value: Value) {
    if let Some(fields) = node.as_object_mut() {
        let fields: &mut Map<String, Value> = fields;
        fields.insert(name.to_owned(), value);
    }
}
