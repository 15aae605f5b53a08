//! `info`: labels of info metrics added to the series they describe.
//!
//! Series and info metrics belong together where `instance` and `job` are the same. Info metrics are read at the
//! instants the described selector reads at.

use std::sync::Arc;

use super::super::EvalError;
use super::super::ast::{Expr, Node, Shift};
use super::super::storage::{Extent, MatchCondition, Matcher, Selection, Value};
use super::row::NameState;
use super::{
    Cell, Evaluator, Grid, Matrix, Novelty, Numbering, Row, Times, duplicate_labels, fail, select, unwrapped,
};
use crate::engine::labels::{Label, Labels, METRIC_NAME};
use crate::engine::pattern::Pattern;

/// The info metric that is meant where none is named.
const DEFAULT: &str = "target_info";
/// What info metrics are called.
const CONVENTIONAL: &str = ".+_info";
/// The labels that say which series an info metric describes.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// An info series at the steps of a query: when its sample was taken, where it has one.
struct InfoSeries {
    labels: Labels,
    times: Vec<Option<i64>>,
}

/// What is asked of info metrics.
struct Request {
    /// Which info metrics.
    names: Vec<Matcher>,
    /// Which labels, and with which values.
    data: Vec<Matcher>,
}

impl Evaluator<'_> {
    /// The series of the first argument with the labels of the info metrics that describe them.
    pub(in crate::engine::promql) fn info(&mut self, args: &[Expr], grid: Grid) -> Result<Matrix, EvalError> {
        let Some(described) = args.first() else {
            return Err(fail(&(0..0), "expected an instant vector".to_owned()));
        };
        let matrix = self.vector(described, grid)?;
        let request = Request::new(args.get(1));
        let is_info =
            |row: &Row| request.names.iter().all(|matcher| matcher.condition.holds(row.get(METRIC_NAME)));
        let infos: Vec<bool> = matrix.rows().iter().map(is_info).collect();
        let identified = matrix
            .rows()
            .iter()
            .zip(&infos)
            .any(|(row, is_info)| !is_info && IDENTIFYING.iter().any(|name| !row.get(name).is_empty()));
        let info_series = if identified {
            let times = self.described_times(described, Times::Moving { grid, offset_ms: 0 }, grid)?;
            self.info_series(&request, times, grid).map_err(|message| fail(&described.span, message))?
        } else {
            Vec::new()
        };
        combine(matrix, &infos, &info_series, &request, grid).map_err(|message| {
            message.map_or_else(|| duplicate_labels(described), |message| fail(&described.span, message))
        })
    }

    /// The instants the first selector or subquery of an expression reads at.
    fn described_times(&self, expr: &Expr, times: Times, grid: Grid) -> Result<Times, EvalError> {
        Ok(match &expr.node {
            Node::Vector(selector) | Node::Matrix { selector, .. } => {
                self.shifted(&selector.shift, times, grid)?
            }
            Node::Subquery { expr, shift, .. } => {
                let times = self.shifted(shift, times, grid)?;
                self.described_times(expr, times, grid)?
            }
            Node::Unary { expr, .. } | Node::Paren(expr) => self.described_times(expr, times, grid)?,
            Node::Aggregate(aggregate) => self.described_times(&aggregate.expr, times, grid)?,
            Node::Binary(binary) if is_selecting(&binary.left) => {
                self.described_times(&binary.left, times, grid)?
            }
            Node::Binary(binary) => self.described_times(&binary.right, times, grid)?,
            Node::Call { args, .. } => match args.iter().find(|arg| is_selecting(arg)) {
                Some(arg) => self.described_times(arg, times, grid)?,
                None => times,
            },
            Node::Number(_) | Node::String(_) => times,
        })
    }

    fn shifted(&self, shift: &Shift, times: Times, grid: Grid) -> Result<Times, EvalError> {
        let own = self.times(shift, grid)?;
        Ok(match (times, own) {
            (_, Times::Fixed(time_ms)) => Times::Fixed(time_ms),
            (Times::Fixed(time_ms), Times::Moving { offset_ms, .. }) => {
                Times::Fixed(time_ms.saturating_sub(offset_ms))
            }
            (Times::Moving { grid, offset_ms: outer }, Times::Moving { offset_ms: inner, .. }) => {
                Times::Moving { grid, offset_ms: outer.saturating_add(inner) }
            }
        })
    }

    fn info_series(&self, request: &Request, times: Times, grid: Grid) -> Result<Vec<InfoSeries>, String> {
        let matchers: Vec<Matcher> = request.names.iter().chain(&request.data).cloned().collect();
        let lookback_ms = self.lookback_ms();
        let (first, last) = times.bounds();
        let start_ms = first.saturating_sub(lookback_ms).saturating_add(1);
        let selection = Selection { matchers: &matchers, start_ms, end_ms: last, extent: Extent::All };
        let mut infos = Vec::new();
        for series in self.storage.select(selection) {
            let mut info = InfoSeries { times: Vec::with_capacity(grid.steps()), labels: series.labels };
            for step in 0..grid.steps() {
                let time_ms = times.at(step);
                let seen = series.samples.partition_point(|sample| sample.time_ms <= time_ms);
                let latest = seen.checked_sub(1).and_then(|at| series.samples.get(at)).filter(|sample| {
                    sample.time_ms > time_ms.saturating_sub(lookback_ms) && !select::is_stale(&sample.value)
                });
                if latest.is_some_and(|sample| matches!(sample.value, Value::Histogram(_))) {
                    return Err(format!(
                        "this should be an info metric, with float samples: {}",
                        info.labels
                    ));
                }
                info.times.push(latest.map(|sample| sample.time_ms));
            }
            infos.push(info);
        }
        Ok(infos)
    }
}

