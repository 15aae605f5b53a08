//! A scrape in the text format, read by the letter: what a scraper would refuse, or count twice, is a fault.

use std::collections::{BTreeMap, BTreeSet};

/// Every sample of a scrape.
#[derive(Default)]
pub(crate) struct Series {
    samples: BTreeMap<String, String>,
    /// What is wrong with the text.
    pub(crate) faults: BTreeSet<String>,
}

impl Series {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut series = Self::default();
        let Ok(text) = std::str::from_utf8(bytes) else {
            series.faults.insert("the scrape is no UTF-8".to_owned());
            return series;
        };
        if !text.ends_with('\n') {
            series.faults.insert("the scrape does not end with a line feed".to_owned());
        }
        let mut family = String::new();
        let mut families = BTreeSet::new();
        for line in text.split('\n').filter(|line| !line.is_empty()) {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (kind, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
                if kind == "TYPE" || (kind == "HELP" && name != family) {
                    if name != family && !families.insert(name.to_owned()) {
                        series.faults.insert(format!("the family {name} comes twice"));
                    }
                    name.clone_into(&mut family);
                }
                continue;
            }
            series.take(line, &family);
        }
        series
    }

    fn take(&mut self, line: &str, family: &str) {
        let Some((key, value)) = sample(line) else {
            self.faults.insert(format!("no sample: {line:?}"));
            return;
        };
        let name = key.split('{').next().unwrap_or("");
        let suffixes = ["", "_bucket", "_sum", "_count", "_total"];
        if !suffixes.iter().any(|suffix| name.strip_suffix(suffix) == Some(family)) {
            self.faults.insert(format!("{name} stands in the family {family}"));
        }
        if self.samples.insert(key.clone(), value).is_some() {
            self.faults.insert(format!("{key} comes twice"));
        }
    }

    /// The sum of all samples of a name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.of(name).filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    }

    /// A sample's value as it is written.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.samples.get(key).map(String::as_str)
    }

    /// A sample's value.
    pub(crate) fn value(&self, key: &str) -> Option<f64> {
        self.text(key)?.parse().ok()
    }

    /// Every sample.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.samples.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The samples of this name.
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let belongs = move |key: &str, name: &str| {
            key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        };
        let name = name.to_owned();
        self.samples
            .range(name.clone()..)
            .take_while({
                let name = name.clone();
                move |(key, _)| key.starts_with(&name)
            })
            .filter(move |(key, _)| belongs(key, &name))
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The sum over the samples of this name and lane.
    pub(crate) fn total(&self, name: &str, lane: &str) -> f64 {
        let lane = format!("lane=\"{lane}\"");
        self.of(name)
            .filter(|(key, _)| key.contains(&lane))
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }

    /// Samples that came, went or changed.
    pub(crate) fn changes_since(&self, before: &Self) -> impl Iterator<Item = String> {
        let keys: BTreeSet<&String> = self.samples.keys().chain(before.samples.keys()).collect();
        let changed: Vec<String> = keys
            .into_iter()
            .filter(|key| self.samples.get(*key) != before.samples.get(*key))
            .cloned()
            .collect();
        changed.into_iter()
    }
}

/// One line: the name with its labels in order, and the value.
fn sample(line: &str) -> Option<(String, String)> {
    let name_end = line.find(['{', ' '])?;
    let name = line.get(..name_end)?;
    if !is_name(name, ':') {
        return None;
    }
    let mut rest = line.get(name_end..)?;
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"")?;
            let (value, after) = quoted(value)?;
            if !is_name(label, '_') || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = rest.get(1..)?;
    }
    let value = rest.strip_prefix(' ')?;
    let is_number = ["NaN", "+Inf", "-Inf"].contains(&value)
        || (value.parse::<f64>().is_ok_and(f64::is_finite) && !value.contains(' '));
    is_number.then(|| (joined(name, &labels), value.to_owned()))
}

fn joined(name: &str, labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    format!("{name}{{{}}}", labels.join(","))
}

/// The escaped text up to the closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((text.get(..at)?.to_owned(), text.get(at + 1..)?)),
            '\\' if !matches!(characters.next(), Some((_, '\\' | '"' | 'n'))) => return None,
            _ => {}
        }
    }
    None
}

fn is_name(name: &str, also: char) -> bool {
    let fits = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == also;
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// A sample key with its labels in order.
pub(crate) fn canonical(key: &str) -> String {
    sample(&format!("{key} 0")).unwrap_or_else(|| panic!("no sample: {key}")).0
}

/// Whether a name matches a glob with one `*` at most.
pub(crate) fn matches_glob(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        None => glob == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}
