use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::post;
use http_body_util::{BodyExt, StreamBody};
use tonic::Code;
use tower::ServiceExt;

use super::*;

fn timeout(text: &[u8]) -> Result<Duration, Code> {
    parse(&HeaderValue::from_bytes(text).unwrap()).map_err(|status| status.code())
}

#[test]
fn timeouts_are_read_as_the_protocol_has_them() {
    for (text, expected) in [
        ("1H", Duration::from_secs(3600)),
        ("2M", Duration::from_secs(120)),
        ("3S", Duration::from_secs(3)),
        ("00000004S", Duration::from_secs(4)),
        ("5m", Duration::from_millis(5)),
        ("6u", Duration::from_micros(6)),
        ("7n", Duration::from_nanos(7)),
        ("0n", Duration::ZERO),
        ("0H", Duration::ZERO),
        ("99999999H", Duration::from_secs(99_999_999 * 3600)),
    ] {
        assert_eq!(timeout(text.as_bytes()), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_timeout_is_refused() {
    let texts: [&[u8]; 14] = [
        b"",
        b"S",
        b"1",
        b"1s",
        b"1h",
        b"100000000n",
        b"-1S",
        b"+1S",
        b"1.5S",
        b" 1S",
        b"1S ",
        b"1 S",
        b"1SS",
        b"\xc3\xa9S",
    ];
    for text in texts {
        assert_eq!(timeout(text), Err(Code::InvalidArgument), "{text:?}");
    }
    let long = HeaderValue::from_str(&"9".repeat(10_000)).unwrap();
    assert!(parse(&long).unwrap_err().message().len() < 300);
}

/// Work that lets its end be seen.
struct Work {
    running: Arc<()>,
    router: Router,
}

impl Work {
    fn new() -> Self {
        let running = Arc::new(());
        let (never, endless, quick) = (running.clone(), running.clone(), running.clone());
        let router = Router::new()
            .route("/never", post(move || hang(never.clone())))
            .route("/endless", post(move || async move { Body::new(Endless(endless.clone())) }))
            .route(
                "/quick",
                post(move || async move {
                    let _held = quick.clone();
                    "done"
                }),
            )
            .route(
                "/begun",
                post(async || {
                    let first = Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"first")));
                    let then = futures_util::stream::pending();
                    Body::new(StreamBody::new(futures_util::StreamExt::chain(
                        futures_util::stream::iter([first]),
                        then,
                    )))
                }),
            );
        Self { running, router: router.layer(from_fn(hold)) }
    }

    async fn call(&self, path: &str, timeout: &str) -> Response {
        let request = http::Request::post(path).header(HEADER, timeout).body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// How many calls hold something, over what the routes hold themselves.
    fn held(&self) -> usize {
        Arc::strong_count(&self.running)
    }
}

async fn hang(_held: Arc<()>) {
    std::future::pending::<()>().await;
}

/// An answer that always has more to say.
struct Endless(#[allow(dead_code)] Arc<()>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"more")))))
    }
}

fn is_exceeded(status: &HeaderMap) {
    assert_eq!(status["grpc-status"], "4", "{status:?}");
    assert!(status["grpc-message"].to_str().unwrap().contains("did%20not%20end%20within"), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_answer_in_time_is_dropped() {
    let work = Work::new();
    let before = work.held();
    let response = work.call("/never", "50m").await;
    is_exceeded(response.headers());
    assert_eq!(work.held(), before);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_end_in_time_ends_with_the_status() {
    let work = Work::new();
    let response = work.call("/begun", "50m").await;
    assert_eq!(response.headers().get("grpc-status"), None);
    let body = response.into_body().collect().await.unwrap();
    is_exceeded(body.trailers().unwrap());
    assert_eq!(body.to_bytes(), "first");
}

#[tokio::test]
async fn an_answer_without_a_pause_ends_in_time_as_well() {
    let work = Work::new();
    let before = work.held();
    let mut body = work.call("/endless", "20m").await.into_body();
    let trailers = loop {
        tokio::task::yield_now().await;
        if let Ok(trailers) = body.frame().await.unwrap().unwrap().into_trailers() {
            break trailers;
        }
    };
    is_exceeded(&trailers);
    assert!(body.frame().await.is_none());
    assert_eq!(work.held(), before);
}

#[tokio::test(start_paused = true)]
async fn a_call_with_time_enough_and_one_without_a_deadline_end_by_themselves() {
    let work = Work::new();
    let body = work.call("/quick", "99999999H").await.into_body().collect().await.unwrap();
    assert!(body.trailers().is_none());
    assert_eq!(body.to_bytes(), "done");
    let request = http::Request::post("/quick").body(Body::empty()).unwrap();
    assert_eq!(work.router.oneshot(request).await.unwrap().headers().get("grpc-status"), None);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_no_time_left_or_a_malformed_timeout_is_not_begun() {
    let work = Work::new();
    is_exceeded(work.call("/quick", "0n").await.headers());
    assert_eq!(work.call("/quick", "soon").await.headers()["grpc-status"], "3");
}
