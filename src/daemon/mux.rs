//! One listener, every protocol: HTTP/1.1 and HTTP/2 on the same Unix sockets, gRPC to one service, the rest to another.
//!
//! A connection's life: accepted if there is a slot for it; given a time to send its first bytes; served with upgrades
//! enabled until the client hangs up, a time limit passes or the daemon stops. Then requests that run may finish.

use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt;
use http::{HeaderValue, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};
use tracing::{Instrument, Span};

use super::listen::{Socket, SocketFile};
use super::telemetry::{self, RequestLine};
use crate::domain::error::{Error, Result};

/// A request as both services take it.
pub type Request = http::Request<Body>;
/// An answer as both services give it.
pub type Response = http::Response<Body>;

type Facade = BoxCloneSyncService<Request, Response, Infallible>;

/// Every HTTP/2 connection starts with this (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Requests and calls at a time on one HTTP/2 connection; clients hold back more.
const MAX_STREAMS: u32 = 128;
/// What a client may send of one body before it is read: an archive must not wait for the window after each 64 KiB. The
/// window of the connection has room for all streams, so that bodies that nobody reads yet, REST or gRPC, hold up no other.
const STREAM_WINDOW: u32 = 128 << 10;
/// The most bytes of the headers of a request over HTTP/2, counted as RFC 9113 does (section 6.5.2). Credentials travel
/// there, and some are long tokens.
const MAX_HEADERS: u32 = 64 << 10;

/// How long connections may idle, and how many there may be.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From accepting a connection to the bytes that tell HTTP/1 from HTTP/2.
    pub first_bytes: Duration,
    /// For the head of an HTTP/1 request; between two requests on one connection as well.
    pub head: Duration,
    /// For requests that run when the daemon is told to stop.
    pub drain: Duration,
    /// Connections at a time; more wait in the kernel's queue.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_bytes: Duration::from_secs(30),
            // dockerd's, so that clients find their idle connections as long-lived as they are used to.
            head: Duration::from_secs(300),
            drain: Duration::from_secs(10),
            connections: 4096,
        }
    }
}

/// The two services behind every socket. Cheap to clone.
#[derive(Clone)]
pub struct Mux {
    rest: Facade,
    grpc: Facade,
}

impl Mux {
    /// Sends gRPC (by content type, over HTTP/2) to one service and everything else to the other.
    pub fn new<R, G>(rest: R, grpc: G) -> Self
    where
        R: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
        G: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        Self { rest: BoxCloneSyncService::new(rest), grpc: BoxCloneSyncService::new(grpc) }
    }

    /// Answers one request. A service that panics costs its request only.
    async fn answer(&self, request: Request) -> Response {
        let grpc = is_grpc(&request);
        // A call over gRPC ends with its trailers; the facade knows when, and how.
        let line = (!grpc).then(|| RequestLine::start(&request));
        let service = if grpc { self.grpc.clone() } else { self.rest.clone() };
        let response = match AssertUnwindSafe(service.oneshot(request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_panic) => after_panic(grpc),
        };
        if let Some(line) = line {
            line.answered(&response);
        }
        response
    }
}

fn is_grpc(request: &Request) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    request.version() == Version::HTTP_2
        && content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn after_panic(grpc: bool) -> Response {
    let mut response = Response::default();
    let headers = response.headers_mut();
    if grpc {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from_static("13"));
        headers.insert("grpc-message", HeaderValue::from_static("internal error"));
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        *response.body_mut() = Body::from(r#"{"message":"internal error"}"#);
    }
    response
}

/// Serves all sockets until `shutdown` is ready; then closes and removes them, lets requests that run finish for
/// [`Limits::drain`], and cuts what is left.
///
/// # Errors
/// Only if a listener cannot be registered with the runtime; failures of single connections are logged.
pub async fn serve(sockets: Vec<Socket>, mux: Mux, limits: Limits, shutdown: impl Future<Output = ()>) -> Result<()> {
    let (stop, stopped) = watch::channel(());
    let server = Arc::new(Server::new(mux, limits));
    let mut loops = JoinSet::new();
    for socket in sockets {
        let (listener, file) = socket.into_parts();
        let listener = UnixListener::from_std(listener)
            .map_err(|error| Error::internal(format!("listening on {}", file.path().display()), error))?;
        tracing::info!(socket = %file.path().display(), "listening");
        loops.spawn(Arc::clone(&server).accept_all(listener, file, stopped.clone()));
    }
    shutdown.await;
    // Everyone who waits for a change learns of the end of its sender.
    drop(stop);
    let mut open = Vec::new();
    while let Some(connections) = loops.join_next().await {
        open.extend(connections.ok());
    }
    drain(open, server.limits.drain).await;
    Ok(())
}

