//! What histograms do as values.

use super::*;

fn histogram(schema: i32, offset: i32, counts: &[f64]) -> FloatHistogram {
    let positive: Vec<Bucket> =
        counts.iter().zip(offset..).map(|(count, index)| Bucket { index, count: *count }).collect();
    FloatHistogram { schema, count: counts.iter().sum(), sum: 1.0, positive, ..FloatHistogram::default() }
}

fn custom(bounds: &[f64], counts: &[f64]) -> FloatHistogram {
    FloatHistogram { custom_values: bounds.into(), ..histogram(CUSTOM_SCHEMA, 0, counts) }
}

fn counts(histogram: &FloatHistogram) -> Vec<(i32, f64)> {
    histogram.positive.iter().map(|bucket| (bucket.index, bucket.count)).collect()
}

#[test]
fn histograms_of_different_resolution_add_up_in_the_coarser_one() {
    let (sum, _) = histogram(0, 1, &[2.0, 2.0]).combined(Operation::Add, &histogram(-1, 1, &[1.0])).unwrap();
    assert_eq!((sum.schema, counts(&sum)), (-1, vec![(1, 5.0)]));
}

#[test]
fn custom_buckets_add_up_at_the_bounds_both_have() {
    let (sum, reconciled) = custom(&[5.0, 10.0], &[1.0, 2.0, 4.0])
        .combined(Operation::Add, &custom(&[10.0], &[1.0, 1.0]))
        .unwrap();
    assert!(reconciled.bounds_differ);
    assert_eq!((counts(&sum), sum.custom_values.to_vec()), (vec![(0, 4.0), (1, 5.0)], vec![10.0]));
}

#[test]
fn exponential_and_custom_buckets_have_no_sum() {
    assert_eq!(
        histogram(0, 0, &[1.0]).combined(Operation::Add, &custom(&[1.0], &[1.0])).err(),
        Some(Incompatible)
    );
}

#[test]
fn a_wider_zero_bucket_takes_in_the_buckets_it_reaches() {
    let mut wide = histogram(0, 3, &[1.0]);
    (wide.zero_threshold, wide.zero_count) = (0.75, 2.0);
    let (sum, _) = histogram(0, 0, &[1.0, 1.0]).combined(Operation::Add, &wide).unwrap();
    // The threshold lies inside the bucket (0.5, 1], which is taken in whole.
    assert_eq!((sum.zero_threshold, sum.zero_count, counts(&sum)), (1.0, 3.0, vec![(1, 1.0), (3, 1.0)]));
}

#[test]
fn a_bucket_that_falls_is_a_reset_unless_the_hint_denies_it() {
    let (before, after) = (histogram(0, 0, &[1.0, 2.0]), histogram(0, 0, &[2.0, 1.0]));
    assert!(after.is_reset_after(&before));
    assert!(!after.clone().hinted(ResetHint::NotReset).is_reset_after(&before));
    assert_eq!(after.stored_hint(Some(&before)), ResetHint::Unknown);
    assert_eq!(after.compared_hint(&before), ResetHint::Reset);
    assert_eq!(before.stored_hint(Some(&before)), ResetHint::NotReset);
    assert_eq!(before.stored_hint(None), ResetHint::Unknown);
}

#[test]
fn opposite_hints_collide() {
    let (reset, kept) = (
        histogram(0, 0, &[1.0]).hinted(ResetHint::Reset),
        histogram(0, 0, &[1.0]).hinted(ResetHint::NotReset),
    );
    assert!(reset.combined(Operation::Add, &kept).unwrap().1.resets_collide);
}

#[test]
fn quantiles_are_exponential_inside_buckets_and_linear_inside_custom_ones() {
    assert!((histogram(0, 0, &[1.0, 2.0, 1.0]).quantile(0.5).0 - std::f64::consts::SQRT_2).abs() < 1e-12);
    assert!((custom(&[2.0, 4.0], &[2.0, 2.0]).quantile(0.75).0 - 3.0).abs() < 1e-12);
    assert_eq!(custom(&[2.0], &[0.0, 2.0]).quantile(0.9).0, 2.0);
}

#[test]
fn fractions_undo_quantiles() {
    let histogram = histogram(0, 0, &[2.0, 3.0, 0.0, 1.0, 4.0]);
    let (value, _) = histogram.quantile(0.6);
    assert!((histogram.fraction(f64::NEG_INFINITY, value).0 - 0.6).abs() < 1e-12);
}

#[test]
fn trims_share_a_histogram_out() {
    let histogram = custom(&[5.0, 10.0], &[1.0, 6.0, 4.0]);
    let (below, above) = (histogram.trimmed(Trim::Upper, 7.0), histogram.trimmed(Trim::Lower, 7.0));
    assert!((below.count + above.count - histogram.count).abs() < 1e-12);
    assert!((below.count - 3.4).abs() < 1e-12);
}

#[test]
fn empty_buckets_go_when_compacted() {
    assert_eq!(counts(&histogram(0, 0, &[0.0, 1.0, 0.0]).compacted()), [(1, 1.0)]);
}

#[test]
fn histograms_read_as_prometheus_writes_them() {
    let mut shown = histogram(0, 0, &[1.0, 2.0]);
    shown.negative = vec![Bucket { index: 0, count: 1.0 }, Bucket { index: 1, count: 2.0 }];
    (shown.zero_threshold, shown.zero_count, shown.count, shown.sum) = (0.001, 2.0, 20.0, 10.0);
    let text = "{count:20, sum:10, [-2,-1):2, [-1,-0.5):1, [-0.001,0.001]:2, (0.5,1]:1, (1,2]:2}";
    assert_eq!(shown.to_string(), text);
}

#[test]
fn classic_counts_that_fall_are_mended() {
    let bucket = |upper, cumulative| ClassicBucket { upper, cumulative };
    let buckets = ClassicBuckets::new(vec![bucket(f64::INFINITY, 8.0), bucket(1.0, 2.0), bucket(10.0, 1.0)]);
    let (value, mended) = buckets.quantile(0.1);
    assert_eq!((value, mended.map(|mended| mended.bounds)), (0.4, Some((10.0, 10.0))));
}
