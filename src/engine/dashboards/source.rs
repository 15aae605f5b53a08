//! Reads the files dashboards are made from.

use std::ops::Range;

use super::{Diagnostic, Source};
use crate::engine::yaml::keys::{Key, KeyDefault, KeyKind, key};
use crate::engine::yaml::{Findings, Read, ReadValue, Text, Values};

/// A dashboard as it is written.
#[derive(Clone, Debug)]
pub(super) struct Board {
    /// The name of its file.
    pub(super) name: &'static str,
    /// Its text, which findings point into.
    pub(super) source: Source,
    /// What it is called.
    pub(super) title: String,
    /// What it shows, for people.
    pub(super) description: String,
    /// The groups whose alerts it is about; all where none is named.
    pub(super) alerts_of: Vec<String>,
    /// The labels one can choose values of.
    pub(super) variables: Vec<String>,
    /// Its rows.
    pub(super) rows: Vec<Row>,
    /// Metrics of the catalogue that stand on no panel, and why.
    #[cfg_attr(not(test), expect(dead_code, reason = "held by a test, for readers of the file"))]
    pub(super) left_out: Vec<(String, String)>,
}

/// Panels under one heading.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The heading.
    pub(super) title: String,
    /// The panels.
    pub(super) panels: Vec<Panel>,
}

/// A panel as it is written.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// Its values.
    values: Values,
    /// What it asks.
    pub(super) measure: Measure,
}

/// What a panel asks.
#[derive(Clone, Debug)]
pub(super) enum Measure {
    /// A metric, in the way its type is shown.
    Metric {
        /// Its name and place.
        name: Text,
        /// The labels it is told apart by.
        by: Vec<String>,
        /// How series of a gauge become one.
        aggregate: String,
        /// The quantiles of a histogram.
        quantiles: Vec<f64>,
    },
    /// Queries of their own.
    Queries(Vec<Query>),
}

/// A query as it is written.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// `PromQL`, with `$__rate_interval`, `$alerts` and no condition on `job`, `instance` and the like.
    pub(super) expr: String,
    /// Where it stands in the file.
    pub(super) span: Range<usize>,
    /// What its lines are called.
    pub(super) legend: String,
    /// Whether it has nothing to tell in good times.
    pub(super) is_quiet: bool,
}

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PanelKind {
    /// Lines over time.
    TimeSeries,
    /// Numbers as they are now.
    Stat,
    /// Rows as they are now.
    Table,
    /// Buckets over time.
    Heatmap,
}

/// How it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Lines lie on each other.
    Stacked,
    /// With exemplars.
    Exemplars,
    /// On a logarithmic axis.
    Logarithmic,
    /// The name in place of the value.
    Name,
}

impl Look {
    const WORDS: [(&str, Self); 4] = [
        ("stack", Self::Stacked),
        ("exemplars", Self::Exemplars),
        ("logarithmic", Self::Logarithmic),
        ("name", Self::Name),
    ];
}

/// The keys of a file.
const FILE: &[Key] = &[
    key("title", KeyKind::Text, KeyDefault::Required, "What it is called."),
    key("description", KeyKind::Text, KeyDefault::Required, "What it shows."),
    key(
        "alerts_of",
        KeyKind::List(&KeyKind::Text),
        KeyDefault::Nothing,
        "The groups whose alerts it is about.",
    ),
    key("variables", KeyKind::List(&KeyKind::Text), KeyDefault::Nothing, "Labels to choose values of."),
    key("rows", KeyKind::List(&KeyKind::Section(ROW)), KeyDefault::Required, "Its rows."),
    key("left_out", KeyKind::Map(&KeyKind::Text), KeyDefault::Nothing, "Metrics on no panel, and why."),
];

const ROW: &[Key] = &[
    key("title", KeyKind::Text, KeyDefault::Required, "The heading."),
    key("panels", KeyKind::List(&KeyKind::Section(PANEL)), KeyDefault::Required, "The panels."),
];

