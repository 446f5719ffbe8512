//! Registries: the OCI distribution protocol as the daemon speaks it, with Docker's names and habits.
//!
//! [`Registries`] is made once. It hands out a [`Repository`] for a name and a [`Credential`]; all requests go through
//! that. What a registry answers is taken for hostile: bodies are bounded, documents are checked against their digest and
//! against what was said of them, and a credential goes to the registry it is for and to that registry's token service,
//! nowhere else.

mod credential;
mod settings;

use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use credential::Credential;
pub use settings::{Proxies, Settings, Timeouts};

use crate::domain::error::{Error, Kind, Result};
use crate::domain::{Descriptor, Digest, MediaType, Reference, Secret};

/// What is to be done with a repository; it decides what is asked of the token service, and whether mirrors serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading.
    Pull,
    /// Reading and writing. Mirrors are never written to.
    Push,
}

/// Every registry the daemon can reach, and the connections and tokens it holds for them.
///
/// A clone shares them.
#[derive(Clone)]
pub struct Registries {}

/// What a registry said to a login.
#[derive(Clone, Debug, PartialEq)]
pub struct LoginOutcome {
    /// What to use from now on in place of the password; absent where the registry gives no such token.
    pub identity_token: Option<Secret>,
}

/// What a tag or digest stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Of the index or manifest: its type, digest and size, nothing else.
    pub descriptor: Descriptor,
    /// The document itself, where finding its digest took fetching it. It is what `descriptor` says.
    pub bytes: Option<Bytes>,
}

/// The bytes of a blob as they arrive.
pub type BlobStream = BoxStream<'static, Result<Bytes>>;

/// A blob that is being fetched.
pub struct BlobBody {
    /// Where in the blob the stream begins: as asked for, or 0 where the registry does not serve ranges.
    pub start: u64,
    /// The rest of the blob from there. It never yields more than the descriptor's size; it fails with `Unavailable`
    /// where the connection ends early or nothing arrives for too long, and may then be asked for again from where it
    /// ended. The digest is *not* checked here: only who has all the bytes can.
    pub stream: BlobStream,
}

/// What came of asking a registry to take over a blob from another of its repositories.
#[derive(Debug)]
pub enum Mounted {
    /// The blob is in the repository now.
    Yes,
    /// It must be uploaded; the registry may have opened an upload for that already.
    No(Option<UploadSession>),
}

/// An upload that a registry has opened, to be handed to [`Repository::upload`].
#[derive(Debug)]
pub struct UploadSession {}

/// A repository, and the right to read or write it. A clone shares it.
#[derive(Clone)]
pub struct Repository {}

impl Registries {
    /// Reads the settings; opens nothing.
    ///
    /// # Errors
    /// `InvalidArgument` for a mirror that is no URL.
    pub fn new(settings: Settings) -> Result<Self> {
        let _ = settings;
        Ok(Self {})
    }

    /// The repository that a reference is in, to be used with a credential. Sends nothing yet.
    ///
    /// # Errors
    /// `InvalidArgument` where the reference's domain is no host.
    pub fn repository(&self, name: &Reference, access: Access, credential: Credential) -> Result<Repository> {
        let _ = (name, access, credential);
        Ok(Repository {})
    }

    /// Whether a registry accepts a credential, as `docker login` asks. `server` is a host with or without port, or a
    /// URL; empty is Docker Hub.
    ///
    /// # Errors
    /// `Unauthenticated` where it does not; `Unavailable` where the registry cannot be asked.
    pub async fn login(&self, server: &str, credential: &Credential) -> Result<LoginOutcome> {
        let _ = (server, credential);
        Err(absent())
    }
}

impl Repository {
    /// What a reference's digest, or else its tag, or else `latest`, stands for in this repository.
    ///
    /// # Errors
    /// `NotFound` with Docker's text (`failed to resolve reference …: not found`), `Unauthenticated` or
    /// `PermissionDenied` (`pull access denied for …`), `InvalidArgument` for what is no image document (schema 1
    /// included), `DataLoss` where bytes and digest differ, `ResourceExhausted` for too many requests or too large a
    /// document, `Unavailable` for everything that may pass.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        let _ = reference;
        Err(absent())
    }

    /// An index or manifest by its digest: its media type and its exact bytes, checked against the digest, against
    /// `expected` and against the type that its own body names.
    ///
    /// # Errors
    /// As [`Repository::resolve`].
    pub async fn manifest(&self, digest: &Digest, expected: Option<&MediaType>) -> Result<(MediaType, Bytes)> {
        let _ = (digest, expected);
        Err(absent())
    }

    /// The bytes of a blob from an offset on. Only this registry is asked for it: URLs in the descriptor are ignored.
    ///
    /// # Errors
    /// `NotFound` where the repository lacks the blob; else as [`Repository::resolve`].
    pub async fn blob(&self, descriptor: &Descriptor, offset: u64) -> Result<BlobBody> {
        let _ = (descriptor, offset);
        Err(absent())
    }

    /// The manifests that name `subject` as theirs: from the referrers API, or else from the tag that stands in for it.
    /// Empty where there are none. A descriptor's artifact type may be absent.
    ///
    /// # Errors
    /// `ResourceExhausted` where a registry lists more than anyone can have meant; else as [`Repository::resolve`].
    pub async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>> {
        let _ = subject;
        Err(absent())
    }

    /// All tags of the repository, in the registry's order.
    ///
    /// # Errors
    /// `NotFound` where the repository is not there; else as [`Repository::referrers`].
    pub async fn tags(&self) -> Result<Vec<String>> {
        Err(absent())
    }

    /// Whether the repository holds a blob.
    ///
    /// # Errors
    /// As [`Repository::resolve`], without `NotFound`.
    pub async fn exists(&self, blob: &Digest) -> Result<bool> {
        let _ = blob;
        Err(absent())
    }

    /// Asks the registry to take a blob over from another repository of its own.
    ///
    /// # Errors
    /// Only where the registry cannot be used at all: a refusal to mount is [`Mounted::No`].
    pub async fn mount(&self, blob: &Digest, from: &Reference) -> Result<Mounted> {
        let _ = (blob, from);
        Err(absent())
    }

    /// Sends a blob. `open` gives its bytes from an offset on, and is called again when an attempt is repeated.
    ///
    /// # Errors
    /// `PermissionDenied` or `Unauthenticated` where writing is refused; what `open`'s stream fails with; else as
    /// [`Repository::resolve`].
    pub async fn upload(
        &self,
        descriptor: &Descriptor,
        session: Option<UploadSession>,
        open: impl Fn(u64) -> BlobStream + Send + Sync,
    ) -> Result<()> {
        let _ = (descriptor, session, open(0));
        Err(absent())
    }

    /// Stores an index or manifest under a tag or digest; its digest.
    ///
    /// # Errors
    /// As [`Repository::upload`]; `InvalidArgument` where the registry refuses the document.
    pub async fn put_manifest(&self, reference: &str, media_type: &MediaType, bytes: Bytes) -> Result<Digest> {
        let _ = (reference, media_type, bytes);
        Err(absent())
    }
}

fn absent() -> Error {
    Error::new(Kind::NotImplemented, "registries are not served yet")
}
