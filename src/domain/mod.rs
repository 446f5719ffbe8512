//! L0: values and their rules. Nothing here knows of files, sockets or a runtime.

pub mod digest;
pub mod error;
pub mod filter;
pub mod platform;
pub mod reference;

pub use digest::Digest;
pub use error::{Error, Kind, Result};
