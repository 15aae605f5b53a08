//! Quantiles of plain numbers.

/// The quantile `q` of `values`, between the two nearest; NaN sorts below every number.
pub(in crate::engine::promql) fn quantile(q: f64, mut values: Vec<f64>) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|left, right| right.is_nan().cmp(&left.is_nan()).then(left.total_cmp(right)));
    let rank = q * (values.len() - 1) as f64;
    let below = rank.floor();
    let weight = rank - below;
    let value = |at: f64| values.get(at as usize).or(values.last()).copied().unwrap_or(f64::NAN);
    value(below) * (1.0 - weight) + value(below + 1.0) * weight
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_quantile_lies_between_its_neighbours_and_nan_sorts_first() {
        assert_eq!(quantile(0.5, vec![4.0, 0.0, 1.0]), 1.0);
        assert_eq!(quantile(0.8, vec![1.0, 0.0]), 0.8);
        assert!((quantile(0.8, vec![0.0, 1.0, f64::NAN]) - 0.6).abs() < 1e-12);
        assert_eq!(quantile(-1.0, vec![1.0]), f64::NEG_INFINITY);
        assert!(quantile(f64::NAN, vec![1.0]).is_nan());
    }
}
