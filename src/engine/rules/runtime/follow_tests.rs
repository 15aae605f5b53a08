//! What becomes of alerts here when the other instance of a pair publishes.

use proptest::prelude::*;

use super::tests::{Memory, at};
use super::*;
use crate::engine::rules::event::Identity;
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::rules::reach::Reach;
use crate::engine::rules::set::Severity;
use crate::engine::rules::stored::{StoredAlert, StoredAlerts};
use crate::engine::wire::EventType;

const PLAIN: &str = "groups: [{name: g, interval: 10s, rules: [{alert: Deep, expr: level, above: 10}]}]";
const LEVELS: &str = "groups: [{name: g, interval: 10s, rules: [{alert: Deep, expr: level, \
    severities: {warning: {above: 10}, critical: {above: 20}}}]}]";
const NOTHING: &str = "groups: []";

/// What happens, a second each.
#[derive(Clone, Copy, Debug)]
enum Happens {
    /// The stream is applied up to this sequence.
    Applied(u64),
    /// The level is this from now on; the rule is evaluated.
    Level(f64),
    /// The other instance published the beginning of an episode at this second, decided over so much of the stream.
    Begun(f64, Reach),
    /// The same of a level's severity.
    BegunAs(&'static str, f64, Reach),
    /// The other instance published the end of the episode of this second.
    Ended(f64, Reach),
    /// It published both, and both are read at once.
    Both(f64, Reach, Reach),
    /// What was decided before now and waits in pairs is let go.
    LetGo,
}

const fn reach(at_least: u64, at_most: u64) -> Reach {
    Reach { at_least, at_most }
}

/// No sequence is known.
const NOWHERE: Reach = reach(0, 0);

/// What waits in the end, as `+` and `-` with the second the episode began at, and since when the alert fires here.
fn play(rules: &str, happens: &[Happens]) -> String {
    let (mut memory, mut now) = (Memory::default(), 100.0);
    let mut rules = Rules::new(rule_set(rules), RuleSettings::new("ours"), at(now));
    for step in happens {
        now += 1.0;
        match step {
            Happens::Applied(sequence) => rules.applying(Reach::exactly(*sequence)),
            Happens::Level(value) => {
                memory.set("level", &[("tank", "north")], (now, *value));
                rules.evaluate_group(0, &mut memory, at(now));
            }
            Happens::Begun(start, reach) => {
                follow(&mut rules, (&[], EventType::AlertTriggered), (*start, *reach), now);
            }
            Happens::BegunAs(severity, start, reach) => {
                let severity = &[("severity", *severity)];
                follow(&mut rules, (severity, EventType::AlertTriggered), (*start, *reach), now);
            }
            Happens::Ended(start, reach) => {
                follow(&mut rules, (&[], EventType::AlertCleared), (*start, *reach), now);
            }
            Happens::Both(start, begun, ended) => {
                let begun = stored((&[], EventType::AlertTriggered), (*start, *begun));
                let ended = stored((&[], EventType::AlertCleared), (*start, *ended));
                adopt(&mut rules, vec![begun, ended], now);
            }
            Happens::LetGo => rules.let_go(&|event| event.timestamp < at(now)),
        }
    }
    let second = |at: Timestamp| at.millis() / 1_000;
    let waiting: Vec<String> = rules
        .outbox()
        .map(|event| {
            let sign = if event.event_type() == EventType::AlertCleared { '-' } else { '+' };
            format!("{sign}{}", second(event.started_at))
        })
        .collect();
    let books = rules.groups.iter().flat_map(|group| &group.rules).map(|rule| &rule.book);
    let firing = books.flat_map(|book| book.alerts.values()).filter_map(|active| active.episode.as_ref());
    let firing: Vec<String> = firing.map(|episode| second(episode.started_at).to_string()).collect();
    format!("waits [{}], fires [{}]", waiting.join(" "), firing.join(" "))
}

/// Shows an event of the other instance.
fn follow(rules: &mut Rules, what: (&[(&str, &str)], EventType), episode: (f64, Reach), now: f64) {
    adopt(rules, vec![stored(what, episode)], now);
}

/// Shows events of the other instance at once.
fn adopt(rules: &mut Rules, latest: Vec<StoredAlert>, now: f64) {
    let ids =
        |event_type| latest.iter().filter(move |it| it.event_type == event_type).map(|it| it.id).collect();
    let (begun, ended) = (ids(EventType::AlertTriggered), ids(EventType::AlertCleared));
    rules.adopt(&StoredAlerts { begun, ended, latest, ..StoredAlerts::default() }, at(now));
}

/// An event of the other instance.
fn stored((labels, event_type): (&[(&str, &str)], EventType), (start, reach): (f64, Reach)) -> StoredAlert {
    let named = [("alertname", "Deep"), ("tank", "north")];
    let labels = Labels::collect(named.iter().chain(labels).copied());
    let (started_at, severity) = (at(start), labels.get("severity").and_then(Severity::from_name));
    let id = Identity { rule_id: "g-deep", labels: &labels, started_at }.event_id(event_type);
    StoredAlert {
        id,
        source: Arc::from("ours"),
        event_type,
        rule_id: Arc::from("g-deep"),
        alert_name: Arc::from("Deep"),
        severity: severity.unwrap_or(Severity::Warning),
        labels,
        started_at,
        timestamp: started_at,
        annotations: Vec::new(),
        reach,
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_the_other_published_takes_the_place_of_what_was_decided_here() {
    use Happens::{Applied, Begun, BegunAs, Both, Ended, LetGo, Level};
    let cases: &[(&str, &[Happens], &str)] = &[
        // Both see the same; the other one says it.
        (PLAIN, &[Level(20.0)], "waits [+101], fires [101]"),
        (PLAIN, &[Level(20.0), Begun(100.5, NOWHERE)], "waits [], fires [100]"),
        (PLAIN, &[Level(20.0), Begun(100.5, NOWHERE), Level(5.0)], "waits [-100], fires []"),
        (
            PLAIN,
            &[Level(20.0), Begun(100.5, NOWHERE), Level(5.0), Ended(100.5, NOWHERE)],
            "waits [], fires []",
        ),
        // It begins there before it does here, by minutes on its clock.
        (PLAIN, &[Begun(400.0, NOWHERE), Level(20.0), Level(5.0)], "waits [-400], fires []"),
        // It began and ended here before the first word came: the end follows that beginning.
        (PLAIN, &[Level(20.0), Level(5.0), Begun(90.0, NOWHERE)], "waits [-90], fires []"),
        (
            PLAIN,
            &[Level(20.0), Level(5.0), Level(20.0), Begun(90.0, NOWHERE)],
            "waits [-90 +103], fires [103]",
        ),
        (
            PLAIN,
            &[Level(20.0), Level(5.0), Level(20.0), Begun(90.0, NOWHERE), Ended(90.0, NOWHERE)],
            "waits [+103], fires [103]",
        ),
        // Both decided the same ids; what is decided here behind them is not what they say.
        (
            PLAIN,
            &[
                Applied(10),
                Level(20.0),
                Applied(11),
                Level(5.0),
                Applied(12),
                Level(20.0),
                Both(102.0, reach(10, 10), reach(11, 11)),
            ],
            "waits [+106], fires [106]",
        ),
        // A crossing that the other one did not see is older than what it decided over more of the stream.
        (
            PLAIN,
            &[Applied(10), Level(20.0), Level(5.0), Applied(20), Level(20.0), Begun(99.0, reach(20, 20))],
            "waits [], fires [99]",
        ),
        // What it decided over less says nothing of the later crossing.
        (
            PLAIN,
            &[Applied(10), Level(20.0), Applied(20), Level(5.0), Level(20.0), Begun(99.0, reach(10, 15))],
            "waits [-99 +105], fires [105]",
        ),
        // Here less of the stream is applied than there: nothing is decided until it is.
        (PLAIN, &[Applied(10), Level(5.0), Begun(99.0, reach(20, 20)), Level(5.0)], "waits [], fires [99]"),
        (
            PLAIN,
            &[Applied(10), Level(5.0), Begun(99.0, reach(20, 20)), Level(5.0), Applied(20), Level(5.0)],
            "waits [-99], fires []",
        ),
        (
            PLAIN,
            &[
                Applied(10),
                Level(20.0),
                Begun(99.0, reach(10, 10)),
                Ended(99.0, reach(20, 20)),
                Level(20.0),
                Applied(20),
                Level(5.0),
            ],
            "waits [], fires []",
        ),
        // An episode that was forgotten with a process and decided again, later than it began, ended there.
        (
            PLAIN,
            &[Applied(104), Level(20.0), Applied(105), Level(5.0), Ended(99.0, reach(103, 107))],
            "waits [], fires []",
        ),
        (
            PLAIN,
            &[Applied(110), Level(20.0), Applied(111), Level(5.0), Ended(99.0, reach(103, 107))],
            "waits [+102 -102], fires []",
        ),
        // Severities.
        (LEVELS, &[Level(15.0), BegunAs("warning", 99.0, NOWHERE)], "waits [], fires [99]"),
        (LEVELS, &[Level(25.0), BegunAs("warning", 99.0, NOWHERE)], "waits [-99 +101], fires [101]"),
        // Whole episodes that the other one did not see are let go, and what is left follows the one that is open.
        (PLAIN, &[Level(20.0), Level(5.0), LetGo], "waits [], fires []"),
        (PLAIN, &[Level(20.0), Level(5.0), Level(20.0), LetGo], "waits [+103], fires [103]"),
        (PLAIN, &[Level(20.0), Begun(99.0, NOWHERE), Level(5.0), Level(20.0), LetGo], "waits [], fires [99]"),
        (
            PLAIN,
            &[Level(20.0), Begun(99.0, NOWHERE), Level(5.0), Level(20.0), Level(5.0), LetGo],
            "waits [-99], fires []",
        ),
        // What the other one saw and told whole before it is noticed here is an episode of its own, until it is let go.
        (PLAIN, &[Both(99.0, NOWHERE, NOWHERE), Level(20.0), Level(5.0)], "waits [+102 -102], fires []"),
        (PLAIN, &[Both(99.0, NOWHERE, NOWHERE), Level(20.0), Level(5.0), LetGo], "waits [], fires []"),
        // Its rule is gone here.
        (NOTHING, &[Begun(99.0, NOWHERE)], "waits [-99], fires []"),
        (NOTHING, &[Begun(99.0, NOWHERE), Ended(99.0, NOWHERE)], "waits [], fires []"),
    ];
    for (rules, happens, expected) in cases {
        assert_eq!(play(rules, happens), *expected, "{happens:?}");
    }
}

/// An instance of a pair.
struct Instance {
    rules: Rules,
    memory: Memory,
    /// Messages that were applied.
    applied: usize,
    /// Alert events that were read.
    read: usize,
}

/// Two instances over one stream of levels, and one of alert events.
struct Pair {
    instances: [Instance; 2],
    levels: Vec<f64>,
    stream: Vec<StoredAlert>,
    now: f64,
}

/// What happens to a pair.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Another level is to be applied.
    Level(f64),
    /// An instance applies the next message.
    Apply(usize),
    /// An instance reads what is new of the alert events.
    Read(usize),
    /// An instance publishes, where it knows everything that was.
    Publish(usize),
    /// The interval's evaluation.
    Evaluate(usize),
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => prop_oneof![Just(20.0), Just(5.0)].prop_map(Act::Level),
        4 => (0_usize..2).prop_map(Act::Apply),
        2 => (0_usize..2).prop_map(Act::Read),
        2 => (0_usize..2).prop_map(Act::Publish),
        1 => (0_usize..2).prop_map(Act::Evaluate),
    ]
}

impl Pair {
    fn new() -> Self {
        let instance = || Instance {
            rules: Rules::new(rule_set(PLAIN), RuleSettings::new("ours"), at(0.0)),
            memory: Memory::default(),
            applied: 0,
            read: 0,
        };
        Self { instances: [instance(), instance()], levels: Vec::new(), stream: Vec::new(), now: 1.0 }
    }

