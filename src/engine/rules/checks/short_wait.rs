//! A `for` shorter than the interval: nothing is looked at in between.

use super::Subject;
use crate::engine::duration::{format_duration, parse_duration};
use crate::engine::yaml::Findings;
use crate::engine::yaml::{Node, Value, name_of};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let mut nodes: Vec<&Node> = subject.fields.get("for").into_iter().collect();
    if let Some(levels) = subject.fields.get("severities") {
        for (_, level) in entries(levels) {
            nodes.extend(
                entries(level).iter().filter(|(key, _)| name_of(key) == "for").map(|(_, value)| value),
            );
        }
    }
    for node in nodes {
        let wait = node.scalar().and_then(|scalar| parse_duration(&scalar.text).ok()).unwrap_or_default();
        if !wait.is_zero() && wait < subject.interval {
            let interval = format_duration(subject.interval);
            findings
                .warning(
                    "short-for",
                    &node.span,
                    format!("`for` is shorter than the group's interval of {interval}"),
                )
                .advise(format!("It is looked at every {interval}: make it as long, or leave it out."));
        }
    }
}

fn entries(node: &Node) -> &[(Node, Node)] {
    match &node.value {
        Value::Mapping(entries) => entries,
        Value::Sequence(_) | Value::Scalar(_) => &[],
    }
}
