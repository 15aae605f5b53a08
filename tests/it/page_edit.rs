//! Editing rule files on the page in a real browser: typing, seeing what is wrong and what the rules would have done,
//! saving, and the rule in force; on every screen, and without scripts.

use serde_json::json;

use super::browser::{Browser, SCREENS, Screen};
use super::process::{Process, get, signalbox};
use super::support::{Nats, event, free_port, server_programs, wait_for};

const RULES: &str = "groups:
  - name: queue
    rules:
      - alert: ChunksFailing
        expr: failed_chunks_ratio
        above: 0.9
        labels: {severity: critical}
        annotations: {summary: '{{ $value | humanizePercentage }} of the chunks fail'}
";

/// A sidecar whose rules may be edited, with a gauge that rose and fell.
struct Site {
    _process: Process,
    nats: Nats,
    port: u16,
    folder: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let nats = Nats::start(&server_programs()[0]);
        let folder = tempfile::tempdir().unwrap();
        let config = "instance: orders-1\njetstream: {create_stream: true}\nrules: [rules]\nweb_edit: true\nhistory: {step: 1s}\nmetrics: [{match: failed_chunks_ratio, type: gauge}]\n";
        std::fs::write(folder.path().join("signalbox.yaml"), config).unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        std::fs::write(folder.path().join("rules/queue.yaml"), RULES).unwrap();
        let port = free_port();
        let mut command = signalbox();
        command.args(["run", "--nats-url", &nats.url(), "--listen", &format!("127.0.0.1:{port}")]);
        let process = Process::start(command.current_dir(folder.path()), folder.path());
        wait_for("readiness", || get(port, "/-/ready").filter(|answer| answer.status == 200));
        let site = Self { _process: process, nats, port, folder };
        // High for a while that every evaluation sees, at the interval of 5 s.
        site.set((1, 0.4));
        site.wait_past("failed_chunks_ratio > 0.3", 6);
        site.set((2, 0.05));
        site.wait_past("failed_chunks_ratio < 0.1", 6);
        site
    }

    fn set(&self, (number, value): (u64, f64)) {
        let fields = json!({"metric_name": "failed_chunks_ratio", "metric_type": "gauge", "metric_value": value,
            "tags": {"queue": "bulk"}});
        let fields = fields.to_string();
        let fields = format!(",{}", &fields[1..fields.len() - 1]);
        let mut client = self.nats.client();
        client.publish("events.monitoring.MetricRecorded", &event("MetricRecorded", number, &fields));
        client.flush();
    }

    /// Waits until the past has so many samples that an expression holds at.
    fn wait_past(&self, expr: &str, samples: usize) {
        let expr = expr.replace(' ', "%20").replace('<', "%3C").replace('>', "%3E");
        let query = format!("/api/v1/query?query=count_over_time(({expr})%5B1m%3A1s%5D)");
        wait_for(&expr, || {
            let answer = get(self.port, &query)?.json();
            let count: f64 = answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()?;
            (count >= samples as f64).then_some(())
        });
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn on_disk(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("rules/queue.yaml")).unwrap()
    }
}

/// Somebody at a screen.
struct Visit<'a> {
    site: &'a Site,
    browser: &'a mut Browser,
    screen: Screen,
}

