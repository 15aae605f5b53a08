//! What Grafana's dashboard linter asks of a dashboard, held for the shipped ones: one test for each of its rules, and
//! those of our own.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

/// The shipped dashboards by their files' names.
pub(crate) fn shipped() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/dashboards")).unwrap();
    let mut all: Vec<(String, Value)> = files
        .map(|file| {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect();
    all.sort_by(|left, right| left.0.cmp(&right.0));
    assert_eq!(all.len(), 7);
    all
}

/// Calls `look` with every panel that is no row, and where it stands.
fn for_each_panel(mut look: impl FnMut(&str, &Value)) {
    for (file, dashboard) in shipped() {
        let panels = dashboard["panels"].as_array().unwrap();
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            look(&format!("{file}: {}", panel["title"]), panel);
        }
    }
}

/// Calls `look` with every query of every panel, and where it stands.
fn for_each_query(mut look: impl FnMut(&str, &str)) {
    for_each_panel(|place, panel| {
        for target in panel["targets"].as_array().unwrap() {
            look(place, target["expr"].as_str().unwrap());
        }
    });
}

/// Calls `look` with every variable, and where it stands.
fn for_each_variable(mut look: impl FnMut(&str, &Value)) {
    for (file, dashboard) in shipped() {
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            look(&format!("{file}: {}", variable["name"]), variable);
        }
    }
}

/// What stands in the parentheses that open at `open`.
fn inside(text: &str, open: usize) -> &str {
    let mut depth = 0;
    for (at, letter) in text[open..].char_indices() {
        match letter {
            '(' => depth += 1,
            ')' if depth == 1 => return &text[open + 1..open + at],
            ')' => depth -= 1,
            _ => {}
        }
    }
    panic!("unbalanced: {text}")
}

#[test]
fn template_datasource_one_chooses_the_data_source() {
    for (file, dashboard) in shipped() {
        let list = dashboard["templating"]["list"].as_array().unwrap();
        let sources: Vec<&Value> = list.iter().filter(|one| one["type"] == "datasource").collect();
        assert_eq!(sources.len(), 1, "{file}");
        assert_eq!(
            (&sources[0]["name"], &sources[0]["query"], &sources[0]["label"]),
            (&json!("datasource"), &json!("prometheus"), &json!("Data source")),
            "{file}"
        );
    }
}

#[test]
fn template_job_and_instance_are_there_and_template_on_time_change_reload() {
    for (file, dashboard) in shipped() {
        let list = dashboard["templating"]["list"].as_array().unwrap();
        for name in ["job", "instance"] {
            assert!(list.iter().any(|one| one["name"] == name), "{file} lacks {name}");
        }
    }
    for_each_variable(|place, variable| {
        if variable["type"] != "query" {
            return;
        }
        assert_eq!(variable["datasource"], json!({"type": "prometheus", "uid": "${datasource}"}), "{place}");
        assert_eq!(variable["refresh"], 2, "{place}");
        assert_eq!((&variable["multi"], &variable["includeAll"]), (&json!(true), &json!(true)), "{place}");
        // The linter wants `.+`, by which signalbox' own series, without job and instance, would be nowhere.
        assert_eq!(variable["allValue"], ".*", "{place}");
        let label = variable["label"].as_str().unwrap();
        assert!(label.starts_with(|letter: char| letter.is_ascii_uppercase()), "{place}");
    });
}

#[test]
fn panel_datasource_everything_asks_the_chosen_one() {
    let chosen = json!({"type": "prometheus", "uid": "${datasource}"});
    for_each_panel(|place, panel| {
        assert_eq!(panel["datasource"], chosen, "{place}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], chosen, "{place}");
        }
    });
}

#[test]
fn panel_title_description_and_unit_are_there() {
    // Grafana's names of units that are used here.
    let units = ["short", "s", "bytes", "percentunit", "cps", "eps"];
    for_each_panel(|place, panel| {
        assert!(!panel["title"].as_str().unwrap().is_empty(), "{place}");
        let description = panel["description"].as_str().unwrap();
        assert!(description.ends_with('.') && description.len() > 15, "{place}: {description:?}");
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap();
        assert!(units.contains(&unit), "{place}: {unit}");
    });
}

#[test]
fn panel_no_targets_each_asks_something_and_ids_are_unique() {
    for_each_panel(|place, panel| {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{place}");
        let letters: BTreeSet<&str> = targets.iter().map(|one| one["refId"].as_str().unwrap()).collect();
        assert_eq!(letters.len(), targets.len(), "{place}");
    });
    let mut uids = BTreeSet::new();
    for (file, dashboard) in shipped() {
        let panels = dashboard["panels"].as_array().unwrap();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{file}");
        assert!(uids.insert(dashboard["uid"].as_str().unwrap().to_owned()), "{file}");
    }
}