const PANEL: &[Key] = &[
    key("title", KeyKind::Text, KeyDefault::Required, "What it is called."),
    key(
        "type",
        KeyKind::Word(&["timeseries", "stat", "table", "heatmap"]),
        KeyDefault::Value("timeseries"),
        "What is drawn.",
    ),
    key("metric", KeyKind::Text, KeyDefault::Nothing, "A metric, asked for in the way of its type."),
    key("by", KeyKind::List(&KeyKind::Text), KeyDefault::Nothing, "The labels it is told apart by."),
    key("aggregate", KeyKind::Text, KeyDefault::Value("sum"), "How series of a gauge become one."),
    key(
        "quantiles",
        KeyKind::List(&KeyKind::Number),
        KeyDefault::Value("[0.5, 0.95, 0.99]"),
        "The quantiles of a histogram.",
    ),
    key("expr", KeyKind::Text, KeyDefault::Nothing, "One query."),
    key("legend", KeyKind::Text, KeyDefault::Nothing, "What its lines are called."),
    key("queries", KeyKind::List(&KeyKind::Section(QUERY)), KeyDefault::Nothing, "Several queries."),
    key("unit", KeyKind::Text, KeyDefault::Words("the metric's"), "Grafana's name of the unit."),
    key("about", KeyKind::Text, KeyDefault::Nothing, "What it means; the metrics' help follows."),
    key("quiet", KeyKind::Text, KeyDefault::Nothing, "What it says where good times leave it empty."),
    key("rules", KeyKind::List(&KeyKind::Text), KeyDefault::Nothing, "Rules whose thresholds are drawn."),
    key("width", KeyKind::Count(1), KeyDefault::Words("8, a stat's 4"), "Columns of 24."),
    key(
        "draw",
        KeyKind::Word(&["stack", "exemplars", "logarithmic", "name"]),
        KeyDefault::Nothing,
        "How it is drawn.",
    ),
    key("max", KeyKind::Number, KeyDefault::Nothing, "Where the axis ends."),
    key("steps", KeyKind::Map(&KeyKind::Text), KeyDefault::Nothing, "Colours from a value on."),
    key("words", KeyKind::Map(&KeyKind::Section(WORD)), KeyDefault::Nothing, "Words in place of values."),
];

const WORD: &[Key] = &[
    key("text", KeyKind::Text, KeyDefault::Required, "The word."),
    key("color", KeyKind::Text, KeyDefault::Required, "Its colour."),
];

const QUERY: &[Key] = &[
    key("expr", KeyKind::Text, KeyDefault::Required, "`PromQL`."),
    key("legend", KeyKind::Text, KeyDefault::Required, "What its lines are called."),
    key("quiet", KeyKind::Flag, KeyDefault::Value("false"), "Whether good times leave it empty."),
];

/// Reads one.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(name: &'static str, text: &str) -> Result<Board, Vec<Diagnostic>> {
    let source =
        Source { name: format!("src/engine/dashboards/boards/{name}.yaml").into(), text: text.into() };
    let mut findings = Findings::new(&source);
    let root = findings.document();
    let values = root.map(|root| Values(findings.section(&root, FILE, ""))).unwrap_or_default();
    let rows = values.list("rows").iter().map(|row| read_row(row, &mut findings)).collect();
    let text = |key: &str| values.text(key).unwrap_or_default();
    let board = Board {
        name,
        source: source.clone(),
        title: text("title"),
        description: text("description"),
        alerts_of: values.texts("alerts_of").unwrap_or_default(),
        variables: values.texts("variables").unwrap_or_default(),
        rows,
        left_out: values.section("left_out").text_map().into_iter().collect(),
    };
    if findings.list.is_empty() { Ok(board) } else { Err(findings.list) }
}

fn read_row(read: &Read, findings: &mut Findings<'_>) -> Row {
    let values = Values::of(read);
    let panels = values.list("panels").iter().filter_map(|panel| read_panel(panel, findings)).collect();
    Row { title: values.text("title").unwrap_or_default(), panels }
}

