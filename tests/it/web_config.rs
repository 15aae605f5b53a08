//! TLS, clients' certificates, passwords and headers before every listener, asked with curl.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::signalbox;
use super::support::{Nats, Setup, Sidecar, free_port, server_programs, wait_for};

/// `opensesame` as bcrypt has it.
const BCRYPT: &str = "$2y$05$abcdefghijklmnopqrstuuQbLfdQZSxZ9gjhA5V9o8Tyc6aQRO0Qi";

fn pem(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

/// A sidecar behind a web configuration, with its admin address.
struct Guarded {
    _nats: Nats,
    sidecar: Sidecar,
    admin: u16,
    folder: tempfile::TempDir,
}

impl Guarded {
    fn start(text: &str) -> Self {
        let nats = Nats::start(&server_programs()[0]);
        let folder = tempfile::tempdir().unwrap();
        for name in ["server.pem", "server.key", "ca.pem"] {
            std::fs::copy(pem(name), folder.path().join(name)).unwrap();
        }
        let file = folder.path().join("web.yml");
        std::fs::write(&file, text).unwrap();
        let mut setup = Setup::new(&nats.url());
        let admin = free_port();
        setup.settings.http.admin_listen = Some(([127, 0, 0, 1], admin).into());
        setup.settings.http.web_config = Some(file);
        Self { _nats: nats, sidecar: setup.start(), admin, folder }
    }

    fn rewrite(&self, text: &str) {
        std::fs::write(self.folder.path().join("web.yml"), text).unwrap();
    }

    /// What curl gets of a path: status and headers, or that it got nothing.
    fn ask(&self, port: u16, scheme: &str, more: &[&str]) -> String {
        let path = if port == self.admin { "/api/v1/status/buildinfo" } else { "/-/healthy" };
        let told = Command::new("curl")
            .args(["-s", "-i", "-m", "20", "--cacert"])
            .arg(pem("ca.pem"))
            .args(more)
            .arg(format!("{scheme}://127.0.0.1:{port}{path}"))
            .output()
            .unwrap_or_else(|error| {
                panic!("cannot run curl: {error}; apt-get install curl or run scripts/test")
            });
        if told.status.success() {
            String::from_utf8_lossy(&told.stdout).to_lowercase()
        } else {
            "nothing".to_owned()
        }
    }

    fn ports(&self) -> [u16; 2] {
        [self.sidecar.address.port(), self.admin]
    }
}

#[test]
fn users_come_in_with_their_password_alone_over_tls_alone() {
    let users = |name: &str| {
        format!(
            "tls_server_config: {{cert_file: server.pem, key_file: server.key}}\n\
             http_server_config: {{headers: {{X-Frame-Options: deny}}}}\n\
             basic_auth_users: {{{name}: {BCRYPT}}}\n"
        )
    };
    let guarded = Guarded::start(&users("alice"));
    for port in guarded.ports() {
        let inside = guarded.ask(port, "https", &["-u", "alice:opensesame"]);
        assert!(inside.starts_with("http/1.1 200") && inside.contains("x-frame-options: deny"), "{inside}");
        for stranger in
            [&[][..], &["-u", "alice:sesame"], &["-u", "bob:opensesame"], &["-H", "Authorization: Bearer x"]]
        {
            let refused = guarded.ask(port, "https", stranger);
            assert!(refused.starts_with("http/1.1 401"), "{stranger:?}: {refused}");
            assert!(
                refused.contains("www-authenticate: basic") && refused.contains("x-frame-options"),
                "{refused}"
            );
        }
        assert_eq!(guarded.ask(port, "http", &["-u", "alice:opensesame"]), "nothing");
    }
    let port = guarded.sidecar.address.port();
    guarded.rewrite(&users("carol"));
    wait_for("another user", || {
        guarded.ask(port, "https", &["-u", "carol:opensesame"]).starts_with("http/1.1 200").then_some(())
    });
    assert!(guarded.ask(port, "https", &["-u", "alice:opensesame"]).starts_with("http/1.1 401"));
    // A broken file leaves the last good one in force.
    guarded.rewrite("basic_auth_users: [");
    assert!(guarded.ask(port, "https", &["-u", "carol:opensesame"]).starts_with("http/1.1 200"));
    std::fs::write(guarded.folder.path().join("server.pem"), "torn").unwrap();
    guarded.rewrite(&users("dave"));
    assert!(guarded.ask(port, "https", &["-u", "carol:opensesame"]).starts_with("http/1.1 200"));
    std::fs::copy(pem("server.pem"), guarded.folder.path().join("server.pem")).unwrap();
    assert!(guarded.ask(port, "https", &["-u", "dave:opensesame"]).starts_with("http/1.1 200"));
}

#[test]
fn clients_show_the_certificates_that_are_asked_of_them() {
    let tls =
        |more: &str| format!("tls_server_config: {{cert_file: server.pem, key_file: server.key, {more}}}\n");
    let (cert, key) = (pem("client.pem").display().to_string(), pem("client.key").display().to_string());
    let shown = ["--cert", cert.as_str(), "--key", key.as_str()];
    let verified = "client_ca_file: ca.pem, client_auth_type";
    let cases = [
        ("client_auth_type: NoClientCert".to_owned(), true, true),
        ("client_auth_type: RequestClientCert".to_owned(), true, true),
        ("client_auth_type: RequireAnyClientCert".to_owned(), false, true),
        (format!("{verified}: VerifyClientCertIfGiven"), true, true),
        (format!("{verified}: RequireAndVerifyClientCert"), false, true),
        (format!("{verified}: RequireAndVerifyClientCert, client_allowed_sans: [client]"), false, true),
        (format!("{verified}: RequireAndVerifyClientCert, client_allowed_sans: [other]"), false, false),
        (format!("{verified}: RequireAndVerifyClientCert, max_version: TLS12"), false, true),
        ("client_ca_file: server.pem, client_auth_type: RequireAndVerifyClientCert".to_owned(), false, false),
        ("min_version: TLS13, curve_preferences: [CurveP256]".to_owned(), true, true),
        ("max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]".to_owned(), true, true),
    ];
    let guarded = Guarded::start(&tls(&cases[0].0));
    let port = guarded.sidecar.address.port();
    for (more, without, with) in cases {
        guarded.rewrite(&tls(&more));
        let is_in = |more: &[&str]| guarded.ask(port, "https", more).starts_with("http/1.1 200");
        assert_eq!((is_in(&[]), is_in(&shown)), (without, with), "{more}");
    }
}

/// What `signalbox health` says of an address: exit code and words.
fn health(arguments: &[&str]) -> (Option<i32>, String) {
    let output = signalbox().arg("health").args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn health_is_asked_over_tls_and_by_who_may_come_in() {
    let text = format!(
        "tls_server_config: {{cert_file: server.pem, key_file: server.key}}\nbasic_auth_users: {{alice: {BCRYPT}}}\n"
    );
    let guarded = Guarded::start(&text);
    let file = |name: &str| guarded.folder.path().join(name).display().to_string();
    std::fs::write(file("password"), "opensesame\n").unwrap();
    std::fs::write(file("wrong"), "sesame").unwrap();
    let address = format!("127.0.0.1:{}", guarded.ports()[0]);
    let (web, password, wrong, ca) = (file("web.yml"), file("password"), file("wrong"), file("ca.pem"));
    let here = ["--listen", &address, "--web-config", &web];
    let (code, said) = health(&here);
    assert!(code == Some(1) && said.contains("--username and --password-file"), "{said}");
    let user = ["--username", "alice", "--password-file"];
    assert_eq!(health(&[&here[..], &user, &[&password]].concat()), (Some(0), String::new()));
    let (code, said) = health(&[&here[..], &user, &[&wrong]].concat());
    assert!(code == Some(1) && said.contains("401"), "{said}");
    // In the clear nobody answers.
    assert_eq!(health(&[&["--listen", &address][..], &user, &[&password]].concat()).0, Some(1));
    // By a URL, an authority vouches.
    let url = format!("https://{address}/-/healthy");
    let by_url = ["--url", &url, "--ca-file", &ca];
    assert_eq!(health(&[&by_url[..], &user, &[&password]].concat()), (Some(0), String::new()));
    let (code, said) =
        health(&[&["--url", &url, "--ca-file", &file("server.pem")][..], &user, &[&password]].concat());
    assert!(code == Some(1) && said.contains("certificate"), "{said}");
    // The configuration names both.
    let config = file("signalbox.yaml");
    std::fs::write(&config, format!("listen: '{address}'\nweb_config: {web}\n")).unwrap();
    assert_eq!(health(&[&["--config", &config][..], &user, &[&password]].concat()), (Some(0), String::new()));
    // A client's certificate where one is asked for; another certificate than the one that is shown is not believed.
    guarded.rewrite(&text.replace("server.key", "server.key, client_auth_type: RequireAnyClientCert"));
    let (cert, key) = (pem("client.pem").display().to_string(), pem("client.key").display().to_string());
    let shown = [&here[..], &user, &[&password], &["--cert-file", &cert, "--key-file", &key]].concat();
    assert_eq!(health(&[&here[..], &user, &[&password]].concat()).0, Some(1));
    assert_eq!(health(&shown), (Some(0), String::new()));
    let other = file("other.yml");
    std::fs::write(&other, text.replace("server.pem", "ca.pem")).unwrap();
    let (code, _) =
        health(&[&["--listen", &address, "--web-config", &other][..], &user, &[&password]].concat());
    assert_eq!(code, Some(1));
}

#[test]
fn certificates_stand_in_the_file_itself_and_too_many_requests_are_refused() {
    let indented = |name: &str| {
        let text = std::fs::read_to_string(pem(name)).unwrap();
        format!("    {}\n", text.trim().replace('\n', "\n    "))
    };
    let text = format!(
        "tls_server_config:\n  cert: |\n{}  key: |\n{}  client_ca: |\n{}  client_auth_type: VerifyClientCertIfGiven\n\
           cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n",
        indented("server.pem"),
        indented("server.key"),
        indented("ca.pem")
    );
    let text = text.replace("\ncipher_suites", "\n  cipher_suites");
    let guarded = Guarded::start(&text);
    let port = guarded.ports()[0];
    let (cert, key) = (pem("client.pem").display().to_string(), pem("client.key").display().to_string());
    for shown in [&[][..], &["--cert", &cert, "--key", &key]] {
        assert!(guarded.ask(port, "https", shown).starts_with("http/1.1 200"), "{shown:?}");
    }
    let web = guarded.folder.path().join("web.yml").display().to_string();
    let health_of = |web: &str| health(&["--listen", &format!("127.0.0.1:{port}"), "--web-config", web]);
    assert_eq!(health_of(&web), (Some(0), String::new()));
    guarded.rewrite(&format!("{text}rate_limit: {{burst: 2, interval: 1h}}\n"));
    let answers = [(); 3].map(|()| guarded.ask(port, "https", &[]));
    assert!(answers[1].starts_with("http/1.1 200") && answers[2].starts_with("http/1.1 429"), "{answers:?}");
}

#[test]
fn what_is_not_spoken_is_refused_with_a_sentence_that_shows_no_key() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["server.pem", "server.key"] {
        std::fs::copy(pem(name), folder.path().join(name)).unwrap();
    }
    let key = std::fs::read_to_string(pem("server.key")).unwrap();
    let line = key.lines().nth(1).unwrap();
    let inline = format!("    {}\n", key.trim().replace('\n', "\n    "));
    let cases = [
        ("curve_preferences: [CurveP521]".to_owned(), "the curve CurveP521 is not spoken here"),
        ("curve_preferences: [X25519MLKEM768]".to_owned(), "X25519MLKEM768 is not spoken here"),
        ("cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]".to_owned(), "it is too weak"),
        ("cipher_suites: [TLS_NONE]".to_owned(), "TLS_NONE is not known"),
        ("cert: x".to_owned(), "`cert` and `cert_file` are both given"),
        (format!("key: |\n{inline}"), "`key` and `key_file` are both given"),
    ];
    for (more, words) in cases {
        let web = folder.path().join("web.yml");
        std::fs::write(
            &web,
            format!("tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  {more}\n"),
        )
        .unwrap();
        let config = folder.path().join("signalbox.yaml");
        std::fs::write(&config, "web_config: web.yml\n").unwrap();
        let output =
            signalbox().args(["check", "signalbox.yaml"]).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(
            output.status.code() == Some(1) && said.contains(words) && !said.contains(line),
            "{more}: {said}"
        );
    }
}
