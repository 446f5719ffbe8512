use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use tonic::body::Body;
use tower::ServiceExt;

use super::*;

/// A service that answers every method with the header that it was made with.
#[derive(Clone)]
struct Fake(String);

impl tonic::server::NamedService for Fake {
    const NAME: &'static str = "test.Fake";
}

impl tower::Service<http::Request<Body>> for Fake {
    type Response = http::Response<axum::body::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let response = http::Response::builder().header("made-with", &self.0);
        ready(Ok(response.body(axum::body::Body::empty()).unwrap()))
    }
}

const OTHER: Plugin = Plugin { kind: "a.first", id: "other", requires: &[] };

#[tokio::test]
async fn a_service_is_routed_by_its_name_and_knows_the_plugins_of_all() {
    let ids = |plugins: Arc<[Plugin]>| plugins.iter().map(|plugin| plugin.id).collect::<Vec<_>>().join(" ");
    let service = Service::over_plugins(move |plugins| Fake(ids(plugins)), &[]).with_plugins(&[OTHER]);
    assert_eq!(service.name(), "test.Fake");
    let router = router(vec![service]).await.unwrap();
    let ask = |path: &str| http::Request::post(path).body(axum::body::Body::empty()).unwrap();
    let answer = router.clone().oneshot(ask("/test.Fake/Any")).await.unwrap();
    assert_eq!(answer.headers()["made-with"], "other healthcheck");
    let unknown = router.oneshot(ask("/test.Unknown/Any")).await.unwrap();
    assert_eq!(unknown.headers()["grpc-status"], "12");
}

#[tokio::test]
async fn descriptors_that_do_not_decode_are_the_daemons_fault() {
    let error = router(vec![Service::new(Fake(String::new()), b"no descriptors")]).await.unwrap_err();
    assert_eq!(error.public(), "the gRPC descriptors do not decode");
}

#[test]
fn what_a_client_sent_is_repeated_up_to_a_limit() {
    assert_eq!(excerpt("short"), "short");
    assert_eq!(excerpt(&"é".repeat(200)), "é".repeat(128));
}

#[test]
fn an_answer_over_the_limit_is_an_error_that_says_what_to_do() {
    let fits = one_message("x".repeat(MAX_MESSAGE - 5), "ask for less").unwrap();
    assert_eq!(fits.into_inner().len(), MAX_MESSAGE - 5);
    let error = one_message("x".repeat(MAX_MESSAGE), "ask for less").unwrap_err();
    assert_eq!(error.code(), tonic::Code::ResourceExhausted);
    assert_eq!(error.message(), "the answer has 16777221 bytes, and a message may have 16777216: ask for less");
}
