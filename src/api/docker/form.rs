//! Parameters in the bodies of requests.

use std::error::Error as _;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, header};

use super::body_error::unreadable;
use crate::domain::{Error, Kind, Result};

/// The largest form that is read, in bytes, as in Go.
const MAX_FORM: usize = 10 << 20;

/// Whether a request may have parameters in its body, as Go's `ParseForm` reads them.
pub(super) fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    *method == Method::POST && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Reads a form.
///
/// # Errors
/// `InvalidArgument` where it is too large or its body is malformed, `Cancelled` where the client goes away.
pub(super) async fn form(body: Body) -> Result<Bytes> {
    axum::body::to_bytes(body, MAX_FORM).await.map_err(|cause| {
        let mut causes = std::iter::successors(cause.source(), |cause| (*cause).source());
        if causes.any(|cause| cause.is::<http_body_util::LengthLimitError>()) {
            return Error::invalid(format!("the request's form is larger than {MAX_FORM} bytes"));
        }
        match unreadable(cause).downcast::<Error>() {
            Ok(error) => error,
            Err(gone) => Error::new(Kind::Cancelled, "the client went away").with_cause(gone),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_form_has_a_limit() {
        assert_eq!(form(Body::from("a=b")).await.unwrap(), "a=b");
        let error = form(Body::from(vec![b'a'; MAX_FORM + 1])).await.unwrap_err();
        assert!(error.public().contains("larger than"), "{error:?}");
    }

    #[test]
    fn forms_are_told_by_their_type() {
        let headers = |kind: &'static str| [(header::CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect();
        for (method, kind, expected) in [
            (Method::POST, "application/x-www-form-urlencoded", true),
            (Method::POST, "Application/X-WWW-Form-urlencoded; charset=UTF-8", true),
            (Method::POST, "application/json", false),
            (Method::GET, "application/x-www-form-urlencoded", false),
        ] {
            assert_eq!(is_form(&method, &headers(kind)), expected, "{method} {kind}");
        }
        assert!(!is_form(&Method::POST, &HeaderMap::new()));
    }
}
