//! Every way to say who we are, and TLS, over both connections: the lanes' own and the publishing one.

use std::path::{Path, PathBuf};

use nkeys::KeyPair;
use serde_json::{Value, json};
use signalbox::shell::settings::{Auth, Secret, SecretSource, TlsMode, TlsSettings};

use super::support::{Nats, Setup, Sidecar, server_programs};

fn pem(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

fn start(nats: &Nats, auth: Auth) -> Sidecar {
    let mut setup = Setup::new(&nats.url());
    setup.settings.nats.auth = auth;
    setup.start()
}

#[test]
fn a_user_with_a_password_and_a_token_are_let_in() {
    for program in server_programs() {
        let nats = Nats::start_with(&program, r#"authorization { user: ann, password: "pass/word" }"#);
        start(
            &nats,
            Auth::User { user: "ann".to_owned(), password: SecretSource::Given(Secret::new("pass/word")) },
        )
        .wait_ready();
        Setup::new(&format!("nats://ann:pass%2Fword@127.0.0.1:{}", nats.port)).start().wait_ready();
        let nats = Nats::start_with(&program, "authorization { token: t0ken }");
        start(&nats, Auth::Token(SecretSource::Given(Secret::new("t0ken")))).wait_ready();
        Setup::new(&format!("nats://t0ken@127.0.0.1:{}", nats.port)).start().wait_ready();
    }
}

#[test]
fn an_nkey_is_let_in_from_the_setting_and_from_a_file() {
    for program in server_programs() {
        let pair = KeyPair::new_user();
        let seed = pair.seed().unwrap();
        let nats = Nats::start_with(
            &program,
            &format!("authorization {{ users: [ {{ nkey: {} }} ] }}", pair.public_key()),
        );
        start(&nats, Auth::Nkey(SecretSource::Given(Secret::new(seed.clone())))).wait_ready();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("user.nk");
        std::fs::write(&file, format!("{seed}\n")).unwrap();
        start(&nats, Auth::Nkey(SecretSource::File(file))).wait_ready();
    }
}

#[test]
fn credentials_that_rotate_are_read_again_by_every_connection() {
    for program in server_programs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("user.nk");
        let pairs = [KeyPair::new_user(), KeyPair::new_user(), KeyPair::new_user()];
        let write = |pair: &KeyPair| std::fs::write(&file, pair.seed().unwrap()).unwrap();
        write(&pairs[0]);
        let users = |pair: &KeyPair| format!("{{ nkey: {} }}", pair.public_key());
        let config = format!("authorization {{ users: [ {} ] }}", users(&pairs[0]));
        let mut nats = Nats::start_with(&program, &config);
        let sidecar = start(&nats, Auth::Nkey(SecretSource::File(file.clone())));
        sidecar.wait_ready();
        // The server lets the old user go: each connection is cut, and comes back with the new one.
        write(&pairs[1]);
        nats.reconfigure(&users(&pairs[0]), &users(&pairs[1]));
        sidecar.wait_sum("signalbox_nats_connected", "", 1.0);
        sidecar.wait_ready();
        // The file comes late: until then nobody is let in.
        nats.reconfigure(&users(&pairs[1]), &users(&pairs[2]));
        sidecar.wait_unready("NATS connection for publishing");
        write(&pairs[2]);
        sidecar.wait_ready();
        // A reload signs in with what is in the file then, while the old user is still let in.
        let both = format!("{} {}", users(&pairs[2]), users(&pairs[0]));
        nats.reconfigure(&users(&pairs[2]), &both);
        write(&pairs[0]);
        assert_eq!(sidecar.request("POST", "/-/reload", "Content-Length: 0\r\n").status, 200);
        sidecar.wait_ready();
        nats.kill();
    }
}

#[test]
fn an_account_that_may_subscribe_to_its_own_inbox_alone_is_enough() {
    for program in server_programs() {
        let config = r#"authorization { users: [ { user: ann, password: secret, permissions: {
            subscribe: ["events.>", "mine.>"], publish: ["$JS.>", "events.>", "signalbox.>"] } } ] }"#;
        let nats = Nats::start_with(&program, config);
        let auth =
            |()| Auth::User { user: "ann".to_owned(), password: SecretSource::Given(Secret::new("secret")) };
        start(&nats, auth(())).wait_unready("stream");
        let mut setup = Setup::new(&nats.url());
        setup.settings.nats.auth = auth(());
        setup.settings.nats.inbox_prefix = "mine.inbox".to_owned();
        setup.start().wait_ready();
    }
}

#[test]
fn a_credentials_file_is_let_in() {
    for program in server_programs() {
        let (operator, account, user) =
            (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
        let operator_jwt =
            token(&operator, &operator, "operator", &json!({"type": "operator", "version": 2}));
        let limits = json!({"subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1,
            "payload": -1, "wildcards": true});
        let claims = json!({"type": "account", "version": 2, "limits": limits});
        let system = KeyPair::new_account();
        let system_jwt = token(&operator, &system, "system", &claims);
        let account_jwt = token(&operator, &account, "account", &claims);
        let user_jwt = token(
            &account,
            &user,
            "user",
            &json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}}),
        );
        let config = format!(
            "operator: {operator_jwt}\nsystem_account: {system}\nresolver: MEMORY\n\
             resolver_preload: {{ {account}: {account_jwt}, {system}: {system_jwt} }}",
            account = account.public_key(),
            system = system.public_key()
        );
        // This account has no JetStream, which is not what is tried here.
        let nats = Nats::start_with(&program, &config);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("user.creds");
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            user.seed().unwrap()
        );
        std::fs::write(&file, text).unwrap();
        let mut setup = Setup::new(&nats.url());
        setup.settings.nats.auth = Auth::CredentialsFile(file);
        setup.config.jetstream.enabled = false;
        setup.start().wait_ready();
    }
}

#[test]
fn tls_is_spoken_where_the_server_asks_and_a_stranger_is_not_trusted() {
    for program in server_programs() {
        let config = format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
            pem("server.pem"),
            pem("server.key"),
            pem("ca.pem")
        );
        let nats = Nats::start_with(&program, &config);
        let known = TlsSettings {
            mode: TlsMode::AsServerAsks,
            ca: Some(pem("ca.pem")),
            cert: Some(pem("client.pem")),
            key: Some(pem("client.key")),
        };
        let mut setup = Setup::new(&nats.url());
        setup.settings.nats.tls = known.clone();
        setup.start().wait_ready();
        let mut stranger = Setup::new(&nats.url());
        stranger.settings.nats.tls = TlsSettings { ca: Some(pem("client.pem")), ..known };
        stranger.start().wait_unready("certificate");
    }
}

/// A NATS JWT.
fn token(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value) -> String {
    let head = base64_url(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let claims = json!({"jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "name": name,
        "sub": subject.public_key(), "nats": nats});
    let body = format!("{head}.{}", base64_url(claims.to_string().as_bytes()));
    let signature = issuer.sign(body.as_bytes()).unwrap();
    format!("{body}.{}", base64_url(&signature))
}

fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    bits.chunks(6)
        .map(|chunk| {
            let index = chunk.iter().fold(0, |index, bit| index << 1 | bit) << (6 - chunk.len());
            char::from(ALPHABET[usize::from(index)])
        })
        .collect()
}
