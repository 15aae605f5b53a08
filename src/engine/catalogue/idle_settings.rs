//! Settings of the configuration that do nothing, as far as the catalogue tells: events may bring metrics that nobody
//! knows of here.

use super::known_metrics::{KnownMetrics, known_metrics};
use super::rows::CATALOGUE;
use crate::engine::config::{Config, metric_glob_matches};
use crate::engine::diagnostic::{Diagnostic, Source, closest};
use crate::engine::metric::MetricType;
use crate::engine::yaml::{Findings, Node};

/// Every setting in a good configuration that does nothing, as a warning.
pub(crate) fn idle_settings(source: &Source, config: &Config) -> Vec<Diagnostic> {
    let mut reading = Findings::new(source);
    let Some(root) = reading.document() else { return Vec::new() };
    let of_subject = config.subjects.tokens.iter().filter_map(|token| token.label.clone()).collect();
    let (known, names, findings) = (known_metrics(config), names(config), Findings::new(source));
    let mut lint = Lint { known, names, of_subject, findings };
    for element in root.get("metrics").map_or(&[][..], Node::elements) {
        if let Some(pattern) = element.get("match") {
            lint.metric(element, pattern);
        }
    }
    for (pattern, _) in root.get("stale_after").map_or(&[][..], Node::entries) {
        lint.slip(pattern);
    }
    lint.findings.list
}

/// The names of the catalogue as they are exposed, with those that events and people may write.
fn names(config: &Config) -> Vec<String> {
    let exposed = CATALOGUE.iter().map(|row| super::families::exposed(row, config));
    let mut names = Vec::new();
    for metric in exposed {
        let family = metric.row.namespaced(metric.row.family(), &config.namespace);
        names.extend([metric.name, family, metric.row.family().to_owned(), metric.row.name.to_owned()]);
    }
    names.sort();
    names.dedup();
    names
}

struct Lint<'a> {
    known: KnownMetrics,
    names: Vec<String>,
    /// Labels that tokens of subjects become.
    of_subject: Vec<String>,
    findings: Findings<'a>,
}

