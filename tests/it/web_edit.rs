//! Editing rule files on the page, asked as a program would ask: who may, what a form needs, which files, what is
//! refused, what is kept. How it looks and feels is in `page_edit`.

use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Process, get, post, signalbox};
use super::support::{Answer, Nats, free_port, read_answer, server_programs, wait_for};

/// `opensesame` as bcrypt has it, and the header with it for alice.
const BCRYPT: &str = "$2y$05$abcdefghijklmnopqrstuuQbLfdQZSxZ9gjhA5V9o8Tyc6aQRO0Qi";
const ALICE: &str = "Authorization: Basic YWxpY2U6b3BlbnNlc2FtZQ==";

const RULES: &str = "groups:\n  - name: queue\n    rules:\n      - alert: Deep\n        expr: queue_depth\n        above: 100\n";

/// A sidecar with a folder of rules that may be edited.
struct Editable {
    process: Process,
    port: u16,
    folder: tempfile::TempDir,
    _nats: Nats,
}

/// How a sidecar is started.
#[derive(Default)]
struct Start<'a> {
    flags: &'a [&'a str],
    /// As another user than root, for whom a folder that may not be written cannot be.
    user: Option<u32>,
}

impl Editable {
    fn start() -> Self {
        Self::start_with(&Start::default(), |_| {})
    }

    fn start_with(start: &Start<'_>, prepare: impl FnOnce(&Path)) -> Self {
        let nats = Nats::start(&server_programs()[0]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        std::fs::write(folder.path().join("rules/queue.yaml"), RULES).unwrap();
        std::fs::write(folder.path().join("signalbox.yaml"), "jetstream: {create_stream: true}\n").unwrap();
        prepare(folder.path());
        let port = free_port();
        let mut command = signalbox();
        command.args([
            "run",
            "--web-edit",
            "--nats-url",
            &nats.url(),
            "--listen",
            &format!("127.0.0.1:{port}"),
        ]);
        command.args(start.flags).current_dir(folder.path());
        if let Some(user) = start.user {
            command.uid(user);
        }
        let mut process = Process::start(&mut command, folder.path());
        wait_for("HTTP", || {
            assert!(process.is_running(), "signalbox ended");
            get(port, "/-/healthy").filter(|answer| answer.status == 200 || answer.status == 401)
        });
        Self { process, port, folder, _nats: nats }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("rules/queue.yaml")
    }

    fn on_disk(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    fn ask(&self, method: &str, path: &str, (headers, body): (&[&str], &str)) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let host = format!("Host: 127.0.0.1:{}", self.port);
        let host = if headers.iter().any(|header| header.starts_with("Host:")) { "" } else { &host };
        let head: Vec<&str> =
            headers.iter().copied().chain([host]).filter(|header| !header.is_empty()).collect();
        let text = format!(
            "{method} {path} HTTP/1.1\r\n{}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            head.join("\r\n"),
            body.len()
        );
        stream.write_all(text.as_bytes()).unwrap();
        read_answer(&mut stream)
    }

    /// Opens the file as somebody whose requests carry these headers.
    fn open(&self, headers: &[&str]) -> Opened<'_> {
        let page = self.ask("GET", "/edit?file=rules%2Fqueue.yaml", (headers, ""));
        assert_eq!(page.status, 200, "{}", page.text());
        let html = page.text();
        let value = |name: &str| {
            let rest = html.split(&format!("name=\"{name}\" value=\"")).nth(1);
            rest.unwrap_or_else(|| panic!("no {name} in {html}")).split('"').next().unwrap().to_owned()
        };
        let cookie = page.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
        let headers = headers.iter().map(|header| (*header).to_owned()).chain([cookie]).collect();
        Opened { editable: self, headers, version: value("version"), token: value("token") }
    }
}

/// The file in somebody's browser.
struct Opened<'a> {
    editable: &'a Editable,
    headers: Vec<String>,
    version: String,
    token: String,
}

