//! Registries: the OCI distribution protocol as the daemon speaks it, with Docker's names and habits.
//!
//! [`Registries`] is made once. It hands out a [`Repository`] for a name and a [`Credential`]; all requests go through
//! that. What a registry answers is taken for hostile: bodies are bounded, documents are checked against their digest and
//! against what was said of them, and a credential goes to the registry it is for and to that registry's token service,
//! nowhere else.

mod auth;
mod blobs;
mod body;
mod challenge;
mod credential;
mod download;
mod encoding;
mod endpoint;
mod hosts;
mod lists;
mod login;
mod manifests;
mod named;
mod oci;
mod policy;
mod proxies;
mod refusal;
mod registries;
mod repository;
mod search;
mod settings;
mod tls;
mod transport;
mod uploads;

pub use blobs::BlobBody;
pub use body::BlobStream;
pub use credential::Credential;
pub use download::{Download, without_secrets};
pub use lists::referrers_tag;
pub use login::LoginOutcome;
pub use manifests::Resolved;
pub use named::TokenService;
pub use policy::InsecureRegistry;
pub use proxies::Proxies;
pub use registries::Registries;
pub use repository::{Access, Repository};
pub use search::SearchHit;
pub use settings::{Settings, Timeouts};
pub use uploads::{Mounted, UploadSession};