impl Request {
    fn new(selector: Option<&Expr>) -> Self {
        let matchers = match selector.map(|expr| &unwrapped(expr).node) {
            Some(Node::Vector(selector)) => selector.matchers.as_slice(),
            _ => &[],
        };
        let (mut names, data): (Vec<Matcher>, Vec<Matcher>) =
            matchers.iter().cloned().partition(|matcher| matcher.name.as_ref() == METRIC_NAME);
        let positive = |matcher: &Matcher| {
            matches!(matcher.condition, MatchCondition::Equal(_) | MatchCondition::Match(_))
        };
        let implied = match names.as_slice() {
            [] => Some(MatchCondition::Equal(Arc::from(DEFAULT))),
            // Naming only what is not meant would mean every other metric.
            names if !names.iter().any(positive) => {
                Pattern::anchored(CONVENTIONAL).ok().map(MatchCondition::Match)
            }
            _ => None,
        };
        names.extend(implied.map(|condition| Matcher { name: Arc::from(METRIC_NAME), condition }));
        Self { names, data }
    }

    fn wants(&self, label: &str) -> bool {
        self.data.is_empty() || self.data.iter().any(|matcher| matcher.name.as_ref() == label)
    }

    /// Whether a series that no info metric describes may stay.
    fn allows_none(&self) -> bool {
        self.data.iter().all(|matcher| matcher.condition.holds(""))
    }
}

fn is_selecting(expr: &Expr) -> bool {
    match &expr.node {
        Node::Vector(_) | Node::Matrix { .. } | Node::Subquery { .. } => true,
        Node::Unary { expr, .. } | Node::Paren(expr) => is_selecting(expr),
        Node::Aggregate(aggregate) => is_selecting(&aggregate.expr),
        Node::Binary(binary) => is_selecting(&binary.left) || is_selecting(&binary.right),
        Node::Call { args, .. } => args.iter().any(is_selecting),
        Node::Number(_) | Node::String(_) => false,
    }
}

