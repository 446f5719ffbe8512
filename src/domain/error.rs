//! The one closed set of failures that every layer speaks.
//!
//! An [`Error`] has two audiences. The *public* text goes to the client that asked; the *cause* goes to the log, once,
//! where the error is handled. [`Kind`] alone decides the HTTP status and the gRPC code (`api::error_table`).

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// What went wrong, as far as a client can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request itself is wrong and will stay wrong.
    InvalidArgument,
    /// What the request names does not exist here.
    NotFound,
    /// The request contradicts the present state.
    Conflict,
    /// The request is understood and refused.
    PermissionDenied,
    /// Credentials are missing or were not accepted.
    Unauthenticated,
    /// A range outside of what exists.
    OutOfRange,
    /// The operation exists elsewhere and is not served here.
    NotImplemented,
    /// No room: disk, memory budget or a limit on sizes.
    ResourceExhausted,
    /// A peer or the daemon cannot serve this now; trying again may work.
    Unavailable,
    /// The caller went away.
    Cancelled,
    /// What is stored is not what was stored.
    DataLoss,
    /// Everything that is our fault.
    Internal,
}

type Cause = Box<dyn StdError + Send + Sync + 'static>;

/// A failure: its kind, the text for the client, and the internal cause, if there is one.
///
/// `Display` shows the public text only; the cause is reached through [`std::error::Error::source`].
pub struct Error {
    kind: Kind,
    public: Cow<'static, str>,
    cause: Option<Cause>,
}

/// The result of everything that can fail with an [`enum@Kind`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of a kind with the text that the client sees.
    pub fn new(kind: Kind, public: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, public: public.into(), cause: None }
    }

    /// [`Kind::InvalidArgument`] with a text.
    pub fn invalid(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidArgument, public)
    }

    /// [`Kind::NotFound`] with a text.
    pub fn not_found(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::NotFound, public)
    }

    /// [`Kind::Internal`]: the text is general, the cause goes to the log.
    pub fn internal(public: impl Into<Cow<'static, str>>, cause: impl Into<Cause>) -> Self {
        Self::new(Kind::Internal, public).with_cause(cause)
    }

    /// The same failure with what caused it.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same failure with words put before the public text.
    #[must_use]
    pub fn context(mut self, before: impl fmt::Display) -> Self {
        self.public = format!("{before}: {}", self.public).into();
        self
    }

    /// A failed file operation: a full disk is [`Kind::ResourceExhausted`], all else [`Kind::Internal`].
    pub fn io(what: impl fmt::Display, cause: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        match cause.kind() {
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => {
                Self::new(Kind::ResourceExhausted, format!("{what}: no space left on device")).with_cause(cause)
            }
            _ => Self::internal(format!("{what} failed"), cause),
        }
    }

    /// What went wrong.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The text for the client.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The public text and every cause below it, for the log.
    pub fn chain(&self) -> String {
        let mut text = self.public.to_string();
        let mut next = self.source();
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.kind, self.chain())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_from_other_failures() {
        let full = Error::io("writing a blob", std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert_eq!(full.kind(), Kind::ResourceExhausted);
        assert_eq!(full.public(), "writing a blob: no space left on device");
        let other = Error::io("writing a blob", std::io::Error::other("controller on fire"));
        assert_eq!((other.kind(), other.public()), (Kind::Internal, "writing a blob failed"));
        assert_eq!(other.chain(), "writing a blob failed: controller on fire");
    }
}
