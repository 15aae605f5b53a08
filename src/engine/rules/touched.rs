//! What an edit touches: the groups that are others than before, and those that read what they record.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::set::{Group, Rule, RuleKind, RuleSet};
use crate::engine::metric::ALERT_SERIES;
use crate::engine::promql::storage::Matcher;

impl Rule {
    /// Whether it is written and evaluated as another, wherever it stands.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.id == other.id && self.essence == other.essence && self.written.text == other.written.text
    }
}

impl Group {
    /// Whether it has the same terms and rules as another, wherever it stands.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let terms = |group: &Self| (group.interval, group.evaluate, group.limit, group.query_offset);
        self.name == other.name
            && terms(self) == terms(other)
            && self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|(left, right)| left.is_same_as(right))
    }

    /// The names of the series that its rules write.
    fn written(&self) -> Vec<&str> {
        let names = self.rules.iter().map(|rule| match rule.kind {
            RuleKind::Recording => vec![rule.name.as_ref()],
            RuleKind::Alerting(_) => ALERT_SERIES.to_vec(),
        });
        names.flatten().collect()
    }

    fn reads(&self, names: &BTreeSet<String>) -> bool {
        let mut selectors = self.rules.iter().flat_map(|rule| &rule.selectors);
        selectors.any(|conditions| match conditions.iter().find_map(Matcher::metric_name) {
            Some(name) => names.contains(name),
            // By another condition on the name, or by none: it may.
            None => true,
        })
    }
}

impl RuleSet {
    /// The groups that an edit touches: others than before, or reading what those record. All of them where none does.
    pub(crate) fn touched_since(&self, before: &Self) -> Self {
        let is_new = |group: &Arc<Group>| !before.groups.iter().any(|old| old.is_same_as(group));
        let mut touched: Vec<bool> = self.groups.iter().map(is_new).collect();
        if !touched.contains(&true) {
            return self.clone();
        }
        let mut names: BTreeSet<String> = BTreeSet::new();
        loop {
            let known = names.len();
            let groups = || self.groups.iter().zip(&touched);
            let written = groups().filter(|(_, is)| **is).flat_map(|(group, _)| group.written());
            names.extend(written.map(str::to_owned));
            if names.len() == known {
                break;
            }
            for (group, is) in self.groups.iter().zip(&mut touched) {
                *is = *is || group.reads(&names);
            }
        }
        let groups = self.groups.iter().zip(touched).filter(|(_, is)| *is);
        Self { groups: groups.map(|(group, _)| Arc::clone(group)).collect() }
    }

    /// The groups that have the name of one of others.
    pub(crate) fn named_as(&self, others: &Self) -> Self {
        let is_named = |group: &&Arc<Group>| others.groups.iter().any(|other| other.name == group.name);
        Self { groups: self.groups.iter().filter(is_named).cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::rules::load::for_tests::rule_set;

    const RULES: &str = "groups:
  - {name: first, rules: [{record: 'a:sum', expr: sum(a)}]}
  - {name: second, rules: [{record: 'b:sum', expr: 'a:sum + 1'}]}
  - {name: third, rules: [{alert: B, expr: 'b:sum > 1'}]}
  - {name: fifth, rules: [{alert: M, expr: 'ALERTS{alertname=\"A\"} > 0'}]}
  - {name: fourth, rules: [{alert: A, expr: a > 1}, {alert: C, expr: c > 1}]}
";

    fn touched(from: &str, to: &str) -> Vec<String> {
        let edited = rule_set(&RULES.replace(from, to));
        let groups = edited.touched_since(&rule_set(RULES)).groups;
        groups.iter().map(|group| group.name.to_string()).collect()
    }

    #[test]
    fn an_edit_touches_its_group_and_whoever_reads_what_that_records() {
        let recorded = ["first", "second", "third", "fifth"];
        assert_eq!(touched("sum(a)", "max(a)"), recorded);
        assert_eq!(touched("'a:sum + 1'", "'a:sum + 2'"), recorded[1..]);
        // Alerts are series too.
        assert_eq!(touched("c > 1", "c > 2"), ["fifth", "fourth"]);
        assert_eq!(touched("name: third", "interval: 9s, name: third"), ["third", "fifth"]);
        assert_eq!(touched("name: third", "labels: {team: x}, name: third"), ["third", "fifth"]);
        assert_eq!(touched("ALERTS{", "ALERTS_FOR_STATE{"), ["fifth"]);
        assert_eq!(touched("name: third", "name: other"), ["other", "fifth"]);
        assert_eq!(
            touched("groups:", "# a remark\ngroups:"),
            ["first", "second", "third", "fifth", "fourth"]
        );
        let old = rule_set(RULES);
        let named: Vec<String> = old
            .named_as(&rule_set(&RULES.replace("third", "x")))
            .groups
            .iter()
            .map(|group| group.name.to_string())
            .collect();
        assert_eq!(named, ["first", "second", "fifth", "fourth"]);
    }
}
