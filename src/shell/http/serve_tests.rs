//! Connections over real sockets: how long they may take, how many there may be, and who is let in by TLS.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use super::*;
use crate::shell::settings::TlsSettings;
use crate::shell::tls::client_config;

/// Long beside what any of these tests takes, so that it is never what ends a connection.
const LONG: Duration = Duration::from_mins(1);

/// Short beside it.
const SHORT: Duration = Duration::from_millis(30);

/// Settings under which nothing ends a connection.
fn patient() -> HttpSettings {
    HttpSettings { header_timeout: LONG, idle_timeout: LONG, write_timeout: LONG, ..HttpSettings::default() }
}

/// A listener that serves these routes; its address.
fn served(router: Router, gate: Option<Gate>, settings: HttpSettings) -> SocketAddr {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::spawn(serve(listener, router, gate.map(Arc::new), Arc::new(settings)));
    address
}

fn short_answers() -> Router {
    Router::new()
        .route("/", get(|| async { "fine" }))
        .route("/who", get(|Extension(peer): Extension<Peer>| async move { format!("{:?}", peer.transport) }))
}

/// Everything that comes until the other end closes.
async fn to_the_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // A connection that is reset has ended too.
    drop(tokio::time::timeout(LONG, stream.read_to_end(&mut bytes)).await.unwrap());
    String::from_utf8(bytes).unwrap()
}

/// Asks over a connection that stands, and reads one answer.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> String {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    let mut bytes = [0; 1_024];
    while !seen.ends_with(b"fine") {
        let count = stream.read(&mut bytes).await.unwrap();
        assert!(count > 0, "it closed after {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&bytes[..count]);
    }
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn a_connection_is_kept_for_further_requests_until_it_is_asked_to_close() {
    let address = served(short_answers(), None, patient());
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        assert!(ask(&mut stream, "/").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    // Two at once are answered in their order.
    let both = "GET /who HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(both.as_bytes()).await.unwrap();
    let answers = to_the_end(&mut stream).await;
    let (clear, fine) = (answers.find("Clear").unwrap(), answers.find("fine").unwrap());
    assert!(clear < fine, "{answers}");
}

#[tokio::test]
async fn headers_that_do_not_end_and_requests_that_do_not_come_end_the_connection() {
    let settings = HttpSettings { header_timeout: SHORT, idle_timeout: SHORT, ..patient() };
    let address = served(short_answers(), None, settings);
    for begun in ["", "GET / HTT", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let seen = to_the_end(&mut stream).await;
        assert!(!seen.contains("200 OK"), "{begun:?}: {seen}");
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut stream, "/").await.contains("200 OK"));
    assert_eq!(to_the_end(&mut stream).await, "");
}

#[tokio::test]
async fn where_there_are_too_many_the_idle_one_goes_for_the_next() {
    let address = served(short_answers(), None, HttpSettings { connections_max: 1, ..patient() });
    let mut first = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut first, "/").await.contains("200 OK"));
    let mut second = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut second, "/").await.contains("200 OK"));
    assert_eq!(to_the_end(&mut first).await, "");
    assert!(ask(&mut second, "/").await.contains("200 OK"), "the other one stays");
}

#[tokio::test]
async fn headers_that_are_too_long_are_refused() {
    let address = served(short_answers(), None, HttpSettings { header_bytes_max: 1, ..patient() });
    for (bytes, expected) in [(4_000, "200 OK"), (20_000, "431 ")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let long = "x".repeat(bytes);
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nLong: {long}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let seen = to_the_end(&mut stream).await;
        assert!(seen.contains(expected), "{bytes}: {seen}");
    }
}

#[tokio::test]
async fn who_does_not_read_its_answer_gives_its_place_back() {
    let (held, released) = oneshot::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(Some(held)));
    let endless = move || {
        let held = held.lock().unwrap().take();
        let pieces =
            futures_util::stream::repeat_with(|| Ok::<_, std::convert::Infallible>(vec![b'x'; 65_536]));
        let body = axum::body::Body::from_stream(pieces);
        async move { answers::held_with(Response::new(body), held) }
    };
    let router = Router::new().route("/", get(endless));
    let address = served(router, None, HttpSettings { write_timeout: SHORT, ..patient() });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let released = tokio::time::timeout(LONG, released).await.unwrap();
    assert!(released.is_err(), "it is dropped with the answer");
    drop(stream);
}

fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

/// A gate of a certificate, which asks this of clients.
fn gate(folder: &Path, more: &str) -> Gate {
    let (cert, key) = (tls_file("server.pem"), tls_file("server.key"));
    let (cert, key) = (cert.display(), key.display());
    let text = format!("tls_server_config:\n  cert_file: {cert}\n  key_file: {key}\n{more}");
    let path = folder.join("web.yaml");
    std::fs::write(&path, text).unwrap();
    Gate::open(&path).unwrap()
}

/// Whether who shows a certificate, or none, is answered.
async fn is_let_in(address: SocketAddr, certificate: Option<&str>) -> bool {
    let settings = TlsSettings {
        ca: Some(tls_file("ca.pem")),
        cert: certificate.map(|name| tls_file(&format!("{name}.pem"))),
        key: certificate.map(|name| tls_file(&format!("{name}.key"))),
        ..TlsSettings::default()
    };
    let connector = TlsConnector::from(client_config(&settings).unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let Ok(mut stream) = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await else {
        return false;
    };
    let request = b"GET /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    if stream.write_all(request).await.is_err() {
        return false;
    }
    let seen = to_the_end(&mut stream).await;
    assert!(seen.is_empty() || seen.ends_with("Tls"), "{seen}");
    !seen.is_empty()
}

#[tokio::test]
async fn clients_are_let_in_by_the_certificates_that_the_gate_asks_for() {
    let authority = format!("  client_ca_file: {}\n", tls_file("ca.pem").display());
    let asks = |kind: &str| format!("  client_auth_type: {kind}\n");
    let verified = asks("RequireAndVerifyClientCert") + &authority;
    let sans = |names: &str| format!("{verified}  client_allowed_sans: [{names}]\n");
    // What the gate asks for, whether who shows none is let in, and whether who shows the client's.
    let cases = [
        (String::new(), true, true),
        (asks("NoClientCert"), true, true),
        (asks("RequestClientCert"), true, true),
        (asks("RequireAnyClientCert"), false, true),
        (asks("VerifyClientCertIfGiven") + &authority, true, true),
        (verified.clone(), false, true),
        (sans("client"), false, true),
        (sans("other, 127.0.0.1"), false, true),
        (sans("other"), false, false),
        (sans("client.example"), false, false),
        (sans("127.0.0.2"), false, false),
        (sans("ops@example.org"), false, false),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (more, without, with) in cases {
        let address = served(short_answers(), Some(gate(folder.path(), &more)), patient());
        assert_eq!(is_let_in(address, None).await, without, "without one: {more}");
        assert_eq!(is_let_in(address, Some("client")).await, with, "with one: {more}");
    }
}

#[tokio::test]
async fn who_speaks_in_the_clear_to_a_listener_with_tls_is_not_answered() {
    let folder = tempfile::tempdir().unwrap();
    let settings = HttpSettings { header_timeout: SHORT, ..patient() };
    let address = served(short_answers(), Some(gate(folder.path(), "")), settings);
    for said in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        drop(tokio::time::timeout(LONG, stream.read_to_end(&mut seen)).await.unwrap());
        assert!(!String::from_utf8_lossy(&seen).contains("HTTP/1.1"), "{said:?}");
    }
    assert!(is_let_in(address, None).await, "the listener goes on");
}
