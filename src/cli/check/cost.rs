//! How many series each rule reads, counted where a recording ends.

use std::path::Path;

use anyhow::Context;

use crate::cli::playback::Playback;
use crate::cli::recording::Flow;
use crate::cli::replay;
use crate::cli::terminal::Terminal;
use crate::engine::config::Config;
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::promql::ast::{Node, RangeMode, Shift, VectorSelector};
use crate::engine::promql::storage::Matcher;
use crate::engine::promql::{Expr, QueryValue};
use crate::engine::rules::{RuleSet, costly_rules};

/// The rules that read more than `most` series after the events.
///
/// # Errors
/// The recording cannot be read or holds no event.
pub(super) fn costly(
    sources: &[Source],
    set: &RuleSet,
    (config, events, most): (&Config, &Path, usize),
    terminal: &Terminal,
) -> anyhow::Result<Vec<Diagnostic>> {
    let config = replay::engine_config(config);
    let mut playback: Option<Playback> = None;
    replay::for_each_event(events, |recorded| {
        let start = recorded.time.unwrap_or_default();
        // Recording rules write series that others read.
        playback.get_or_insert_with(|| Playback::new(&config, set.clone(), start)).apply(&recorded);
        if terminal.is_closed() { Flow::Stop } else { Flow::Continue }
    })?;
    let mut playback =
        playback.with_context(|| format!("count series: {} holds no event", events.display()))?;
    playback.settle();
    let mut count = |conditions: &[Matcher]| matching(&mut playback, conditions);
    Ok(sources.iter().flat_map(|source| costly_rules(source, set, most, &mut count)).collect())
}

/// How many series meet all conditions now.
fn matching(playback: &mut Playback, conditions: &[Matcher]) -> usize {
    let selector = VectorSelector {
        name: None,
        matchers: conditions.to_vec(),
        shift: Shift::default(),
        range_mode: RangeMode::default(),
    };
    let expr = Expr { span: 0..0, node: Node::Vector(selector), twin: None };
    let now = playback.now();
    match playback.query(&expr, now).map(|found| found.value) {
        Ok(QueryValue::Vector(series)) => series.len(),
        Ok(QueryValue::Scalar(_) | QueryValue::String(_) | QueryValue::Matrix(_)) | Err(_) => 0,
    }
}
