//! What an expansion may cost, counted in steps and bytes: never in time, so that a replay agrees with what was.

/// The steps of one expansion, about 10 ms.
pub(crate) const EXPANSION_STEPS_MAX: u64 = 100_000;

/// The steps of all expansions of one evaluation, about 50 ms.
pub(crate) const EVALUATION_STEPS_MAX: u64 = 5 * EXPANSION_STEPS_MAX;

/// The bytes that are handled in the time of one step.
const BYTES_PER_STEP: usize = 16;

/// Why a template stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// An action fails, in Go's words.
    Message(String),
    /// Its steps are spent.
    TooManySteps,
    /// Its text is too long.
    TooLong,
    /// Templates call each other too deep.
    TooDeep,
}

impl Fault {
    pub(super) fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }
}

/// The steps that are left.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
}

impl Budget {
    pub(super) const fn new(steps: u64) -> Self {
        Self { left: steps }
    }

    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// Spends steps.
    pub(super) fn steps(&mut self, steps: u64) -> Result<(), Fault> {
        let left = self.left.checked_sub(steps);
        self.left = left.unwrap_or(0);
        if left.is_some() { Ok(()) } else { Err(Fault::TooManySteps) }
    }

    /// Spends the steps of handling so many bytes.
    pub(super) fn bytes(&mut self, bytes: usize) -> Result<(), Fault> {
        self.steps(u64::try_from(bytes / BYTES_PER_STEP).unwrap_or(u64::MAX))
    }
}
