use std::path::PathBuf;
use std::time::Instant;

use axum::Router;
use axum::routing::{any, get, post};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http2;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::*;

struct Running {
    socket: PathBuf,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<()>>,
    /// One message per `/forever` that was dropped unanswered.
    dropped: mpsc::UnboundedReceiver<()>,
    _directory: tempfile::TempDir,
}

struct Tell(mpsc::UnboundedSender<()>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn quick() -> Limits {
    let short = Duration::from_millis(200);
    Limits { first_bytes: short, head: short, drain: Duration::from_millis(600), connections: 8 }
}

fn start(limits: Limits) -> Running {
    let (sender, dropped) = mpsc::unbounded_channel();
    let forever = move || {
        let tell = Tell(sender.clone());
        async move {
            std::future::pending::<()>().await;
            drop(tell);
        }
    };
    let rest = Router::new()
        .route("/hello", get(async || "rest"))
        .route("/slow", get(async || tokio::time::sleep(Duration::from_millis(300)).await))
        .route("/panic", get(async || -> () { panic!("on purpose") }))
        .route("/forever", any(forever))
        .route("/count", post(count))
        .route("/upgrade", get(upgrade));
    let grpc = Router::new().route("/count", post(count)).fallback(async || "grpc");
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("a.sock");
    let bound = Socket::bind(&socket, None).unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { stopped.await.unwrap_or_default() };
    let served = tokio::spawn(serve(vec![bound], Mux::new(rest, grpc), limits, shutdown));
    Running { socket, stop, served, dropped, _directory: directory }
}

/// Reads the body, and says how many bytes it has.
async fn count(request: Request) -> String {
    request.into_body().collect().await.unwrap().to_bytes().len().to_string()
}

/// Says `101`, then gives back what it is sent.
async fn upgrade(request: Request) -> Response {
    tokio::spawn(async move {
        let mut upgraded = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
        let mut text = [0; 5];
        upgraded.read_exact(&mut text).await.unwrap();
        upgraded.write_all(&text).await.unwrap();
    });
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("tcp"));
    response
}

impl Running {
    async fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.socket).await.unwrap()
    }

    async fn send(&self, text: &str) -> UnixStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn http2(&self) -> http2::SendRequest<Empty<Bytes>> {
        let io = TokioIo::new(self.connect().await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

fn get_text(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n")
}

async fn all(mut stream: UnixStream) -> String {
    let mut text = String::new();
    // A reset ends an answer as well as an end of file does.
    let _ = timeout(Duration::from_secs(5), stream.read_to_string(&mut text)).await.expect("the connection stays open");
    text
}

/// Reads until the text so far ends with this.
async fn until(stream: &mut UnixStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let byte = timeout(Duration::from_secs(5), stream.read_u8()).await.expect("no answer").expect(&text);
        text.push(byte.into());
    }
    text
}

#[tokio::test]
async fn rest_answers_over_http1_and_http2() {
    let running = start(quick());
    let text = all(running.send(&get_text("/hello", "connection: close\r\n")).await).await;
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("rest"), "{text}");

    let mut http2 = running.http2().await;
    let request = http::Request::get("http://localhost/hello").body(Empty::new()).unwrap();
    let answer = http2.send_request(request).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "rest");
    running.stop().await;
}

#[tokio::test]
async fn grpc_is_told_by_content_type_over_http2_only() {
    let running = start(quick());
    let mut http2 = running.http2().await;
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let request = http::Request::post("http://localhost/hello").header("content-type", content_type);
        let answer = http2.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "grpc");
    }
    let head = "connection: close\r\ncontent-type: application/grpc\r\n";
    assert!(all(running.send(&get_text("/hello", head)).await).await.ends_with("rest"));
    running.stop().await;
}

#[tokio::test]
async fn one_connection_serves_many_requests_and_upgrades() {
    let running = start(quick());
    let mut stream = running.send(&get_text("/hello", "")).await;
    until(&mut stream, "rest").await;
    stream.write_all(get_text("/upgrade", "connection: upgrade\r\nupgrade: tcp\r\n").as_bytes()).await.unwrap();
    let head = until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream.write_all(b"hello").await.unwrap();
    until(&mut stream, "hello").await;
    running.stop().await;
}

#[tokio::test]
async fn silent_clients_are_cut() {
    let running = start(quick());
    for sent in ["", "PRI * HTTP/2", "GET /hello HTTP/1.1\r\nhost: x\r\n"] {
        let start = Instant::now();
        let text = all(running.send(sent).await).await;
        assert!(!text.contains("200"), "{text}");
        assert!(start.elapsed() >= Duration::from_millis(150), "{sent:?} was cut at once");
    }
    running.stop().await;
}

