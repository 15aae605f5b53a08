//! TLS, clients' certificates, passwords and headers before every listener, asked with curl.

use std::path::{Path, PathBuf};
use std::process::Command;

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
