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
        Kind::PermissionDenied | Kind::Denied => (StatusCode::FORBIDDEN, Code::PermissionDenied),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, Code::Unauthenticated),
        Kind::OutOfRange => (StatusCode::RANGE_NOT_SATISFIABLE, Code::OutOfRange),
        Kind::NotImplemented => (StatusCode::NOT_IMPLEMENTED, Code::Unimplemented),
        Kind::ResourceExhausted => (StatusCode::INSUFFICIENT_STORAGE, Code::ResourceExhausted),
        Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
        // The status by which web servers log a client that closed its request; nobody is left to read it.
        Kind::Cancelled => (StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST), Code::Cancelled),
        Kind::DataLoss => (StatusCode::INTERNAL_SERVER_ERROR, Code::DataLoss),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_fault_is_never_a_server_error() {
        for kind in [
            Kind::InvalidArgument,
            Kind::NotFound,
            Kind::Conflict,
            Kind::PermissionDenied,
            Kind::Denied,
            Kind::Cancelled,
        ] {
            assert!(codes(kind).0.is_client_error(), "{kind:?}");
        }
        for kind in [Kind::Internal, Kind::DataLoss, Kind::Unavailable, Kind::ResourceExhausted] {
            assert!(codes(kind).0.is_server_error(), "{kind:?}");
        }
    }

    #[test]
    fn a_status_carries_the_public_text_only() {
        let error = Error::internal("reading a blob failed", std::io::Error::other("secret path"));
        let status = status(error);
        assert_eq!((status.code(), status.message()), (Code::Internal, "reading a blob failed"));
    }

    #[test]
    fn a_denial_is_a_refusal_on_every_protocol() {
        assert_eq!(codes(Kind::Denied), (StatusCode::FORBIDDEN, Code::PermissionDenied));
        let status = status(Error::denied("app:1", "signed", "no signature"));
        assert_eq!(status.message(), "image app:1 is denied by rule signed: no signature");
    }
}
