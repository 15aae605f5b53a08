//! The functions of PromQL: their signatures, for the parser's type check, and what they compute.

mod absent;
mod call;
mod changes;
pub(in crate::engine::promql) mod dates;
mod extended_rate;
mod histograms;
mod instant_rate;
mod labels;
mod math;
mod ordering;
mod over_time;
mod quantile;
mod rate;
mod regression;
mod starts;
mod table;
mod window;

use dates::Date;

use super::eval::Reading;
use super::histogram::FloatHistogram;

pub(in crate::engine::promql) use extended_rate::{
    Interpolation, Slope, interpolated, interpolated_histogram,
};
pub(in crate::engine::promql) use histograms::parse_bound;
pub(in crate::engine::promql) use ordering::{Order, by_value};
pub(in crate::engine::promql) use quantile::quantile;
pub(in crate::engine::promql) use window::{RangeFunction, Window};

/// The type of a value an expression yields or a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ValueType {
    /// One number.
    Scalar,
    /// One text.
    String,
    /// One sample a series.
    Vector,
    /// A range of samples a series.
    Matrix,
}

impl ValueType {
    /// The name Prometheus gives the type in its errors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }
}

/// How often the last parameter of a function may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variadic {
    /// Exactly once, as every other parameter.
    No,
    /// From not at all to this many times.
    UpTo(usize),
    /// As often as one likes, or not at all.
    Unlimited,
}

/// One function's signature.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub(crate) name: &'static str,
    /// The types of its parameters.
    pub(crate) args: &'static [ValueType],
    /// How often the last parameter may stand.
    pub(crate) variadic: Variadic,
    /// What it yields.
    pub(crate) returns: ValueType,
    /// What it computes.
    pub(in crate::engine::promql) body: Body,
}

/// What a function computes.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine::promql) enum Body {
    /// A number from each float of a vector.
    Number(fn(f64) -> f64),
    /// A number from each float of a vector and the arguments behind it, or nothing.
    NumberWith(fn(f64, &[f64]) -> Option<f64>),
    /// A number from each histogram of a vector.
    Histogram(fn(&FloatHistogram) -> f64),
    /// A number from the date each float of a vector is, or from the instant of evaluation.
    Date(fn(Date) -> i64),
    /// A value from each window of a range.
    Range(RangeFunction),
    /// A number from two numbers.
    Numbers(fn(f64, f64) -> f64),
    /// Something of its own.
    Special(Special),
}

/// Functions that are like no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum Special {
    Absent,
    AbsentOverTime,
    End,
    HistogramFraction,
    HistogramQuantile,
    HistogramQuantiles,
    Info,
    LabelJoin,
    LabelReplace,
    Pi,
    Range,
    Scalar,
    Sort(Order),
    SortByLabel(Order),
    Start,
    StartTimestamp,
    Step,
    Time,
    Timestamp,
    Vector,
}

/// What a function over a range needs of the samples in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum WindowNeeds {
    /// By how much a counter grew: the ends, what it fell by in between, and how many samples there are.
    Growth,
    /// All of them.
    Samples,
}

/// What the value of a call depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum Evaluation {
    /// The arguments alone.
    OfArguments,
    /// The instant of evaluation too.
    OfInstant,
}

impl Function {
    /// The fewest arguments a call may have.
    pub(crate) const fn args_min(&self) -> usize {
        match self.variadic {
            Variadic::No => self.args.len(),
            Variadic::UpTo(_) | Variadic::Unlimited => self.args.len().saturating_sub(1),
        }
    }

    /// The most arguments a call may have, where there is a bound.
    pub(crate) const fn args_max(&self) -> Option<usize> {
        match self.variadic {
            Variadic::No => Some(self.args.len()),
            Variadic::UpTo(count) => Some(self.args.len().saturating_sub(1).saturating_add(count)),
            Variadic::Unlimited => None,
        }
    }

    /// What the value of a call depends on.
    pub(in crate::engine::promql) fn evaluation(&self) -> Evaluation {
        let of_instant = match self.body {
            Body::Date(_) | Body::Special(Special::Time | Special::Timestamp) => true,
            // The line is read at the instant of evaluation.
            Body::Range(_) => self.name == "predict_linear",
            Body::Number(_)
            | Body::NumberWith(_)
            | Body::Histogram(_)
            | Body::Numbers(_)
            | Body::Special(_) => false,
        };
        if of_instant { Evaluation::OfInstant } else { Evaluation::OfArguments }
    }

    /// What it needs of the samples of its range.
    pub(in crate::engine::promql) fn window_needs(&self) -> WindowNeeds {
        match self.name {
            "delta" | "increase" | "rate" | "resets" => WindowNeeds::Growth,
            _ => WindowNeeds::Samples,
        }
    }

    /// How selectors in its arguments are read, where those around it would be read as `around` says.
    pub(in crate::engine::promql) fn reading(&self, around: Reading) -> Reading {
        match self.name {
            "histogram_quantile" | "histogram_fraction" => Reading::Buckets,
            "histogram_count" | "histogram_sum" | "histogram_avg" if around != Reading::Buckets => {
                Reading::Statistics
            }
            _ => around,
        }
    }

    /// Whether the series of its range keep their metric names: its results are samples as they are stored, or
    /// have none of the series' labels.
    pub(in crate::engine::promql) fn keeps_name(&self) -> bool {
        matches!(self.name, "last_over_time" | "first_over_time" | "absent_over_time")
    }

    /// The type of the argument at `index`; a repeated last parameter keeps its type.
    pub(crate) fn arg(&self, index: usize) -> Option<ValueType> {
        self.args.get(index).or_else(|| self.args.last()).copied()
    }
}

/// The function called `name`, in Prometheus' spelling.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    let table = table::FUNCTIONS;
    table.binary_search_by(|function| function.name.cmp(name)).ok().and_then(|at| table.get(at))
}

/// Every function, sorted by name.
pub(crate) fn all() -> &'static [Function] {
    table::FUNCTIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_function_is_found() {
        assert!(all().is_sorted_by(|left, right| left.name < right.name));
        for function in all() {
            assert!(std::ptr::eq(find(function.name).unwrap(), function));
        }
        assert!(find("Rate").is_none());
    }

    #[test]
    fn a_variadic_function_counts_its_last_parameter_as_optional() {
        let quantiles = find("histogram_quantiles").unwrap();
        assert_eq!((quantiles.args_min(), quantiles.args_max()), (3, Some(12)));
        assert_eq!(quantiles.arg(9), Some(ValueType::Scalar));
        let join = find("label_join").unwrap();
        assert_eq!((join.args_min(), join.args_max()), (3, None));
        let rate = find("rate").unwrap();
        assert_eq!((rate.args_min(), rate.args_max()), (1, Some(1)));
    }
}
