//! The language server, driven over its standard input and output by a client that knows nothing of its types. Each
//! file in `tests/lsp` is a case: files with a cursor, what is asked there, and what must come.
//!
//! `UPDATE_LSP_CASES=1` writes what came into the cases; read the difference before committing it.

mod frames;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::process::{run_signalbox, signalbox};
use super::support::{Nats, job_queued, server_programs, wait_for};

/// An editor: a process of the server, and what it has told.
struct Editor {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    root: PathBuf,
    last: i64,
    /// What was last said to be wrong with each file.
    findings: BTreeMap<String, Value>,
}

impl Editor {
    fn start(root: &Path, arguments: &[&str]) -> Self {
        Self::start_with(root, arguments, Stdio::inherit())
    }

    /// The same, where what it says of itself goes elsewhere.
    fn start_with(root: &Path, arguments: &[&str], said: Stdio) -> Self {
        Self::start_as(root, (arguments, &json!({})), said)
    }

    /// The same of an editor that can do this.
    fn start_as(root: &Path, (arguments, capabilities): (&[&str], &Value), said: Stdio) -> Self {
        let mut child = signalbox()
            .arg("lsp")
            .args(arguments)
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let root = root.to_owned();
        let mut editor = Self { child, to, from, root, last: 0, findings: BTreeMap::new() };
        let params = json!({"processId": null, "rootUri": editor.uri(""), "capabilities": capabilities});
        let answer = editor.ask("initialize", &params);
        assert_eq!(answer["capabilities"]["positionEncoding"], "utf-16", "{answer}");
        editor.tell("initialized", &json!({}));
        editor
    }

    fn uri(&self, name: &str) -> String {
        let path = self.root.join(name);
        format!("file://{}", path.display().to_string().trim_end_matches('/'))
    }

    fn send(&mut self, message: &Value) {
        self.to.write_all(&frames::framed(message)).unwrap();
        self.to.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.receive();
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => json!({"error": error["message"]}),
                    None => message["result"].clone(),
                };
            }
        }
    }

    fn receive(&mut self) -> Value {
        let message = frames::receive(&mut self.from);
        if message["method"] == "textDocument/publishDiagnostics" {
            let params = &message["params"];
            self.findings.insert(params["uri"].as_str().unwrap().to_owned(), params["diagnostics"].clone());
        }
        message
    }

    /// Opens a file, and waits until the server said what is wrong with it.
    fn open(&mut self, name: &str, text: &str) {
        let uri = self.uri(name);
        let item = json!({"uri": uri, "languageId": "yaml", "version": 1, "text": text});
        self.tell("textDocument/didOpen", &json!({"textDocument": item}));
        self.findings.remove(&uri);
        while !self.findings.contains_key(&uri) {
            self.receive();
        }
    }

    fn end(mut self) {
        assert_eq!(self.ask("shutdown", &Value::Null), Value::Null);
        self.tell("exit", &Value::Null);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // A test that failed leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A part of a case: a file (`== name`) or a question (`?? question`), with the lines below it.
struct Part {
    head: String,
    lines: String,
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        if line.starts_with("== ") || line.starts_with("?? ") {
            parts.push(Part { head: line.to_owned(), lines: String::new() });
        } else if let Some(part) = parts.last_mut() {
            part.lines.push_str(line);
            part.lines.push('\n');
        }
    }
    parts
}

/// A file's text without the marks `⟨1⟩`, and where each of them stood: line and UTF-16 column.
fn unmarked(text: &str) -> (String, BTreeMap<String, (usize, usize)>) {
    let (mut plain, mut marks, mut rest) = (String::new(), BTreeMap::new(), text);
    while let Some((before, after)) = rest.split_once('⟨') {
        let (name, after) = after.split_once('⟩').unwrap();
        plain.push_str(before);
        let line = plain.matches('\n').count();
        let column = plain.rsplit('\n').next().unwrap().encode_utf16().count();
        marks.insert(name.to_owned(), (line, column));
        rest = after;
    }
    plain.push_str(rest);
    (plain, marks)
}

