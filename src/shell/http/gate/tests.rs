//! The gate before the routes: users, headers, files that change, and certificates.

use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use super::*;
use crate::shell::http::tests::{get_path, send};

/// A folder with a web configuration.
struct House {
    folder: tempfile::TempDir,
}

impl House {
    fn new(text: &str) -> Self {
        let house = Self { folder: tempfile::tempdir().unwrap() };
        let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls");
        for file in ["ca.pem", "server.pem", "server.key", "client.pem", "client.key"] {
            std::fs::copy(tls.join(file), house.folder.path().join(file)).unwrap();
        }
        house.write(text);
        house
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("web.yaml")
    }

    /// Replaces the file as an editor does, so that it is another one whatever the clock's grain.
    fn write(&self, text: &str) {
        let next = self.folder.path().join("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, self.path()).unwrap();
    }

    fn gate(&self) -> Arc<Gate> {
        Arc::new(Gate::open(&self.path()).unwrap())
    }
}

fn guarded(gate: &Arc<Gate>) -> Router {
    Router::new().route("/", get(|| async { "inside" })).layer(from_fn_with_state(Arc::clone(gate), pass))
}

/// A file with the user `a`, whose password is `pw`.
fn with_user() -> String {
    format!("basic_auth_users:\n  a: {}\n", bcrypt::hash("pw", 4).unwrap())
}

/// `a:pw`.
const AUTHORIZATION: (&str, &str) = ("authorization", "Basic YTpwdw==");

#[tokio::test]
async fn without_users_everybody_comes_in_and_with_them_only_they_do() {
    let house = House::new("{}");
    let router = guarded(&house.gate());
    assert_eq!(get_path(&router, "/").await.text(), "inside");
    let house = House::new(&with_user());
    let router = guarded(&house.gate());
    let refused = get_path(&router, "/").await;
    assert_eq!((refused.status, refused.text()), (StatusCode::UNAUTHORIZED, "Unauthorized\n"));
    assert_eq!(refused.header("www-authenticate"), "Basic");
    assert_eq!(get_path(&router, "/none").await.status, StatusCode::UNAUTHORIZED, "nothing is told of paths");
    assert_eq!(send(&router, "GET /", &[AUTHORIZATION], Body::empty()).await.text(), "inside");
}

#[tokio::test]
async fn headers_are_on_every_answer_a_refusal_too() {
    let headers = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n";
    let house = House::new(&format!("{}{headers}", with_user()));
    let router = guarded(&house.gate());
    for sent in [&[][..], &[AUTHORIZATION]] {
        let answered = send(&router, "GET /", sent, Body::empty()).await;
        assert_eq!(answered.header("x-frame-options"), "deny", "{}", answered.status);
    }
}

#[tokio::test]
async fn a_file_that_changes_counts_with_the_next_request_and_a_broken_one_does_not() {
    let house = House::new("{}");
    let router = guarded(&house.gate());
    let status = || async { get_path(&router, "/").await.status.as_u16() };
    assert_eq!(status().await, 200);
    house.write(&with_user());
    assert_eq!(status().await, 401);
    for broken in ["basic_auth_users: [", "unknown: 1", "basic_auth_users: {a: no hash}"] {
        house.write(broken);
        assert_eq!(status().await, 401, "{broken}");
    }
    for empty in ["", " \n"] {
        house.write(empty);
        assert_eq!(status().await, 401, "a file that was emptied opens no door");
    }
    std::fs::remove_file(house.path()).unwrap();
    assert_eq!(status().await, 401, "a file that is gone opens no door");
    house.write("{}");
    assert_eq!(status().await, 200);
}

const TLS: &str = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";

#[test]
fn a_certificate_that_changes_is_read_again_and_a_broken_one_is_not() {
    let house = House::new(TLS);
    let gate = house.gate();
    let before = gate.greeting().unwrap().tls;
    assert!(Arc::ptr_eq(&before, &gate.greeting().unwrap().tls), "nothing changed");
    let replace = |from: &str, to: &str| {
        let next = house.folder.path().join("next");
        std::fs::copy(house.folder.path().join(from), &next).unwrap();
        std::fs::rename(next, house.folder.path().join(to)).unwrap();
    };
    replace("server.pem", "server.pem");
    let after = gate.greeting().unwrap().tls;
    assert!(!Arc::ptr_eq(&before, &after));
    replace("client.key", "server.key");
    assert!(Arc::ptr_eq(&after, &gate.greeting().unwrap().tls), "a key of another certificate is not used");
    house.write("{}");
    assert!(gate.greeting().is_none());
}

#[test]
fn a_certificate_that_nobody_verified_names_nobody_later() {
    let any = format!("{TLS}  client_auth_type: RequireAnyClientCert\n");
    let verified = format!("{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n");
    let house = House::new(&any);
    let gate = house.gate();
    assert_eq!(gate.greeting().unwrap().proof, CertificateProof::None);
    house.write(&verified);
    assert_eq!(gate.greeting().unwrap().proof, CertificateProof::Verified);
    // Connections live on over the change: who was greeted without a proof stays without a name.
    let rules = gate.in_force();
    let asked_by = |certified: Option<&str>| {
        let mut request = Request::new(Body::empty());
        let address = "127.0.0.1:1".parse().unwrap();
        let certified = certified.map(str::to_owned);
        request.extensions_mut().insert(Peer { address, transport: Transport::Tls, certified });
        rules.certified(&request)
    };
    assert_eq!(asked_by(None), None);
    assert_eq!(asked_by(Some("ops@example.org")).as_deref(), Some("ops@example.org"));
}

#[test]
fn what_a_file_asks_for_is_checked_when_it_is_read() {
    let tls = |more: &str| format!("{TLS}{more}");
    let good = [
        "{}".to_owned(),
        tls(""),
        tls("  min_version: TLS13\n"),
        tls("  max_version: TLS12\n"),
        tls("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"),
        tls("  client_auth_type: RequestClientCert\n"),
        tls("  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n"),
        tls("  curve_preferences: [X25519, CurveP256]\n"),
    ];
    for text in good {
        let house = House::new(&text);
        assert!(check(&house.path()).is_ok(), "{text}: {:?}", check(&house.path()));
    }
    let bad = [
        (TLS.replace("server.pem", "missing.pem"), "missing.pem"),
        (TLS.replace("server.key", "client.key"), "KeyMismatch"),
        (TLS.replace("server.key", "server.pem"), "cannot read a private key"),
        (
            tls("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: server.key\n"),
            "certificates",
        ),
        (tls("  cipher_suites: [TLS_NULL]\n"), "TLS_NULL"),
        ("basic_auth_users: 7\n".to_owned(), "web.yaml:1:"),
        ("a: [".to_owned(), "web.yaml:1:"),
        (format!("#{}", "x".repeat(1 << 20)), "more than 1048576 bytes"),
    ];
    for (text, words) in bad {
        let house = House::new(&text);
        let error = format!("{:#}", check(&house.path()).unwrap_err());
        assert!(error.contains(words), "{words}: {error}");
    }
    let error = format!("{:#}", check(Path::new("/no/web.yaml")).unwrap_err());
    assert!(error.contains("read /no/web.yaml"), "{error}");
}

#[test]
fn the_files_that_are_watched_are_those_it_names_beside_it() {
    let house = House::new(&format!(
        "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
    ));
    let rules = GateRules::read(&house.path()).unwrap();
    let names: Vec<_> =
        rules.files(&house.path()).iter().map(|it| it.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["web.yaml", "server.pem", "server.key", "ca.pem"]);
}
