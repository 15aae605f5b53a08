//! Cases of templates: what stands in a rule file and what people read.

use super::*;
use crate::engine::promql::storage::{Extent, Selection};
use crate::engine::promql::{self, Sample, SelectedSeries, Storage};

/// The series of `tests/rules/templates.jsonl`.
const SERIES: [(&str, &str, f64); 9] = [
    ("m", "instance=b:1,job=api", 1_234_567.891),
    ("zero", "", 0.0),
    ("neg", "", -1_234.5),
    ("notnum", "", f64::NAN),
    ("endless", "", f64::INFINITY),
    ("small", "", 0.000_123_45),
    ("big", "", 1.5e25),
    ("up", "job=b,n=1", 1.0),
    ("up", "job=a", 0.0),
];

fn series() -> Vec<(Labels, f64)> {
    let labels = |name: &str, text: &str| {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        Labels::collect(pairs.chain([("__name__", name)]))
    };
    SERIES.iter().map(|(name, text, value)| (labels(name, text), *value)).collect()
}

/// Answers with PromQL over [`SERIES`] at the minute.
fn answer(text: &str, _steps: u64) -> Answer {
    let samples = || {
        let expr = promql::parse(text).map_err(|error| error.placed(text))?;
        let outcome = promql::instant(&expr, &Stored, 60_000, &promql::EvalSettings::default());
        match outcome.map_err(|error| error.to_string())?.value {
            promql::QueryValue::Scalar(value) => Ok(vec![(Labels::empty(), value)]),
            promql::QueryValue::Vector(samples) => Ok(samples
                .into_iter()
                .map(|(labels, value)| match value {
                    promql::Value::Float(value) => (labels, value),
                    promql::Value::Histogram(_) => (labels, f64::NAN),
                })
                .collect()),
            promql::QueryValue::String(_) | promql::QueryValue::Matrix(_) => {
                Err("rule result is not a vector or scalar".to_owned())
            }
        }
    };
    Answer { samples: samples(), steps: 1 }
}

/// [`SERIES`] at 0 and at the minute.
struct Stored;

impl Storage for Stored {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let wanted = |labels: &Labels| {
            let mut matchers = selection.matchers.iter();
            matchers.all(|matcher| matcher.condition.holds(labels.get(&matcher.name).unwrap_or("")))
        };
        let found = series().into_iter().filter(|(labels, _)| wanted(labels)).map(|(labels, value)| {
            let span = selection.start_ms..=selection.end_ms;
            let times = [0, 60_000].into_iter().filter(|time| span.contains(time));
            let value = promql::Value::Float(value);
            let mut samples: Vec<Sample> =
                times.map(|time_ms| Sample { time_ms, value: value.clone(), start_ms: None }).collect();
            if selection.extent == Extent::Last {
                samples = samples.pop().into_iter().collect();
            }
            SelectedSeries::whole(labels, samples)
        });
        found.filter(|series| !series.samples.is_empty()).collect()
    }
}

fn expand_on(text: &str, on: &str, own_url: Option<&str>) -> Result<Expansion, Problem> {
    let (labels, value) = series().into_iter().find(|(labels, _)| labels.metric_name() == on).unwrap();
    let external_labels = Labels::collect([("region", "eu")]);
    let scope = Scope {
        labels: &labels,
        value,
        external_labels: &external_labels,
        external_url: "http://box:9469/prefix",
        own_url,
        now: Timestamp::from_millis(60_500),
    };
    Ok(Template::parse(text)?.expand(scope, &mut answer, u64::MAX))
}

fn expand(text: &str) -> Result<String, String> {
    let expansion =
        expand_on(text, "m", Some("http://box:9469/prefix")).map_err(|problem| problem.to_string())?;
    expansion.text.map_err(|error| error.to_string())
}

/// What Prometheus' own promtool (2.42) made of each template for the alert `A`: its text, how it refused the file, or
/// how it failed; and on which of [`SERIES`] where that is not the first. Left out are pointers, whose addresses change,
/// texts that are no UTF-8, and what a newer Prometheus has beside.
const AS_PROMTOOL: &str = include_str!("../../../../tests/rules/templates.jsonl");