impl Lint<'_> {
    fn metric(&mut self, element: &Node, pattern: &Node) {
        // What a type declares is known by that.
        if element.get("type").is_none() {
            self.slip(pattern);
        }
        let name = pattern.text().unwrap_or_default();
        if let Some(dropped) = element.get("drop_labels") {
            let labels = if dropped.elements().is_empty() {
                std::slice::from_ref(dropped)
            } else {
                dropped.elements()
            };
            for label in labels {
                self.dropped(name, label);
            }
        }
        let metric_type = self.known.meant(name).map(|meant| meant.metric_type);
        if let (Some(metric_type), Some(declared)) = (metric_type, element.get("type"))
            && self.names.iter().any(|known| known == name)
            && declared.text().is_some_and(|declared| declared != metric_type.name())
        {
            let message = format!("`{name}` is a {} whatever is declared", metric_type.name());
            self.findings
                .warning("idle-setting", &declared.span, message)
                .advise("It is in docs/metrics.md: take `type` away.");
        }
        if let (Some(metric_type @ (MetricType::Counter | MetricType::Gauge)), Some(buckets)) =
            (metric_type, element.get("buckets"))
            && !name.contains(['*', '?'])
        {
            let message = format!("`{name}` is a {} and has no buckets", metric_type.name());
            self.findings.warning("idle-setting", &buckets.span, message).advise("Take them away.");
        }
    }

    /// A pattern that matches nothing of the catalogue and looks like a slip of one of its names.
    fn slip(&mut self, pattern: &Node) {
        let text = pattern.text().unwrap_or_default();
        let is_known = self.names.iter().any(|name| metric_glob_matches(text, name));
        if is_known || self.known.meant(text).is_some() {
            return;
        }
        let near = match text.split_once('*') {
            None => self.known.slip_of(text),
            Some((begin, rest)) => self.near_begin(begin).map(|near| format!("{near}*{rest}")),
        };
        if let Some(near) = near {
            self.findings
                .warning("unknown-metric", &pattern.span, format!("no known metric matches `{text}`"))
                .advise(format!("Did you mean `{near}`?"));
        }
    }

    /// The beginning of a known name that a glob's was likely meant for: as many words, all of them near.
    fn near_begin(&self, begin: &str) -> Option<String> {
        let words: Vec<&str> = begin.split('_').collect();
        let (last, whole) = words.split_last()?;
        let fits = |name: &&String| {
            let mut known = name.split('_');
            let are_near = whole.iter().all(|word| {
                known.next().is_some_and(|known| known == *word || closest(word, [known]).is_some())
            });
            are_near && known.next().is_some_and(|known| known.starts_with(last))
        };
        if whole.is_empty() {
            return None;
        }
        let name = self.names.iter().find(fits)?;
        let kept: Vec<&str> = name.split('_').take(whole.len()).chain([*last]).collect();
        Some(kept.join("_"))
    }

    /// A label to be dropped that the metric of this very name does not have.
    fn dropped(&mut self, metric: &str, label: &Node) {
        let written = label.text().unwrap_or_default();
        let bare = self.known.without_namespace(metric).unwrap_or(metric);
        let is_of = |family: &str, name: &str| [bare, metric].iter().any(|it| *it == family || *it == name);
        let row = CATALOGUE.iter().find(|row| is_of(row.family(), row.name));
        let Some(row) = row
            .filter(|row| !row.labels.contains(&written) && !self.of_subject.iter().any(|it| it == written))
        else {
            return;
        };
        let advice = match (closest(written, row.labels.iter().copied()), row.labels) {
            (Some(near), _) => format!("Did you mean `{near}`?"),
            (None, []) => "It has none.".to_owned(),
            (None, labels) => format!("Its labels are {}.", labels.join(", ")),
        };
        self.findings
            .warning("missing-label", &label.span, format!("`{metric}` has no label `{written}`"))
            .advise(advice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_do_nothing_are_told_from_those_of_metrics_that_events_bring() {
        let found = |text: &str| -> Vec<String> {
            let source = Source { name: "c.yaml".into(), text: text.into() };
            let config = Config::parse(&source).0.unwrap();
            let told = |found: &Diagnostic| {
                let advice = found.advice.as_deref().unwrap_or_default();
                format!("{}: {} {advice}", found.code, found.message)
            };
            idle_settings(&source, &config).iter().map(told).collect()
        };
        let right = "
metrics:
  - {match: db_query_duration_seconds, buckets: [1]}
  - {match: queue_jobs_queued, drop_labels: [priority]}
  - {match: 'db_*', buckets: [1], drop_labels: [user]}
  - {match: '*', drop_labels: user_id}
  - {match: 'cart_*', drop_labels: [session]}
  - {match: shop.orders, help: Orders.}
  - {match: queue_dept, type: gauge}
stale_after: {'queue_*': 10m, cart_size: 5m, '*': 1h}
";
        assert_eq!(found(right), Vec::<String>::new());
        let idle = "
metrics:
  - {match: queue_dept, help: Jobs.}
  - {match: 'db_qery_*', buckets: [1]}
  - {match: queue_depth, buckets: [1], drop_labels: [priorty, colour]}
stale_after: {queue_dept: 10m}
";
        assert_eq!(
            found(idle),
            [
                "unknown-metric: no known metric matches `queue_dept` Did you mean `queue_depth`?",
                "unknown-metric: no known metric matches `db_qery_*` Did you mean `db_query_*`?",
                "missing-label: `queue_depth` has no label `priorty` Did you mean `priority`?",
                "missing-label: `queue_depth` has no label `colour` Its labels are queue, priority.",
                "idle-setting: `queue_depth` is a gauge and has no buckets Take them away.",
                "unknown-metric: no known metric matches `queue_dept` Did you mean `queue_depth`?",
            ]
        );
    }
}