impl Opened<'_> {
    fn send(&self, what: &str, fields: &[(&str, &str)]) -> Answer {
        let own = [("file", "rules/queue.yaml"), ("version", &self.version), ("token", &self.token)];
        let wanted =
            own.iter().filter(|(name, _)| !fields.iter().any(|(known, _)| known == name)).chain(fields);
        let body: Vec<String> = wanted.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let headers: Vec<&str> = self.headers.iter().map(String::as_str).collect();
        self.editable.ask("POST", &format!("/edit/{what}"), (&headers, &body.join("&")))
    }

    fn save(&self, text: &str) -> Answer {
        self.send("save", &[("text", text)])
    }
}

/// As a browser sends it: line ends of two characters.
fn encoded(text: &str) -> String {
    let bytes = text.replace('\n', "\r\n");
    bytes
        .bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

#[test]
fn a_file_is_saved_put_in_force_kept_and_put_back() {
    let editable = Editable::start();
    let edited = RULES.replace("100", "200");
    let saved = editable.open(&[]).save(&edited);
    assert_eq!(saved.status, 303, "{}", saved.text());
    assert!(saved.head.contains("location: ../edit?file=rules%2Fqueue%2Eyaml&saved=1"), "{}", saved.head);
    assert_eq!(editable.on_disk(), edited);
    // It is in force when the answer is there.
    let page = get(editable.port, "/edit?file=rules/queue.yaml&saved=1").unwrap().text();
    assert!(
        page.contains("Saved.") && page.contains("1 rule in force") && page.contains("The version before"),
        "{page}"
    );
    assert!(page.contains("above: 200"), "{page}");
    let rule = get(editable.port, "/rules/queue-deep").unwrap().text();
    assert!(
        rule.contains("above: 200") && rule.contains("../edit?file=rules%2Fqueue%2Eyaml&amp;line=4"),
        "{rule}"
    );
    let logged = editable.process.said();
    for words in
        ["a rule file was changed on the page", "rules/queue.yaml", "somebody on this machine", "127.0.0.1:"]
    {
        assert!(logged.contains(words), "{words} is not in {logged}");
    }
    let script = editable.ask("GET", "/assets/codemirror-6.min.js", (&["Accept-Encoding: gzip"], ""));
    assert!(script.head.contains("content-encoding: gzip") && script.body.len() < 200_000, "{}", script.head);
    let opened = editable.open(&[]);
    let kept = get(editable.port, "/edit?file=rules/queue.yaml&version=1").unwrap().text();
    assert!(kept.contains("above: 100") && kept.contains("not saved yet"), "{kept}");
    assert_eq!(opened.send("back", &[("number", "1")]).status, 303);
    assert_eq!(editable.on_disk(), RULES);
    // What others look at is shared for half a second.
    wait_for("the rule as it was", || {
        get(editable.port, "/rules/queue-deep")?.text().contains("above: 100").then_some(())
    });
    assert_eq!(editable.open(&[]).send("back", &[("number", "7")]).status, 404);
    // Nothing else is left, and what is kept is no rule file.
    let mut names: Vec<String> = std::fs::read_dir(editable.folder.path().join("rules"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, [".queue.yaml.before-1", ".queue.yaml.before-2", "queue.yaml"]);
    assert_eq!(post(editable.port, "/-/reload").unwrap().status, 200);
}

#[test]
fn a_file_is_made_filled_removed_and_brought_back() {
    let editable = Editable::start();
    let opened = editable.open(&[]);
    let rules = |path: &str| get(editable.port, path).unwrap().text();
    let made = opened.send("new", &[("folder", "rules"), ("name", "more")]);
    assert_eq!(made.status, 303, "{}", made.text());
    assert!(made.head.contains("location: ../edit?file=rules%2Fmore%2Eyaml&made=1"), "{}", made.head);
    assert_eq!(opened.send("new", &[("folder", "rules"), ("name", "more.yaml")]).status, 409);
    assert_eq!(opened.send("new", &[("folder", "rules"), ("name", "../more.yaml")]).status, 422);
    assert_eq!(opened.send("new", &[("folder", "/tmp"), ("name", "more.yaml")]).status, 404);
    assert_eq!(opened.send("new", &[("folder", "rules"), ("name", "b"), ("token", "forged")]).status, 403);
    let page = rules("/edit?file=rules/more.yaml");
    let version =
        page.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let more = RULES.replace("Deep", "Deeper");
    let (file, text) = (("file", "rules/more.yaml"), ("text", more.as_str()));
    assert_eq!(opened.send("save", &[file, text, ("version", &version)]).status, 303);
    let is_in_force = || rules("/api/v1/rules").contains("rules/more.yaml");
    assert!(is_in_force());
    assert_eq!(opened.send("remove", &[file, ("version", &version)]).status, 409, "it is another by now");
    let page = rules("/edit?file=rules/more.yaml");
    let version =
        page.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let removed = opened.send("remove", &[file, ("version", &version)]);
    assert_eq!(removed.status, 303, "{}", removed.text());
    assert!(!is_in_force() && !editable.folder.path().join("rules/more.yaml").exists());
    let list = rules("/edit?removed=1");
    assert!(list.contains("Removed files") && list.contains("Bring back"), "{list}");
    assert_eq!(opened.send("bring-back", &[file]).status, 303);
    assert!(is_in_force());
    assert_eq!(std::fs::read_to_string(editable.folder.path().join("rules/more.yaml")).unwrap(), more);
    assert_eq!(opened.send("bring-back", &[file]).status, 404);
    let logged = editable.process.said();
    for words in ["what=\"made\"", "what=\"removed\"", "what=\"brought back\""] {
        assert!(logged.contains(words), "{words} is not in {logged}");
    }
}

#[test]
fn what_a_load_would_refuse_is_not_saved_and_shown_with_carets() {
    let editable = Editable::start();
    let opened = editable.open(&[]);
    let broken = RULES.replace("queue_depth", "sum(queue_depth").replace("Deep", "<b>Deep");
    let refused = opened.save(&broken);
    let html = refused.text();
    assert_eq!(refused.status, 422, "{html}");
    assert!(
        html.contains("Not saved: a load would refuse it")
            && html.contains('^')
            && html.contains("sum(queue_depth"),
        "{html}"
    );
    assert!(!html.contains("<b>") && html.contains("1 error"), "{html}");
    assert_eq!(editable.on_disk(), RULES);
    let found = opened.send("check", &[("text", &broken)]).json();
    assert_eq!(found["diagnostics"][0]["severity"], "error", "{found}");
    let found = opened.send("check", &[("text", &RULES.replace("queue_depth", "queue_dept"))]).json();
    assert_eq!(found["diagnostics"][0]["fixes"][0]["insert"], "queue_depth", "{found}");
    let at = RULES.find("_depth").unwrap().to_string();
    let completed = opened.send("complete", &[("text", RULES), ("at", &at)]).json();
    assert!(completed.to_string().contains("\"queue_depth\""), "{completed}");
    let downloaded = opened.send("download", &[("text", &broken)]);
    assert!(
        downloaded.head.contains("content-disposition: attachment; filename=\"queue.yaml\""),
        "{}",
        downloaded.head
    );
    assert_eq!(downloaded.text(), broken);
}

#[test]
fn a_file_that_changed_on_disk_is_not_overwritten() {
    let editable = Editable::start();
    let opened = editable.open(&[]);
    let by_hand = RULES.replace("100", "150");
    std::fs::write(editable.file(), &by_hand).unwrap();
    let conflict = opened.save(&RULES.replace("100", "200"));
    let html = conflict.text();
    assert_eq!(conflict.status, 409, "{html}");
    assert!(html.contains("changed on disk since it was opened") && html.contains("above: 150"), "{html}");
    // What was typed is still there.
    assert!(html.contains("above: 200"), "{html}");
    assert_eq!(editable.on_disk(), by_hand);
    assert_eq!(opened.send("back", &[("number", "1")]).status, 404);
}

#[test]
fn a_form_needs_the_token_and_the_cookie_of_a_page_of_ours_and_no_get_changes_anything() {
    let editable = Editable::start();
    let opened = editable.open(&[]);
    let edited = RULES.replace("100", "200");
    let forged = [
        opened.send("save", &[("text", &edited), ("token", "")]),
        opened.send("save", &[("text", &edited), ("token", &"0".repeat(64))]),
        Opened {
            headers: Vec::new(),
            token: opened.token.clone(),
            version: opened.version.clone(),
            editable: &editable,
        }
        .save(&edited),
    ];
    for answer in &forged {
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
    for site in [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: https://evil.example",
        "Host: evil.example",
    ] {
        for what in ["save", "back", "check", "preview", "complete", "download"] {
            let mut opened = editable.open(&[]);
            opened.headers.push(site.to_owned());
            let answer = opened.send(what, &[("text", &edited), ("number", "1"), ("at", "1")]);
            assert_eq!(answer.status, 403, "{site} {what}: {}", answer.text());
        }
    }
    let rebound = editable.ask("GET", "/edit?file=rules/queue.yaml", (&["Host: evil.example"], ""));
    assert!(rebound.status == 403 && !rebound.text().contains("token"), "{}", rebound.text());
    for path in ["save", "back", "check", "preview", "complete", "download"] {
        let query = format!(
            "/edit/{path}?file=rules/queue.yaml&text=x&token={}&version={}",
            opened.token, opened.version
        );
        assert_eq!(editable.ask("GET", &query, (&[opened.headers[0].as_str()], "")).status, 405, "{path}");
    }
    assert_eq!(editable.on_disk(), RULES);
    let mut own = editable.open(&[]);
    own.headers.push("Sec-Fetch-Site: same-origin".to_owned());
    assert_eq!(own.save(&edited).status, 303);
}

#[test]
fn only_files_that_are_loaded_are_opened_and_written() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("out.yaml"), "groups: []\n").unwrap();
    let editable = Editable::start_with(&Start::default(), |folder| {
        symlink(outside.path().join("out.yaml"), folder.join("rules/out.yaml")).unwrap();
        std::fs::write(folder.join("rules/queue.test.yaml"), "tests: []\n").unwrap();
        std::fs::write(folder.join("other.yaml"), "groups: []\n").unwrap();
        std::fs::write(folder.join("rules/long.yaml"), format!("# {}\n", "x".repeat(300_000))).unwrap();
    });
    let opened = editable.open(&[]);
    for (name, status) in [
        ("", 404),
        ("queue.yaml", 404),
        ("other.yaml", 404),
        ("signalbox.yaml", 404),
        ("rules", 404),
        ("rules/queue.test.yaml", 404),
        ("rules/../rules/queue.yaml", 404),
        ("rules/../other.yaml", 404),
        ("./rules/queue.yaml", 404),
        ("rules//queue.yaml", 404),
        ("../../../../../../etc/passwd", 404),
        ("/etc/passwd", 404),
        ("rules/queue.yaml\0", 404),
        ("rules/out.yaml", 403),
        ("rules/long.yaml", 413),
    ] {
        for what in ["save", "back", "preview"] {
            let answer = opened.send(what, &[("file", name), ("text", "groups: []\n"), ("number", "1")]);
            let expected = if what == "back" && status == 413 { 404 } else { status };
            assert_eq!(answer.status, expected, "{name:?} {what}: {}", answer.text());
        }
        if !name.is_empty() {
            let answer = editable.ask("GET", &format!("/edit?file={}", encoded(name)), (&[], ""));
            assert_eq!(answer.status, status, "{name:?}: {}", answer.text());
        }
    }
    assert_eq!(std::fs::read_to_string(outside.path().join("out.yaml")).unwrap(), "groups: []\n");
    let long = opened.save(&format!("# {}\n", "x".repeat(300_000)));
    assert_eq!(long.status, 413, "{}", long.text());
    let huge = opened.save(&"x".repeat(2 << 20));
    assert_eq!(huge.status, 413, "{}", huge.text());
    assert_eq!(editable.on_disk(), RULES);
}

/// How it is started, how its folder is made, and what is said of that.
type Case<'a> = (Start<'a>, &'a dyn Fn(&Path), &'static str);

