//! What pages show, as cases in `tests/page`: rules, events, the instant, the page, and the text that is read there. A
//! case may say too what else is so there: `unready` and `concerns` (`TOPIC: WORDS`), `remarks` of the last load, `pair`
//! (`leads`, `follows NAME`, `nobody`), `facts` (`NAME COUNT`) and payloads that are `refused`.
//!
//! `UPDATE_PAGE_CASES=1` writes what pages show now into the cases; read the difference before you keep it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::address::{Address, QueryAsk, RuleAddress};
use super::assets::unstyled;
use super::find::RulesAsk;
use super::look::{Editing, Look, Surroundings};
use super::show;
use crate::engine::Engine;
use crate::engine::catalogue::KnownMetrics;
use crate::engine::config::Config;
use crate::engine::diagnostic::Source;
use crate::engine::fact::{DropReason, Fact, PairStanding, ReloadResult};
use crate::engine::frozen::QueryTerms;
use crate::engine::promql::EvalSettings;
use crate::engine::promql::storage::Endless;
use crate::engine::rules::load::{INTERVAL_DEFAULT, LoadContext, load};
use crate::engine::time::Timestamp;
use crate::engine::wire::{Lane, Message};
use crate::shell::for_tests::{METRIC_SUBJECT, apply, gauge};
use crate::shell::http::form::Form;
use crate::shell::status::{Concern, PairCondition, Topic};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_824_000_000).after(Duration::from_secs(seconds))
}

fn engine(rules: &str) -> Engine {
    let source = Source { name: "rules.yaml".into(), text: rules.into() };
    let metrics = KnownMetrics::default();
    let context = LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None };
    let loaded = load(&[source], &context);
    assert!(loaded.is_good(), "{:?}", loaded.diagnostics);
    Engine::new(&Config::with_defaults("orders-1"), loaded.set, at(0))
}

/// Lets the engine do what is due until an instant.
fn pass(engine: &mut Engine, until: Timestamp) {
    while engine.next_tick() <= until {
        let next = engine.next_tick();
        engine.tick(next);
    }
}

fn address(text: &str) -> Address {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("/", _) => Address::Overview,
        ("/rules", ask) => Address::Rules(RulesAsk::of(&Form::of(ask))),
        ("/events", _) => Address::Events,
        ("/series", _) => Address::Series,
        ("/query", query) => Address::Query(QueryAsk { text: query.to_owned(), minutes: Some(5) }),
        (path, _) => Address::Rule(RuleAddress::alert(path.strip_prefix("/rules/").unwrap())),
    }
}

/// What pages show beside the engine, where all is well.
fn surroundings() -> Surroundings {
    Surroundings {
        instance: "orders-1".to_owned(),
        unready: Vec::new(),
        diagnostics: String::new(),
        concerns: Vec::new(),
        pair: None,
        rejected: Arc::default(),
        window: Duration::from_mins(5),
        tracker_entries: 200_000,
        share: Vec::new(),
        series_max: 1_000_000,
        series_per_metric_max: 100_000,
        pasts: Arc::default(),
        editing: Editing::Off,
    }
}

/// What a case says of the surroundings.
fn surroundings_of<'a>(part: impl Fn(&str) -> Option<&'a str>) -> Surroundings {
    let said = |name: &str| -> Vec<(&'a str, String)> {
        let lines = part(name).unwrap_or_default().lines();
        lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(about, text)| (about, text.to_owned()))
            .collect()
    };
    let topic = |name: &str| match name {
        "core link" => Topic::CoreLink,
        "stream link" => Topic::StreamLink,
        "publish link" => Topic::PublishLink,
        "stream" => Topic::Stream,
        "catching up" => Topic::CatchUp,
        "publishing" => Topic::Publishing,
        other => panic!("no topic {other}"),
    };
    let concern = |name: &str| if name == "state" { Concern::State } else { Concern::AlertStream };
    let pair = part("pair").map(|pair| {
        let leader = pair.strip_prefix("follows ").map(Arc::from);
        let standing = if pair == "leads" { PairStanding::Leads } else { PairStanding::Follows };
        PairCondition { standing, leader }
    });
    Surroundings {
        unready: said("unready").into_iter().map(|(name, text)| (topic(name), text)).collect(),
        concerns: said("concerns").into_iter().map(|(name, text)| (concern(name), text)).collect(),
        diagnostics: part("remarks").unwrap_or_default().to_owned(),
        pair,
        ..surroundings()
    }
}

/// Has a fact of a case observed.
fn observe(engine: &mut Engine, line: &str, now: Timestamp) {
    let (name, count) = line.rsplit_once(' ').unwrap();
    let count = count.parse().unwrap();
    engine.observe(
        match name {
            "dropped" => Fact::Dropped { reason: DropReason::SlowConsumer, count },
            "lost" => Fact::StreamLost { stream: Arc::from("EVENTS"), count },
            "waiting" => Fact::StreamPending { stream: Arc::from("EVENTS"), count },
            "reload failed" => Fact::Reloaded(ReloadResult::Failure),
            other => panic!("no fact {other}"),
        },
        now,
    );
}

