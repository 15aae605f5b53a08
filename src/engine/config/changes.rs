//! What one configuration changes of another, key by key as they are declared.

use super::Config;
use super::declare::KeyValue;
use crate::engine::yaml::keys::Effect;

/// A key with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The key with its section, such as `limits.series`.
    pub(crate) key: String,
    /// Whether it counts from the reload on or from the next start on.
    pub(crate) effect: Effect,
}

impl Change {
    /// The key `name` of this section.
    pub(super) fn below(&self, name: &str, effect: Effect) -> Self {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) };
        Self { key, effect }
    }
}

/// Every key with another value, in the order of declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes(pub Vec<Change>);

impl Changes {
    /// The keys that count from the reload on.
    pub(crate) fn live(&self) -> Vec<&str> {
        self.of(Effect::Live)
    }

    /// The keys that wait for a restart.
    pub(crate) fn restart(&self) -> Vec<&str> {
        self.of(Effect::Restart)
    }

    fn of(&self, effect: Effect) -> Vec<&str> {
        self.0.iter().filter(|change| change.effect == effect).map(|change| change.key.as_str()).collect()
    }
}

impl Config {
    /// The keys whose values in `other` are not those here.
    pub(crate) fn changes(&self, other: &Self) -> Changes {
        let mut changes = Changes::default();
        let top = Change { key: String::new(), effect: Effect::Live };
        self.note_changes(other, &top, &mut changes);
        changes
    }

    /// This configuration as it can be put in force while it runs: what needs a restart is as it was at the start.
    #[must_use]
    pub(crate) fn until_restart(mut self, started: &Self) -> Self {
        self.keep_until_restart(started, Effect::Live);
        self.grid = started.grid;
        self
    }
}
