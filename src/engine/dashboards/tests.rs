//! The files held to what they are made from.

use std::collections::BTreeSet;

use super::{BOARDS, Dashboard, dashboards, shipped_rules, source, thresholds};
use crate::engine::catalogue::{self, CATALOGUE};
use crate::engine::config::Config;
use crate::engine::diagnostic::{Style, render_all};
use crate::engine::promql::{inspect, parse};
use crate::engine::rules::RuleSet;
use crate::engine::rules::spanning::Spanning;

fn drawn(config: &Config) -> Vec<Dashboard> {
    let found = dashboards(config, &shipped_rules(config));
    found.unwrap_or_else(|found| panic!("{}", render_all(&found.iter().collect::<Vec<_>>(), Style::Plain)))
}

fn shipped() -> Vec<Dashboard> {
    drawn(&Config::with_defaults("me"))
}

/// The expressions of a dashboard's panels.
fn expressions(dashboard: &Dashboard) -> Vec<String> {
    let panels = dashboard.json["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    targets.map(|target| target["expr"].as_str().unwrap().replace("$__rate_interval", "1m")).collect()
}

#[test]
fn every_metric_of_the_catalogue_stands_on_a_panel_or_is_left_out_with_a_reason() {
    let mut shown = BTreeSet::new();
    for expr in shipped().iter().flat_map(expressions) {
        for selector in inspect::selectors(&parse(&expr).unwrap()) {
            let name = inspect::literal_name(selector.vector).unwrap();
            shown.insert(catalogue::find(name).unwrap().name);
        }
    }
    let boards = BOARDS.map(|(name, text)| source::read(name, text).unwrap());
    let left_out: Vec<&(String, String)> = boards.iter().flat_map(|board| &board.left_out).collect();
    for row in CATALOGUE {
        let is_left_out = left_out.iter().any(|(name, reason)| name == row.name && !reason.is_empty());
        assert_ne!(shown.contains(row.name), is_left_out, "{}", row.name);
    }
    assert!(left_out.iter().all(|(name, _)| catalogue::find(name).is_some()), "{left_out:?}");
}

#[test]
fn every_panel_shows_the_same_over_all_parts() {
    let mut config = Config::with_defaults("me");
    config.partition.count = 4;
    let metrics = catalogue::known_metrics(&config);
    let spanning = Spanning::of(&RuleSet::default(), &metrics);
    for dashboard in shipped() {
        // The sides of an `or` in a sum have other labels, or add 0: both are kept, in each part and in all of them.
        for text in expressions(&dashboard).into_iter().filter(|text| !text.contains(" or ")) {
            let mut expr = parse(&text).unwrap();
            let is_other = spanning.spans(&expr).is_some() && spanning.merge(&mut expr);
            assert!(!is_other, "{}: {text} is {expr} over all parts", dashboard.file);
        }
    }
}

#[test]
fn every_rule_that_a_panel_names_is_shipped_and_has_a_threshold() {
    let rules = shipped_rules(&Config::with_defaults("me"));
    for (name, text) in BOARDS {
        let board = source::read(name, text).unwrap();
        for panel in board.rows.iter().flat_map(|row| &row.panels) {
            for id in panel.rules() {
                let rule = thresholds::find(&rules, &id).unwrap_or_else(|| panic!("{name}: no rule {id}"));
                assert!(thresholds::steps(&[rule]).len() > 1, "{name}: {id}");
            }
        }
        for group in &board.alerts_of {
            assert!(rules.groups.iter().any(|known| *known.name == **group), "{name}: no group {group}");
        }
    }
}

#[test]
fn every_alerting_rule_with_a_threshold_of_its_own_is_drawn_or_counted() {
    let rules = shipped_rules(&Config::with_defaults("me"));
    let boards = BOARDS.map(|(name, text)| source::read(name, text).unwrap());
    for group in &rules.groups {
        let is_counted = boards.iter().any(|board| board.alerts_of.iter().any(|name| **name == *group.name));
        assert!(is_counted, "no dashboard is about the alerts of group {}", group.name);
    }
}

#[test]
fn colours_change_where_rules_fire() {
    let rules = shipped_rules(&Config::with_defaults("me"));
    let steps = |id: &str| {
        let steps = thresholds::steps(&[thresholds::find(&rules, id).unwrap()]);
        steps
            .iter()
            .map(|step| format!("{}@{}", step["color"].as_str().unwrap(), step["value"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(steps("slow-queries"), ["green@null", "orange@0.4", "red@2.0"]);
    assert_eq!(steps("connection-pool-exhausted"), ["red@null", "green@1.0"]);
    let sentence =
        thresholds::sentence(thresholds::find(&rules, "cache-hit-rate-low").unwrap(), "percentunit");
    assert_eq!(sentence, "Alert CacheHitRateLow: warning below 40 %, clears at 50 % or more.");
}

#[test]
fn a_namespace_stands_before_what_events_feed_and_the_page_is_where_it_is() {
    let mut config = Config::with_defaults("me");
    config.namespace = "shop".to_owned();
    config.external_url = "https://box/signalbox/".to_owned();
    let all = drawn(&config);
    let queue = all.iter().find(|dashboard| dashboard.file == "queue.json").unwrap();
    let text = queue.text();
    assert!(
        text.contains("sum by (queue) (shop_queue_depth{job=~") && !text.contains("(queue_depth"),
        "{text}"
    );
    assert!(text.contains("label_values(shop_queue_") && text.contains("(signalbox_alerts{"), "{text}");
    assert!(text.contains("\"https://box/signalbox\""), "{text}");
}

#[test]
fn a_mistake_in_a_file_is_shown_at_its_place() {
    let cases = [
        ("title: x\ndescription: y\nrows: [{title: a, panels: [{title: b}]}]", "one of `metric`"),
        (
            "title: x\ndescription: y\nrows: [{title: a, panels: [{title: b, metrik: c}]}]",
            "unknown key `metrik`",
        ),
    ];
    for (text, words) in cases {
        let found = source::read("x", text).unwrap_err();
        assert!(found.iter().any(|found| found.message.contains(words)), "{found:?}");
    }
    let rules = shipped_rules(&Config::with_defaults("me"));
    let config = Config::with_defaults("me");
    let around = super::board::Surroundings { config: &config, rules: &rules };
    for (measure, words) in [("metric: queue_dept", "has this name"), ("expr: sum(rate(queue_depth))", "")] {
        let text = format!(
            "title: x\ndescription: y\nrows:\n  - title: a\n    panels:\n      - {{title: b, {measure}}}\n"
        );
        let board = source::read("x", &text).unwrap();
        let found = super::board::draw(&board, &around).unwrap_err();
        assert!(found[0].message.contains(words) && found[0].span.start > 0, "{found:?}");
    }
}
