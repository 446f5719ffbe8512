use axum::Router;
use axum::middleware::from_fn;
use axum::routing::post;
use tower::ServiceExt;

use super::*;

fn decoded(headers: &HeaderMap) -> (Code, String) {
    let text = headers.get(MESSAGE).map_or(&b""[..], HeaderValue::as_bytes);
    assert!(text.len() <= MAX_TEXT, "{} bytes", text.len());
    (code(headers), percent_encoding::percent_decode(text).decode_utf8().expect("whole characters").into_owned())
}

/// What a client gets for a status at the start of an answer, and for the same one at its end.
async fn sent(status: Status) -> (Code, String) {
    let at_end = status.clone();
    let router = Router::new()
        .route("/test.Service/Start", post(async move || status.into_http::<Body>()))
        .route(
            "/test.Service/End",
            post(async move || {
                let mut trailers = HeaderMap::new();
                at_end.add_header(&mut trailers).unwrap();
                Body::new(http_body_util::Empty::new().with_trailers(std::future::ready(Some(Ok(trailers)))))
            }),
        )
        .layer(from_fn(finish));
    let ask = |path: &str| http::Request::post(path).body(Body::empty()).unwrap();
    let start = router.clone().oneshot(ask("/test.Service/Start")).await.unwrap();
    let end = router.oneshot(ask("/test.Service/End")).await.unwrap().into_body().collect().await.unwrap();
    let end = decoded(end.trailers().unwrap());
    assert_eq!(decoded(start.headers()), end);
    end
}

#[tokio::test]
async fn short_texts_are_sent_as_they_are() {
    for text in ["no such image: é:1", "", "100% {of} <it>"] {
        assert_eq!(sent(Status::not_found(text)).await, (Code::NotFound, text.to_owned()));
    }
}

#[tokio::test]
async fn long_texts_are_cut_between_two_characters() {
    // Each length of an escape, at each offset from where the cut is.
    for character in ["a", " ", "é", "€", "🦀"] {
        for shift in 0..12 {
            let text = "x".repeat(shift) + &character.repeat(5000);
            let (code, cut) = sent(Status::internal(&text)).await;
            let start = cut.strip_suffix("... (cut)").expect("a mark");
            assert_eq!(code, Code::Internal);
            assert!(text.starts_with(start) && start.len() > 1000, "{character:?} {shift}");
        }
    }
}

#[tokio::test]
async fn what_tonic_says_of_large_messages_is_said_in_plain_words() {
    let status = |direction: &str| {
        Status::out_of_range(format!(
            "Error, {direction} message length too large: found 5 bytes, the limit is: 4 bytes"
        ))
    };
    let (code, text) = sent(status("decoded")).await;
    assert_eq!((code, text.ends_with("send smaller ones")), (Code::ResourceExhausted, true), "{text}");
    let (code, text) = sent(status("encoded")).await;
    assert_eq!((code, text.ends_with("ask for less at a time")), (Code::ResourceExhausted, true), "{text}");
    assert_eq!(sent(Status::out_of_range("beyond the blob")).await, (Code::OutOfRange, "beyond the blob".into()));
}

#[tokio::test]
async fn what_is_not_served_is_named() {
    let router = Router::new()
        .route("/test.Service/{method}", post(async || Status::unimplemented("").into_http::<Body>()))
        .fallback(unknown_service)
        .layer(from_fn(finish));
    let long = format!("/{}/Method", "a".repeat(10_000));
    for (path, expected) in [
        ("/test.Service/Other", "unknown method Other for service test.Service"),
        ("/test.Other/Method", "unknown service test.Other"),
        ("/a/b/c", "unknown service a/b"),
        ("/nothing", "malformed method name \"/nothing\""),
        ("//Method", "malformed method name \"//Method\""),
        (&long, &format!("unknown service {}", "a".repeat(128))),
    ] {
        let request = http::Request::post(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(decoded(response.headers()), (Code::Unimplemented, expected.to_owned()));
    }
}