#[test]
fn where_the_folder_cannot_be_written_the_file_is_offered_instead() {
    // As a Kubernetes `ConfigMap` has its files: links through `..data`.
    let config_map = |folder: &Path| {
        std::fs::create_dir(folder.join("rules/..v1")).unwrap();
        std::fs::rename(folder.join("rules/queue.yaml"), folder.join("rules/..v1/queue.yaml")).unwrap();
        symlink("..v1", folder.join("rules/..data")).unwrap();
        symlink("..data/queue.yaml", folder.join("rules/queue.yaml")).unwrap();
    };
    let closed = |folder: &Path| {
        std::fs::set_permissions(folder.join("rules"), PermissionsExt::from_mode(0o555)).unwrap();
    };
    let is_root =
        String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap().trim() == "0";
    let nobody = Start { user: is_root.then_some(65_534), ..Start::default() };
    let cases: [Case<'_>; 2] = [
        (Start::default(), &config_map, "The file is a link"),
        (nobody, &closed, "signalbox may not write here"),
    ];
    for (start, prepare, why) in cases {
        let editable = Editable::start_with(&start, prepare);
        let opened = editable.open(&[]);
        let page = get(editable.port, "/edit?file=rules/queue.yaml").unwrap().text();
        assert!(page.contains(why) && page.contains("Download"), "{page}");
        assert!(!page.contains("edit/save"), "{page}");
        assert!(get(editable.port, "/edit").unwrap().text().contains(why));
        let edited = RULES.replace("100", "200");
        let refused = opened.save(&edited);
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert_eq!(opened.send("download", &[("text", &edited)]).text(), edited);
        let tried = opened.send("preview", &[("text", &edited)]);
        assert!(
            tried.status == 200 && tried.text().contains("What these rules would have done"),
            "{}",
            tried.text()
        );
        assert_eq!(editable.on_disk(), RULES);
        std::fs::set_permissions(editable.folder.path().join("rules"), PermissionsExt::from_mode(0o755))
            .unwrap();
    }
}