    fn act(&mut self, act: Act) {
        self.now += 1.0;
        let now = self.now;
        match act {
            Act::Level(level) => self.levels.push(level),
            Act::Apply(who) => {
                let instance = &mut self.instances[who];
                if let Some(level) = self.levels.get(instance.applied) {
                    instance.applied += 1;
                    instance.rules.applying(Reach::exactly(instance.applied as u64));
                    instance.memory.set("level", &[("tank", "north")], (now, *level));
                    instance.rules.evaluate_group(0, &mut instance.memory, at(now));
                }
            }
            Act::Evaluate(who) => {
                let instance = &mut self.instances[who];
                instance.rules.evaluate_group(0, &mut instance.memory, at(now));
            }
            Act::Read(who) => {
                let instance = &mut self.instances[who];
                let latest = self.stream[instance.read..].to_vec();
                instance.read = self.stream.len();
                let of = |wanted| {
                    latest.iter().filter(move |it| it.event_type == wanted).map(|it| it.id).collect()
                };
                let (begun, ended) = (of(EventType::AlertTriggered), of(EventType::AlertCleared));
                instance
                    .rules
                    .adopt(&StoredAlerts { begun, ended, latest, ..StoredAlerts::default() }, at(now));
            }
            Act::Publish(who) => {
                let instance = &mut self.instances[who];
                let next = instance.rules.outbox().next().cloned();
                if let Some(event) = next.filter(|_| instance.read == self.stream.len()) {
                    self.stream.push(StoredAlert::of(&event));
                    instance.read += 1;
                    instance.rules.confirm(event.id);
                }
            }
        }
    }
}

proptest! {
    /// Whatever an instance decides, reads and publishes when, and whoever goes on alone in the end: the stream alternates,
    /// each end is that of its own episode, and in the end the alert stands as it should.
    #[test]
    fn a_pair_says_each_turn_once(steps in prop::collection::vec(acts(), 0..80), last in 0_usize..2) {
        let mut pair = Pair::new();
        for step in steps {
            pair.act(step);
        }
        while pair.instances[last].applied < pair.levels.len() {
            pair.act(Act::Apply(last));
        }
        for _ in 0..3 {
            pair.act(Act::Read(last));
            pair.act(Act::Evaluate(last));
            while pair.instances[last].rules.outbox().next().is_some() {
                pair.act(Act::Publish(last));
            }
        }
        let mut open = None;
        for stored in &pair.stream {
            let is_end = stored.event_type == EventType::AlertCleared;
            prop_assert_eq!(open, is_end.then_some(stored.started_at), "{:?}", pair.stream);
            open = (!is_end).then_some(stored.started_at);
        }
        let ids: BTreeSet<EventId> = pair.stream.iter().map(|stored| stored.id).collect();
        prop_assert_eq!(ids.len(), pair.stream.len());
        prop_assert_eq!(open.is_some(), pair.levels.last().is_some_and(|level| *level > 10.0));
    }
}
