use super::*;

#[test]
fn userinfo_is_decoded_and_never_shown() {
    let address = Address::parse("nats://me:open%20sesame@host").unwrap();
    let userinfo = address.userinfo.clone().unwrap();
    assert_eq!(userinfo.password.as_ref().map(Secret::reveal), Some("open sesame"));
    assert!(!format!("{address:?} {}", address.server.url()).contains("sesame"));
}

#[test]
fn what_stands_before_the_at_is_a_user_with_a_password_or_a_token() {
    let cases = [
        ("nats://host", None),
        ("host:4222", None),
        ("nats://u:p@host", Some(("u", Some("p")))),
        ("nats://u:@host", Some(("u", Some("")))),
        ("nats://t0ken@host", Some(("t0ken", None))),
        // A colon of the user is written as an escape; the password may have more of them.
        ("nats://a%3Ab:c:d@host", Some(("a:b", Some("c:d")))),
        ("nats://u:p%40ss%2fw%25@host", Some(("u", Some("p@ss/w%")))),
        ("nats://%C3%A4:%zz@host", Some(("ä", Some("%zz")))),
        ("nats://a+b:c+d@host", Some(("a+b", Some("c+d")))),
    ];
    for (url, expected) in cases {
        let userinfo = Address::parse(url).unwrap().userinfo;
        let seen = userinfo.as_ref().map(|it| (it.user.reveal(), it.password.as_ref().map(Secret::reveal)));
        assert_eq!(seen, expected, "{url}");
    }
}

#[test]
fn what_is_no_address_is_refused_without_a_secret_in_the_words() {
    for url in ["", "nats://", "http://u:sesame@host", "nats://u:sesame@", "nats://u:sesame@host:port"] {
        let error = Address::parse(url).unwrap_err().to_string();
        assert!(!error.contains("sesame"), "{url}: {error}");
    }
}
