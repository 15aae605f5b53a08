//! A rule in force: what it keeps, and its evaluation.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Extent;
use crate::engine::labels::Labels;
use crate::engine::promql::storage::Matcher;
use crate::engine::rules::book::Book;
use crate::engine::rules::evaluate::{Env, Evaluation, Showing};
use crate::engine::rules::kept::{Moved, Narrow, Partition, Plans};
use crate::engine::rules::record;
use crate::engine::rules::set::{Group, Rule, RuleKind};
use crate::engine::rules::view::Health;
use crate::engine::series::Ordinal;
use crate::engine::time::Timestamp;

/// A rule in force.
#[derive(Clone, Debug)]
pub(super) struct RuleState {
    pub(super) rule: Arc<Rule>,
    pub(super) book: Book,
    /// The series it wrote last.
    pub(super) exposed: BTreeSet<Labels>,
    pub(super) health: Health,
    pub(super) last_evaluation: Option<Timestamp>,
    pub(super) evaluation_time: Duration,
    /// By which labels it falls apart.
    pub(super) partition: Partition,
    /// What arrivals moved of what it reads.
    pub(super) moved: Moved,
    /// What of it is worked out ahead.
    pub(super) plans: Plans,
    /// The first event that it was not evaluated over yet.
    pub(super) fresh_from: Ordinal,
    /// What its selectors read, and what those of the recording rules do that it reads.
    pub(super) sources: Arc<[Vec<Matcher>]>,
}

impl RuleState {
    /// One that was never evaluated.
    pub(super) fn new(rule: Arc<Rule>, group: &Group) -> Self {
        let (book, exposed) = (Book::default(), BTreeSet::new());
        let (evaluation_time, health) = (Duration::ZERO, Health::Unknown);
        let partition = partition_of(&rule, group);
        let (moved, plans) = (Moved::Nothing, Plans::default());
        let (last_evaluation, fresh_from) = (None, Ordinal::default());
        let sources = Arc::from(rule.selectors.as_slice());
        Self {
            rule,
            book,
            exposed,
            health,
            last_evaluation,
            evaluation_time,
            partition,
            moved,
            plans,
            fresh_from,
            sources,
        }
    }

    /// The parts of the rule that what moved is in; none where everything must be evaluated.
    pub(super) fn narrow(&self, moved: &Moved) -> Option<Narrow> {
        match (moved, &self.health) {
            (Moved::Series(series), Health::Ok) => Narrow::to(&self.partition, series),
            // After a failure nothing is known of the other parts.
            (Moved::Nothing | Moved::Series(_) | Moved::Everything, _) => None,
        }
    }

    /// Evaluates the rule; returns the series that it moved itself.
    pub(super) fn evaluate(&mut self, env: &mut Env<'_>, extent: Extent) -> Vec<Labels> {
        let rule = self.rule.clone();
        self.last_evaluation = Some(env.at);
        env.counts.evaluations += 1;
        if let Some(refused) = rule.refused.iter().find(|refused| env.shows(refused)) {
            env.counts.failures += 1;
            self.health = Health::Err(refused.message.to_string());
            return Vec::new();
        }
        let outcome = match &rule.kind {
            RuleKind::Recording => record::record(env, &rule, &mut self.exposed),
            RuleKind::Alerting(alerting) => {
                let (book, sources, showing) = (&mut self.book, self.sources.as_ref(), Showing::Same);
                let mut evaluation = Evaluation { env, rule: &rule, alerting, book, sources, showing };
                let outcome = evaluation.run();
                evaluation.expose(&mut self.exposed, extent);
                outcome.map(|()| Vec::new())
            }
        };
        match outcome {
            Ok(recorded) => {
                self.health = Health::Ok;
                recorded
            }
            Err(error) => {
                env.counts.failures += 1;
                self.health = Health::Err(error.to_string());
                Vec::new()
            }
        }
    }
}

/// By which labels a rule falls apart.
fn partition_of(rule: &Rule, group: &Group) -> Partition {
    if group.limit.is_some() {
        // What is refused depends on all of its alerts.
        return Partition::one_piece();
    }
    let own = match rule.kind {
        RuleKind::Recording => rule.labels.as_slice(),
        RuleKind::Alerting(_) => &[],
    };
    own.iter().fold(Partition::of(&rule.expr), |labels, (name, _)| labels.without(name))
}
