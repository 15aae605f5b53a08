use super::*;

#[test]
fn base64_is_of_the_url_kind_without_padding() {
    let cases: [(&[u8], &str); 4] =
        [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"\xfb\xff\xfe\x01", "-__-AQ")];
    for (bytes, text) in cases {
        assert_eq!(serde_json::to_value(Signature(bytes.to_vec())).unwrap(), text);
    }
}

#[test]
fn a_credentials_file_yields_its_two_blocks() {
    let text = "-----BEGIN NATS USER JWT-----\nabc.def\n------END NATS USER JWT------\n\nIMPORTANT\n\
                -----BEGIN USER NKEY SEED-----\nSUAX\n------END USER NKEY SEED------\n";
    assert_eq!(block(text, "NATS USER JWT"), Some("abc.def"));
    assert_eq!(block(text, "USER NKEY SEED"), Some("SUAX"));
    assert_eq!(block("nothing", "USER NKEY SEED"), None);
}

#[test]
fn a_url_without_a_password_carries_a_token() {
    let userinfo = UserInfo { user: Secret::new("t0ken"), password: None };
    let login = Login::new(&Auth::None, Some(&userinfo), "").unwrap();
    assert_eq!(serde_json::to_string(&login).unwrap(), r#"{"auth_token":"t0ken"}"#);
}

#[test]
fn what_is_in_a_file_is_read_at_each_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let password = SecretSource::File(path.clone());
    let auth = Auth::User { user: "u".to_owned(), password };
    assert!(matches!(Login::new(&auth, None, ""), Err(LoginError::Unreadable { .. })));
    for text in ["one", "two"] {
        std::fs::write(&path, format!("{text}\n")).unwrap();
        assert_eq!(Login::new(&auth, None, "").unwrap().pass.as_deref(), Some(text));
    }
}

const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";

fn credentials_file(jwt: &str, seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         ************************* IMPORTANT *************************\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

/// What `CONNECT` carries, as JSON; the words of the error where there is none.
fn said(auth: &Auth, url: Option<&str>, nonce: &str) -> String {
    let userinfo = url.and_then(|url| super::super::address::Address::parse(url).unwrap().userinfo);
    match Login::new(auth, userinfo.as_ref(), nonce) {
        Ok(login) => serde_json::to_string(&login).unwrap(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn each_kind_of_authentication_says_its_own_and_nothing_else() {
    let given = |text: &str| SecretSource::Given(Secret::new(text));
    let user = Auth::User { user: "u".to_owned(), password: given("p\"w") };
    let cases = [
        (Auth::None, None, "{}"),
        (Auth::None, Some("nats://me:pw@h"), r#"{"user":"me","pass":"pw"}"#),
        (Auth::None, Some("nats://me:@h"), r#"{"user":"me","pass":""}"#),
        (Auth::None, Some("nats://t0k%3Aen@h"), r#"{"auth_token":"t0k:en"}"#),
        (user.clone(), None, r#"{"user":"u","pass":"p\"w"}"#),
        // What the configuration says goes before what a URL says.
        (user, Some("nats://me:pw@h"), r#"{"user":"u","pass":"p\"w"}"#),
        (Auth::Token(given("t")), Some("nats://me@h"), r#"{"auth_token":"t"}"#),
    ];
    for (auth, url, expected) in cases {
        assert_eq!(said(&auth, url, "nonce"), expected, "{url:?}");
    }
}

#[test]
fn a_seed_signs_the_nonce_of_the_server_and_stays_here() {
    let auth = Auth::Nkey(SecretSource::Given(Secret::new(SEED)));
    let (first, again, other) = (said(&auth, None, "a"), said(&auth, None, "a"), said(&auth, None, "b"));
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(first.starts_with(r#"{"nkey":"U"#) && !first.contains(SEED), "{first}");
    let pair = nkeys::KeyPair::from_seed(SEED).unwrap();
    let Ok(Login { sig: Some(Signature(signature)), .. }) = Login::new(&auth, None, "a") else {
        panic!("no signature")
    };
    assert!(pair.verify(b"a", &signature).is_ok());
}

#[test]
fn a_file_with_a_seed_may_say_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed");
    let auth = Auth::Nkey(SecretSource::File(path.clone()));
    let expected = said(&Auth::Nkey(SecretSource::Given(Secret::new(SEED))), None, "a");
    let texts = [SEED.to_owned(), format!("# ours\n\n  {SEED}\r\n"), format!("{SEED}\n{SEED}\n")];
    for text in texts {
        std::fs::write(&path, &text).unwrap();
        assert_eq!(said(&auth, None, "a"), expected, "{text:?}");
    }
    for text in ["", "nothing\n", "SUX\n", "Some words\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(said(&auth, None, "a").contains("the nkey seed is not valid"), "{text:?}");
    }
}

#[test]
fn a_credentials_file_is_taken_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("user.creds");
    let auth = Auth::CredentialsFile(path.clone());
    let whole = credentials_file("abc.def", SEED);
    for text in [whole.clone(), whole.replace('\n', "\r\n"), whole.replace("-----\n", "-----\n\n")] {
        std::fs::write(&path, &text).unwrap();
        assert!(said(&auth, None, "n").starts_with(r#"{"jwt":"abc.def","sig":""#), "{text}");
    }
    let halves = [
        String::new(),
        "abc.def".to_owned(),
        whole.replace("abc.def\n", ""),
        whole.replace(&format!("{SEED}\n"), ""),
        whole.replace("USER NKEY", "OPERATOR"),
        whole[..60].to_owned(),
    ];
    for text in halves {
        std::fs::write(&path, &text).unwrap();
        let words = said(&auth, None, "n");
        assert!(words.contains("is no NATS credentials file"), "{text:?}: {words}");
    }
    std::fs::write(&path, credentials_file("abc.def", "SUAX")).unwrap();
    assert!(said(&auth, None, "n").contains("the nkey seed is not valid"));
}

#[test]
fn what_cannot_be_read_is_named_and_no_secret_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing");
    let sources = [
        Auth::Token(SecretSource::File(path.clone())),
        Auth::Nkey(SecretSource::File(path.clone())),
        Auth::CredentialsFile(path.clone()),
        Auth::User { user: "u".to_owned(), password: SecretSource::File(path.clone()) },
    ];
    for auth in sources {
        let words = said(&auth, None, "");
        assert!(words.contains(&path.display().to_string()), "{words}");
    }
    let bad = Auth::Nkey(SecretSource::Given(Secret::new("SUSECRETSEED")));
    assert!(!said(&bad, None, "").contains("SECRET"));
}

#[test]
fn a_password_in_a_file_keeps_everything_but_its_line_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let auth = Auth::Token(SecretSource::File(path.clone()));
    for (text, token) in [("a b \n", "a b "), ("x\r\n\r\n", "x"), (" x", " x"), ("", ""), ("ä\n", "ä")] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(Login::new(&auth, None, "").unwrap().auth_token.as_deref(), Some(token), "{text:?}");
    }
}