#[derive(serde::Deserialize)]
#[serde(untagged, rename_all = "snake_case")]
enum Outcome {
    Text(String),
    Refused { refused: String },
    Failed { failed: String },
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Case {
    On(String, Outcome, String),
    First(String, Outcome),
}

#[test]
fn templates_read_as_promtool_reads_them() {
    let mut wrong = Vec::new();
    for line in AS_PROMTOOL.lines() {
        let (text, expected, on) = match serde_json::from_str(line).unwrap() {
            Case::On(text, expected, on) => (text, expected, on),
            Case::First(text, expected) => (text, expected, "m".to_owned()),
        };
        let actual = match expand_on(&text, &on, None) {
            Err(problem) => format!("refused: {problem}"),
            Ok(expansion) => expansion.text.unwrap_or_else(|error| error.in_prometheus("A")),
        };
        let expected = match expected {
            Outcome::Text(text) => text,
            Outcome::Refused { refused } => {
                format!("refused: {}", refused.splitn(4, ':').nth(3).unwrap().trim_start())
            }
            Outcome::Failed { failed } => format!("<error expanding template: {failed}>"),
        };
        if actual != expected {
            wrong.push(format!("{text}\n    is {actual}\nnot {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_newer_prometheus_has_is_there_too() {
    let cases = [
        ("{{ externalURL }} {{ pathPrefix }}", "http://box:9469/prefix /prefix"),
        ("{{ now }} {{ urlQueryEscape \"a b&c\" }}", "60.5 a+b%26c"),
        (
            "{{ toDuration 5025.5 }} {{ (toDuration 90).Minutes }} {{ humanize (toDuration 2) }}",
            "1h23m45.5s 1.5 2",
        ),
        (
            "{{ range 3 }}x{{ end }} {{ range $i := 3 }}{{ $i }}{{ end }}{{ range 0 }}{{ else }}none{{ end }}",
            "xxx 012none",
        ),
        ("{{ with 0 }}a{{ else with \"b\" }}{{ . }}{{ else }}c{{ end }}", "b"),
    ];
    for (text, expected) in cases {
        assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_does_not_parse_is_found_at_its_place_with_what_to_do() {
    let cases = [
        ("ok {{ $labels.queue", 19..19, "Its `}}` is missing."),
        ("{{ $labels.queue holds {{ $value }} jobs", 0..2, "Its `}}` is missing."),
        ("a {{ $value }} b {{ $value of {{ $value }}", 17..19, "Its `}}` is missing."),
        ("{{ humanise 1 }}", 3..11, "Did you mean `humanize`?"),
        ("{{ toupper \"a\" }}", 3..10, "Did you mean `toUpper`?"),
        ("{{ labels.queue }}", 3..9, "A variable has a dollar: `$labels`."),
        ("{{ 5 | nosuch }}", 7..13, "Text stands outside of `{{ }}`, or in quotes."),
        ("first line\n{{ $labls.a }}", 14..20, "Did you mean `$labels`?"),
        ("{{ if true }}x", 14..14, "Its `{{ end }}` is missing."),
        ("ok {{ $value }", 13..14, "An action ends with `}}`."),
        ("{{ if }}x{{ end }}", 6..8, ""),
        ("{{ end }}", 0..2, "No `if`, `with`, `range` or `define` is open here."),
        (
            "{{ $value > 5 }}",
            10..11,
            "Compare with `eq`, `ne`, `gt` or `lt`, as in `{{ if eq $labels.queue \"bulk\" }}`.",
        ),
    ];
    for (text, span, advice) in cases {
        let problem = Template::parse(text).unwrap_err();
        assert_eq!(
            (problem.span.clone(), problem.advice().unwrap_or_default().as_str()),
            (span, advice),
            "{text}"
        );
    }
}

#[test]
fn templates_say_which_labels_they_read_and_whether_they_change_by_themselves() {
    let cases: [(&str, &[&str], bool); 6] = [
        (
            "{{ $labels.a }} {{ .Labels.b }} {{ $.Labels.c }} {{ index $labels \"d\" }}",
            &["a", "b", "c", "d"],
            false,
        ),
        (
            "{{ range query \"up\" }}{{ .Labels.no }}{{ $labels.a }}{{ $.Labels.b }}{{ end }}",
            &["a", "b"],
            true,
        ),
        ("{{ with $labels.a }}{{ .Labels.no }}{{ else }}{{ .Labels.b }}{{ end }}", &["a", "b"], false),
        ("{{ define \"t\" }}{{ .Labels.no }}{{ end }}{{ if .Labels.a }}{{ now }}{{ end }}", &["a"], true),
        ("{{ (print $labels.a | toUpper) }} {{ \"$labels.no query\" }}", &["a"], false),
        ("query $labels.no", &[], false),
    ];
    for (text, labels, is_volatile) in cases {
        let template = Template::parse(text).unwrap();
        let names: Vec<&str> = template.label_names().iter().map(AsRef::as_ref).collect();
        assert_eq!((names.as_slice(), template.is_volatile()), (labels, is_volatile), "{text}");
    }
}

/// A text that stands in itself `count` times.
fn nested(open: &str, middle: &str, close: &str, count: usize) -> String {
    format!("{{{{ {}{middle}{} }}}}", open.repeat(count), close.repeat(count))
}

#[test]
fn what_nests_too_deep_is_refused_and_long_chains_are_not() {
    let deep = [
        nested("(", "1", ")", 10_000),
        nested("(", "", "", 100_000),
        nested("if true }}{{ ", "1 }}{{ ", "end }}{{ ", 10_000),
        nested("range .Labels }}{{ ", "1 }}{{ ", "end }}{{ ", 10_000),
        nested("block \"b\" . }}{{ ", "1 }}{{ ", "end }}{{ ", 10_000),
        nested("with 1 }}{{ else }}{{ ", "1 }}{{ ", "end }}{{ ", 10_000),
    ];
    for text in deep {
        let error = Template::parse(&text).unwrap_err().error;
        assert!(matches!(error, SyntaxError::TooDeep | SyntaxError::NoToken(_)), "{error}");
    }
    let long = [
        (nested("if false }}a{{ else if false }}b", "", "{{ else if false }}c", 10_000) + "{{ end }}", ""),
        (
            format!("{{{{ if false }}}}{}{{{{ else }}}}x{{{{ end }}}}", "{{ else if false }}".repeat(10_000)),
            "x",
        ),
        (format!("{{{{ 1{} }}}}", " | print".repeat(5_000)), "1"),
        (format!("{{{{ $labels{} }}}}", ".job".repeat(1_000)), "can't evaluate field job in type string"),
        (nested("(", "1", ")", 99), "1"),
    ];
    for (text, expected) in long {
        assert_eq!(expand(&text).unwrap_or_else(|error| error), expected, "{}", &text[..40]);
    }
}

#[test]
fn endless_and_huge_templates_end_with_an_error() {
    let cases = [
        (
            "{{ define \"r\" }}{{ template \"r\" . }}{{ end }}{{ template \"r\" . }}",
            "templates call each other too deep",
        ),
        (
            "{{ $s := \"xxxxxxxxxxxxxxxx\" }}{{ range 40 }}{{ $s = print $s $s }}{{ end }}",
            "the text is longer than 65536 bytes",
        ),
        ("{{ range 1000 }}{{ printf \"%1000d\" 1 }}{{ end }}", "the text is longer than 65536 bytes"),
        ("{{ printf \"%1000000d\" 1 }}", "the text is longer than 65536 bytes"),
        ("{{ printf \"%.1000000f\" 1.0 | len }}", "the text is longer than 65536 bytes"),
        ("{{ range 1000000000 }}{{ end }}", "the steps of an expansion are spent"),
        ("{{ range 10000 }}{{ range 10000 }}{{ end }}{{ end }}", "the steps of an expansion are spent"),
        ("{{ range 100000 }}{{ query \"up\" | len }}{{ end }}", "the steps of an expansion are spent"),
        (
            "{{ range 100000 }}{{ $x := match \"(a|b)*c\" \"ababab\" }}{{ end }}",
            "the steps of an expansion are spent",
        ),
        (
            "{{ $a := 1 }}{{ range 1000 }}{{ $a = args $a }}{{ end }}{{ $a }}",
            "templates call each other too deep",
        ),
        (
            "{{ $s := \"x\" }}{{ range 16 }}{{ $s = print $s $s }}{{ end }}{{ reReplaceAll \"x\" \"$0$0$0\" $s }}",
            "the text is longer than 65536 bytes",
        ),
        (
            "{{ reReplaceAll \"(((a{100}){100}){100})\" \"\" \"a\" }}",
            "error calling reReplaceAll: regexp: Compile(`(((a{100}){100}){100})`): error parsing regexp: it grows too large when compiled",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(expand(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn an_expansion_takes_no_more_steps_than_it_is_given() {
    let labels = Labels::empty();
    let scope = Scope {
        labels: &labels,
        value: 1.0,
        external_labels: &labels,
        external_url: "",
        own_url: None,
        now: Timestamp::EPOCH,
    };
    let template = Template::parse("{{ range 100 }}{{ . }}{{ end }}").unwrap();
    let whole = template.expand(scope, &mut answer, u64::MAX);
    assert!(whole.text.is_ok() && (100..1_000).contains(&whole.steps), "{}", whole.steps);
    let cut = template.expand(scope, &mut answer, whole.steps - 1);
    assert!(cut.text.is_err());
    assert_eq!(template.expand(scope, &mut answer, whole.steps).steps, whole.steps);
}

#[test]
fn no_text_makes_a_template_panic() {
    let pieces = [
        "{{", "}}", "{{-", "-}}", " ", "$", "$labels", ".", ".a", "(", ")", "|", ":=", "=", ",", "\"", "`",
        "'", "\\", "1", "1.5e", "0x", "+", "i", "if", "else", "end", "range", "with", "define", "template",
        "block", "\"x\"", "printf", "%", "query", "nil", "true", "/*", "*/", "\n", "é", "☃", "break", "args",
        "index",
    ];
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            if state >> 62 == 0 {
                text.push(' ');
            }
        }
        let _ = expand(&text);
        let _ = expand(&format!("{{{{ {text} }}}}"));
    }
    for format in [
        "%",
        "%[",
        "%[1",
        "%[1]",
        "%.",
        "%*",
        "%.*",
        "%é",
        "%-+# 0v",
        "%[2]*.[1]*f",
        "%999999999999d",
        "%U",
        "%#q%x",
    ] {
        let _ = expand(&format!("{{{{ printf {} 1 \"é\" nil . $labels }}}}", quote::quoted(format)));
    }
}
