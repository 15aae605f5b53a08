//! The expressions of a rule, worked out ahead.

use crate::engine::labels::Labels;
use crate::engine::promql::plan::Plan;
use crate::engine::promql::{EvalSettings, Expr};
use crate::engine::rules::RuleStorage;
use crate::engine::time::Timestamp;

/// Up to how many series all of a rule is worked out where only parts of it are asked for: more than that, and those
/// parts alone are evaluated.
const WHOLE_MAX: usize = 512;

/// How many evaluations a plan must have stood for to be worth working out again at once.
const STANDS_LONG: u32 = 16;

/// After how many evaluations at the least, and at the most, another plan is looked for where none could be found, or
/// where the last ones soon fell.
const RESTS: (u32, u32) = (2, 32);

/// Which of a rule's expressions is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::rules) enum Asked {
    /// The rule's own.
    Result,
    /// What is there, whether it holds or not.
    There,
    /// The side a value is compared with.
    OtherSide,
}

/// How much of an expression's result is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::rules) enum Parts {
    /// All parts.
    All,
    /// Some of them.
    Some,
}

/// The plans of a rule's expressions.
#[derive(Clone, Debug, Default)]
pub(in crate::engine::rules) struct Plans {
    result: PlanSlot,
    there: PlanSlot,
    other_side: PlanSlot,
}

/// The plan of one expression.
#[derive(Clone, Debug, Default)]
struct PlanSlot {
    plan: Option<Box<Plan>>,
    /// How many evaluations it stood for.
    stood: u32,
    /// How many evaluations there are until another is looked for.
    rests: u32,
    /// How many there were between the last look and the one before.
    rested: u32,
    /// Whether the last answer was the plan's.
    answered: bool,
}

impl Plans {
    /// The samples of an expression at an instant, where they are worked out ahead; else the evaluator has them.
    pub(in crate::engine::rules) fn answer(
        &mut self,
        (asked, expr): (Asked, &Expr),
        storage: &dyn RuleStorage,
        (at, parts): (Timestamp, Parts),
        settings: &EvalSettings,
    ) -> Option<Vec<(Labels, f64)>> {
        let slot = match asked {
            Asked::Result => &mut self.result,
            Asked::There => &mut self.there,
            Asked::OtherSide => &mut self.other_side,
        };
        let samples = slot.answer(expr, storage, (at, parts), settings);
        slot.answered = samples.is_some();
        samples
    }

    /// Whether the rule's own expression was worked out ahead when it was last asked for.
    pub(in crate::engine::rules) const fn has_answered(&self) -> bool {
        self.result.answered
    }
}

impl PlanSlot {
    fn answer(
        &mut self,
        expr: &Expr,
        storage: &dyn RuleStorage,
        (at, parts): (Timestamp, Parts),
        settings: &EvalSettings,
    ) -> Option<Vec<(Labels, f64)>> {
        let steady = storage.steady().filter(|steady| steady.now_ms() == at.millis())?;
        let is_large = |plan: &Plan| parts == Parts::Some && plan.series_len() > WHOLE_MAX;
        if self.plan.as_ref().is_some_and(|plan| is_large(plan)) {
            return None;
        }
        if !self.plan.as_ref().is_some_and(|plan| plan.stands(steady)) {
            if self.rests > 0 {
                self.rests -= 1;
                return None;
            }
            let stood = std::mem::take(&mut self.stood);
            self.plan = Plan::new(expr, steady, settings).map(Box::new);
            let (least, most) = RESTS;
            self.rested = if stood >= STANDS_LONG { 0 } else { (self.rested * 2).clamp(least, most) };
            self.rests = self.rested;
        }
        let plan = self.plan.as_mut()?;
        self.stood = self.stood.saturating_add(1);
        if is_large(plan) { None } else { plan.evaluate(steady) }
    }
}