fn read_panel(read: &Read, findings: &mut Findings<'_>) -> Option<Panel> {
    let values = Values::of(read);
    let metric = values.written("metric").cloned();
    let single = values.written("expr").map(|expr| Query {
        expr: expr.content.clone(),
        span: expr.span.clone(),
        legend: values.text("legend").unwrap_or_default(),
        is_quiet: false,
    });
    let several: Vec<Query> = values.list("queries").iter().filter_map(read_query).collect();
    let measure = match (metric, single, several.is_empty()) {
        (Some(name), None, true) => Measure::Metric {
            name,
            by: values.texts("by").unwrap_or_default(),
            aggregate: values.text("aggregate").unwrap_or_else(|| "sum".to_owned()),
            quantiles: numbers(&values, "quantiles").unwrap_or_else(|| vec![0.5, 0.95, 0.99]),
        },
        (None, Some(query), true) => Measure::Queries(vec![query]),
        (None, None, false) => Measure::Queries(several),
        (_, _, _) => {
            findings.error("missing-key", &read.span, "a panel has one of `metric`, `expr` and `queries`");
            return None;
        }
    };
    Some(Panel { values, measure })
}

fn read_query(read: &Read) -> Option<Query> {
    let values = Values::of(read);
    let expr = values.written("expr")?;
    Some(Query {
        expr: expr.content.clone(),
        span: expr.span.clone(),
        legend: values.text("legend").unwrap_or_default(),
        is_quiet: values.flag("quiet").unwrap_or(false),
    })
}

fn numbers(values: &Values, key: &str) -> Option<Vec<f64>> {
    values.find(key)?;
    Some(values.list(key).iter().filter_map(number).collect())
}

fn number(read: &Read) -> Option<f64> {
    if let ReadValue::Number(number) = read.value { Some(number) } else { None }
}

impl Panel {
    /// The text of a key, empty where it is left out.
    pub(super) fn text(&self, key: &str) -> String {
        self.values.text(key).unwrap_or_default()
    }

    /// What is drawn.
    pub(super) fn kind(&self) -> PanelKind {
        match self.text("type").as_str() {
            "stat" => PanelKind::Stat,
            "table" => PanelKind::Table,
            "heatmap" => PanelKind::Heatmap,
            _ => PanelKind::TimeSeries,
        }
    }

    /// How it is drawn.
    pub(super) fn look(&self) -> Option<Look> {
        let word = self.text("draw");
        Look::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, look)| look)
    }

    /// The ids of the rules whose thresholds are drawn.
    pub(super) fn rules(&self) -> Vec<String> {
        self.values.texts("rules").unwrap_or_default()
    }

    /// Columns of 24.
    pub(super) fn width(&self) -> u64 {
        let usual = if self.kind() == PanelKind::Stat { 4 } else { 8 };
        self.values.count("width").unwrap_or(usual)
    }

    /// Where the axis ends.
    pub(super) fn max(&self) -> Option<f64> {
        number(self.values.find("max")?)
    }

    /// Colours from a value on, rising.
    pub(super) fn steps(&self) -> Vec<(f64, String)> {
        let steps = self.values.section("steps").text_map();
        let mut steps: Vec<(f64, String)> =
            steps.into_iter().filter_map(|(value, colour)| Some((value.parse().ok()?, colour))).collect();
        steps.sort_by(|left, right| left.0.total_cmp(&right.0));
        steps
    }

    /// Words in place of values: value, word, colour.
    pub(super) fn words(&self) -> Vec<(String, String, String)> {
        let words = self.values.section("words");
        let word = |(value, read): &(String, Read)| {
            let word = Values::of(read);
            (value.clone(), word.text("text").unwrap_or_default(), word.text("color").unwrap_or_default())
        };
        words.0.iter().map(word).collect()
    }
}
