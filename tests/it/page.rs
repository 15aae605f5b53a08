//! The status page in a real browser: every page on every screen, in good times and in bad.

use serde_json::json;

use super::browser::{Browser, SCREENS, Screen};
use super::process::{Process, get, run_configured, signalbox};
use super::support::{Nats, event, free_port, job_queued, server_programs, wait_for};

/// Rules of which one fires, one waits and one is quiet.
const RULES: &str = r"groups:
  - name: page
    rules:
      - alert: ChunksFailing
        expr: failed_chunks_ratio
        above: 0.25
        clear_below: 0.2
        labels: {severity: critical}
        annotations:
          summary: '{{ $value | humanizePercentage }} of the chunks of {{ $labels.queue }} fail'
          description: Look at error_type, then at the service that refuses them.
          runbook_url: https://example.org/runbooks/chunks
      - alert: WaitsLong
        expr: oldest_job_age_seconds
        above: 60
        for: 1h
        annotations: {summary: 'a job waits for {{ $value | humanizeDuration }}'}
      - alert: Quiet
        expr: queue_depth
        above: 1000
        clear_below: 800
      - alert: ANameThatSomebodyMadeOfThoseOfThreeServicesTheirEnvironmentsAndEveryThingElseThatCameToMind
        expr: long_label
        above: 0
        labels: {severity: info}
        annotations: {description: https://example.org/an/address/without/any/place/to/break/it/and/then/some/more/of/it}
      - record: queue:depth:sum
        expr: sum by (queue) (queue_depth)
";

/// A sidecar as a process of its own, with rules in a folder.
struct Site {
    process: Option<Process>,
    nats: Nats,
    port: u16,
    folder: tempfile::TempDir,
}

impl Site {
    fn start(rules: &str) -> Self {
        let nats = Nats::start(&server_programs()[0]);
        let folder = tempfile::tempdir().unwrap();
        let config = "instance: orders-1\njetstream: {create_stream: true}\nrules: [rules.yaml]\n";
        let config =
            if rules.is_empty() { config.replace("rules: [rules.yaml]\n", "") } else { config.to_owned() };
        std::fs::write(folder.path().join("signalbox.yaml"), config).unwrap();
        std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
        let mut site = Self { process: None, nats, port: free_port(), folder };
        site.run();
        site
    }

    fn run(&mut self) {
        let mut command = signalbox();
        command.args(["run", "--nats-url", &self.nats.url()]);
        command.args(["--listen", &format!("127.0.0.1:{}", self.port)]).current_dir(self.folder.path());
        self.process = Some(Process::start(&mut command, self.folder.path()));
        wait_for("readiness", || get(self.port, "/-/ready").filter(|answer| answer.status == 200));
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// One chunk in four fails and more, a job waits, a queue holds three; one event is refused.
    fn incident(&self) {
        let mut client = self.nats.client();
        let mut set = |number: u64, metric: &str, (value, tags): (f64, serde_json::Value)| {
            let fields =
                json!({"metric_name": metric, "metric_type": "gauge", "metric_value": value, "tags": tags});
            let fields = fields.to_string();
            let fields = format!(",{}", &fields[1..fields.len() - 1]);
            client.publish("events.monitoring.MetricRecorded", &event("MetricRecorded", number, &fields));
        };
        set(1, "failed_chunks_ratio", (0.312, json!({"queue": "bulk", "region": "eu-central-1"})));
        set(2, "failed_chunks_ratio", (0.28, json!({"queue": "<script>alert(1)</script>\u{202e}evil"})));
        set(3, "failed_chunks_ratio", (0.226, json!({"queue": "bulk", "region": "eu-central-1"})));
        set(4, "oldest_job_age_seconds", (125.0, json!({"queue": "bulk"})));
        set(5, "long_label", (1.0, json!({"value": "x".repeat(900)})));
        for number in 10..13 {
            client.publish("events.queue.JobQueued", &job_queued(number));
        }
        client
            .publish("events.queue.JobQueued", r#"{"event_id": "none", "password": "hunter2", "x": "<b>"}"#);
        client.flush();
        wait_for("the alerts", || {
            let alerts = get(self.port, "/api/v1/alerts")?.json();
            (alerts["data"]["alerts"].as_array()?.len() == 4).then_some(())
        });
        wait_for("the refusal", || get(self.port, "/events")?.text().contains("invalid_field").then_some(()));
    }

    fn write_rules(&self, text: &str) {
        std::fs::write(self.folder.path().join("rules.yaml"), text).unwrap();
    }
}

const DESK: Screen = SCREENS[0];

/// The shipped rules.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");

#[test]
fn an_incident_of_the_demo_looks_well_on_every_screen() {
    let nats = Nats::start(&server_programs()[0]);
    let folder = tempfile::tempdir().unwrap();
    let config = "{instance: transcripts-1, jetstream: {create_stream: true}, history: {step: 1s}}";
    let (_sidecar, port) = run_configured(folder.path(), &nats.url(), config, &["--rules", SHIPPED]);
    let mut command = signalbox();
    command.args(["demo", "--events-only", "--nats-url", &nats.url()]);
    command.args(["--seed", "1", "--rate", "300", "--duration", "5m"]);
    let logs = tempfile::tempdir().unwrap();
    let _demo = Process::start(&mut command, logs.path());
    // The transcription API fails from the tenth second on.
    for what in ["ChunksFailing", "JobsFailing", "critical"] {
        wait_for(what, || {
            let alerts = get(port, "/api/v1/alerts")?.json();
            alerts["data"]["alerts"].to_string().contains(&format!("\"{what}\"")).then_some(())
        });
    }
    let mut browser = Browser::start();
    let pages = [
        ("alerts", "/"),
        ("rule", "/rules/chunks-failing"),
        ("rules", "/rules"),
        ("events", "/events"),
        ("series", "/series"),
    ];
    for (name, path) in pages {
        for screen in SCREENS {
            browser.open(&format!("http://127.0.0.1:{port}{path}"), screen);
            browser.wait(
                "the first news",
                "document.getElementById('freshness').textContent.startsWith('updated')",
            );
            assert_eq!(browser.overflow(), 0, "{name} at {}", screen.width);
            browser.screenshot(&format!("incident-{name}-{}-{}", screen.width, screen.scheme));
            if name == "alerts" && screen.width > 1_000 && std::env::var_os("UPDATE_IMAGES").is_some() {
                let path =
                    format!("{}/docs/images/incident-{}.png", env!("CARGO_MANIFEST_DIR"), screen.scheme);
                std::fs::write(path, browser.picture(1_000)).unwrap();
            }
        }
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn every_page_fits_every_screen_and_nothing_is_wrong_with_it() {
    let site = Site::start(RULES);
    site.incident();
    let mut browser = Browser::start();
    let pages = [
        ("alerts", "/"),
        ("rules", "/rules"),
        ("rule", "/rules/page-chunksfailing"),
        ("recording-rule", "/rules/recorded/page-queue-depth-sum"),
        ("events", "/events"),
        ("series", "/series"),
        ("query", "/query?expr=sum+by+(queue)+(queue_depth)"),
        ("query-wrong", "/query?expr=sum+by+(queue"),
        ("query-empty", "/query"),
        ("no-such-rule", "/rules/nothing"),
    ];
    for (name, path) in pages {
        for (place, screen) in SCREENS.into_iter().enumerate() {
            browser.open(&site.url(path), screen);
            browser.wait(
                "the first news",
                "document.getElementById('freshness').textContent.startsWith('updated')",
            );
            let seen = format!("{name} at {} in {}", screen.width, screen.scheme);
            assert_eq!(browser.overflow(), 0, "{seen} runs over the screen");
            if place < 2 {
                assert_eq!(browser.violations(), Vec::<String>::new(), "{seen}");
            }
            let complaints = browser.complaints();
            let unexpected = complaints.iter().filter(|text| name != "no-such-rule" || !text.contains("404"));
            assert_eq!(unexpected.collect::<Vec<_>>(), Vec::<&String>::new(), "{seen}");
            browser.screenshot(&format!("{name}-{}-{}", screen.width, screen.scheme));
        }
    }
    let html = get(site.port, "/events").unwrap().text();
    assert!(!html.contains("hunter2") && !html.contains("<b>"), "{html}");
}

#[test]
fn an_alert_says_its_value_its_thresholds_and_what_to_do() {
    let site = Site::start(RULES);
    site.incident();
    let mut browser = Browser::start();
    browser.open(&site.url("/"), DESK);
    browser.wait("the title", "document.title.startsWith('(2 critical) orders-1')");
    let card = browser.text(
        "[...document.querySelectorAll('.card')].find(c => c.textContent.includes('eu-central-1')).innerText",
    );
    for words in [
        "critical",
        "22.6% of the chunks of bulk fail",
        "22.6 %",
        "fired above 25 %",
        "clears at 20 % or less",
        "between the two now, so it still fires",
        "Look at error_type",
        "Rule ChunksFailing",
        "Runbook",
        "Evidence",
    ] {
        assert!(card.contains(words), "{words} is missing in: {card}");
    }
    let page = browser.text("document.querySelector('main').innerText");
    assert!(page.contains("<script>alert(1)</script>") && page.contains("if it lasts 1 h"), "{page}");
    browser.eval("document.querySelector('.card .links a').click()");
    browser.wait("the rule's page", "location.pathname === '/rules/page-chunksfailing'");
    browser.wait("what fires", "document.querySelector('main') && document.querySelector('main').innerText.includes('It fires for 2 label sets')");
    let rule = browser.text("document.querySelector('main').innerText");
    assert!(rule.contains("rules.yaml, line 4") && rule.contains("clear_below: 0.2"), "{rule}");
}

#[test]
fn what_somebody_opened_marked_and_typed_stays_while_the_page_is_renewed() {
    let site = Site::start(RULES);
    site.incident();
    let mut browser = Browser::start();
    browser.open(&site.url("/"), DESK);
    browser.eval("document.querySelector('.card details').open = true");
    browser.eval(
        "{ const range = document.createRange(); range.selectNodeContents(document.querySelector('.card .description')); \
         getSelection().removeAllRanges(); getSelection().addRange(range); document.querySelector('.card a').focus() }",
    );
    browser.eval("window.shown = 0; document.addEventListener('signalbox:shown', () => window.shown++)");
    browser.eval("window.scrollTo(0, 200); window.before = document.querySelector('.card')");
    browser.wait("two renewals", "window.shown >= 2");
    for holds in [
        "document.querySelector('.card details').open",
        "getSelection().toString().startsWith('Look at error_type')",
        "document.activeElement === document.querySelector('.card a')",
        "window.before === document.querySelector('.card')",
        "window.scrollY === 200",
    ] {
        assert_eq!(browser.eval(holds), true, "{holds}");
    }
    browser.open(&site.url("/query"), DESK);
    browser.eval("document.getElementById('expr').focus()");
    browser.type_text("sum(queue_de");
    browser.wait("completions", "document.querySelectorAll('#completions li').length > 0");
    browser.press("ArrowDown", 0);
    browser.press("Enter", 0);
    browser.wait("the completed name", "document.getElementById('expr').value === 'sum(queue_depth'");
    browser.type_text(")");
    browser.eval("window.shown = 0; document.addEventListener('signalbox:shown', () => window.shown++)");
    browser.wait("a renewal", "window.shown >= 1");
    assert_eq!(browser.text("document.getElementById('expr').value"), "sum(queue_depth)");
    browser.press("Enter", 2);
    browser.wait("the answer", "document.querySelector('svg') && location.search.includes('expr=sum')");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_banner_goes_grey_when_nothing_answers_and_recovers_by_itself() {
    let mut site = Site::start(RULES);
    site.incident();
    let mut browser = Browser::start();
    browser.open(&site.url("/"), DESK);
    browser.wait("the first news", "document.getElementById('freshness').textContent.startsWith('updated')");
    drop(site.process.take());
    browser.wait("silence", "document.getElementById('banner').hasAttribute('data-silent')");
    let said = browser.text("document.getElementById('freshness').textContent");
    assert!(said.starts_with("no answer since ") && said.ends_with("what is shown is from then"), "{said}");
    assert!(browser.text("document.title").starts_with("no answer"));
    browser.screenshot("killed-1280-light");
    site.run();
    browser.wait("news", "!document.getElementById('banner').hasAttribute('data-silent')");
    browser.wait("the title", "!document.title.startsWith('no answer')");
}

#[test]
fn a_lost_connection_and_a_refused_reload_are_named_with_what_to_do() {
    let mut site = Site::start(RULES);
    let mut browser = Browser::start();
    browser.open(&site.url("/"), DESK);
    browser.wait("good times", "document.querySelector('.banner.well')");
    site.write_rules(&RULES.replace("expr: queue_depth", "expr: sum(queue_depth"));
    browser.wait("the refusal", "document.querySelector('.troubles') && document.querySelector('.troubles').innerText.includes('was refused')");
    assert_eq!(browser.eval("document.querySelector('.troubles details').open"), true);
    let found = browser.text("document.querySelector('.troubles pre').innerText");
    assert!(
        found.starts_with("error[") && found.contains("rules.yaml"),
        "what refuses it comes first: {found}"
    );
    site.nats.kill();
    browser
        .wait("the lost connection", "document.querySelector('.headline').innerText.startsWith('Not ready')");
    let troubles = browser.text("document.querySelector('.troubles').innerText");
    assert!(troubles.contains("Start NATS there"), "{troubles}");
    assert_eq!(browser.eval("document.querySelector('.troubles details').open"), true);
    for screen in SCREENS {
        browser.open(&site.url("/"), screen);
        assert_eq!(browser.overflow(), 0);
        browser.screenshot(&format!("disconnected-{}-{}", screen.width, screen.scheme));
    }
    site.write_rules(RULES);
    site.nats.go();
    browser.wait(
        "good times",
        "document.querySelector('.banner.well') && !document.body.innerText.includes('was refused')",
    );
}

#[test]
fn catching_up_is_told_as_such_and_passes_by_itself() {
    let nats = Nats::start(&server_programs()[0]);
    let mut client = nats.client();
    client.create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "memory"}));
    // So many that reading them takes longer than looking at it.
    for message in 0..120 {
        let events: Vec<String> =
            (0..2_000).map(|nth| job_queued(1_000_000 + message * 2_000 + nth)).collect();
        client.publish("events.queue.JobQueued", &format!("[{}]", events.join(",")));
    }
    client.flush();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    let port = free_port();
    let mut command = signalbox();
    command.args(["run", "--nats-url", &nats.url(), "--rules", "rules.yaml"]);
    command.args(["--listen", &format!("127.0.0.1:{port}")]).current_dir(folder.path());
    let mut browser = Browser::start();
    let _process = Process::start(&mut command, folder.path());
    wait_for("the page", || get(port, "/-/healthy").filter(|answer| answer.status == 200));
    let url = format!("http://127.0.0.1:{port}/");
    for screen in [SCREENS[0], SCREENS[1]] {
        browser.open(&url, screen);
        browser.wait("catching up", "document.querySelector('.headline').innerText === 'Catching up'");
        assert_eq!(browser.overflow(), 0);
        browser.screenshot(&format!("catching-up-{}-{}", screen.width, screen.scheme));
    }
    let troubles = browser.text("document.querySelector('.troubles').innerText");
    assert!(troubles.contains("Nothing to do"), "{troubles}");
    browser.wait("the present", "document.querySelector('.headline').innerText === '1 warning'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_rule_is_found_among_many_with_scripts_and_without() {
    let mut rules = RULES.to_owned();
    for number in 0..40 {
        rules.extend([format!("      - {{alert: Other{number}, expr: other, above: {number}}}\n")]);
    }
    let site = Site::start(&rules);
    site.incident();
    let mut browser = Browser::start();
    browser.open(&site.url("/rules"), DESK);
    browser.eval("window.shown = 0; document.addEventListener('signalbox:shown', () => window.shown++)");
    browser.eval("document.getElementById('find-text').focus()");
    browser.type_text("CHUNKS page");
    // What was typed and chosen stays though it has the focus no more.
    browser.eval("document.getElementById('find-state').value = 'firing'; document.activeElement.blur()");
    browser.wait("two renewals", "window.shown >= 2");
    assert_eq!(browser.text("document.getElementById('find-text').value"), "CHUNKS page");
    browser.eval("document.querySelector('#find button').click()");
    let found = "location.search.includes('find=CHUNKS') && document.body && document.body.innerText.includes('1 of 45 rules')";
    browser.wait("what was found", found);
    browser.wait("the first news", "document.getElementById('freshness').textContent.startsWith('updated')");
    assert_eq!(browser.eval("document.querySelectorAll('.rules tbody tr').length"), 1);
    assert_eq!(browser.violations(), Vec::<String>::new());
    browser.without_scripts();
    for screen in SCREENS {
        browser.open(&site.url("/rules?find=nothing+at+all"), screen);
        assert!(browser.text("document.body.innerText").contains("None of the 45 rules is meant by this"));
        browser.eval("document.querySelector('#find-text').value = 'other3'");
        browser.eval("document.querySelector('#find button').click()");
        browser.wait("what was found", "document.body && document.body.innerText.includes('11 of 45 rules')");
        assert_eq!(browser.overflow(), 0);
        browser.screenshot(&format!("find-{}-{}", screen.width, screen.scheme));
    }
}

#[test]
fn many_rules_and_alerts_with_long_names_and_labels_fit_every_screen() {
    let long = "anArchiveOfEverythingThatHasEverBeenAskedOfIt".repeat(4);
    let mut rules = "groups:\n".to_owned();
    for group in ["first", "second", long.as_str()] {
        rules.extend([format!("  - name: {group}\n    rules:\n")]);
        for number in 0..40 {
            let severity = ["critical", "warning", "info"][number % 3];
            rules.extend([format!(
                "      - {{alert: Wait{group}{number}, expr: waits, above: {}, clear_below: 1, labels: {{severity: {severity}, \
                 team: \"{long}\"}}, annotations: {{summary: '{{{{ $labels.queue }}}} waits for {{{{ $value }}}}'}}}}\n",
                if group == "first" { number % 20 + 1 } else { 1_000_000 + number }
            )]);
        }
    }
    let site = Site::start(&rules);
    let mut client = site.nats.client();
    for (number, queue) in ["bulk", long.as_str(), "a b/c\u{202e}d"].into_iter().enumerate() {
        let event = json!({"event_id": format!("00000000-0000-4000-8000-{number:012x}"), "event_type": "MetricRecorded",
            "timestamp": "2026-11-24T00:00:00Z", "metric_name": "waits", "metric_type": "gauge",
            "metric_value": 9.5 + number as f64 * 1e6, "tags": {"queue": queue, "zone": "eu"}});
        client.publish("events.monitoring.MetricRecorded", &event.to_string());
    }
    client.flush();
    wait_for("the alerts", || {
        let alerts = get(site.port, "/api/v1/alerts")?.json();
        (alerts["data"]["alerts"].as_array()?.len() > 90).then_some(())
    });
    let mut browser = Browser::start();
    for (name, path) in [("alerts", "/"), ("rules", "/rules"), ("rule", "/rules/first-waitfirst3")] {
        for (place, screen) in SCREENS.into_iter().enumerate() {
            browser.open(&site.url(path), screen);
            let seen = format!("many-{name}-{}-{}", screen.width, screen.scheme);
            assert_eq!(browser.overflow(), 0, "{seen}");
            if place < 2 {
                assert_eq!(browser.violations(), Vec::<String>::new(), "{seen}");
            }
            browser.screenshot(&seen);
        }
    }
}

#[test]
fn an_empty_sidecar_says_what_to_do_next_and_the_page_needs_no_script() {
    let site = Site::start("");
    let mut browser = Browser::start();
    for (name, path) in [("empty", "/"), ("empty-events", "/events"), ("empty-rules", "/rules")] {
        for screen in [SCREENS[0], SCREENS[1]] {
            browser.open(&site.url(path), screen);
            assert_eq!((browser.overflow(), browser.violations()), (0, Vec::new()), "{path}");
            browser.screenshot(&format!("{name}-{}-{}", screen.width, screen.scheme));
        }
    }
    browser.without_scripts();
    browser.open(&site.url("/"), DESK);
    let shown = browser.text("document.body.innerText");
    for words in
        ["No rules are loaded", "Without JavaScript this page does not renew itself", "written just now"]
    {
        assert!(shown.contains(words), "{words} is missing in: {shown}");
    }
}

#[test]
fn pages_and_assets_say_how_they_may_be_used() {
    let site = Site::start(RULES);
    let page = get(site.port, "/").unwrap();
    let head = page.head.to_lowercase();
    for header in [
        "content-security-policy: default-src 'none'; script-src 'self'",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "content-type: text/html; charset=utf-8",
    ] {
        assert!(head.contains(header), "{header} is missing in {head}");
    }
    let text = page.text();
    let assets: Vec<&str> = text.split('"').filter(|part| part.starts_with("assets/")).collect();
    assert!(assets.len() >= 4 && !text.contains("<style") && !text.contains(" style="), "{text}");
    for asset in assets {
        let answer = get(site.port, &format!("/{asset}")).unwrap();
        let head = answer.head.to_lowercase();
        assert!(answer.status == 200 && head.contains("immutable"), "{asset}: {head}");
        let unversioned = asset.split('?').next().unwrap();
        assert!(get(site.port, &format!("/{unversioned}")).unwrap().head.to_lowercase().contains("no-cache"));
    }
    assert_eq!(get(site.port, "/assets/../Cargo.toml").unwrap().status, 404);
    assert_eq!(get(site.port, "/rules/nothing").unwrap().status, 404);
}
