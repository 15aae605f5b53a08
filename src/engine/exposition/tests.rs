//! Whole scrapes, from the store to the bytes.

use std::borrow::Cow;

use super::*;
use crate::engine::metric::MetricType;
use crate::engine::series::{Cause, FamilySpec, Ordinal, SeriesLimits, Store};
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

use MetricType::{Counter, Gauge, Histogram};

const BORN: Timestamp = Timestamp::from_millis(1_700_000_000_500);

struct World {
    store: Store,
    events: RecentEvents,
}

impl World {
    fn new() -> Self {
        let limits = SeriesLimits { series: 1_000_000, series_per_metric: 1_000_000 };
        Self { store: Store::new(limits), events: RecentEvents::default() }
    }

    fn move_series(&mut self, name: &str, metric_type: MetricType, labels: &[(&str, &str)], values: &[f64]) {
        let buckets: Arc<[f64]> =
            if metric_type == Histogram { Arc::from([0.5, 1.0]) } else { Arc::from([]) };
        let spec = FamilySpec {
            name: Arc::from(name),
            metric_type,
            help: Cow::Owned(format!("Says \"{name}\"\\\n.")),
            unit: Some(Arc::from("seconds")),
            buckets,
            stale_after: None,
        };
        let family = self.store.register(spec).unwrap();
        let id = self.store.resolve(family, labels, BORN);
        for value in values {
            let cause = Cause { now: BORN, event: Some(Ordinal(0)) };
            self.store.add(id, *value, cause);
            self.store.set(id, *value, cause);
            self.store.observe(id, *value, cause);
        }
    }

    fn scrape(&mut self, syntax: Syntax, names: &[&str]) -> String {
        self.scrape_as(ScrapeFormat { syntax, escaping: None }, names)
    }

    fn scrape_as(&mut self, format: ScrapeFormat, names: &[&str]) -> String {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        String::from_utf8(self.bytes(Scrape { format, names })).unwrap()
    }

    fn bytes(&mut self, scrape: Scrape) -> Vec<u8> {
        FrozenMetrics::new(self.store.freeze(), self.events.freeze()).into_bytes(scrape)
    }
}

fn small_world() -> World {
    let mut world = World::new();
    world.events.push(EventId(7), Some(0xab), Timestamp::from_millis(1_600_000_000_250), "q1");
    world.move_series("jobs", Counter, &[("queue", "a")], &[2.0, 3.0]);
    world.move_series("idle", Counter, &[], &[]);
    world.move_series("level_seconds", Gauge, &[("b", "x\\\n\""), ("a", "é\0")], &[f64::NEG_INFINITY]);
    world.move_series("wait_seconds", Histogram, &[("queue", "a")], &[0.5, 0.75, 9.0]);
    world
}

#[test]
fn text_is_as_prometheus_reads_it() {
    let expected = r#"# HELP idle_total Says "idle"\\\n.
# TYPE idle_total counter
idle_total 0
# HELP jobs_total Says "jobs"\\\n.
# TYPE jobs_total counter
jobs_total{queue="a"} 5
# HELP level_seconds Says "level_seconds"\\\n.
# TYPE level_seconds gauge
level_seconds{a="é@",b="x\\\n\""} -Inf
# HELP wait_seconds Says "wait_seconds"\\\n.
# TYPE wait_seconds histogram
wait_seconds_bucket{queue="a",le="0.5"} 1
wait_seconds_bucket{queue="a",le="1.0"} 2
wait_seconds_bucket{queue="a",le="+Inf"} 3
wait_seconds_sum{queue="a"} 10.25
wait_seconds_count{queue="a"} 3
"#;
    assert_eq!(small_world().scrape(Syntax::Text, &[]), expected.replace('@', "\0"));
}

#[test]
fn openmetrics_carries_units_births_and_exemplars() {
    let expected = r#"# HELP idle Says \"idle\"\\\n.
# TYPE idle counter
idle_total 0
idle_created 1700000000.5
# HELP jobs Says \"jobs\"\\\n.
# TYPE jobs counter
jobs_total{queue="a"} 5 # {E} 3 1600000000.25
jobs_created{queue="a"} 1700000000.5
# HELP level_seconds Says \"level_seconds\"\\\n.
# TYPE level_seconds gauge
# UNIT level_seconds seconds
level_seconds{a="é@",b="x\\\n\""} -Inf
# HELP wait_seconds Says \"wait_seconds\"\\\n.
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{queue="a",le="0.5"} 1 # {E} 0.5 1600000000.25
wait_seconds_bucket{queue="a",le="1.0"} 2 # {E} 0.75 1600000000.25
wait_seconds_bucket{queue="a",le="+Inf"} 3 # {E} 9 1600000000.25
wait_seconds_sum{queue="a"} 10.25
wait_seconds_count{queue="a"} 3
wait_seconds_created{queue="a"} 1700000000.5
# EOF
"#;
    let exemplar = r#"{event_id="00000000-0000-0000-0000-000000000007",trace_id="000000000000000000000000000000ab",query_hash="q1"}"#;
    let expected = expected.replace('@', "\0").replace("{E}", exemplar);
    assert_eq!(small_world().scrape(Syntax::OpenMetrics, &[]), expected);
}