#[test]
fn target_job_and_instance_every_selector_has_both() {
    for_each_query(|place, expr| {
        // Every selector begins with them, and nothing else has braces.
        let selectors = expr.matches('{').count();
        assert!(selectors > 0, "{place}: {expr}");
        let conditioned = expr.matches(r#"{job=~"$job", instance=~"$instance""#).count();
        assert_eq!(conditioned, selectors, "{place}: {expr}");
    });
}

#[test]
fn target_rate_interval_every_range_is_grafanas() {
    for_each_query(|place, expr| {
        assert_eq!(expr.matches('[').count(), expr.matches("[$__rate_interval]").count(), "{place}: {expr}");
    });
}

#[test]
fn target_counter_agg_counters_are_rates_and_gauges_are_not() {
    for_each_query(|place, expr| {
        let mut rest = expr;
        while let Some(at) = rest.find('{') {
            let name_start =
                rest[..at].rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            let (before, name) = rest[..at].split_at(name_start.map_or(0, |at| at + 1));
            let is_counter = ["_total", "_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end));
            let is_rate = ["rate(", "increase("].iter().any(|function| before.ends_with(function));
            assert_eq!(is_counter, is_rate, "{place}: {name} in {expr}");
            rest = &rest[at + 1..];
        }
    });
}

#[test]
fn sums_are_of_rates_and_never_the_other_way_round_and_quantiles_keep_le() {
    for_each_query(|place, expr| {
        assert!(!expr.contains("rate(sum") && !expr.contains("increase(sum"), "{place}: {expr}");
        for (at, found) in expr.match_indices("histogram_quantile(") {
            let arguments = inside(expr, at + found.len() - 1);
            assert!(arguments.contains("sum by (le"), "{place}: {expr}");
        }
    });
}

#[test]
fn no_query_makes_up_a_zero_where_nothing_answers() {
    for_each_query(|place, expr| {
        assert!(!expr.contains("vector("), "{place}: {expr}");
        // Where everything fails there is nothing, and not a zero that looks like calm.
        assert!(!expr.contains("absent("), "{place}: {expr}");
    });
}

#[test]
fn panels_lie_side_by_side_and_on_no_other() {
    for (file, dashboard) in shipped() {
        let mut taken = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(place("x") + place("w") <= 24, "{file}: {}", panel["title"]);
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(taken.insert((x, y)), "{file}: {} lies on another", panel["title"]);
                }
            }
        }
    }
}

#[test]
fn each_leads_to_the_others_and_to_the_page_and_marks_its_alerts() {
    for (file, dashboard) in shipped() {
        assert_eq!(dashboard["schemaVersion"], 42, "{file}");
        assert_eq!(dashboard["editable"], false, "{file}");
        assert_eq!(dashboard["tags"], json!(["signalbox"]), "{file}");
        let links = dashboard["links"].as_array().unwrap();
        assert!(
            links.iter().any(|link| link["tags"] == json!(["signalbox"]) && link["includeVars"] == true),
            "{file}"
        );
        assert!(links.iter().any(|link| link["url"] == "${page:raw}"), "{file}");
        let marks = dashboard["annotations"]["list"].as_array().unwrap();
        assert!(
            marks.iter().any(|mark| {
                let target = &mark["target"];
                target["refId"] == "Anno"
                    && target["expr"].as_str().is_some_and(|expr| expr.contains("firing"))
            }),
            "{file}"
        );
    }
}

#[test]
fn lines_of_thresholds_are_drawn_where_rules_are_named_and_lead_to_them() {
    let mut count = 0;
    for_each_panel(|place, panel| {
        let links = panel["links"].as_array().unwrap();
        let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array().unwrap();
        assert!(steps[0]["value"].is_null(), "{place}");
        let values: Vec<f64> = steps[1..].iter().map(|step| step["value"].as_f64().unwrap()).collect();
        assert!(values.is_sorted(), "{place}: {values:?}");
        for link in links {
            assert!(link["url"].as_str().unwrap().starts_with("${page:raw}/rules/"), "{place}");
            assert!(
                !values.is_empty() && panel["description"].as_str().unwrap().contains("Alert "),
                "{place}"
            );
            count += 1;
        }
        if panel["type"] == "timeseries" {
            let style = &panel["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]["mode"];
            assert_eq!(style, if links.is_empty() { "off" } else { "dashed" }, "{place}");
        }
    });
    assert!(count >= 20, "{count}");
}

#[test]
fn grafana_is_provisioned_with_all_of_them_and_both_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let provider = read("deploy/compose/grafana/provisioning/dashboards/dashboards.yaml");
    let compose = read("compose.yaml");
    // The folder of the provider is where compose mounts ours.
    let folder = provider.split("path: ").nth(1).unwrap().split(['}', '\n']).next().unwrap();
    assert!(compose.contains(&format!("./dashboards:{folder}:ro")), "{folder}");
    let sources = read("deploy/compose/grafana/provisioning/datasources/datasources.yaml");
    assert_eq!(sources.matches("type: prometheus").count(), 2, "{sources}");
    assert!(
        sources.contains("isDefault: true") && sources.matches("timeInterval: 5s").count() == 2,
        "{sources}"
    );
}
