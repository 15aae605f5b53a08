//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, over native and classic histograms.

use crate::engine::metric::bound::BUCKET_BOUND;
use std::sync::Arc;

use super::super::EvalError;
use super::super::ast::Expr;
use super::super::eval::{
    Cell, Evaluator, Grid, Matrix, Note, Novelty, Numbering, Row, duplicate_labels, hash_labels,
    open_metrics_number,
};
use super::super::histogram::{ClassicBucket, ClassicBuckets, FloatHistogram, NanEffect};
use super::super::storage::Value;
use super::call::{argument, argument_position, label_name};
use crate::engine::labels::{Label, Labels};

/// The histograms of a vector: each series of native ones, each set of series of classic ones.
struct Histograms {
    matrix: Matrix,
    /// What each series of the matrix is.
    parts: Vec<Part>,
    /// The result's series, native and classic ones with the same labels together.
    rows: Vec<Row>,
}

/// What one series is to the histogram it belongs to.
struct Part {
    /// Which of the rows it belongs to.
    histogram: usize,
    /// The upper bound, of a classic bucket.
    bound: Option<f64>,
}

/// Where messages about a quantile point.
#[derive(Clone, Copy, Debug)]
struct Spot {
    position: usize,
    time_ms: i64,
}

/// One histogram at one step.
enum Observed {
    Native(Arc<FloatHistogram>),
    Classic(ClassicBuckets),
}

