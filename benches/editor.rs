//! How long an editor waits for the language server, over 1,000 rules in one file and over 1,000 in twenty: what is wrong
//! after a keystroke, and every kind of question. The server is the program itself, spoken to as an editor does.
//!
//! `cargo bench --bench editor`; `-- --keystrokes N` types N times and asks nothing, for a profiler.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench measures the world, and ends where the world does not answer"
)]

#[path = "../tests/it/lsp/frames.rs"]
mod frames;

use std::fmt::Write as _;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const RULES: usize = 1_000;
const KEYSTROKES: usize = 200;
const QUESTIONS: usize = 100;

fn main() {
    let keystrokes = std::env::args().skip_while(|argument| argument != "--keystrokes").nth(1);
    if let Some(count) = keystrokes.and_then(|count| count.parse().ok()) {
        let mut project = Project::of(1);
        project.type_in(count);
        project.editor.end();
        return;
    }
    for files in [1, 20] {
        let mut project = Project::of(files);
        println!("{RULES} rules, {} KB in {files} files", project.text.len() * files / 1_000);
        println!("{:32} {:>7} {:>7} {:>7}", "ms", "p50", "p95", "max");
        let before = project.editor.cpu();
        let waited = project.type_in(KEYSTROKES);
        let cpu = (project.editor.cpu() - before) / KEYSTROKES as f64;
        print("keystroke to findings", waited);
        println!("{:32} {cpu:7.2}", "CPU of the server a keystroke");
        let end = project.text.lines().count() - 3;
        for (name, method, line, column) in [
            ("completion of a metric", "completion", end, 12),
            ("hover over a metric", "hover", end, 14),
            ("definition", "definition", end, 14),
            ("references", "references", end, 14),
            ("format", "formatting", 0, 0),
            ("symbols", "documentSymbol", 0, 0),
            ("code actions", "codeAction", end, 14),
        ] {
            print(name, project.ask(method, (line, column)));
        }
        project.editor.end();
    }
}

fn print(name: &str, mut waited: Vec<Duration>) {
    waited.sort_unstable();
    let at = |share: f64| {
        let place = ((waited.len() as f64 * share) as usize).min(waited.len() - 1);
        waited[place].as_secs_f64() * 1_000.0
    };
    println!("{name:32} {:7.2} {:7.2} {:7.2}", at(0.5), at(0.95), at(1.0));
}

/// Rules as a team writes them: thresholds and levels over metrics of the catalogue, expressions, recorded sums, texts.
fn rules(file: usize, count: usize) -> String {
    let mut text = String::from("groups:\n");
    for number in 0..count {
        let id = file * RULES + number;
        if number % 10 == 0 {
            writeln!(text, "  - name: group-{id}\n    rules:").unwrap();
        }
        let rule = match number % 4 {
            0 => format!(
                "      - alert: Backlog{id}\n        expr: sum by (queue) (queue_depth)\n        above: {}\n        clear_below: 10\n        for: 2m\n        labels: {{severity: warning}}\n        annotations: {{summary: \"{{{{ $labels.queue }}}} holds {{{{ $value }}}} jobs, alert {id}\"}}\n",
                1_000 + id
            ),
            1 => format!(
                "      - alert: Slow{id}\n        metric: db_query_duration_seconds\n        stat: p95\n        window: 5m\n        severities:\n          warning: {{above: 0.{}, for: 1m}}\n          critical: {{above: 2}}\n",
                id + 1
            ),
            2 => format!(
                "      - record: team:jobs_{id}:rate5m\n        expr: sum by (queue, priority) (rate(queue_jobs_queued_total[5m]))\n"
            ),
            _ => format!(
                "      - alert: Failing{id}\n        expr: |\n          sum by (queue) (rate(queue_jobs_failed_total[5m]))\n            / sum by (queue) (rate(queue_jobs_queued_total[5m])) > 0.{}\n        labels: {{severity: critical}}\n        annotations:\n          summary: \"{{{{ $labels.queue }}}} fails\"\n          description: \"{{{{ $value | humanizePercentage }}}} of the jobs of the last five minutes failed.\"\n",
                id + 1
            ),
        };
        text.push_str(&rule);
    }
    text
}

/// A folder of rules, and an editor that has one of its files open.
struct Project {
    editor: Editor,
    text: String,
    version: usize,
    _folder: tempfile::TempDir,
}

