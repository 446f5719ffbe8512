//! The daemon that a command asks.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::domain::{Error, Kind, Result};

const DEFAULT: &str = "unix:///run/loadline.sock";

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 << 20;

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DaemonAddress {
    Unix(String),
    Tcp(String),
}

impl DaemonAddress {
    /// The address that a flag gives, else `DOCKER_HOST`, else the default.
    ///
    /// # Errors
    /// `InvalidArgument` where it is none that can be reached: TLS is not spoken.
    pub(super) fn given(flag: Option<&str>) -> Result<Self> {
        let variable = std::env::var("DOCKER_HOST").ok();
        Self::parse(flag.or(variable.as_deref()).filter(|text| !text.is_empty()).unwrap_or(DEFAULT))
    }

    fn parse(text: &str) -> Result<Self> {
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.to_owned())),
            Some(("tcp" | "http", host)) if host.contains(':') => Ok(Self::Tcp(host.trim_end_matches('/').to_owned())),
            _ => Err(Error::invalid(format!("a daemon listens on unix:///PATH or tcp://HOST:PORT, not on {text:?}"))),
        }
    }

    /// Posts JSON, and returns the status and the body of the answer.
    ///
    /// # Errors
    /// `Unavailable` where the daemon cannot be reached or does not answer in time.
    pub(super) fn post(&self, path: &str, body: &[u8], within: Duration) -> Result<(StatusCode, Bytes)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::internal("starting the runtime", error))?;
        let answer = runtime.block_on(async { tokio::time::timeout(within, self.send(path, body)).await });
        answer.unwrap_or_else(|_| Err(self.unreachable(format!("no answer within {} s", within.as_secs()))))
    }

    async fn send(&self, path: &str, body: &[u8]) -> Result<(StatusCode, Bytes)> {
        match self {
            Self::Unix(socket) => {
                let stream = UnixStream::connect(socket).await.map_err(|error| self.unreachable(error))?;
                self.exchange(stream, path, body).await
            }
            Self::Tcp(host) => {
                let stream = TcpStream::connect(host).await.map_err(|error| self.unreachable(error))?;
                self.exchange(stream, path, body).await
            }
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        path: &str,
        body: &[u8],
    ) -> Result<(StatusCode, Bytes)> {
        let host = match self {
            Self::Unix(_) => "localhost",
            Self::Tcp(host) => host,
        };
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::copy_from_slice(body)))
            .map_err(|error| Error::invalid("the name cannot be sent").with_cause(error))?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| self.unreachable(error))?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| Error::new(Kind::Unavailable, format!("the answer broke off: {error}")))?;
        Ok((status, body.to_bytes()))
    }

    fn unreachable(&self, cause: impl std::fmt::Display) -> Error {
        let address = match self {
            Self::Unix(path) => format!("unix://{path}"),
            Self::Tcp(host) => format!("tcp://{host}"),
        };
        Error::new(Kind::Unavailable, format!("the daemon at {address} does not answer: {cause}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_dockers() {
        let parse = DaemonAddress::parse;
        assert_eq!(parse("unix:///run/a.sock").unwrap(), DaemonAddress::Unix("/run/a.sock".to_owned()));
        assert_eq!(parse("tcp://127.0.0.1:2375").unwrap(), DaemonAddress::Tcp("127.0.0.1:2375".to_owned()));
        for text in ["", "unix://a", "tcp://host", "ssh://host:1", "fd://"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