#[test]
fn a_name_keeps_its_family_or_its_samples() {
    let samples = |syntax, name: &str| -> Vec<String> {
        let text = small_world().scrape(syntax, &[name]);
        let lines = text.lines().filter(|line| !line.starts_with("# HELP") && !line.starts_with("# UNIT"));
        lines.map(|line| line.split(['{', '#']).next().unwrap_or("").trim().to_owned()).collect()
    };
    let types = |syntax, name: &str| {
        small_world().scrape(syntax, &[name]).lines().filter(|line| line.contains("TYPE")).count()
    };
    assert_eq!(samples(Syntax::Text, "nothing"), Vec::<String>::new());
    assert_eq!(small_world().scrape(Syntax::OpenMetrics, &["nothing"]), "# EOF\n");
    for name in ["jobs", "jobs_total"] {
        assert_eq!(samples(Syntax::Text, name).last().map(String::as_str), Some("jobs_total"));
        assert_eq!(types(Syntax::Text, name), 1);
    }
    assert_eq!(small_world().scrape(Syntax::OpenMetrics, &["jobs"]).matches("jobs_created{").count(), 1);
    assert_eq!(
        small_world().scrape(Syntax::OpenMetrics, &["jobs_total"]).matches("jobs_created{").count(),
        0
    );
    let sum = small_world().scrape(Syntax::OpenMetrics, &["wait_seconds_sum"]);
    assert!(sum.contains("# TYPE wait_seconds_sum unknown\n"), "{sum}");
    assert!(sum.ends_with("wait_seconds_sum{queue=\"a\"} 10.25\n# EOF\n"), "{sum}");
    let buckets = small_world().scrape(Syntax::Text, &["wait_seconds_bucket"]);
    assert_eq!((buckets.matches("_bucket{").count(), buckets.contains("_count")), (3, false));
    assert_eq!(small_world().scrape(Syntax::Text, &["jobs_created"]), "");
}

#[test]
fn utf8_names_reach_whoever_asks_for_them_and_others_see_underscores() {
    let mut world = World::new();
    world.move_series("my.metric", Counter, &[("lbl.x", "v"), ("plain", "w")], &[1.0]);
    world.move_series("plain", Gauge, &[("lbl.x", "v,\"")], &[1.0]);
    world.move_series("wait.time", Histogram, &[], &[1.0]);
    let cases = [
        (
            Escaping::AllowUtf8,
            "{\"my.metric_total\",\"lbl.x\"=\"v\",plain=\"w\"} 1\n",
            "# TYPE \"my.metric_total\" counter\n",
        ),
        (Escaping::AllowUtf8, "plain{\"lbl.x\"=\"v,\\\"\"} 1\n", "# TYPE plain gauge\n"),
        (Escaping::AllowUtf8, "{\"wait.time_bucket\",le=\"0.5\"} 0\n", "{\"wait.time_sum\"} 1\n"),
        (
            Escaping::Underscores,
            "my_metric_total{lbl_x=\"v\",plain=\"w\"} 1\n",
            "# TYPE my_metric_total counter\n",
        ),
        (Escaping::Underscores, "plain{lbl_x=\"v,\\\"\"} 1\n", "wait_time_bucket{le=\"0.5\"} 0\n"),
        (Escaping::Dots, "my_dot_metric__total{lbl_dot_x=\"v\",plain=\"w\"} 1\n", "wait_dot_time_count 1\n"),
        (
            Escaping::Values,
            "U__my_2e_metric__total{U__lbl_2e_x=\"v\",plain=\"w\"} 1\n",
            "U__wait_2e_time_sum 1\n",
        ),
    ];
    for (escaping, first, second) in cases {
        let text = world.scrape_as(ScrapeFormat { syntax: Syntax::Text, escaping: Some(escaping) }, &[]);
        assert!(text.contains(first) && text.contains(second), "{escaping:?}\n{text}");
    }
}

#[test]
fn openmetrics_hides_a_sum_that_is_negative() {
    let mut world = World::new();
    world.move_series("h", Histogram, &[], &[-3.0, 1.0]);
    let open = world.scrape(Syntax::OpenMetrics, &[]);
    assert!(!open.contains("h_sum") && !open.contains("h_count") && open.contains("h_bucket{le=\"+Inf\"} 2"));
    assert!(world.scrape(Syntax::Text, &[]).contains("h_sum -2\nh_count 2\n"));
}

#[test]
fn chunks_are_bounded_and_add_up_to_the_whole() {
    let mut world = World::new();
    for place in 0..20_000 {
        world.move_series("many", Counter, &[("place", &place.to_string())], &[1.0]);
    }
    for syntax in [Syntax::Text, Syntax::OpenMetrics, Syntax::Protobuf] {
        let format = ScrapeFormat { syntax, escaping: None };
        let snapshot = FrozenMetrics::new(world.store.freeze(), world.events.freeze());
        let scrape = Scrape { format, names: Vec::new() };
        let chunks: Vec<Vec<u8>> = snapshot.clone().write(scrape.clone()).collect();
        assert!(
            chunks.len() > 2 && chunks.iter().all(|chunk| chunk.len() <= (160 << 10) + 512),
            "{syntax:?}"
        );
        assert_eq!(chunks.concat(), snapshot.into_bytes(scrape));
    }
}

#[test]
fn a_snapshot_shows_its_instant_whatever_happens_after() {
    let mut world = small_world();
    let snapshot = FrozenMetrics::new(world.store.freeze(), world.events.freeze());
    let before = world.scrape(Syntax::OpenMetrics, &[]);
    world.move_series("jobs", Counter, &[("queue", "a")], &[100.0]);
    world.move_series("jobs", Counter, &[("queue", "new")], &[1.0]);
    for id in 0..70_000 {
        world.events.push(EventId(id), None, BORN, "");
    }
    let format = ScrapeFormat { syntax: Syntax::OpenMetrics, escaping: None };
    let scrape = Scrape { format, names: Vec::new() };
    assert_eq!(String::from_utf8(snapshot.into_bytes(scrape)).unwrap(), before);
    assert!(!world.scrape(Syntax::OpenMetrics, &["jobs"]).contains("event_id"), "their event is long gone");
}
