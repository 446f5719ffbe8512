//! What a registry sends.

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::domain::error::Result;

/// The bytes of a blob as they arrive.
pub type BlobStream = BoxStream<'static, Result<Bytes>>;