/// The server at work on the files of one case.
struct World {
    editor: Editor,
    /// Each mark with its file and place.
    marks: BTreeMap<String, (String, (usize, usize))>,
}

impl World {
    fn place(&self, mark: &str) -> Value {
        let (name, (line, character)) =
            self.marks.get(mark).unwrap_or_else(|| panic!("the case has no mark {mark}"));
        json!({
            "textDocument": {"uri": self.editor.uri(name)},
            "position": {"line": line, "character": character},
        })
    }

    fn name_of(&self, uri: &Value) -> String {
        uri.as_str().unwrap().replace(&format!("{}/", self.editor.uri("")), "")
    }

    fn shown_place(&self, uri: &Value, range: &Value) -> String {
        let point = |point: &Value| {
            format!("{}:{}", point["line"].as_u64().unwrap() + 1, point["character"].as_u64().unwrap() + 1)
        };
        format!("{}:{}-{}", self.name_of(uri), point(&range["start"]), point(&range["end"]))
    }

    /// What came to a question, as the case has it.
    fn answer(&mut self, question: &str) -> String {
        let (what, mark) = question.split_once(' ').unwrap_or((question, ""));
        let mut out = String::new();
        match what {
            "findings" => {
                let uri = self.editor.uri(mark);
                for finding in self.editor.findings[&uri].as_array().unwrap() {
                    let place = self.shown_place(&json!(uri), &finding["range"]);
                    let (code, text) = (&finding["code"], finding["message"].as_str().unwrap());
                    writeln!(out, "{place} {} {}", code.as_str().unwrap(), text.replace('\n', " | "))
                        .unwrap();
                }
            }
            "complete" => {
                let place = self.place(mark);
                let answer = self.editor.ask("textDocument/completion", &place);
                for item in answer["items"].as_array().unwrap() {
                    let edit = item["textEdit"]["newText"].as_str().unwrap();
                    let detail = item["detail"].as_str().unwrap_or_default();
                    writeln!(out, "{}", format!("{edit:?} {detail}").trim_end()).unwrap();
                }
            }
            "hover" => {
                let place = self.place(mark);
                let answer = self.editor.ask("textDocument/hover", &place);
                writeln!(out, "{}", answer["contents"]["value"].as_str().unwrap_or("nothing")).unwrap();
            }
            "definition" | "references" => {
                let mut place = self.place(mark);
                place["context"] = json!({"includeDeclaration": true});
                let answer = self.editor.ask(&format!("textDocument/{what}"), &place);
                for found in answer.as_array().unwrap() {
                    writeln!(out, "{}", self.shown_place(&found["uri"], &found["range"])).unwrap();
                }
            }
            "rename" | "format" | "fix" => out = self.edit(what, mark),
            "symbols" => {
                let uri = self.editor.uri(mark);
                let asked = json!({"textDocument": {"uri": uri}});
                let answer = self.editor.ask("textDocument/documentSymbol", &asked);
                for symbol in answer.as_array().unwrap() {
                    writeln!(out, "{}", symbol["name"].as_str().unwrap()).unwrap();
                }
            }
            other => panic!("no such question: {other}"),
        }
        out
    }

    /// What comes where an edit is asked for.
    fn edit(&mut self, what: &str, mark: &str) -> String {
        let mut out = String::new();
        match what {
            "rename" => {
                let (mark, name) = mark.split_once(' ').unwrap();
                let mut place = self.place(mark);
                place["newName"] = json!(name);
                let answer = self.editor.ask("textDocument/rename", &place);
                if let Some(error) = answer.get("error") {
                    writeln!(out, "{}", error.as_str().unwrap()).unwrap();
                }
                out.push_str(&self.edits(&answer["changes"]));
            }
            "format" => {
                let uri = self.editor.uri(mark);
                let options = json!({"tabSize": 2, "insertSpaces": true});
                let asked = json!({"textDocument": {"uri": uri}, "options": options});
                let answer = self.editor.ask("textDocument/formatting", &asked);
                for edit in answer.as_array().unwrap() {
                    out.push_str(edit["newText"].as_str().unwrap());
                }
            }
            _ => {
                let mut place = self.place(mark);
                let point = place["position"].take();
                place["range"] = json!({"start": point, "end": point});
                place["context"] = json!({"diagnostics": []});
                let answer = self.editor.ask("textDocument/codeAction", &place);
                for action in answer.as_array().unwrap() {
                    writeln!(out, "{}", action["title"].as_str().unwrap()).unwrap();
                    out.push_str(&self.edits(&action["edit"]["changes"]));
                }
            }
        }
        out
    }

