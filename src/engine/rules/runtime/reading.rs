//! Which rules of a group read what its recording rules write.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::labels::METRIC_NAME;
use crate::engine::promql::storage::Matcher;
use crate::engine::rules::set::{Group, Rule, RuleKind};

/// By the names of a group's recording rules, the places of the rules that may read series of that name, rising.
pub(super) fn followers(group: &Group) -> BTreeMap<Arc<str>, Vec<usize>> {
    let mut found: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
    let recording = group.rules.iter().filter(|rule| matches!(rule.kind, RuleKind::Recording));
    found.extend(recording.map(|rule| (rule.name.clone(), Vec::new())));
    if found.is_empty() {
        return found;
    }
    for (at, rule) in group.rules.iter().enumerate() {
        let spelled: Option<Vec<&str>> =
            rule.selectors.iter().map(|selector| spelled_name(selector)).collect();
        if let Some(names) = spelled {
            for name in names {
                if let Some(readers) = found.get_mut(name).filter(|readers| readers.last() != Some(&at)) {
                    readers.push(at);
                }
            }
        } else {
            let read = found.iter_mut().filter(|(name, _)| reads_name(rule, name));
            read.for_each(|(_, readers)| readers.push(at));
        }
    }
    found
}

fn spelled_name(selector: &[Matcher]) -> Option<&str> {
    selector.iter().find_map(Matcher::metric_name)
}

/// Whether any selector of the rule may match series of this name.
fn reads_name(rule: &Rule, name: &str) -> bool {
    let matches = |matcher: &Matcher| matcher.name.as_ref() != METRIC_NAME || matcher.condition.holds(name);
    rule.selectors.iter().any(|selector| selector.iter().all(matches))
}