impl Visit<'_> {
    /// Looks at the page as it is now.
    fn look(&mut self, name: &str) {
        let Screen { width, scheme } = self.screen;
        assert_eq!(self.browser.overflow(), 0, "{name} at {width} in {scheme} runs over the screen");
        assert_eq!(self.browser.violations(), Vec::<String>::new(), "{name} at {width} in {scheme}");
        self.browser.screenshot(&format!("edit-{name}-{width}-{scheme}"));
    }

    fn wait(&mut self, what: &str, script: &str) {
        self.browser.wait(what, script);
    }

    /// Types a line in the place of the one that holds a mark.
    fn retype(&mut self, mark: &str, line: &str) {
        self.browser.eval(&format!(
            "{{ const line = [...document.querySelectorAll('.cm-line')].find(l => l.textContent.includes({mark:?})); \
             document.querySelector('.cm-content').focus(); const range = document.createRange(); \
             range.selectNodeContents(line); getSelection().removeAllRanges(); getSelection().addRange(range) }}"
        ));
        self.browser.type_text(line);
    }

    fn press(&mut self, what: &str) {
        self.browser.press("Escape", 0);
        self.browser.eval(&format!("document.querySelector(\"button[formaction$='{what}']\").click()"));
    }

    /// From the page of a rule to the editor of its file.
    fn open(&mut self) {
        std::fs::write(self.site.folder.path().join("rules/queue.yaml"), RULES).unwrap();
        wait_for("the rules", || {
            let page = get(self.site.port, "/rules/queue-chunksfailing")?.text();
            page.contains("above: 0.9").then_some(())
        });
        self.browser.open(&self.site.url("/edit"), self.screen);
        self.look("files");
        self.browser.open(&self.site.url("/rules/queue-chunksfailing"), self.screen);
        self.browser.eval("[...document.querySelectorAll('a')].find(a => a.textContent === 'Edit').click()");
        self.wait("the editor", "location.pathname === '/edit' && document.querySelector('.cm-content')");
        self.wait("a check", "document.getElementById('status').textContent === 'Nothing is wrong with it.'");
        self.look("opened");
    }

    /// A slip of the pen is underlined, completions come as one types, and what is broken is not saved.
    fn slip(&mut self) {
        self.retype("expr:", "        expr: failed_chunks_rati");
        self.browser.press("Escape", 0);
        self.wait("the underline", "document.querySelector('.cm-lintRange-warning')");
        self.wait("the count", "document.getElementById('status').textContent === '0 errors, 1 warning'");
        self.retype("expr:", "        expr: sum(queue_d");
        self.wait(
            "completions",
            "[...document.querySelectorAll('.cm-tooltip-autocomplete li')].some(l => l.textContent.includes('queue_depth'))",
        );
        self.look("completing");
        self.press("save");
        self.wait(
            "the refusal",
            "document.querySelector('#said .trouble') && document.querySelector('#said pre.error')",
        );
        let said = self.browser.text("document.getElementById('said').innerText");
        assert!(said.contains("Not saved: a load would refuse it") && said.contains('^'), "{said}");
        self.look("refused");
    }

    /// Mended, with a lower threshold, which the past would have crossed.
    fn mend(&mut self) {
        self.retype("expr:", "        expr: failed_chunks_ratio");
        self.browser.press("Escape", 0);
        self.retype("above:", "        above: 0.25");
        self.browser.press("Escape", 0);
        self.wait("a check", "document.getElementById('status').textContent.startsWith('Nothing')");
        self.press("preview");
        self.wait("the chart", "document.querySelector('#results svg rect.episode')");
        let tried = self.browser.text("document.getElementById('results').innerText");
        for words in
            ["It would have fired once", "As it is on disk: never", "40% of the chunks fail", "changed"]
        {
            assert!(tried.contains(words), "{words} is missing in {tried}");
        }
        self.look("tried");
    }

    /// Saved and in force, and one click back.
    fn save(&mut self) {
        self.press("save");
        self.wait("the save", "location.search.includes('saved=1') && document.querySelector('#said .note')");
        self.wait("the editor", "document.querySelector('.cm-content')");
        self.look("saved");
        assert_eq!(self.site.on_disk(), RULES.replace("0.9", "0.25"));
        self.browser.open(&self.site.url("/rules/queue-chunksfailing"), self.screen);
        assert!(self.browser.text("document.querySelector('main').innerText").contains("above: 0.25"));
        self.browser.open(&self.site.url("/edit?file=rules/queue.yaml"), self.screen);
        self.browser.eval("document.querySelector(\"form[action$='back'] button\").click()");
        self.wait("the version before", "location.search.includes('saved=1')");
        assert_eq!(self.site.on_disk(), RULES);
    }
}

#[test]
fn a_rule_is_typed_checked_tried_saved_and_put_back() {
    let site = Site::start();
    let mut browser = Browser::start();
    for screen in SCREENS {
        let mut visit = Visit { site: &site, browser: &mut browser, screen };
        visit.open();
        visit.slip();
        visit.mend();
        visit.save();
        let complaints = browser.complaints();
        // The browser notes the answer to what was refused.
        let unexpected = complaints.iter().filter(|text| !text.contains("422")).collect::<Vec<_>>();
        assert_eq!(unexpected, Vec::<&String>::new(), "{screen:?}");
    }
}

#[test]
fn the_same_can_be_done_without_scripts() {
    let site = Site::start();
    let mut browser = Browser::start();
    browser.without_scripts();
    let screen = SCREENS[1];
    browser.open(&site.url("/edit?file=rules/queue.yaml"), screen);
    assert_eq!(browser.text("document.getElementById('text').value"), RULES);
    let fill = |browser: &mut Browser, from: &str, to: &str| {
        browser.eval(&format!(
            "{{ const t = document.getElementById('text'); t.value = t.value.replace({from:?}, {to:?}) }}"
        ));
    };
    let press = |browser: &mut Browser, what: &str| {
        browser.eval(&format!("document.querySelector(\"button[formaction$='{what}']\").click()"));
    };
    fill(&mut browser, "0.9", "nothing");
    press(&mut browser, "save");
    browser.wait(
        "the refusal",
        "location.pathname === '/edit/save' && document.querySelector('#said pre.error')",
    );
    assert_eq!(browser.overflow(), 0);
    browser.screenshot("edit-plain-refused-360-dark");
    fill(&mut browser, "nothing", "0.25");
    press(&mut browser, "preview");
    browser
        .wait("the chart", "location.pathname === '/edit/preview' && document.querySelector('#results svg')");
    assert!(browser.text("document.body.innerText").contains("It would have fired once"));
    assert_eq!(browser.overflow(), 0);
    browser.screenshot("edit-plain-tried-360-dark");
    press(&mut browser, "save");
    browser.wait("the save", "location.pathname === '/edit' && location.search.includes('saved=1')");
    assert_eq!(site.on_disk(), RULES.replace("0.9", "0.25"));
    assert!(browser.text("document.body.innerText").contains("1 rule in force"));
}