    /// Each edit with its place and the text it puts there.
    fn edits(&self, changes: &Value) -> String {
        let mut lines = Vec::new();
        for (uri, edits) in changes.as_object().into_iter().flatten() {
            for edit in edits.as_array().unwrap() {
                let place = self.shown_place(&json!(uri), &edit["range"]);
                lines.push(format!("  {place} {:?}\n", edit["newText"].as_str().unwrap()));
            }
        }
        lines.sort();
        lines.concat()
    }
}

fn run_case(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let (mut texts, mut marks) = (BTreeMap::new(), BTreeMap::new());
    let parts = parts(&text);
    for part in parts.iter().filter(|part| part.head.starts_with("== ")) {
        let name = part.head[3..].to_owned();
        let (plain, found) = unmarked(&part.lines);
        marks.extend(found.into_iter().map(|(mark, place)| (mark, (name.clone(), place))));
        let file = root.join(&name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &plain).unwrap();
        texts.insert(name, plain);
    }
    let mut world = World { editor: Editor::start(&root, &[]), marks };
    for (name, text) in &texts {
        world.editor.open(name, text);
    }
    let mut out = String::new();
    for part in parts {
        writeln!(out, "{}", part.head).unwrap();
        match part.head.strip_prefix("?? ") {
            Some(question) => out.push_str(&world.answer(question)),
            None => out.push_str(&part.lines),
        }
    }
    world.editor.end();
    out
}

#[test]
fn every_case_of_the_language_server_is_answered_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lsp");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let came = run_case(&path);
        if std::env::var_os("UPDATE_LSP_CASES").is_some() {
            std::fs::write(&path, &came).unwrap();
        }
        assert_eq!(came, std::fs::read_to_string(&path).unwrap(), "{}", path.display());
    }
}

#[test]
fn neovim_shows_what_is_wrong_and_takes_every_edit() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("rules")).unwrap();
    let rule = "groups:\n  - name: g\n    rules:\n      - alert: Deep\n        \
        expr: \"quee_depth{queue='\u{1d11e}'} > 1\"\n\n\n";
    let test = "rule_files: [a.yaml]\ntests:\n  - input_series: []\n    alert_rule_test:\n      \
        - {eval_time: 1m, alertname: Deep, exp_alerts: []}\n";
    std::fs::write(root.join("rules/a.yaml"), rule).unwrap();
    std::fs::write(root.join("rules/a.test.yaml"), test).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/editors/neovim.lua");
    let output = std::process::Command::new("nvim")
        .args(["--headless", "-u", "NONE", "-i", "NONE", "-n", "-c"])
        .arg(format!("luafile {}", script.display()))
        .env("ROOT", &root)
        .env("SERVER", env!("CARGO_BIN_EXE_signalbox"))
        .env("HOME", &root)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run nvim: {error}; run scripts/test, which installs it"));
    let said = String::from_utf8_lossy(&output.stdout);
    let wanted = [
        "found 5 15 25 unknown metric `quee_depth` | Did you mean `queue_depth`?",
        "offered Replace `quee_depth` with `queue_depth`",
        "then expr: \"queue_depth{queue='\u{1d11e}'} > 1\"",
        "hovered `queue_depth` · gauge",
        "completed queue_depth",
        "formatted 5 lines",
        "renamed - alert: Tiefe",
        "in its test - {eval_time: 1m, alertname: Tiefe, exp_alerts: []}",
    ];
    let faults = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().collect::<Vec<&str>>(), wanted, "{faults}");
    assert!(output.status.success(), "{faults}");
}

