use super::*;

#[test]
fn values_are_decoded_and_may_repeat() {
    let form = Form::of("match[]=up%7Ba%3D%22b%22%7D&match%5B%5D=x+y&time=&z=%zz");
    assert_eq!(form.all("match[]").collect::<Vec<_>>(), [r#"up{a="b"}"#, "x y"]);
    assert_eq!(form.get("time"), None);
    assert_eq!(form.get("z"), Some("%zz"));
}

#[test]
fn instants_and_spans_are_read_as_prometheus_has_them() {
    let form = Form::of("a=1.5&b=2023-11-14T22:13:20Z&c=soon&d=1h30m&e=15&f=-1&g=1x&h=NaN");
    assert_eq!(form.time("a").unwrap().map(Timestamp::millis), Some(1_500));
    assert_eq!(form.time("b").unwrap().map(Timestamp::millis), Some(1_700_000_000_000));
    assert!(form.time("c").is_err() && form.time("h").is_err());
    assert_eq!(form.span("d"), Ok(Some(Duration::from_mins(90))));
    assert_eq!(form.span("e"), Ok(Some(Duration::from_secs(15))));
    assert!(form.span("f").is_err() && form.span("g").is_err());
}

async fn read(method: Method, kind: &str, body: &'static str) -> Result<Form, FormError> {
    let request = Request::builder().method(method).uri("/api/v1/query?query=up&step=1");
    Form::read(request.header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap(), 16).await
}

#[tokio::test]
async fn a_posted_form_comes_before_the_query_string() {
    let urlencoded = "application/x-www-form-urlencoded";
    let cases = [
        (Method::POST, urlencoded, "query=down", Some("down")),
        (Method::POST, "application/x-www-form-urlencoded; charset=utf-8", "query=down", Some("down")),
        (Method::POST, urlencoded, "query=", Some("up")),
        (Method::POST, "application/json", "query=down", Some("up")),
        (Method::GET, urlencoded, "query=down", Some("up")),
    ];
    for (method, kind, body, expected) in cases {
        let form = read(method.clone(), kind, body).await.unwrap();
        assert_eq!((form.get("query"), form.get("step")), (expected, Some("1")), "{method} {kind} {body}");
    }
    let refused = read(Method::POST, urlencoded, "query=more_than_is_read").await;
    assert_eq!(refused, Err(FormError::TooLarge(16)));
}

#[test]
fn errors_say_what_prometheus_says() {
    let form = Form::of("time=soon&step=fast&limit=few&start=");
    let words = |error: FormError| error.to_string();
    assert_eq!(
        form.time("time").map_err(words),
        Err("invalid parameter \"time\": Invalid time value for 'time': cannot parse \"soon\" to a valid \
             timestamp"
            .to_owned())
    );
    assert_eq!(
        form.required_time("start").map_err(words),
        Err("invalid parameter \"start\": cannot parse \"\" to a valid timestamp".to_owned())
    );
    assert_eq!(
        form.required_span("step").map_err(words),
        Err("invalid parameter \"step\": cannot parse \"fast\" to a valid duration".to_owned())
    );
    assert_eq!(form.number("limit").map_err(words), Err("limit must be a number".to_owned()));
    assert_eq!((form.time("end"), form.span("timeout"), form.number("x")), (Ok(None), Ok(None), Ok(None)));
}

#[test]
fn instants_beyond_all_times_are_refused() {
    for text in ["inf", "-inf", "1e300", "9e12", "2023-02-30T00:00:00Z", "2023-11-14"] {
        assert!(Form::of(&format!("t={text}")).time("t").is_err(), "{text}");
    }
    for text in ["inf", "1e300", "-1s", "1d1d", "1.5h"] {
        assert!(Form::of(&format!("t={text}")).span("t").is_err(), "{text}");
    }
    assert_eq!(
        Form::of("t=-62135596800").time("t").unwrap().map(Timestamp::millis),
        Some(-62_135_596_800_000)
    );
}

#[test]
fn pairs_are_read_whatever_stands_between_their_signs() {
    let cases: [(&str, &[(&str, &str)]); 9] = [
        ("", &[]),
        ("&&", &[]),
        ("a", &[("a", "")]),
        ("a=", &[("a", "")]),
        ("=b", &[("", "b")]),
        ("a=b=c", &[("a", "b=c")]),
        ("a=1&a=2", &[("a", "1"), ("a", "2")]),
        ("a%3Db=c%26d", &[("a=b", "c&d")]),
        ("a+b=%2B+", &[("a b", "+ ")]),
    ];
    for (text, expected) in cases {
        let form = Form::of(text);
        let pairs: Vec<_> = form.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, expected, "{text}");
    }
}

#[test]
fn numbers_are_whole_and_within_bounds() {
    let cases = [
        ("n=5", Ok(Some(5))),
        ("n=-5", Ok(Some(-5))),
        ("n=%2B5", Ok(Some(5))),
        ("n=", Ok(None)),
        ("m=5", Ok(None)),
        ("n=5.0", Err(FormError::NoNumber("n"))),
        ("n=5s", Err(FormError::NoNumber("n"))),
        ("n=99999999999999999999", Err(FormError::NoNumber("n"))),
        ("n=+5", Err(FormError::NoNumber("n"))),
    ];
    for (text, expected) in cases {
        assert_eq!(Form::of(text).number("n"), expected, "{text}");
    }
}

#[test]
fn instants_are_exact_to_the_microsecond_near_now() {
    let cases = [
        ("1795824000.123456", 1_795_824_000_123_456),
        ("1795824000.5", 1_795_824_000_500_000),
        ("1e3", 1_000_000_000),
        ("-1.5", -1_500_000),
        ("2026-11-28T00:00:00.000001Z", 1_795_824_000_000_001),
        ("2026-11-28T01:30:00%2B01:30", 1_795_824_000_000_000),
        ("1969-12-31T23:59:59.999999Z", -1),
    ];
    for (text, micros) in cases {
        let time = Form::of(&format!("t={text}")).required_time("t");
        assert_eq!(time.map(Timestamp::micros), Ok(micros), "{text}");
    }
}
