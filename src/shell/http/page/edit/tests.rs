//! The editor's routes over a folder of rule files, with a reload that puts in force what lies there.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use tokio::sync::mpsc;

use super::*;
use crate::engine::catalogue::known_metrics;
use crate::shell::http::page::assets::unstyled;
use crate::shell::http::tests::{Answered, send, web};
use crate::shell::http::{Routes, router};
use crate::shell::reload::ReloadWish;
use crate::shell::rule_files::RuleFiles;

const QUEUE: &str = "groups:\n  - name: queue\n    interval: 1s\n    rules:\n      - {alert: Busy, expr: load, above: 0}\n      - {alert: Idle, expr: load < 0}\n";

/// The editor over a folder, opened by somebody at this machine.
struct Bench {
    folder: tempfile::TempDir,
    router: Router,
    cookie: String,
    token: String,
    reloads: Arc<AtomicUsize>,
}

/// Reads the folder for each wish and puts in force what lies there.
async fn reload(web: Web, mut wishes: mpsc::Receiver<ReloadWish>, reloads: Arc<AtomicUsize>) {
    let config = web.config.get();
    let mut files = RuleFiles::new(paths_of(&config), known_metrics(&config));
    while let Some(wish) = wishes.recv().await {
        let texts = files.read();
        let load = files.load(texts, &std::collections::BTreeSet::new());
        web.mailbox.reload(None, load.rules).await;
        reloads.fetch_add(1, Ordering::SeqCst);
        drop(wish);
    }
}

/// The value of a field of a form.
fn field(html: &str, name: &str) -> String {
    let begin = format!("name=\"{name}\" value=\"");
    let rest = html.split(&begin).nth(1).unwrap_or_else(|| panic!("no {name} in {html}"));
    rest.split('"').next().unwrap().to_owned()
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |coded, byte| format!("{coded}%{byte:02x}"))
}

impl Bench {
    async fn of(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let path = folder.path().display().to_string();
        let (sender, wishes) = mpsc::channel(1);
        let mut web = web(|config| config.rules = Some(vec![path]));
        web.edits = Some(Arc::new(Edits::new(Reach::Loopback).unwrap()));
        (web.reload, web.body_bytes_max) = (sender, 1 << 20);
        let reloads = Arc::new(AtomicUsize::new(0));
        tokio::spawn(reload(web.clone(), wishes, Arc::clone(&reloads)));
        let router = router(web, Routes::All);
        let mut bench = Self { folder, router, cookie: String::new(), token: String::new(), reloads };
        let list = bench.get("/edit").await;
        bench.token = field(list.text(), "token");
        list.header("set-cookie").split(';').next().unwrap().clone_into(&mut bench.cookie);
        bench
    }

