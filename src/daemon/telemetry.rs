//! Logs: to standard error, readable on a terminal, one line per request at level debug.

use std::io::IsTerminal;
use std::time::Instant;

use http::{Method, Request, Response};
use tokio::net::UnixStream;
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::config::LogLevel;

/// Starts logging for the whole process. Later calls change nothing.
pub fn start(level: LogLevel) {
    let own = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        // tracing knows nothing above errors.
        LogLevel::Error | LogLevel::Fatal => LevelFilter::ERROR,
    };
    // What libraries say below a warning is about their insides, one line per frame.
    let filter = Targets::new().with_default(own.min(LevelFilter::WARN)).with_target("loadline", own);
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(terminal).with_target(false);
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
}

/// What log lines about a client's requests begin with: its process and user, as the kernel noted them when it connected.
/// The process is left out where it is not visible to this one, as across PID namespaces.
pub fn client_span(stream: &UnixStream) -> Span {
    // At the highest level, so that the client is named whatever level is logged.
    let span = tracing::error_span!("client", pid = tracing::field::Empty, uid = tracing::field::Empty);
    if let Ok(client) = stream.peer_cred() {
        if let Some(pid) = client.pid().filter(|pid| *pid != 0) {
            span.record("pid", pid);
        }
        span.record("uid", client.uid());
    }
    span
}

/// The log line of one request of the REST API. Dropping it unanswered says that the client went away.
#[derive(Debug)]
pub struct RequestLine(Option<Running>);

#[derive(Debug)]
struct Running {
    method: Method,
    path: String,
    start: Instant,
}

impl RequestLine {
    /// Notes a request. Its query is left out, since clients put secrets there.
    pub fn start<B>(request: &Request<B>) -> Self {
        Self(tracing::enabled!(tracing::Level::DEBUG).then(|| Running {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            start: Instant::now(),
        }))
    }

    /// Writes the line, when the head of the answer is known.
    pub fn answered<B>(mut self, response: &Response<B>) {
        let Some(Running { method, path, start }) = self.0.take() else { return };
        let status = response.status().as_u16();
        let duration_ms = milliseconds(start);
        tracing::debug!(%method, path, status, duration_ms, "request");
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        if let Some(Running { method, path, start }) = self.0.take() {
            tracing::debug!(%method, path, duration_ms = milliseconds(start), "request given up by the client");
        }
    }
}

fn milliseconds(start: Instant) -> f64 {
    // Whole microseconds, so that the line stays short.
    start.elapsed().as_micros() as f64 / 1000.0
}