/// Adds labels at each step; an error is a text, or two series that became alike.
fn combine(
    matrix: Matrix,
    infos: &[bool],
    info_series: &[InfoSeries],
    request: &Request,
    grid: Grid,
) -> Result<Matrix, Option<String>> {
    let mut combined = Matrix::with_capacity(grid.steps(), matrix.len());
    let mut numbering = Numbering::default();
    for ((row, cells), is_info) in matrix.into_series().zip(infos) {
        let describing: Vec<&InfoSeries> = if *is_info {
            Vec::new()
        } else {
            info_series.iter().filter(|series| describes(&series.labels, &row)).collect()
        };
        let mut last: Option<(Vec<usize>, Option<usize>)> = None;
        for (step, cell) in cells.into_iter().enumerate() {
            let Some(value) = cell else { continue };
            let chosen = if *is_info { Vec::new() } else { newest(&describing, step)? };
            let target = if let Some((_, target)) = last.take().filter(|(known, _)| *known == chosen) {
                target
            } else {
                let result =
                    if *is_info { Some(row.clone()) } else { enriched(&row, &chosen, &describing, request)? };
                result.map(|result| row_index(&mut combined, &mut numbering, result))
            };
            if let Some(index) = target {
                put(&mut combined, index, step, value)?;
            }
            last = Some((chosen, target));
        }
    }
    Ok(combined)
}

fn put(matrix: &mut Matrix, index: usize, step: usize, value: Value) -> Result<(), Option<String>> {
    match matrix.values_mut(index).get_mut(step) {
        Some(Cell::Some(_)) => Err(None),
        Some(cell) => {
            *cell = Some(value);
            Ok(())
        }
        None => Ok(()),
    }
}

fn row_index(matrix: &mut Matrix, numbering: &mut Numbering, row: Row) -> usize {
    let same = |number: usize| matrix.rows().get(number).is_some_and(|known| known.same_labels(&row));
    let (number, novelty) = numbering.number(row.hash(), same);
    if novelty == Novelty::New { matrix.push_empty(row) } else { number }
}

fn describes(info: &Labels, row: &Row) -> bool {
    IDENTIFYING.iter().all(|name| info.get(name).unwrap_or("") == row.get(name))
}

/// The newest series of each info metric at a step, as indices.
fn newest(describing: &[&InfoSeries], step: usize) -> Result<Vec<usize>, Option<String>> {
    let mut chosen: Vec<(usize, i64)> = Vec::new();
    for (index, series) in describing.iter().enumerate() {
        let Some(time_ms) = series.times.get(step).copied().flatten() else { continue };
        let name = series.labels.metric_name();
        let rival = chosen.iter_mut().find(|(known, _)| {
            describing.get(*known).is_some_and(|known| known.labels.metric_name() == name)
        });
        match rival {
            None => chosen.push((index, time_ms)),
            Some(rival) if rival.1 < time_ms => *rival = (index, time_ms),
            Some(rival) if rival.1 > time_ms => {}
            Some(rival) => {
                let existing =
                    describing.get(rival.0).map(|known| known.labels.to_string()).unwrap_or_default();
                return Err(Some(format!(
                    "found duplicate series for info metric: existing {existing} @ {}, new {} @ {time_ms}",
                    rival.1, series.labels
                )));
            }
        }
    }
    Ok(chosen.into_iter().map(|(index, _)| index).collect())
}

/// A series with the labels of its info metrics; nothing where labels were asked for that none has.
fn enriched(
    row: &Row,
    chosen: &[usize],
    describing: &[&InfoSeries],
    request: &Request,
) -> Result<Option<Row>, Option<String>> {
    let mut added: Vec<Label> = Vec::new();
    for info in chosen.iter().filter_map(|index| describing.get(*index)) {
        let wanted = |label: &&Label| label.0.as_ref() != METRIC_NAME && request.wants(&label.0);
        for (name, value) in info.labels.iter().filter(wanted) {
            match added.iter().find(|(known, _)| known == name) {
                Some((_, known)) if known != value => return Err(Some(format!("conflicting label: {name}"))),
                Some(_) => {}
                None if row.shared(name).is_some() => {}
                None => added.push((Arc::clone(name), Arc::clone(value))),
            }
        }
    }
    if chosen.is_empty() && !request.allows_none() {
        return Ok(None);
    }
    if added.is_empty() {
        return Ok(Some(row.clone()));
    }
    let labels = Labels::collect(row.iter().cloned().chain(added));
    let mut enriched = Row::new(labels);
    enriched.name = if row.name == NameState::Gone { NameState::Kept } else { row.name };
    Ok(Some(enriched))
}
