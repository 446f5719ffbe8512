//! What a [`Kind`] of failure is called on the wire: the one place that chooses an HTTP status or a gRPC code.

use http::StatusCode;
use tonic::Code;

use crate::domain::{Error, Kind};

/// The HTTP status and the gRPC code of a kind.
pub fn codes(kind: Kind) -> (StatusCode, Code) {
    match kind {
        Kind::InvalidArgument => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
        Kind::NotFound => (StatusCode::NOT_FOUND, Code::NotFound),
        Kind::Conflict => (StatusCode::CONFLICT, Code::FailedPrecondition),
        Kind::AlreadyExists => (StatusCode::CONFLICT, Code::AlreadyExists),
        Kind::PermissionDenied | Kind::Denied => (StatusCode::FORBIDDEN, Code::PermissionDenied),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, Code::Unauthenticated),
        Kind::OutOfRange => (StatusCode::RANGE_NOT_SATISFIABLE, Code::OutOfRange),
        Kind::NotImplemented => (StatusCode::NOT_IMPLEMENTED, Code::Unimplemented),
        Kind::ResourceExhausted => (StatusCode::INSUFFICIENT_STORAGE, Code::ResourceExhausted),
        Kind::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted),
        Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
        // The status by which web servers log a client that closed its request; nobody is left to read it.
        Kind::Cancelled => (StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST), Code::Cancelled),
        Kind::DataLoss => (StatusCode::INTERNAL_SERVER_ERROR, Code::DataLoss),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
    }
}

/// Whose answer a failure is. Docker's API reports what other servers answer by statuses of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The daemon's own.
    Daemon,
    /// A server's that the daemon asked. One that cannot be reached is the daemon's failure.
    Remote,
    /// A registry's that an image is pulled from. As `Remote`; and who may not see a repository is told that it may not
    /// exist. What the daemon itself denies is not of this origin, or has a kind of its own.
    Pull,
}

/// The HTTP status of a failure in Docker's API.
pub fn docker_status(kind: Kind, origin: Origin) -> StatusCode {
    match (origin, kind) {
        // As Docker Engine answers what it has no status for.
        (Origin::Remote | Origin::Pull, Kind::Unavailable | Kind::TooManyRequests) => StatusCode::INTERNAL_SERVER_ERROR,
        // A server's answer was too large; no disk is full.
        (Origin::Remote, Kind::ResourceExhausted) => StatusCode::INTERNAL_SERVER_ERROR,
        (Origin::Pull, Kind::Unauthenticated | Kind::PermissionDenied) => StatusCode::NOT_FOUND,
        _ => codes(kind).0,
    }
}

/// Writes a failed request to the log, once, with every cause: our faults as warnings, the client's for debugging.
pub fn log(error: &Error) {
    let (status, _) = codes(error.kind());
    if status.is_server_error() && error.kind() != Kind::NotImplemented {
        tracing::warn!(kind = ?error.kind(), "request failed: {}", error.chain());
    } else {
        tracing::debug!(kind = ?error.kind(), "request refused: {}", error.chain());
    }
}

/// The gRPC status of a failure, which it also logs.
pub fn status(error: Error) -> tonic::Status {
    log(&error);
    tonic::Status::new(codes(error.kind()).1, error.public())
}

/// By what word kubelet recognises why a pull failed; `None` for failures that it has no word for.
pub fn kubelet_word(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Denied => Some("SignatureValidationFailed"),
        Kind::Unavailable => Some("RegistryUnavailable"),
        _ => None,
    }
}

/// The gRPC status of a pull that failed, for kubelet, which it also logs. kubelet looks for its words at the beginning of the
/// message, and only under UNKNOWN; all else is in the table.
pub fn node_pull_status(error: Error) -> tonic::Status {
    let Some(word) = kubelet_word(error.kind()) else { return status(error) };
    log(&error);
    tonic::Status::unknown(format!("{word}: {}", error.public()))
}

#[cfg(test)]
mod tests;