#[test]
fn a_rename_leaves_alone_what_is_not_on_disk_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("rules")).unwrap();
    let rule = "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n";
    let test = "tests: [{alert_rule_test: [{eval_time: 1m, alertname: A, exp_alerts: []}]}]\n";
    std::fs::write(root.join("rules/a.test.yaml"), test).unwrap();
    let mut editor = Editor::start(&root, &[]);
    editor.open("rules/a.yaml", rule);
    std::fs::rename(root.join("rules/a.test.yaml"), root.join("rules/b.test.yaml")).unwrap();
    let asked = json!({
        "textDocument": {"uri": editor.uri("rules/a.yaml")},
        "position": {"line": 0, "character": rule.find("A,").unwrap()},
        "newName": "B",
    });
    let answer = editor.ask("textDocument/rename", &asked);
    let files: Vec<&String> = answer["changes"].as_object().unwrap().keys().collect();
    assert_eq!(files, [&editor.uri("rules/a.yaml"), &editor.uri("rules/b.test.yaml")], "{answer}");
    editor.end();
}

#[test]
fn an_editor_that_can_is_asked_to_tell_of_files_that_change() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("rules")).unwrap();
    let watches = json!({"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": true}}});
    let mut editor = Editor::start_as(&root, (&[], &watches), Stdio::inherit());
    let asked = editor.receive();
    assert_eq!(asked["method"], "client/registerCapability", "{asked}");
    assert_eq!(asked["params"]["registrations"][0]["method"], "workspace/didChangeWatchedFiles", "{asked}");
    editor.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": null}));
    let text = "groups: [{name: g, rules: [{alert: A, expr: 'team:sum > 1'}]}]\n";
    editor.open("rules/a.yaml", text);
    let uri = editor.uri("rules/a.yaml");
    assert_eq!(editor.findings[&uri][0]["code"], "unrecorded-metric");
    let recording = "groups: [{name: r, rules: [{record: 'team:sum', expr: sum(queue_depth)}]}]\n";
    std::fs::write(root.join("rules/b.yaml"), recording).unwrap();
    let changes = json!({"changes": [{"uri": editor.uri("rules/b.yaml"), "type": 1}]});
    editor.findings.remove(&uri);
    editor.tell("workspace/didChangeWatchedFiles", &changes);
    while !editor.findings.contains_key(&uri) {
        editor.receive();
    }
    assert_eq!(editor.findings[&uri], json!([]));
    editor.end();
}

#[test]
fn hovering_over_a_metric_asks_the_sidecar_that_runs() {
    let nats = Nats::start(&server_programs()[0]);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let (_sidecar, port) = run_signalbox(&root, &nats.url(), &[]);
    nats.client().publish("events.queue.JobQueued", &job_queued(1));
    let mut editor = Editor::start(&root, &["--url", &format!("http://127.0.0.1:{port}")]);
    let text = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: queue_depth > 1\n";
    editor.open("rules/a.yaml", text);
    let place = json!({
        "textDocument": {"uri": editor.uri("rules/a.yaml")},
        "position": {"line": 4, "character": 12},
    });
    let shown = wait_for("a value", || {
        let answer = editor.ask("textDocument/hover", &place);
        let text = answer["contents"]["value"].as_str()?.to_owned();
        text.contains("Now, 1 series").then_some(text)
    });
    assert!(shown.contains("queue=\"") && shown.trim_end().ends_with(" 1"), "{shown}");
    editor.end();
}

#[test]
fn a_message_of_a_terabyte_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let mut editor = Editor::start_with(folder.path(), &[], Stdio::piped());
    write!(editor.to, "Content-Length: 1099511627776\r\n\r\n").unwrap();
    editor.to.flush().unwrap();
    assert_eq!(editor.child.wait().unwrap().code(), Some(2));
    let mut said = String::new();
    editor.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("read a message of 1099511627776 bytes"), "{said}");
}
