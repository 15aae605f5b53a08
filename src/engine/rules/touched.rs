//! What an edit touches: the rules that are others than before, and those that read what they write.

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

    /// The names of the series that it writes.
    fn written_names(&self) -> Vec<&str> {
        match self.kind {
            RuleKind::Recording => vec![self.name.as_ref()],
            RuleKind::Alerting(_) => ALERT_SERIES.to_vec(),
        }
    }

    fn reads(&self, names: &BTreeSet<String>) -> bool {
        self.selectors.iter().any(|conditions| match conditions.iter().find_map(Matcher::metric_name) {
            Some(name) => names.contains(name),
            // By another condition on the name, or by none: it may.
            None => true,
        })
    }
}

impl Group {
    /// Whether it is evaluated on the same terms as another.
    fn has_terms_of(&self, other: &Self) -> bool {
        let terms = |group: &Self| (group.interval, group.evaluate, group.limit, group.query_offset);
        self.name == other.name && terms(self) == terms(other)
    }

    /// Whether it has the same terms and rules as another, wherever it stands.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.has_terms_of(other)
            && self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|(left, right)| left.is_same_as(right))
    }

    /// Which of its rules are others than before: all of them where the group itself is.
    fn changed_since(&self, before: &RuleSet) -> Vec<bool> {
        let old = before.groups.iter().find(|old| self.has_terms_of(old));
        if old.is_some_and(|old| self.is_same_as(old)) {
            return vec![false; self.rules.len()];
        }
        let is_known =
            |rule: &Rule| old.is_some_and(|old| old.rules.iter().any(|other| other.is_same_as(rule)));
        let changed: Vec<bool> = self.rules.iter().map(|rule| !is_known(rule)).collect();
        // Where one is gone, or stands elsewhere, the others may read another past.
        if changed.contains(&true) { changed } else { vec![true; self.rules.len()] }
    }

    fn with(&self, rules: Vec<Arc<Rule>>) -> Option<Arc<Self>> {
        (!rules.is_empty()).then(|| Arc::new(Self { rules, ..self.clone() }))
    }
}

impl RuleSet {
    /// The rules that an edit touches: others than before, or reading what those write. All of them where none does.
    pub(crate) fn touched_since(&self, before: &Self) -> Self {
        let mut touched: Vec<Vec<bool>> =
            self.groups.iter().map(|group| group.changed_since(before)).collect();
        if !touched.iter().flatten().any(|is| *is) {
            return self.clone();
        }
        let mut names: BTreeSet<String> = BTreeSet::new();
        loop {
            let known = names.len();
            let marked =
                self.groups.iter().zip(&touched).flat_map(|(group, marks)| group.rules.iter().zip(marks));
            let written = marked.filter(|(_, is)| **is).flat_map(|(rule, _)| rule.written_names());
            names.extend(written.map(str::to_owned));
            if names.len() == known {
                break;
            }
            for (group, marks) in self.groups.iter().zip(&mut touched) {
                for (rule, is) in group.rules.iter().zip(marks) {
                    *is = *is || rule.reads(&names);
                }
            }
        }
        let groups = self.groups.iter().zip(touched).filter_map(|(group, marks)| {
            let rules = group.rules.iter().zip(marks).filter(|(_, is)| *is);
            group.with(rules.map(|(rule, _)| Arc::clone(rule)).collect())
        });
        Self { groups: groups.collect() }
    }

    /// The rules that have the id of one of others, in groups of the same names.
    pub(crate) fn named_as(&self, others: &Self) -> Self {
        let groups = self.groups.iter().filter_map(|group| {
            let same = others.groups.iter().filter(|other| other.name == group.name);
            let ids: BTreeSet<&str> =
                same.flat_map(|other| &other.rules).map(|rule| rule.id.as_ref()).collect();
            let rules = group.rules.iter().filter(|rule| ids.contains(rule.id.as_ref()));
            group.with(rules.cloned().collect())
        });
        Self { groups: groups.collect() }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::rules::RuleSet;
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
        names(&edited.touched_since(&rule_set(RULES)))
    }

    fn names(set: &RuleSet) -> Vec<String> {
        let rules = set.groups.iter().flat_map(|group| group.rules.iter().map(move |rule| (group, rule)));
        rules.map(|(group, rule)| format!("{} {}", group.name, rule.name)).collect()
    }

    #[test]
    fn an_edit_touches_its_rule_and_whoever_reads_what_that_writes() {
        let recorded = ["first a:sum", "second b:sum", "third B", "fifth M"];
        assert_eq!(touched("sum(a)", "max(a)"), recorded);
        assert_eq!(touched("'a:sum + 1'", "'a:sum + 2'"), recorded[1..]);
        // Alerts are series too.
        assert_eq!(touched("c > 1", "c > 2"), ["fifth M", "fourth C"]);
        assert_eq!(touched("name: third", "interval: 9s, name: third"), ["third B", "fifth M"]);
        assert_eq!(touched("name: third", "labels: {team: x}, name: third"), ["third B", "fifth M"]);
        assert_eq!(touched("ALERTS{", "ALERTS_FOR_STATE{"), ["fifth M"]);
        assert_eq!(touched("name: third", "name: other"), ["other B", "fifth M"]);
        // One that is gone, and two in another order.
        assert_eq!(touched(", {alert: C, expr: c > 1}", ""), ["fifth M", "fourth A"]);
        let (one, other) = ("{alert: A, expr: a > 1}", "{alert: C, expr: c > 1}");
        assert_eq!(
            touched(&format!("{one}, {other}"), &format!("{other}, {one}")),
            ["fifth M", "fourth C", "fourth A"]
        );
        let all = [&recorded[..], &["fourth A", "fourth C"]].concat();
        assert_eq!(touched("groups:", "# a remark\ngroups:"), all);
        let old = rule_set(RULES);
        let edited = rule_set(&RULES.replace("third", "x").replace("alert: C", "alert: D"));
        assert_eq!(names(&old.named_as(&edited)), ["first a:sum", "second b:sum", "fifth M", "fourth A"]);
    }
}