#[tokio::test]
async fn first_bytes_may_come_one_by_one() {
    let running = start(Limits { first_bytes: Duration::from_secs(5), ..quick() });
    let text = get_text("/hello", "connection: close\r\n");
    for text in [text.as_str(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = running.connect().await;
        for byte in text.bytes() {
            stream.write_all(&[byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Either an answer or the server's half of the preface.
        assert!(timeout(Duration::from_secs(5), stream.read_u8()).await.unwrap().is_ok());
    }
    running.stop().await;
}

#[tokio::test]
async fn a_request_that_runs_ends_before_the_daemon_does() {
    let running = start(quick());
    let idle = {
        let mut stream = running.send(&get_text("/hello", "")).await;
        until(&mut stream, "rest").await;
        stream
    };
    let slow = running.send(&get_text("/slow", "")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let socket = running.socket.clone();
    let (answer, rest, ()) = tokio::join!(all(slow), all(idle), running.stop());
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(rest, "");
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_request_that_runs_on_is_cut() {
    let mut running = start(quick());
    let stream = running.send(&get_text("/forever", "")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    running.stop.send(()).unwrap();
    running.served.await.unwrap().unwrap();
    assert!((Duration::from_millis(500)..Duration::from_secs(3)).contains(&start.elapsed()));
    assert_eq!(all(stream).await, "");
    running.dropped.recv().await.unwrap();
}

#[tokio::test]
async fn a_client_that_hangs_up_frees_its_request() {
    let mut running = start(quick());
    drop(running.send(&get_text("/forever", "")).await);
    timeout(Duration::from_secs(5), running.dropped.recv()).await.expect("the handler lives on").unwrap();

    let mut http2 = running.http2().await;
    let request = http::Request::get("http://localhost/forever").body(Empty::new()).unwrap();
    let answer = timeout(Duration::from_millis(200), http2.send_request(request)).await;
    assert!(answer.is_err());
    timeout(Duration::from_secs(5), running.dropped.recv()).await.expect("the handler lives on").unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let running = start(quick());
    let mut stream = running.send(&get_text("/panic", "")).await;
    let text = until(&mut stream, "}").await;
    assert!(text.starts_with("HTTP/1.1 500 ") && text.ends_with(r#"{"message":"internal error"}"#), "{text}");
    stream.write_all(get_text("/hello", "").as_bytes()).await.unwrap();
    until(&mut stream, "rest").await;
    running.stop().await;
}

/// A client of HTTP/2 whose requests have bodies of one piece.
async fn uploading(running: &Running) -> http2::SendRequest<Full<Bytes>> {
    let io = TokioIo::new(running.connect().await);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn bodies_that_nobody_reads_hold_up_no_other() {
    let mut running = start(quick());
    let mut http2 = uploading(&running).await;
    let body = Full::new(Bytes::from(vec![0; 2 * STREAM_WINDOW as usize]));
    let mut waiting = JoinSet::new();
    for _ in 0..MAX_STREAMS - 1 {
        let request = http::Request::post("http://localhost/forever").body(body.clone()).unwrap();
        http2.ready().await.unwrap();
        waiting.spawn(http2.send_request(request));
    }
    for content_type in ["application/x-tar", "application/grpc"] {
        let request = http::Request::post("http://localhost/count").header("content-type", content_type);
        let answer = http2.send_request(request.body(body.clone()).unwrap());
        let answer = timeout(Duration::from_secs(5), answer).await.expect("the body is held up").unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), body_length(&body));
    }
    waiting.shutdown().await;
    timeout(Duration::from_secs(5), running.dropped.recv()).await.expect("the handlers live on").unwrap();
    running.stop().await;
}

fn body_length(body: &Full<Bytes>) -> String {
    hyper::body::Body::size_hint(body).exact().unwrap().to_string()
}

#[tokio::test]
async fn headers_over_the_limit_cost_their_request_only() {
    let running = start(quick());
    let mut http2 = uploading(&running).await;
    for (bytes, expected) in [
        (MAX_HEADERS as usize - 1024, StatusCode::OK),
        (MAX_HEADERS as usize, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
    ] {
        let request = http::Request::get("http://localhost/hello").header("x-registry-auth", "x".repeat(bytes));
        let answer = http2.send_request(request.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), expected);
    }
    let request = http::Request::get("http://localhost/hello").body(Full::default()).unwrap();
    assert_eq!(http2.send_request(request).await.unwrap().status(), StatusCode::OK);
    running.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let running = start(Limits { connections: 1, ..quick() });
    let mut first = running.send(&get_text("/hello", "")).await;
    until(&mut first, "rest").await;
    let mut second = running.send(&get_text("/hello", "")).await;
    assert!(timeout(Duration::from_millis(100), second.read_u8()).await.is_err());
    drop(first);
    until(&mut second, "rest").await;
    running.stop().await;
}

#[test]
fn waits_after_failed_accepts_grow_to_a_second() {
    let mut pause = Pause::default();
    let error = io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
    let waits: Vec<Duration> = (0..12).map(|_| pause.next("a.sock".as_ref(), &error)).collect();
    assert!(waits.is_sorted());
    assert_eq!((waits[0], waits[11]), (Duration::from_millis(5), Duration::from_secs(1)));
    let aborted = io::ErrorKind::ConnectionAborted.into();
    assert_eq!(pause.next("a.sock".as_ref(), &aborted), Duration::ZERO);
}
