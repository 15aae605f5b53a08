//! What a YAML file of a project holds, by its name and its first keys.

use std::path::Path;

use super::config_file;
use crate::engine::assist::outline::{Outline, OutlineEntry};
use crate::engine::config::Config;
use crate::engine::diagnostic::closest;
use crate::shell::rule_files::is_rule_test;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// Rules.
    Rules,
    /// Tests of rules.
    RuleTest,
    /// The configuration.
    Config,
}

impl FileKind {
    /// What a file is; a rule file where nothing speaks against it, as the loader of rules says what is wrong with it.
    pub(super) fn of(path: &Path, outline: &Outline) -> Self {
        let has = |key: &str| outline.find(None, key).is_some();
        let is_default = path.file_name().is_some_and(|name| name == config_file::DEFAULT_CONFIG);
        if is_rule_test(path) || !is_default && (has("tests") || has("rule_files") && !has("groups")) {
            Self::RuleTest
        } else if !has("groups") && (is_default || has_key_of_config(outline)) {
            Self::Config
        } else {
            Self::Rules
        }
    }
}

/// Whether there is a key that only a configuration has or that is near to one.
fn has_key_of_config(outline: &Outline) -> bool {
    if ["alert", "record", "expr"].iter().any(|key| outline.find(None, key).is_some()) {
        return false;
    }
    let keys = || Config::KEYS.iter().map(|key| key.name);
    outline.entries.iter().enumerate().filter(|(_, entry)| entry.parent.is_none()).any(|(number, entry)| {
        let Some(name) = entry.name.as_deref() else { return false };
        // `rules` is a key of groups as well, whose elements are mappings.
        let is_mapping = |element: &OutlineEntry| element.name.is_none() && element.value.is_empty();
        let is_group = name == "rules" && outline.inside(Some(number)).any(is_mapping);
        let is_slip = closest(name, ["groups"]).is_none() && closest(name, keys()).is_some();
        !is_group && (keys().any(|known| known == name) || is_slip)
    })
}
