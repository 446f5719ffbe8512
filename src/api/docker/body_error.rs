//! Why the body of a request could not be read.

use std::error::Error as StdError;
use std::io;

use crate::domain::Error;

/// What reading a body has failed with, as a reader of it passes that on: a client that sends something else than its
/// transfer coding says is still there and is told so, one whose connection broke is gone.
pub(super) fn unreadable(cause: axum::Error) -> io::Error {
    let mut next: Option<&(dyn StdError + 'static)> = Some(&cause);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && matches!(io.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
        {
            let text = format!("the body of the request is not framed as its transfer coding says: {io}");
            return io::Error::other(Error::invalid(text).with_cause(cause));
        }
        next = error.source();
    }
    io::Error::new(io::ErrorKind::ConnectionAborted, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Kind;

    #[test]
    fn a_body_whose_framing_is_broken_is_the_requests_fault() {
        let framing = axum::Error::new(io::Error::new(io::ErrorKind::InvalidInput, "Invalid chunk size line"));
        let error = unreadable(framing).downcast::<Error>().unwrap();
        assert_eq!(error.kind(), Kind::InvalidArgument);
        assert!(error.public().ends_with("transfer coding says: Invalid chunk size line"), "{error}");
        let gone = axum::Error::new(io::Error::from(io::ErrorKind::UnexpectedEof));
        assert_eq!(unreadable(gone).kind(), io::ErrorKind::ConnectionAborted);
    }
}
