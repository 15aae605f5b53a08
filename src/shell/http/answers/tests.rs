use super::*;

async fn shown(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_text_ends_its_line_once() {
    for words in ["fine", "fine\n"] {
        let response = text(StatusCode::OK, words);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
        assert_eq!(shown(response).await, (StatusCode::OK, "fine\n".to_owned()));
    }
    assert_eq!(shown(healthy().await).await.0, StatusCode::OK);
    assert_eq!(shown(wrong_method().await).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_path_that_is_none_is_shown_shortened() {
    let uri = format!("/{}", "a".repeat(5_000)).parse().unwrap();
    let (status, words) = shown(not_found(uri).await).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(words.starts_with("There is nothing at /aaa") && words.len() < 300, "{words}");
}

#[tokio::test]
async fn what_a_response_holds_is_given_back_with_its_body() {
    let held = std::sync::Arc::new(());
    let response = held_with(text(StatusCode::OK, "fine"), std::sync::Arc::clone(&held));
    assert_eq!(std::sync::Arc::strong_count(&held), 2);
    assert_eq!(shown(response).await.1, "fine\n");
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn a_path_cannot_break_out_of_its_line() {
    let uri = "/a%0Ab\u{7f}".parse::<Uri>();
    let uri = uri.unwrap_or_else(|_| "/a%0Ab".parse().unwrap());
    let (_, words) = shown(not_found(uri).await).await;
    assert_eq!(words.lines().count(), 1, "{words}");
}

#[tokio::test]
async fn a_held_answer_keeps_its_length() {
    let response = held_with(text(StatusCode::OK, "fine"), ());
    assert_eq!(response.body().size_hint().exact(), Some(5));
    assert!(!response.body().is_end_stream());
    let empty = held_with(StatusCode::NO_CONTENT.into_response(), ());
    assert!(empty.body().is_end_stream());
}
