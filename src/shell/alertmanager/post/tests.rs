//! One request: what it says, and what its answer means.

use std::time::Duration;

use super::super::tests::FakeAlertmanager;
use super::*;
use crate::engine::config::{Config, Secret};

fn config() -> AlertmanagerConfig {
    Config::default().alertmanager
}

async fn post(url: &HttpUrl, config: &AlertmanagerConfig) -> Result<(), PostError> {
    Mailer::new(url.clone()).post("[]".to_owned(), config).await
}

#[tokio::test]
async fn an_answer_is_taken_by_its_status() {
    let cases = [
        ("200 OK", None),
        ("204 No Content", None),
        ("400 Bad Request|no\tstart", Some((true, "it answers 400 Bad Request: no"))),
        ("422 Unprocessable|x", Some((true, "it answers 422 Unprocessable Entity: x"))),
        ("401 Unauthorized|who", Some((false, "it answers 401 Unauthorized: who"))),
        ("429 Slow", Some((false, "it answers 429 Too Many Requests: "))),
        ("503 Away|\x1b[2Jred", Some((false, "it answers 503 Service Unavailable: "))),
        ("302 Found", Some((false, "it answers 302 Found"))),
    ];
    for (status, expected) in cases {
        let alertmanager = FakeAlertmanager::answering(Box::leak(Box::new([status]))).await;
        let posted = post(&alertmanager.url, &config()).await;
        match (posted, expected) {
            (Ok(()), None) => {}
            (Err(error), Some((is_final, words))) => {
                assert_eq!(error.is_final(), is_final, "{status}");
                let text = error.to_string();
                assert!(text.starts_with(words) && !text.contains('\u{1b}'), "{status}: {text}");
            }
            (posted, _) => panic!("{status}: {posted:?}"),
        }
    }
}

#[tokio::test]
async fn nobody_there_nobody_answering_and_no_http_are_told_apart() {
    let gone = HttpUrl::parse("http://127.0.0.1:1").unwrap();
    let error = post(&gone, &config()).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot connect to 127.0.0.1:1: "), "{error}");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = HttpUrl::parse(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    let hasty = AlertmanagerConfig { timeout: Duration::from_millis(10), ..config() };
    let error = post(&url, &hasty).await.unwrap_err();
    assert_eq!(error.to_string(), "no answer within 10ms");
    drop(silent.accept().await.unwrap());
    let speaking = tokio::spawn(async move {
        let (mut stream, _) = silent.accept().await.unwrap();
        drop(tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-OpenSSH\r\n").await);
    });
    let error = post(&url, &config()).await.unwrap_err();
    assert!(error.to_string().starts_with("the request failed: "), "{error}");
    speaking.await.unwrap();
}

#[tokio::test]
async fn it_says_who_we_are_as_the_configuration_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, " from file\n").unwrap();
    let path = || Some(file.display().to_string());
    let basic = |password, password_file| {
        let mut config = config();
        config.basic_auth.username = Some("u".to_owned());
        (config.basic_auth.password, config.basic_auth.password_file) = (password, password_file);
        config
    };
    let other = |kind: &str, credentials, credentials_file| {
        let mut config = config();
        config.authorization.kind = kind.to_owned();
        (config.authorization.credentials, config.authorization.credentials_file) =
            (credentials, credentials_file);
        config
    };
    let cases = [
        (config(), None),
        (basic(Some(Secret::new("pw")), None), Some("Basic dTpwdw==")),
        (basic(None, path()), Some("Basic dTpmcm9tIGZpbGU=")),
        (basic(None, None), Some("Basic dTo=")),
        (other("Bearer", Some(Secret::new("t")), None), Some("Bearer t")),
        (other("Token", None, path()), Some("Token from file")),
    ];
    for (config, expected) in cases {
        assert_eq!(authorization(&config).await.unwrap().as_deref(), expected);
        let mut alertmanager = FakeAlertmanager::answering(&["200 OK"]).await;
        post(&alertmanager.url, &config).await.unwrap();
        let request = alertmanager.requests.recv().await.unwrap();
        let sent = request.lines().find_map(|line| line.strip_prefix("authorization: "));
        assert_eq!(sent, expected, "{request}");
    }
    let missing = basic(None, Some("/no/such/file".to_owned()));
    let error = authorization(&missing).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot read /no/such/file: "), "{error}");
}

#[tokio::test]
async fn a_secret_in_a_file_is_read_for_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let mut config = config();
    config.authorization.credentials_file = Some(file.display().to_string());
    for token in ["one", "two"] {
        std::fs::write(&file, token).unwrap();
        assert_eq!(authorization(&config).await.unwrap(), Some(format!("Bearer {token}")));
    }
}

#[test]
fn tls_is_set_up_once_for_what_the_configuration_names() {
    let file = |name: &str| Some(format!("{}/tests/it/tls/{name}", env!("CARGO_MANIFEST_DIR")));
    let mut mailer = Mailer::new(HttpUrl::parse("https://127.0.0.1:1").unwrap());
    let trusting = HttpTlsConfig { ca_file: file("ca.pem"), ..config().tls_config };
    let first = mailer.tls(&trusting).unwrap();
    assert!(Arc::ptr_eq(&first, &mailer.tls(&trusting).unwrap()));
    let showing =
        HttpTlsConfig { cert_file: file("client.pem"), key_file: file("client.key"), ..trusting.clone() };
    assert!(!Arc::ptr_eq(&first, &mailer.tls(&showing).unwrap()));
    let missing = HttpTlsConfig { ca_file: file("none.pem"), ..trusting };
    assert!(matches!(mailer.tls(&missing), Err(PostError::Tls(_))));
}

#[tokio::test]
async fn a_refusal_that_never_ends_is_read_to_a_bound() {
    let long = Box::leak(Box::new(format!("500 Oops|{}", "x".repeat(2 * REASON_BYTES_MAX))));
    let alertmanager = FakeAlertmanager::answering(Box::leak(Box::new([long.as_str()]))).await;
    let text = post(&alertmanager.url, &config()).await.unwrap_err().to_string();
    assert!(text.starts_with("it answers 500") && text.len() < 2 * REASON_BYTES_MAX, "{text}");
}