impl Project {
    fn of(files: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        for file in 0..files {
            let path = folder.path().join(format!("rules/{file:02}.yaml"));
            std::fs::write(path, rules(file, RULES / files)).unwrap();
        }
        let mut text = rules(0, RULES / files);
        text.push_str("      - alert: Typed\n        expr: queue_depth > 1\n        for: 1m\n");
        let mut editor = Editor::start(folder.path());
        let item = json!({"uri": editor.uri, "languageId": "yaml", "version": 0, "text": text});
        editor.tell("textDocument/didOpen", &json!({"textDocument": item}));
        editor.wait_findings();
        Self { editor, text, version: 0, _folder: folder }
    }

    /// Types, one letter after the other in the middle of the file; how long the findings took each time.
    fn type_in(&mut self, keystrokes: usize) -> Vec<Duration> {
        let middle = self.text.len() / 2;
        let at = middle + self.text[middle..].find(" holds ").unwrap();
        let mut waited = Vec::new();
        for number in 0..keystrokes {
            self.text.insert(at, char::from(b'a' + u8::try_from(number % 26).unwrap()));
            self.version += 1;
            let document = json!({"uri": self.editor.uri, "version": self.version});
            let params = json!({"textDocument": document, "contentChanges": [{"text": self.text}]});
            let message = frames::framed(&json!({
                "jsonrpc": "2.0", "method": "textDocument/didChange", "params": params
            }));
            let begun = Instant::now();
            self.editor.send(&message);
            self.editor.wait_findings();
            waited.push(begun.elapsed());
        }
        waited
    }

    fn ask(&mut self, method: &str, (line, character): (usize, usize)) -> Vec<Duration> {
        let place = json!({"line": line, "character": character});
        let params = json!({
            "textDocument": {"uri": self.editor.uri}, "position": place, "range": {"start": place, "end": place},
            "context": {"includeDeclaration": true, "diagnostics": [], "triggerKind": 1},
            "options": {"tabSize": 2, "insertSpaces": true},
        });
        let mut waited = Vec::new();
        for _ in 0..QUESTIONS {
            let begun = Instant::now();
            let answer = self.editor.ask(&format!("textDocument/{method}"), &params);
            waited.push(begun.elapsed());
            assert!(answer.get("error").is_none(), "{method}: {answer}");
        }
        waited
    }
}

/// A process of the server.
struct Editor {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    uri: String,
    last: usize,
}

impl Editor {
    fn start(root: &Path) -> Self {
        let mut child = server()
            .arg("lsp")
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let uri = format!("file://{}", root.join("rules/00.yaml").display());
        let mut editor = Self { child, to, from, uri, last: 0 };
        let root = format!("file://{}", root.display());
        editor.ask("initialize", &json!({"processId": null, "rootUri": root, "capabilities": {}}));
        editor.tell("initialized", &json!({}));
        editor
    }

    fn send(&mut self, framed: &[u8]) {
        self.to.write_all(framed).unwrap();
        self.to.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.send(&frames::framed(&json!({"jsonrpc": "2.0", "method": method, "params": params})));
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.send(&frames::framed(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})));
        loop {
            let message = self.receive();
            if message["id"] == id {
                return message;
            }
        }
    }

    fn wait_findings(&mut self) {
        while self.receive()["method"] != "textDocument/publishDiagnostics" {}
    }

    fn receive(&mut self) -> Value {
        frames::receive(&mut self.from)
    }

    /// Milliseconds of CPU that it has used.
    fn cpu(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).unwrap();
        let main: f64 = text.split(' ').next().unwrap().parse().unwrap();
        main / 1e6
    }

    fn end(&mut self) {
        self.ask("shutdown", &Value::Null);
        self.tell("exit", &Value::Null);
        assert!(self.child.wait().unwrap().success());
    }
}

/// The program, or what `SIGNALBOX_BENCH_SERVER` names (the program under a profiler).
fn server() -> Command {
    let named = std::env::var("SIGNALBOX_BENCH_SERVER").unwrap_or_default();
    let mut words = named.split(' ').filter(|word| !word.is_empty()).map(PathBuf::from);
    let mut command = Command::new(words.next().unwrap_or_else(|| env!("CARGO_BIN_EXE_signalbox").into()));
    command.args(words);
    command
}
