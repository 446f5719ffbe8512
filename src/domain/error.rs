//! The one closed set of failures that every layer speaks.
//!
//! An [`Error`] has two audiences. Its *kind* and *detail* go to the client that asked, in the words of the facade that it
//! uses; the *cause* goes to the log, once, where the error is handled. [`Kind`] alone decides the HTTP status and the gRPC
//! code (`api::error_table`).

mod detail;

use std::error::Error as StdError;
use std::fmt;
use std::sync::OnceLock;

use super::digest::WrongDigest;

pub use detail::Detail;

/// What went wrong, as far as a client can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request itself is wrong and will stay wrong.
    InvalidArgument,
    /// What the request names does not exist here.
    NotFound,
    /// The request contradicts the present state.
    Conflict,
    /// What the request would make is there already.
    AlreadyExists,
    /// The request is understood and refused.
    PermissionDenied,
    /// A rule of admission refuses the image. Unlike [`Kind::PermissionDenied`], which a registry may also answer, this is
    /// always our own decision.
    Denied,
    /// Credentials are missing or were not accepted.
    Unauthenticated,
    /// A range outside of what exists.
    OutOfRange,
    /// The operation exists elsewhere and is not served here.
    NotImplemented,
    /// No room: disk, memory budget or a limit on sizes.
    ResourceExhausted,
    /// A server that the daemon asked wants fewer requests; later it may work.
    TooManyRequests,
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

/// A failure: its kind, what it is about, and the internal cause, if there is one.
///
/// `Display` shows the public text only; the cause is reached through [`std::error::Error::source`].
pub struct Error(Box<Failure>);

struct Failure {
    kind: Kind,
    /// Words before the detail; empty where there are none, and always with [`Detail::Text`], which takes them in.
    context: String,
    detail: Detail,
    /// The public text, once it was asked for; not used for [`Detail::Text`].
    public: OnceLock<String>,
    cause: Option<Cause>,
}

/// The result of everything that can fail with an [`enum@Kind`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of a kind with what it is about: a typed detail, or a text.
    pub fn new(kind: Kind, detail: impl Into<Detail>) -> Self {
        let (context, detail, public) = (String::new(), detail.into(), OnceLock::new());
        Self(Box::new(Failure { kind, context, detail, public, cause: None }))
    }

    /// [`Kind::InvalidArgument`] with what it is about.
    pub fn invalid(detail: impl Into<Detail>) -> Self {
        Self::new(Kind::InvalidArgument, detail)
    }

    /// [`Kind::NotFound`] with what it is about.
    pub fn not_found(detail: impl Into<Detail>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// [`Kind::Denied`]: a rule of admission refuses an image, which is given as it is shown.
    pub fn denied(image: impl Into<String>, rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Kind::Denied, Detail::Denied { image: image.into(), rule: rule.into(), reason: reason.into() })
    }

    /// [`Kind::Internal`]: the text is general, the cause goes to the log.
    pub fn internal(public: impl Into<Detail>, cause: impl Into<Cause>) -> Self {
        Self::new(Kind::Internal, public).with_cause(cause)
    }

    /// The same failure with what caused it.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The same failure as another kind: its detail and its cause stay.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The same failure with words put before the public text.
    #[must_use]
    pub fn context(mut self, before: impl fmt::Display) -> Self {
        let failure = &mut *self.0;
        match &mut failure.detail {
            Detail::Text(text) => *text = format!("{before}: {text}").into(),
            _ if failure.context.is_empty() => failure.context = before.to_string(),
            _ => failure.context = format!("{before}: {}", failure.context),
        }
        failure.public.take();
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
        self.0.kind
    }

    /// What the failure is about. [`Error::prefixed`] puts a facade's words for it behind what [`Error::context`] added.
    pub fn detail(&self) -> &Detail {
        &self.0.detail
    }

    /// The text for clients of a facade that has its own words for details.
    pub fn prefixed(&self, words: &str) -> String {
        match self.0.context.as_str() {
            "" => words.to_owned(),
            context => format!("{context}: {words}"),
        }
    }

    /// The text for clients whose facade has no words of its own, and for the log.
    pub fn public(&self) -> &str {
        match &self.0.detail {
            Detail::Text(text) => text,
            detail => self.0.public.get_or_init(|| self.prefixed(&detail.to_string())),
        }
    }

    /// The public text and every cause below it, for the log.
    pub fn chain(&self) -> String {
        let mut text = self.public().to_owned();
        let mut next = self.source();
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl From<WrongDigest> for Error {
    fn from(wrong: WrongDigest) -> Self {
        Self::invalid(wrong.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.public())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.kind(), self.chain())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
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

    #[test]
    fn words_put_before_a_detail_stay_there_in_whatever_words_it_is_told() {
        let lacks = || Detail::LacksPlatform { image: "app:1".into(), platform: "linux/arm64".into() };
        let error = Error::not_found(lacks()).context("pulling").context("app");
        assert_eq!(error.detail(), &lacks());
        assert_eq!(error.public(), "app: pulling: image app:1 has no content for linux/arm64");
        assert_eq!(error.prefixed("nothing there"), "app: pulling: nothing there");
        let read_before = error.context("again");
        assert_eq!(read_before.public(), "again: app: pulling: image app:1 has no content for linux/arm64");
        assert_eq!(Error::invalid("no").context("bad").detail(), &Detail::Text("bad: no".into()));
    }

    #[test]
    fn a_failure_of_another_kind_is_told_once() {
        let error = Error::new(Kind::Unavailable, "GET /v2/").with_cause("refused").with_kind(Kind::Internal);
        assert_eq!((error.kind(), error.chain().as_str()), (Kind::Internal, "GET /v2/: refused"));
    }
}