async fn drain(mut open: Vec<JoinSet<()>>, limit: Duration) {
    let count = |open: &[JoinSet<()>]| open.iter().map(JoinSet::len).sum::<usize>();
    tracing::info!(connections = count(&open), "stopping");
    let finish = async {
        for connections in &mut open {
            while connections.join_next().await.is_some() {}
        }
    };
    if timeout(limit, finish).await.is_err() {
        tracing::warn!(connections = count(&open), "requests did not end in time; cutting their connections");
        for connections in &mut open {
            connections.shutdown().await;
        }
    }
}

struct Server {
    mux: Mux,
    limits: Limits,
    http: auto::Builder<TokioExecutor>,
    slots: Arc<Semaphore>,
}

impl Server {
    fn new(mux: Mux, limits: Limits) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        // Without half-close: a client that goes away mid-request must free what the request holds, at once.
        http.http1().timer(TokioTimer::new()).header_read_timeout(limits.head).half_close(false);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20))
            .max_header_list_size(MAX_HEADERS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(MAX_STREAMS * STREAM_WINDOW)
            .max_frame_size(STREAM_WINDOW)
            .max_concurrent_streams(MAX_STREAMS);
        let slots = Arc::new(Semaphore::new(limits.connections));
        Self { mux, limits, http, slots }
    }

    /// Accepts until told to stop. Hands back the connections that are open then; listener and socket file are gone.
    async fn accept_all(
        self: Arc<Self>,
        listener: UnixListener,
        file: SocketFile,
        mut stopped: watch::Receiver<()>,
    ) -> JoinSet<()> {
        let mut connections = JoinSet::new();
        let mut pause = Pause::default();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stopped.changed() => break,
                Some(_) = connections.join_next() => continue,
                accepted = self.accept(&listener) => accepted,
            };
            match accepted {
                Ok((stream, slot)) => {
                    pause = Pause::default();
                    let server = Arc::clone(&self);
                    let client = telemetry::client_span(&stream);
                    let served = server.serve_connection(stream, slot, client.clone(), stopped.clone());
                    connections.spawn(served.instrument(client));
                }
                Err(error) => {
                    let wait = pause.next(file.path(), &error);
                    tokio::select! {
                        _ = stopped.changed() => break,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
        connections
    }

    async fn accept(&self, listener: &UnixListener) -> io::Result<(UnixStream, OwnedSemaphorePermit)> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
        Ok((listener.accept().await?.0, slot))
    }

    async fn serve_connection(
        self: Arc<Self>,
        stream: UnixStream,
        _slot: OwnedSemaphorePermit,
        client: Span,
        mut stopped: watch::Receiver<()>,
    ) {
        tokio::select! {
            biased;
            first = timeout(self.limits.first_bytes, first_bytes(&stream)) => match first {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return tracing::debug!(%error, "a connection ended before its first request"),
                Err(_) => return tracing::debug!("a connection sent nothing for too long"),
            },
            _ = stopped.changed() => return,
        }
        let service = service_fn(|request: http::Request<Incoming>| {
            let mux = self.mux.clone();
            // HTTP/2 answers in tasks of its own, which the span of the connection does not reach.
            async move { Ok::<_, Infallible>(mux.answer(request.map(Body::new)).await) }.instrument(client.clone())
        });
        let mut connection = pin!(self.http.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection failed");
        }
    }
}

/// Waits for the bytes that tell HTTP/1 from HTTP/2, without taking them from the socket.
///
/// hyper's own reading of the version knows no time limit: the caller sets it on this function instead.
async fn first_bytes(stream: &UnixStream) -> io::Result<()> {
    let mut seen = [0; PREFACE.len()];
    loop {
        stream.readable().await?;
        let peeked = stream.try_io(Interest::READABLE, || {
            let (_, length) = rustix::net::recv(stream, &mut seen, RecvFlags::PEEK)?;
            match length {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                // Undecided. Would-block makes the runtime wait for more bytes rather than report these again.
                length if length < PREFACE.len() && PREFACE.starts_with(&seen[..length]) => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                _ => Ok(()),
            }
        });
        match peeked {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            decided => return decided,
        }
    }
}

/// How long to wait after an accept that failed: longer each time, so that a lack of file descriptors or memory
/// neither ends the loop nor makes it spin.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(5))
    }
}

impl Pause {
    fn next(&mut self, socket: &std::path::Path, error: &io::Error) -> Duration {
        let wait = self.0;
        // A client that hung up while it waited is its own matter.
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return Duration::ZERO;
        }
        tracing::error!(socket = %socket.display(), %error, "could not accept a connection; trying again");
        self.0 = (wait * 2).min(Duration::from_secs(1));
        wait
    }
}

#[cfg(test)]
mod tests;