#[test]
fn users_edit_behind_their_passwords_and_are_named_in_the_log() {
    let users = |folder: &Path| {
        let text = format!("basic_auth_users: {{alice: {BCRYPT}}}\n");
        std::fs::write(folder.join("web.yml"), text).unwrap();
    };
    let start = Start { flags: &["--web-config", "web.yml"], ..Start::default() };
    let editable = Editable::start_with(&start, users);
    assert_eq!(editable.ask("GET", "/edit", (&[], "")).status, 401);
    let opened = editable.open(&[ALICE]);
    let edited = RULES.replace("100", "200");
    let stranger = Opened {
        headers: opened.headers[1..].to_vec(),
        token: opened.token.clone(),
        version: opened.version.clone(),
        editable: &editable,
    };
    assert_eq!(stranger.save(&edited).status, 401);
    assert_eq!(opened.save(&edited).status, 303);
    assert_eq!(editable.on_disk(), edited);
    let logged = editable.process.said();
    let line = logged.lines().find(|line| line.contains("a rule file was changed on the page")).unwrap();
    assert!(line.contains("alice") && !logged.contains("opensesame"), "{line}");
    // Without users nobody is known any more: this machine alone may edit, under its own name.
    std::fs::write(editable.folder.path().join("web.yml"), "{}\n").unwrap();
    let refused = editable.ask("GET", "/edit", (&["Host: signalbox.example"], ""));
    assert_eq!(refused.status, 403, "{}", refused.text());
}

