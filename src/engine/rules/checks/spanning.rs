//! A rule whose value in one part is not its value as a whole: each part sees its keys alone.

use super::{disable, rules_of};
use crate::engine::catalogue::Spread;
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::rules::set::RuleSet;
use crate::engine::rules::spanning::Spanning;
use crate::engine::yaml::Findings;

/// What is said of metrics that only the part corrects which hears of a loss.
const LOST_JOBS: &str =
    " Jobs of a lost worker stay in it until their own next event, or for `limits.abandon_after`.";

/// The rules of a file that loaded which span parts.
pub(crate) fn spanning_rules(source: &Source, set: &RuleSet, spanning: &Spanning<'_>) -> Vec<Diagnostic> {
    let mut findings = Findings::new(source);
    for rule in rules_of(source, set) {
        let Some((metric, spread)) = spanning.reads(rule) else { continue };
        let (what, advice) = match spread {
            Spread::Whole | Spread::Apart => continue,
            Spread::Summed | Spread::NearlySummed => (
                "only what its keys add to it",
                "Have the Prometheus that scrapes all parts evaluate it over their sum: `signalbox rules export --spanning`.",
            ),
            Spread::Greatest | Spread::NearlyGreatest => (
                "the greatest of its keys",
                "`above` it fires in the part that has the greatest; for one alert, and for any other comparison, have the Prometheus that scrapes all parts evaluate it: `signalbox rules export --spanning`.",
            ),
            Spread::Ratio | Spread::NearlyRatio => (
                "the least or the average of its keys",
                "The least of all parts is the whole's, an average of averages is not: read `stat=\"min\"`, and have the Prometheus that scrapes all parts evaluate it: `signalbox rules export --spanning`.",
            ),
        };
        let lost = if spread.keeps_lost_jobs() { LOST_JOBS } else { "" };
        findings
            .warning("spanning-rule", &rule.written.name, format!("in one part `{metric}` is {what}"))
            .advise(format!("{advice}{lost}"));
    }
    disable::apply_quietly(&mut findings);
    findings.list
}