impl Evaluator<'_> {
    pub(super) fn histogram_quantile(&mut self, args: &[Expr], grid: Grid) -> Result<Matrix, EvalError> {
        let quantiles = self.scalars(argument(args, 0)?, grid)?;
        let vector = argument(args, 1)?;
        self.note_quantiles(&quantiles, argument_position(args, 0));
        let histograms = self.histograms(vector, grid)?;
        let position = argument_position(args, 1);
        self.each_histogram(&histograms, vector, grid, |evaluator, row, step, observed| {
            let q = quantiles.get(step).copied().unwrap_or(f64::NAN);
            evaluator.quantile_of(row, observed, q, Spot { position, time_ms: grid.at(step) })
        })
    }

    pub(super) fn histogram_quantiles(&mut self, args: &[Expr], grid: Grid) -> Result<Matrix, EvalError> {
        let vector = argument(args, 0)?;
        let label = label_name(args, 1, "label name in histogram_quantiles()")?;
        let mut quantiles = Vec::with_capacity(args.len());
        for (index, arg) in args.iter().enumerate().skip(2) {
            let values = self.scalars(arg, grid)?;
            self.note_quantiles(&values, argument_position(args, index));
            quantiles.push(values);
        }
        let histograms = self.histograms(vector, grid)?;
        let position = argument_position(args, 0);
        let mut matrix = Matrix::new(grid.steps());
        for values in quantiles {
            let found =
                self.each_histogram(&histograms, vector, grid, |evaluator, row, step, observed| {
                    let q = values.get(step).copied().unwrap_or(f64::NAN);
                    evaluator.quantile_of(row, observed, q, Spot { position, time_ms: grid.at(step) })
                })?;
            for (row, cells) in found.into_series() {
                push_labelled(&mut matrix, &row, &cells, label, &values);
            }
        }
        matrix.merge_duplicates().map_err(|_| duplicate_labels(vector))?;
        Ok(matrix)
    }

    pub(super) fn histogram_fraction(&mut self, args: &[Expr], grid: Grid) -> Result<Matrix, EvalError> {
        let lower = self.scalars(argument(args, 0)?, grid)?;
        let upper = self.scalars(argument(args, 1)?, grid)?;
        let vector = argument(args, 2)?;
        let histograms = self.histograms(vector, grid)?;
        let position = argument_position(args, 2);
        self.each_histogram(&histograms, vector, grid, |evaluator, row, step, observed| {
            let (Some(lower), Some(upper)) = (lower.get(step), upper.get(step)) else { return f64::NAN };
            match observed {
                Observed::Classic(buckets) => buckets.fraction(*lower, *upper),
                Observed::Native(histogram) => {
                    let (fraction, nan_left_out) = histogram.fraction(*lower, *upper);
                    if nan_left_out {
                        let metric = evaluator.metric_for_messages(row);
                        evaluator.notes.add(Note::FractionLeavesNan(metric), position);
                    }
                    fraction
                }
            }
        })
    }

    fn note_quantiles(&mut self, quantiles: &[f64], position: usize) {
        for quantile in quantiles.iter().filter(|quantile| !(0.0..=1.0).contains(*quantile)) {
            self.notes.add(Note::InvalidQuantile(quantile.to_bits()), position);
        }
    }

    fn quantile_of(&mut self, row: &Row, observed: &Observed, q: f64, spot: Spot) -> f64 {
        let Spot { position, time_ms } = spot;
        match observed {
            Observed::Native(histogram) => {
                let (value, effect) = histogram.quantile(q);
                let metric = self.metric_for_messages(row);
                match effect {
                    NanEffect::None => {}
                    NanEffect::IsNan => self.notes.add(Note::QuantileIsNan(metric), position),
                    NanEffect::TooHigh => self.notes.add(Note::QuantileTooHigh(metric), position),
                }
                value
            }
            Observed::Classic(buckets) => {
                let (value, mended) = buckets.quantile(q);
                if let Some(mended) = mended {
                    let metric = self.metric_for_messages(row);
                    self.notes.add_mending(metric, position, time_ms, mended);
                }
                value
            }
        }
    }

    /// Sorts the series of a vector into the histograms they make up.
    fn histograms(&mut self, vector: &Expr, grid: Grid) -> Result<Histograms, EvalError> {
        let matrix = self.vector(vector, grid)?;
        let mut numbering = Numbering::default();
        let mut rows: Vec<Row> = Vec::new();
        let mut parts = Vec::with_capacity(matrix.len());
        for (row, cells) in matrix.iter() {
            // A series of native histograms may carry any label; one of floats is a bucket.
            let has_floats = cells.iter().any(|cell| matches!(cell, Some(Value::Float(_))));
            let bound = has_floats.then(|| parse_bound(row.get(BUCKET_BOUND))).flatten();
            let kept = |label: &&Label| bound.is_none() || label.0.as_ref() != BUCKET_BOUND;
            let hash = hash_labels(row.iter().filter(kept));
            let same = |number: usize| {
                rows.get(number).is_some_and(|known: &Row| known.iter().eq(row.iter().filter(kept)))
            };
            let (histogram, novelty) = numbering.number(hash, same);
            if novelty == Novelty::New {
                let mut bare = row.clone();
                if bound.is_some() {
                    bare = Row::new(Labels::collect(row.iter().filter(kept).cloned()));
                    bare.name = row.name;
                }
                rows.push(bare);
            }
            parts.push(Part { histogram, bound });
        }
        Ok(Histograms { matrix, parts, rows })
    }

    /// Reads every histogram at every step.
    fn each_histogram(
        &mut self,
        histograms: &Histograms,
        vector: &Expr,
        grid: Grid,
        mut read: impl FnMut(&mut Self, &Row, usize, &Observed) -> f64,
    ) -> Result<Matrix, EvalError> {
        let position = super::super::eval::position(vector);
        let mut results: Vec<Vec<Cell>> = vec![vec![None; grid.steps()]; histograms.rows.len()];
        for step in 0..grid.steps() {
            for (index, observed) in self.observed(histograms, step, position) {
                let Some(row) = histograms.rows.get(index) else { continue };
                let value = read(self, row, step, &observed);
                if let Some(cell) = results.get_mut(index).and_then(|cells| cells.get_mut(step)) {
                    *cell = Some(Value::Float(value));
                }
            }
        }
        let mut matrix = Matrix::with_capacity(grid.steps(), results.len());
        for (row, cells) in histograms.rows.iter().zip(results) {
            matrix.push(row.clone(), cells);
        }
        matrix.drop_empty();
        self.drop_names(&mut matrix, vector)?;
        Ok(matrix)
    }

    /// The histograms at one step, without those that are native and classic at once.
    fn observed(&mut self, histograms: &Histograms, step: usize, position: usize) -> Vec<(usize, Observed)> {
        let mut buckets: Vec<Vec<ClassicBucket>> = vec![Vec::new(); histograms.rows.len()];
        let mut natives: Vec<(usize, &Arc<FloatHistogram>)> = Vec::new();
        for (index, value) in histograms.matrix.column(step) {
            let Some(part) = histograms.parts.get(index) else { continue };
            match (value, part.bound) {
                (Value::Histogram(histogram), _) => natives.push((part.histogram, histogram)),
                (Value::Float(cumulative), Some(upper)) => {
                    if let Some(buckets) = buckets.get_mut(part.histogram) {
                        buckets.push(ClassicBucket { upper, cumulative: *cumulative });
                    }
                }
                (Value::Float(_), None) => {
                    let Some(row) = histograms.matrix.rows().get(index) else { continue };
                    let note = Note::BadBucketLabel {
                        metric: self.metric_for_messages(row),
                        label: row.shared(BUCKET_BOUND).cloned().unwrap_or_default(),
                    };
                    self.notes.add(note, position);
                }
            }
        }
        let mut observed = Vec::with_capacity(natives.len());
        for (index, histogram) in natives {
            match buckets.get_mut(index) {
                Some(buckets) if !buckets.is_empty() => {
                    buckets.clear();
                    if let Some(row) = histograms.rows.get(index) {
                        let metric = self.metric_for_messages(row);
                        self.notes.add(Note::MixedClassicNative(metric), position);
                    }
                }
                _ => observed.push((index, Observed::Native(Arc::clone(histogram)))),
            }
        }
        let classic = buckets.into_iter().enumerate().filter(|(_, buckets)| !buckets.is_empty());
        observed
            .extend(classic.map(|(index, buckets)| (index, Observed::Classic(ClassicBuckets::new(buckets)))));
        observed
    }
}

/// Adds a series once for each value its quantile takes, with that value as a label.
fn push_labelled(matrix: &mut Matrix, row: &Row, cells: &[Cell], label: &str, quantiles: &[f64]) {
    let mut texts: Vec<String> = Vec::new();
    let by_step: Vec<usize> = quantiles
        .iter()
        .map(|quantile| {
            let text = open_metrics_number(*quantile);
            texts.iter().position(|known| *known == text).unwrap_or_else(|| {
                texts.push(text);
                texts.len() - 1
            })
        })
        .collect();
    for (number, text) in texts.iter().enumerate() {
        let mut labelled = Row::new(row.to_labels().with(label, text));
        labelled.name = row.name;
        let cells = cells.iter().zip(&by_step).map(|(cell, at)| cell.clone().filter(|_| *at == number));
        matrix.push(labelled, cells);
    }
    matrix.drop_empty();
}

/// The upper bound a label gives a bucket.
pub(in crate::engine::promql) fn parse_bound(label: &str) -> Option<f64> {
    // What Go takes for a float and Rust does not, or the other way round, is not worth more than this.
    let text = label.strip_prefix('+').unwrap_or(label);
    text.parse().ok()
}
