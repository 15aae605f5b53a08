//! A rule that reads more series than it may: each evaluation walks all of them.

use super::disable;
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::promql::storage::Matcher;
use crate::engine::rules::set::RuleSet;
use crate::engine::yaml::{Findings, Node};

/// The rules of a file that loaded which read more than `most` series; `count` says how many meet all conditions.
pub(crate) fn costly_rules(
    source: &Source,
    set: &RuleSet,
    most: usize,
    count: &mut dyn FnMut(&[Matcher]) -> usize,
) -> Vec<Diagnostic> {
    let root = Findings::new(source).document();
    let mut findings = Findings::new(source);
    let there = |node: &&Node| !node.is_null();
    let written = root.iter().filter_map(|root| root.get("groups")).flat_map(Node::elements).filter(there);
    let groups = set.groups.iter().filter(|group| group.file == source.name);
    for (node, group) in written.zip(groups) {
        let rules = node.get("rules").map_or(&[][..], Node::elements).iter().filter(there);
        for (node, rule) in rules.zip(&group.rules) {
            let read: usize = rule.selectors.iter().map(|conditions| count(conditions)).sum();
            let Some(name) = node.get("alert").or_else(|| node.get("record")).filter(|_| read > most) else {
                continue;
            };
            findings
                .warning(
                    "costly-rule",
                    &name.span,
                    format!("an evaluation reads {read} series, {most} are allowed"),
                )
                .advise("Select fewer with labels, or record the sum once and read that.");
        }
    }
    disable::apply_quietly(&mut findings);
    findings.list
}
