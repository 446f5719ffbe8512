//! L0: values and their rules. Nothing here knows of files, sockets or a runtime.

pub mod attestation;
pub mod descriptor;
pub mod digest;
pub mod error;
pub mod event;
pub mod filter;
pub mod go_json;
pub mod image;
pub mod image_name;
pub mod manifest;
pub mod name_key;
pub mod platform;
pub mod public_key;
pub mod reference;
pub mod runtime_config;
pub mod secret;
pub mod tag_name;
pub mod verification;

pub use descriptor::{Descriptor, MediaType, StringMap};
pub use digest::Digest;
pub use error::{Detail, Error, Kind, Result};
pub use image_name::ImageName;
pub use name_key::{NameKey, NameKind};
pub use platform::Platform;
pub use public_key::PublicKey;
pub use reference::Reference;
pub use secret::Secret;
pub use tag_name::TagName;
