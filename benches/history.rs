//! What the past of 100,000 series costs: a step of the grid, a freeze, and the step and the events that follow one.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench measures the world"
)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use signalbox::engine::config::Config;
use signalbox::engine::history::History;
use signalbox::engine::metric::MetricType;
use signalbox::engine::series::{Cause, FamilyId, FamilySpec, SeriesId, SeriesLimits, Store};
use signalbox::engine::time::Timestamp;

const SERIES: usize = 100_000;
const STEPS: i64 = 720;
const STEP_SECONDS: i64 = 5;

struct World {
    store: Store,
    history: History,
    families: Vec<FamilyId>,
    series: Vec<SeriesId>,
    seconds: i64,
}

fn main() {
    let mut world = World::new();
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        world.move_all();
        steps.push(world.step());
    }
    let samples = (STEPS as usize * SERIES) as f64;
    println!("history: {:.2} bytes a sample of an hour", world.history.bytes() as f64 / samples);
    let (middle, most) = middle_and_most(steps);
    println!("history: a step of {SERIES} series that all moved: {middle:.2} ms, at the most {most:.2} ms");
    let (mut freezes, mut moves, mut moves_after, mut steps) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..50 {
        moves.push(timed(|| world.move_all()));
        world.step();
        let mut frozen = None;
        freezes.push(timed(|| frozen = Some((world.store.freeze(), world.history.timeline().clone()))));
        moves_after.push(timed(|| world.move_all()));
        steps.push(world.step());
        black_box(frozen);
    }
    for (what, figures) in [
        ("a freeze", freezes),
        ("a step after a freeze", steps),
        ("moving every series", moves),
        ("moving every series after a freeze", moves_after),
    ] {
        let (middle, most) = middle_and_most(figures);
        println!("history: {what}: {middle:.2} ms, at the most {most:.2} ms");
    }
    arrivals(&mut world);
}

/// Arrivals that have rules over a tenth of the series evaluated, 20 a second.
fn arrivals(world: &mut World) {
    let read: BTreeSet<FamilyId> = world.families.iter().take(1).copied().collect();
    let before = world.history.bytes();
    let mut figures = Vec::new();
    let mut steps = Vec::new();
    for _ in 0..24 {
        for part in 1..100_i64 {
            let now = Timestamp::from_millis(world.seconds * 1_000 + part * 50);
            let moved = world.move_some(part as usize, now);
            figures.push(timed(|| {
                world.history.sample_read(&world.store, now, &read, &moved);
            }));
        }
        steps.push(world.step());
    }
    let (middle, most) = middle_and_most(figures);
    println!(
        "history: an arrival that reads 10,000 series, 100 of them moved: {middle:.3} ms, at the most {most:.3} ms"
    );
    let (middle, most) = middle_and_most(steps);
    println!("history: a step that thins them: {middle:.2} ms, at the most {most:.2} ms");
    println!(
        "history: {:.1} MB more after two minutes of it",
        (world.history.bytes() as f64 - before as f64) / 1e6
    );
}

impl World {
    fn new() -> Self {
        let mut store = Store::new(SeriesLimits { series: 2 * SERIES, series_per_metric: SERIES });
        let mut config = Config::with_defaults("bench").history;
        config.bytes_max = 1 << 30;
        let history = History::new(&config);
        let (mut families, mut series) = (Vec::new(), Vec::new());
        for family in 0..10 {
            let metric_type = if family == 0 { MetricType::Gauge } else { MetricType::Counter };
            let name = Arc::from(format!("metric_{family}"));
            let id = store
                .register(FamilySpec { name, metric_type, ..FamilySpec::default() })
                .expect("the name is free");
            for number in 0..SERIES / 10 {
                let (user, zone) = (format!("user-{number}"), format!("zone-{}", number % 7));
                series.push(store.resolve(id, &[("user", &user), ("zone", &zone)], Timestamp::EPOCH));
            }
            families.push(id);
        }
        Self { store, history, families, series, seconds: 0 }
    }

    fn cause(&self) -> Cause {
        Cause { now: Timestamp::from_millis(self.seconds * 1_000), event: None }
    }

    /// Moves every series by a step of its own.
    fn move_all(&mut self) {
        let cause = self.cause();
        for (number, series) in self.series.iter().enumerate() {
            let value = ((number * 7 + self.seconds.unsigned_abs() as usize) % 13) as f64;
            self.store.add(*series, value, cause);
            self.store.set(*series, value, cause);
        }
    }

    /// Moves one in a hundred gauges.
    fn move_some(&mut self, part: usize, now: Timestamp) -> Vec<SeriesId> {
        let cause = Cause { now, event: None };
        let moved: Vec<SeriesId> =
            self.series.iter().take(SERIES / 10).skip(part).step_by(100).copied().collect();
        for series in &moved {
            self.store.set(*series, (part * 31 % 101) as f64, cause);
        }
        moved
    }

    fn step(&mut self) -> Duration {
        self.seconds += STEP_SECONDS;
        let now = Timestamp::from_millis(self.seconds * 1_000);
        timed(|| {
            self.history.sample_all(&mut self.store, now, &BTreeSet::new());
        })
    }
}

/// This thread's time on a processor: other load on the machine does not count.
fn timed(run: impl FnOnce()) -> Duration {
    let start = cpu();
    run();
    cpu().saturating_sub(start)
}

fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0);
    Duration::from_nanos(nanoseconds)
}

fn middle_and_most(mut figures: Vec<Duration>) -> (f64, f64) {
    figures.sort_unstable();
    let milliseconds =
        |place: usize| figures.get(place).map_or(f64::NAN, |figure| figure.as_secs_f64() * 1e3);
    (milliseconds(figures.len() / 2), milliseconds(figures.len().saturating_sub(1)))
}
