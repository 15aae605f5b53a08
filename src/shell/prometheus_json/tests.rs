use super::*;
use crate::engine::promql::{SelectedSeries, series_notation};

#[test]
fn numbers_are_written_as_go_writes_them() {
    let cases = [
        (1.0, "1", "1e+00"),
        (0.1, "0.1", "1e-01"),
        (1e21, "1e+21", "1e+21"),
        (1e20, "100000000000000000000", "1e+20"),
        (1.5e-7, "1.5e-07", "1.5e-07"),
        (0.0, "0", "0e+00"),
        (f64::NAN, "NaN", "NaN"),
        (f64::NEG_INFINITY, "-Inf", "-Inf"),
    ];
    for (number, plain, scientific) in cases {
        assert_eq!((float(number).as_str(), exponential(number).as_str()), (plain, scientific));
    }
}

fn sample(written: &str) -> SampleValue {
    match series_notation::points(written).unwrap().as_slice() {
        [Some(value)] => value.clone(),
        other => panic!("{written} is {other:?}"),
    }
}

#[test]
fn results_are_written_as_prometheus_does() {
    let histogram = "{{schema:0 sum:5 count:4 buckets:[1 0 3]}}";
    let set = || Labels::collect([("a", "b")]);
    let series = |values: &[&str]| {
        let at = |(second, value): (i64, &&str)| Sample {
            time_ms: second * 1_000,
            value: sample(value),
            start_ms: None,
        };
        let samples = (1..).zip(values).map(at).collect();
        QueryValue::Matrix(vec![SelectedSeries::whole(set(), samples)])
    };
    let native = r#"{"count":"4","sum":"5","buckets":[[0,"0.5","1","1"],[0,"2","4","3"]]}"#;
    let cases = [
        (QueryValue::Scalar(2.5), r#"{"resultType":"scalar","result":[1.5,"2.5"]}"#.to_owned()),
        (
            QueryValue::Scalar(1.5e22),
            r#"{"resultType":"scalar","result":[1.5,"15000000000000000000000"]}"#.to_owned(),
        ),
        (
            QueryValue::Vector(vec![(set(), sample("2.5"))]),
            r#"{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.5,"2.5"]}]}"#.to_owned(),
        ),
        (
            QueryValue::Vector(vec![(set(), sample(histogram))]),
            format!(
                r#"{{"resultType":"vector","result":[{{"metric":{{"a":"b"}},"histogram":[1.5,{native}]}}]}}"#
            ),
        ),
        (
            series(&["3", histogram]),
            format!(
                r#"{{"resultType":"matrix","result":[{{"metric":{{"a":"b"}},"values":[[1,"3"]],"histograms":[[2,{native}]]}}]}}"#
            ),
        ),
    ];
    for (value, data) in cases {
        let result =
            EvalOutcome { value, warnings: Vec::new(), infos: vec!["hm".to_owned()], samples_read: 0 };
        let said = outcome(&result, Timestamp::from_millis(1_500));
        let expected = format!(r#"{{"status":"success","data":{data},"infos":["hm"]}}"#);
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(read(&said), read(&expected));
    }
}