/// The markup of a page.
fn shown(engine: &mut Engine, (address, surroundings): (&Address, &Surroundings), now: Timestamp) -> String {
    let instant = engine.freeze(now);
    let settings = EvalSettings::default();
    let terms = QueryTerms { settings: &settings, patience: &Endless };
    let shown = show(address, &Look::new(&instant, surroundings, terms));
    shown.live + &shown.still
}

/// What is read on a page: its text, a line for each block, charts as they are told to those who do not see them.
fn read(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let (tag, after) = tag.split_once('>').unwrap_or((tag, ""));
        rest = after;
        match tag.trim_start_matches('/').split(' ').next().unwrap_or_default() {
            "svg" if !tag.starts_with('/') => {
                let label = tag.split("aria-label=\"").nth(1).and_then(|label| label.split('"').next());
                if let Some(label) = label {
                    let _ = write!(text, "[chart {label}]");
                }
                rest = after.split_once("</svg>").map_or("", |(_, after)| after);
            }
            "td" | "th" if !tag.starts_with('/') => text.push_str(" | "),
            "span" | "strong" | "a" | "code" | "bdi" | "time" | "td" | "th" | "option" | "progress" => {}
            _ => text.push('\n'),
        }
    }
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let lines: Vec<String> = lines.filter(|line| !line.is_empty() && line != "|").collect();
    lines.join("\n") + "\n"
}

/// Plays a case and reads its page.
fn play(case: &str) -> String {
    let part = |name: &str| {
        let start = case.find(&format!("== {name}"))? + 3 + name.len();
        let rest = &case[start..];
        Some(rest.split("\n== ").next().unwrap_or(rest).trim())
    };
    let mut engine = engine(part("rules").unwrap_or("groups: []"));
    for (number, line) in part("events").unwrap_or_default().lines().enumerate() {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default().trim();
        let now = at(word().parse().unwrap());
        let (name, value) = (word(), word().parse().unwrap());
        let tags = serde_json::from_str(word()).unwrap();
        pass(&mut engine, now);
        apply(&mut engine, &[gauge(number as u64 + 1, (name, value), &tags)], now);
    }
    let now = at(part("at").unwrap().parse().unwrap());
    pass(&mut engine, now);
    let surroundings = surroundings_of(part);
    for line in part("facts").unwrap_or_default().lines() {
        observe(&mut engine, line, now);
    }
    for payload in part("refused").unwrap_or_default().lines() {
        let message = Message { subject: METRIC_SUBJECT, headers: &[], payload: payload.as_bytes() };
        for rejected in engine.apply(Lane::Core, &[message], now) {
            surroundings.rejected.notice((Lane::Core, &message), &rejected, now);
        }
    }
    let html = shown(&mut engine, (&address(part("page").unwrap()), &surroundings), now);
    assert_eq!(unstyled(&html), BTreeSet::new(), "classes without a style, of\n{case}");
    read(&html)
}

#[test]
fn pages_show_what_the_cases_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page");
    let update = std::env::var_os("UPDATE_PAGE_CASES").is_some();
    let mut wrong = Vec::new();
    let mut cases: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 5, "{} holds too few cases", folder.display());
    for path in cases {
        let case = std::fs::read_to_string(&path).unwrap();
        let (given, expected) = case.split_once("\n== shows\n").unwrap();
        let seen = play(given);
        if update {
            std::fs::write(&path, format!("{given}\n== shows\n{seen}")).unwrap();
        } else if seen != expected {
            wrong.push(format!("{} shows now:\n{seen}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pages_of_a_big_instance_stay_small() {
    let mut rules =
        "groups:\n  - name: many\n    rules:\n      - {alert: Firing, expr: load, above: 0}\n".to_owned();
    for number in 0..1_200 {
        let _ = writeln!(rules, "      - {{alert: Quiet{number}, expr: other, above: {number}}}");
    }
    let mut engine = engine(&rules);
    let events: Vec<String> = (0..3_000)
        .map(|number| gauge(number, ("load", 1.0), &json!({"host": format!("host-{number}")})))
        .collect();
    apply(&mut engine, &events, at(1));
    pass(&mut engine, at(6));
    assert_eq!(engine.alerts().len(), 3_000);
    for (page, bytes_max) in
        [("/", 400_000), ("/rules", 900_000), ("/rules/many-firing", 400_000), ("/series", 200_000)]
    {
        let html = shown(&mut engine, (&address(page), &surroundings()), at(6));
        assert!(html.len() < bytes_max, "{page} has {} bytes", html.len());
    }
    let overview = read(&shown(&mut engine, (&Address::Overview, &surroundings()), at(6)));
    assert!(overview.contains("And 2,850 more alerts firing"), "{overview}");
}
