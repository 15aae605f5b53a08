//! What an organisation wants every alert to have: annotations and labels by name. Off by default.

use crate::engine::config::CheckConfig;
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::yaml::{Findings, Node, Value, name_of};

/// Every alert of a rule file that lacks something required. What cannot be read is told by the load.
pub(crate) fn missing_requirements(source: &Source, wanted: &CheckConfig) -> Vec<Diagnostic> {
    if wanted.annotations.is_empty() && wanted.labels.is_empty() {
        return Vec::new();
    }
    let root = Findings::new(source).document();
    let mut findings = Findings::new(source);
    let groups = root.iter().filter_map(|root| root.get("groups")).flat_map(Node::elements);
    for group in groups {
        let shared = names(group.get("labels"));
        for rule in group.get("rules").into_iter().flat_map(Node::elements) {
            let Some(alert) = rule.get("alert").filter(|alert| !alert.is_null()) else { continue };
            let annotations = names(rule.get("annotations"));
            let mut labels = names(rule.get("labels"));
            labels.extend(&shared);
            if rule.get("severities").is_some() {
                labels.push("severity");
            }
            for name in wanted.annotations.iter().filter(|name| !annotations.contains(&name.as_str())) {
                findings
                    .warning(
                        "required-annotation",
                        &alert.span,
                        format!("the alert has no annotation `{name}`"),
                    )
                    .advise("`check.annotations` of the configuration requires it.");
            }
            for name in wanted.labels.iter().filter(|name| !labels.contains(&name.as_str())) {
                findings
                    .warning("required-label", &alert.span, format!("the alert has no label `{name}`"))
                    .advise("`check.labels` of the configuration requires it.");
            }
        }
    }
    super::disable::apply_quietly(&mut findings);
    findings.list
}

/// The keys of a mapping whose values are not empty.
fn names(node: Option<&Node>) -> Vec<&str> {
    let Some(Value::Mapping(entries)) = node.map(|node| &node.value) else { return Vec::new() };
    let filled = entries.iter().filter(|(_, value)| {
        !value.is_null() && value.scalar().is_none_or(|scalar| !scalar.text.trim().is_empty())
    });
    filled.map(|(key, _)| name_of(key)).collect()
}
