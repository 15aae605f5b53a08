//! Which rules read what recording rules write.

use std::collections::{BTreeMap, BTreeSet};
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

/// What a rule reads by way of recording rules.
pub(super) struct Sources {
    /// The places of its group, and of it there.
    pub(super) place: (usize, usize),
    /// Its selectors, and theirs, and so on.
    pub(super) selectors: Vec<Vec<Matcher>>,
}

/// The sources of each alerting rule that reads what recording rules write.
pub(super) fn sources(groups: &[&Group]) -> Vec<Sources> {
    let rules = || groups.iter().flat_map(|group| group.rules.iter());
    let mut recording: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in rules().filter(|rule| matches!(rule.kind, RuleKind::Recording)) {
        recording.entry(rule.name.as_ref()).or_default().push(rule);
    }
    if recording.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        for (place, rule) in group.rules.iter().enumerate() {
            if matches!(rule.kind, RuleKind::Alerting(_)) {
                let selectors = with_sources(rule, &recording);
                if selectors.len() > rule.selectors.len() {
                    found.push(Sources { place: (at, place), selectors });
                }
            }
        }
    }
    found
}

/// The selectors of a rule, and of the recording rules whose names they spell out, each of these once.
fn with_sources(rule: &Rule, recording: &BTreeMap<&str, Vec<&Rule>>) -> Vec<Vec<Matcher>> {
    let mut all = rule.selectors.clone();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut next = 0;
    while let Some(selector) = all.get(next) {
        next += 1;
        let name = spelled_name(selector).filter(|name| recording.contains_key(name)).map(str::to_owned);
        if let Some(name) = name.filter(|name| seen.insert(name.clone())) {
            let recorded = recording.get(name.as_str()).into_iter().flatten();
            all.extend(recorded.flat_map(|rule| rule.selectors.iter().cloned()));
        }
    }
    all
}

fn spelled_name(selector: &[Matcher]) -> Option<&str> {
    selector.iter().find_map(Matcher::metric_name)
}

/// Whether any selector of the rule may match series of this name.
fn reads_name(rule: &Rule, name: &str) -> bool {
    let matches = |matcher: &Matcher| matcher.name.as_ref() != METRIC_NAME || matcher.condition.holds(name);
    rule.selectors.iter().any(|selector| selector.iter().all(matches))
}
