//! Native histograms in double braces: `{{schema:0 count:3 sum:5 buckets:[1 2]}}`.

use super::ParseError;
use super::scan::Scanner;
use crate::engine::promql::histogram::FloatHistogram;

/// Which way a sequence of histograms goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// Reads one histogram; the scanner stands at its opening braces.
pub(super) fn read(scanner: &mut Scanner<'_>) -> Result<FloatHistogram, ParseError> {
    Err(scanner.wrong("native histograms are not read yet"))
}

/// The histogram `step` above or below `value`; otherwise why there is none.
pub(super) fn moved(
    value: &FloatHistogram,
    _: Direction,
    _: &FloatHistogram,
) -> Result<FloatHistogram, String> {
    Ok(value.clone())
}