    fn name(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    fn on_disk(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    async fn get(&self, path: &str) -> Answered {
        let headers = [("host", "127.0.0.1:9469"), ("cookie", self.cookie.as_str())];
        let answered = send(&self.router, &format!("GET {path}"), &headers, "").await;
        let unstyled = unstyled(answered.text());
        assert!(unstyled.is_empty(), "{path} has classes without a style: {unstyled:?}");
        answered
    }

    /// Opens a file; its page, and the version that a form of it carries.
    async fn open(&self, file: &str, more: &str) -> (String, String) {
        let page = self.get(&format!("/edit?file={}{more}", encoded(&self.name(file)))).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        (page.text().to_owned(), field(page.text(), "version"))
    }

    /// Sends a form with these fields and the token.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        let token = [("token", self.token.as_str())];
        let all = fields.iter().chain(&token);
        let body: Vec<String> = all.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let headers = [
            ("host", "127.0.0.1:9469"),
            ("cookie", self.cookie.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        send(&self.router, &format!("POST {path}"), &headers, body.join("&")).await
    }

    fn reloads(&self) -> usize {
        self.reloads.load(Ordering::SeqCst)
    }
}

/// What stands on a page without its tags.
fn words_of(html: &str) -> String {
    let parts = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_file_is_greeted_as_what_was_done_with_it() {
    let bench = Bench::of(&[("queue.yaml", QUEUE)]).await;
    let shown = async |more| words_of(&bench.open("queue.yaml", more).await.0);
    let back = shown("&back=1").await;
    assert!(back.contains("Brought back. It is not in force yet"), "{back}");
    bench.post("/edit/new", &[("folder", &bench.folder.path().display().to_string()), ("name", "b")]).await;
    let (made, _) = bench.open("b.yaml", "&made=1").await;
    assert!(words_of(&made).contains("Made. It holds no rules yet: write them here, and save."), "{made}");
    let back = shown("&back=1").await;
    assert!(back.contains("Brought back. Its rules are in force again."), "{back}");
    let nothing = shown("").await;
    assert!(!nothing.contains("Brought back") && !nothing.contains("Saved."), "{nothing}");
}

#[tokio::test]
async fn a_text_is_saved_loaded_and_can_be_put_back() {
    let bench = Bench::of(&[("queue.yaml", "groups: []\n")]).await;
    let name = bench.name("queue.yaml");
    let (page, version) = bench.open("queue.yaml", "").await;
    assert!(words_of(&page).contains("0 rules in force"), "{}", words_of(&page));
    let windows = QUEUE.replace('\n', "\r\n");
    let saved = bench.post("/edit/save", &[("file", &name), ("version", &version), ("text", &windows)]).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    assert!(saved.header("location").starts_with("../edit?file="), "{}", saved.header("location"));
    assert!(saved.header("location").ends_with("&saved=1"));
    assert_eq!((bench.on_disk("queue.yaml").as_str(), bench.reloads()), (QUEUE, 1));

    let (page, version) = bench.open("queue.yaml", "&saved=1").await;
    let shown = words_of(&page);
    assert!(shown.contains("Saved. It is in force; the version before is kept below."), "{shown}");
    assert!(shown.contains("2 rules in force") && shown.contains("The version before"), "{shown}");
    let (before, _) = bench.open("queue.yaml", "&version=1").await;
    assert!(words_of(&before).contains("This is version 1, which was replaced."), "{before}");
    assert!(before.contains(">\ngroups: []\n</textarea>"), "{before}");

    let back = bench.post("/edit/back", &[("file", &name), ("version", &version), ("number", "1")]).await;
    assert_eq!((back.status, bench.reloads()), (StatusCode::SEE_OTHER, 2));
    assert_eq!(bench.on_disk("queue.yaml"), "groups: []\n");
    for number in ["7", "", "x"] {
        let (_, version) = bench.open("queue.yaml", "").await;
        let fields = [("file", name.as_str()), ("version", &version), ("number", number)];
        assert_eq!(bench.post("/edit/back", &fields).await.status, StatusCode::NOT_FOUND, "{number:?}");
    }
}

#[tokio::test]
async fn what_is_not_saved_says_why_and_leaves_file_and_text_alone() {
    let bench = Bench::of(&[("queue.yaml", QUEUE)]).await;
    let name = bench.name("queue.yaml");
    let (_, version) = bench.open("queue.yaml", "").await;
    let save = async |version: &str, text: &str| {
        let answered =
            bench.post("/edit/save", &[("file", &name), ("version", version), ("text", text)]).await;
        (answered.status, answered.text().to_owned())
    };
    let (status, page) = save(&version, "groups: [{name: g, rules: [{alert: A, expr: 'sum('}]}]").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let shown = words_of(&page);
    assert!(
        shown.contains("Not saved: a load would refuse it.") && shown.contains("1 error, 0 warnings"),
        "{shown}"
    );
    assert!(page.contains("expr: 'sum('"), "the text is still there: {page}");
    assert_eq!(field(&page, "version"), version, "and what it was made from");

    fs::write(bench.folder.path().join("queue.yaml"), "groups: [] # by hand\n").unwrap();
    let (status, page) = save(&version, QUEUE).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let shown = words_of(&page);
    assert!(shown.contains("the file changed on disk since it was opened"), "{shown}");
    assert!(shown.contains("groups: [] # by hand") && shown.contains("alert: Busy"), "{shown}");
    assert_eq!(field(&page, "version"), version, "a second try is refused as well");

    let (status, text) = save(&version, &"#".repeat(edits::TEXT_BYTES_MAX + 1)).await;
    assert_eq!(
        (status, text.as_str()),
        (
            StatusCode::PAYLOAD_TOO_LARGE,
            "Not done: it has more than 256 KiB, more than is edited on the page.\n"
        )
    );
    assert_eq!((bench.on_disk("queue.yaml").as_str(), bench.reloads()), ("groups: [] # by hand\n", 0));
}

#[tokio::test]
async fn findings_and_completions_of_a_text_are_told_to_the_script() {
    let bench = Bench::of(&[("queue.yaml", QUEUE)]).await;
    let name = bench.name("queue.yaml");
    let text = QUEUE.replace("expr: load <", "expr: queue_dept <");
    let checked = bench.post("/edit/check", &[("file", &name), ("text", &text)]).await;
    assert_eq!((checked.status, checked.header("content-type")), (StatusCode::OK, "application/json"));
    let found = &checked.json()["diagnostics"];
    let place = text.find("queue_dept").unwrap();
    let unknown = found.as_array().unwrap().iter().find(|one| one["from"] == place).unwrap();
    assert_eq!(
        (&unknown["source"], &unknown["fixes"][0]["insert"]),
        (&"unknown-metric".into(), &"queue_depth".into())
    );
    let at = place + "queue_dep".len();
    let fields = [("file", name.as_str()), ("text", &text), ("at", &at.to_string())];
    let completed = bench.post("/edit/complete", &fields).await.json();
    let labels: Vec<_> = completed["options"].as_array().unwrap().iter().map(|one| &one["label"]).collect();
    assert!(labels.iter().any(|label| **label == "queue_depth"), "{labels:?}");
    // Without a place it is the end of the text.
    let completed = bench.post("/edit/complete", &[("file", &name), ("text", "gro")]).await.json();
    assert_eq!(completed["options"][0]["label"], "groups");
}

#[tokio::test]
async fn a_try_shows_what_the_edited_rules_would_have_done_beside_those_on_disk() {
    let bench = Bench::of(&[("queue.yaml", QUEUE)]).await;
    let name = bench.name("queue.yaml");
    let text = QUEUE
        .replace("above: 0", "above: 1")
        .replace("groups:\n", "groups:\n  - {name: new, rules: [{record: a, expr: load}]}\n");
    let tried = bench.post("/edit/preview", &[("file", &name), ("text", &text)]).await;
    assert_eq!(tried.status, StatusCode::OK);
    let shown = words_of(tried.text());
    assert!(shown.contains("What these rules would have done"), "{shown}");
    assert!(
        shown.contains(
            "Busy changed It would have fired once, 1 still at the end. As it is on disk: 2 times."
        ),
        "{shown}"
    );
    assert!(shown.contains("1 rule that the edit does not touch would have done as now."), "{shown}");
    assert!(!shown.contains("It would not have fired."), "{shown}");
    assert!(tried.text().contains("action=\"../edit/preview\""), "the form leads on from a path below");
    assert_eq!((bench.on_disk("queue.yaml").as_str(), bench.reloads()), (QUEUE, 0));
    // Nothing is tried of what a load would refuse, nor anything drawn that raises no alert.
    let refused = bench.post("/edit/preview", &[("file", &name), ("text", "groups: [")]).await;
    assert!(!words_of(refused.text()).contains("would have done from"), "{}", words_of(refused.text()));
    let text = "groups: [{name: new, rules: [{record: a, expr: load}]}]";
    let quiet = words_of(bench.post("/edit/preview", &[("file", &name), ("text", text)]).await.text());
    assert!(quiet.contains("No rule that the edit touches raises alerts."), "{quiet}");
}

#[tokio::test]
async fn files_are_made_removed_and_brought_back_each_with_a_load() {
    let bench = Bench::of(&[("queue.yaml", QUEUE)]).await;
    let folder = bench.folder.path().display().to_string();
    let made = bench.post("/edit/new", &[("folder", &folder), ("name", "more")]).await;
    assert_eq!((made.status, bench.reloads()), (StatusCode::SEE_OTHER, 1), "{}", made.text());
    assert_eq!(bench.on_disk("more.yaml"), "groups: []\n");
    for (fields, status) in [
        ([("folder", folder.as_str()), ("name", "more")], StatusCode::CONFLICT),
        ([("folder", &folder), ("name", "../up")], StatusCode::UNPROCESSABLE_ENTITY),
        ([("folder", "/"), ("name", "other")], StatusCode::NOT_FOUND),
    ] {
        assert_eq!(bench.post("/edit/new", &fields).await.status, status, "{fields:?}");
    }
    let list = words_of(bench.get("/edit").await.text());
    assert!(list.contains("queue.yaml 2 0 yes") && list.contains("more.yaml 0 0 yes"), "{list}");

    let name = bench.name("queue.yaml");
    let (_, version) = bench.open("queue.yaml", "").await;
    let stale = bench.post("/edit/remove", &[("file", &name), ("version", "0")]).await;
    assert_eq!((stale.status, bench.reloads()), (StatusCode::CONFLICT, 1));
    let removed = bench.post("/edit/remove", &[("file", &name), ("version", &version)]).await;
    assert_eq!(
        (removed.status, removed.header("location"), bench.reloads()),
        (StatusCode::SEE_OTHER, "../edit?removed=1", 2)
    );
    let list = words_of(bench.get("/edit?removed=1").await.text());
    assert!(list.contains("Removed. It is kept") && list.contains("Removed files"), "{list}");
    assert!(!list.contains("queue.yaml 2 0 yes"), "{list}");
    let back = bench.post("/edit/bring-back", &[("file", &name)]).await;
    assert_eq!((back.status, bench.reloads()), (StatusCode::SEE_OTHER, 3));
    assert_eq!(bench.on_disk("queue.yaml"), QUEUE);
    let again = bench.post("/edit/bring-back", &[("file", &name)]).await;
    assert_eq!((again.status, bench.reloads()), (StatusCode::NOT_FOUND, 3));
}

#[tokio::test]
async fn a_form_of_somebody_else_changes_nothing() {
    let bench = Bench::of(&[("queue.yaml", QUEUE)]).await;
    let (name, folder) = (bench.name("queue.yaml"), bench.folder.path().display().to_string());
    let (_, version) = bench.open("queue.yaml", "").await;
    let stranger = Bench { cookie: String::new(), ..bench };
    for path in ["save", "back", "new", "remove", "bring-back", "check", "complete", "preview", "download"] {
        let fields = [
            ("file", name.as_str()),
            ("version", &version),
            ("text", "groups: []"),
            ("number", "1"),
            ("folder", &folder),
            ("name", "a"),
        ];
        let answered = stranger.post(&format!("/edit/{path}"), &fields).await;
        assert_eq!(answered.status, StatusCode::FORBIDDEN, "{path}: {}", answered.text());
    }
    assert_eq!((stranger.on_disk("queue.yaml").as_str(), stranger.reloads()), (QUEUE, 0));
    assert_eq!(fs::read_dir(stranger.folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_page_of_the_editor_has_a_nonce_of_its_own_and_a_cookie_once() {
    let bench = Bench::of(&[("que\"ue.yaml", "groups: []\n")]).await;
    let nonce = |answered: &Answered| {
        let policy = answered.header("content-security-policy").to_owned();
        policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default().to_owned()
    };
    let (one, two) = (bench.get("/edit").await, bench.get("/edit").await);
    assert!(!nonce(&one).is_empty() && nonce(&one) != nonce(&two));
    assert!(one.text().contains(&nonce(&one)));
    assert_eq!(one.header("set-cookie"), "", "the browser has one");
    assert_eq!(one.header("cache-control"), "no-store");
    let gone = bench.get("/edit?file=/etc/passwd").await;
    assert_eq!(
        (gone.status, gone.text()),
        (StatusCode::NOT_FOUND, "Not done: it is none of the rule files that are loaded.\n")
    );
    let name = bench.name("que\"ue.yaml");
    let text = [("file", name.as_str()), ("text", "a\r\nb")];
    let download = bench.post("/edit/download", &text).await;
    assert_eq!(download.header("content-disposition"), "attachment; filename=\"que_ue.yaml\"");
    assert_eq!(download.text(), "a\nb");
}