#[test]
fn it_is_off_unless_asked_for_and_does_not_start_where_strangers_would_edit() {
    let nats = Nats::start(&server_programs()[0]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    std::fs::write(
        folder.path().join("open.yml"),
        "http_server_config: {headers: {X-Frame-Options: deny}}\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("users.yml"), format!("basic_auth_users: {{alice: {BCRYPT}}}\n"))
        .unwrap();
    let port = free_port();
    let run = |flags: &[&str]| {
        let mut command = signalbox();
        command.args(["run", "--nats-url", &nats.url(), "--rules", "rules.yaml"]).args(flags);
        Process::start(command.current_dir(folder.path()), folder.path())
    };
    let everywhere = format!("0.0.0.0:{port}");
    let admin = format!("0.0.0.0:{}", free_port());
    let here = format!("127.0.0.1:{port}");
    for flags in [
        &["--web-edit", "--listen", &everywhere][..],
        &["--web-edit", "--listen", &everywhere, "--web-config", "open.yml"],
        &["--web-edit", "--listen", &here, "--admin-listen", &admin],
    ] {
        let mut process = run(flags);
        assert_eq!(process.wait(), Some(2), "{flags:?}");
        let said = process.said();
        assert!(
            said.contains("would let whoever reaches 0.0.0.0:") && said.contains("basic_auth_users"),
            "{said}"
        );
        assert_eq!(said.trim().lines().count(), 1, "one line that says what to do: {said}");
    }
    for (flags, status) in [
        (&["--listen", &here][..], 404),
        (&["--web-edit=false", "--listen", &here], 404),
        (&["--web-edit=1", "--listen", &here], 200),
        (&["--web-edit", "--listen", &here], 200),
        (&["--web-edit", "--listen", &everywhere, "--web-config", "users.yml"], 401),
        (
            &["--web-edit", "--listen", &everywhere, "--admin-listen", &format!("127.0.0.1:{}", free_port())],
            404,
        ),
    ] {
        let _process = run(flags);
        let answer = wait_for("HTTP", || get(port, "/edit"));
        assert_eq!(answer.status, status, "{flags:?}: {}", answer.text());
        let rules = get(port, "/rules").unwrap();
        assert_eq!(rules.text().contains("edit?file="), status == 200, "{flags:?}");
    }
}

#[test]
fn who_shows_a_verified_certificate_edits_and_is_named_by_it() {
    let pem = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name);
    let guarded = |folder: &Path| {
        for name in ["server.pem", "server.key", "ca.pem"] {
            std::fs::copy(pem(name), folder.join(name)).unwrap();
        }
        let text = "tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, \
                    client_auth_type: RequireAndVerifyClientCert}\n";
        std::fs::write(folder.join("web.yml"), text).unwrap();
    };
    let nats = Nats::start(&server_programs()[0]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("queue.yaml"), RULES).unwrap();
    guarded(folder.path());
    let port = free_port();
    let mut command = signalbox();
    command.args([
        "run",
        "--web-edit",
        "--nats-url",
        &nats.url(),
        "--rules",
        "queue.yaml",
        "--web-config",
        "web.yml",
    ]);
    command.args(["--listen", &format!("0.0.0.0:{port}")]).current_dir(folder.path());
    let process = Process::start(&mut command, folder.path());
    let curl = |more: &[&str], path: &str| {
        let mut command = Command::new("curl");
        command.args(["-s", "-i", "-m", "20", "--cacert"]).arg(pem("ca.pem"));
        command.arg("--cert").arg(pem("client.pem")).arg("--key").arg(pem("client.key"));
        let told = command.args(more).arg(format!("https://127.0.0.1:{port}{path}")).output().unwrap();
        String::from_utf8_lossy(&told.stdout).into_owned()
    };
    let page = wait_for("the page", || {
        Some(curl(&[], "/edit?file=queue.yaml")).filter(|page| page.contains("200 OK"))
    });
    let cookie = page.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap().trim();
    assert!(cookie.ends_with("HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    let value = |name: &str| {
        let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let body = format!(
        "file=queue.yaml&version={}&token={}&text={}",
        value("version"),
        value("token"),
        encoded(&RULES.replace("100", "200"))
    );
    let saved = curl(&["-b", cookie.split(';').next().unwrap(), "-d", &body], "/edit/save");
    assert!(saved.starts_with("HTTP/1.1 303"), "{saved}");
    assert!(std::fs::read_to_string(folder.path().join("queue.yaml")).unwrap().contains("above: 200"));
    let logged = process.said();
    let line = logged.lines().find(|line| line.contains("a rule file was changed on the page")).unwrap();
    assert!(!line.contains("somebody on this machine") && line.contains("user="), "{line}");
}
