//! Cases of templates: what stands in a rule file and what people read.

use super::*;

fn expand(text: &str) -> Result<String, String> {
    let labels = Labels::collect([("queue", "bulk"), ("instance", "web-1.example:9100")]);
    let external_labels = Labels::collect([("region", "eu")]);
    let scope = Scope {
        labels: &labels,
        value: 1_234_567.5,
        external_labels: &external_labels,
        external_url: "http://box:9469/prefix",
        now: Timestamp::from_millis(1_500),
    };
    let mut ask = |query: &str| match query {
        "up" => Ok(vec![
            (Labels::collect([("job", "b"), ("n", "1")]), 1.0),
            (Labels::collect([("job", "a")]), 2.0),
        ]),
        "none" => Ok(Vec::new()),
        other => Err(format!("cannot parse {other}")),
    };
    Template::parse(text).map_err(|problem| problem.message)?.expand(scope, &mut ask)
}

#[test]
fn variables_and_functions_mean_what_they_mean_in_prometheus() {
    let cases = [
        ("plain text", "plain text"),
        ("{{ $labels.queue }} holds {{ $value }}", "bulk holds 1.2345675e+06"),
        ("{{ .Labels.queue }} {{ .Value | humanize }}", "bulk 1.235M"),
        ("[{{ $labels.missing }}]", "[]"),
        ("{{ if eq $labels.missing \"\" }}none{{ end }}", "none"),
        ("{{ if $labels.missing }}x{{ else }}none{{ end }}", "none"),
        (
            "{{ $externalLabels.region }} {{ $externalURL }} {{ externalURL }} {{ pathPrefix }}",
            "eu http://box:9469/prefix http://box:9469/prefix /prefix",
        ),
        ("{{ printf \"%.2f\" $value }}", "1234567.50"),
        ("{{ $value | printf \"%.0f\" | title }}", "1234568"),
        ("{{ title \"two words\" }} {{ toUpper \"a\" }} {{ \"B\" | toLower }}", "Two Words A b"),
        ("{{ if match \"^b\" $labels.queue }}yes{{ end }}", "yes"),
        ("{{ reReplaceAll \"(b)(.)\" \"$2$1\" \"bulk\" }}", "ublk"),
        (
            "{{ range query \"up\" | sortByLabel \"job\" }}{{ .Labels.job }}={{ .Value }} {{ end }}",
            "a=2 b=1 ",
        ),
        ("{{ with query \"up\" }}{{ . | first | value }}{{ end }}", "1"),
        ("{{ query \"up\" | first | label \"job\" }}", "b"),
        ("{{ with query \"none\" }}some{{ else }}none{{ end }}", "none"),
        ("{{ range query \"up\" }}[{{ .Labels.n }}]{{ end }}", "[1][]"),
        (
            "{{ humanizePercentage 0.5 }} {{ humanizeDuration 3661.0 }} {{ humanize1024 2048.0 }}",
            "50% 1h 1m 1s 2ki",
        ),
        ("{{ \"1.5\" | humanize }} {{ now }} {{ parseDuration \"1h30m\" }}", "1.5 1.5 5400"),
        ("{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }}", "web-1.example web-1:9100"),
        (
            "{{ range $name, $value := $labels }}{{ $name }}={{ $value }};{{ end }}",
            "instance=web-1.example:9100;queue=bulk;",
        ),
        ("{{ graphLink \"up == 1\" }}", "/graph?g0.expr=up+%3D%3D+1&g0.tab=0"),
        ("{{ define \"a\" }}x{{ . }}{{ end }}{{ template \"a\" $value }}", "x1.2345675e+06"),
        ("{{/* nothing */}}{{- $x := 3 -}} {{ $x }}", "3"),
    ];
    for (text, expected) in cases {
        assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_does_not_parse_is_found_at_its_place() {
    let cases = [
        ("ok {{ $labels.queue", "{{"),
        ("{{ nosuch 1 }}", "nosuch"),
        ("first line\n{{ $nope }}", "$nope"),
        ("{{ if }}x{{ end }}", "if"),
        ("{{ end }}", "end"),
    ];
    for (text, at) in cases {
        let problem = Template::parse(text).unwrap_err();
        let (start, end) = (text.find(at).unwrap(), text.len());
        assert!((start.saturating_sub(3)..=end).contains(&problem.span.start), "{text}: {problem:?}");
        assert!(!problem.message.is_empty());
    }
}

#[test]
fn endless_and_huge_templates_end_with_an_error() {
    let cases = [
        "{{ define \"r\" }}{{ template \"r\" . }}{{ end }}{{ template \"r\" . }}",
        "{{ $s := \"xxxxxxxxxxxxxxxx\" }}{{ range 40 }}{{ $s = print $s $s }}{{ end }}",
        "{{ range 10000 }}{{ range 10000 }}{{ end }}{{ end }}",
        "{{ query (printf \"up%d\" 1) }}",
        "{{ first (query \"none\") }}",
        "{{ reReplaceAll \"(((a{100}){100}){100})\" \"\" \"a\" }}",
    ];
    for text in cases {
        assert!(expand(text).is_err(), "{text}");
    }
}

/// What Prometheus' own promtool (2.42) made of each template, null where it failed, for the one series
/// `m{job="api",instance="b:1"}` at 1234567.891.
const AS_PROMTOOL: &str = include_str!("../../../../tests/rules/templates.jsonl");

#[test]
fn templates_render_as_promtool_renders_them() {
    let labels = Labels::collect([("__name__", "m"), ("job", "api"), ("instance", "b:1")]);
    let external_labels = Labels::empty();
    let scope = Scope {
        labels: &labels,
        value: 1_234_567.891,
        external_labels: &external_labels,
        external_url: "",
        now: Timestamp::EPOCH,
    };
    let mut ask = |query: &str| match query {
        "m" => Ok(vec![(labels.clone(), 1_234_567.891)]),
        _ => Ok(Vec::new()),
    };
    let mut wrong = Vec::new();
    for line in AS_PROMTOOL.lines() {
        let (text, expected): (String, Option<String>) = serde_json::from_str(line).unwrap();
        let actual = Template::parse(&text).ok().and_then(|template| template.expand(scope, &mut ask).ok());
        if actual != expected {
            wrong.push(format!("{text}: {actual:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
