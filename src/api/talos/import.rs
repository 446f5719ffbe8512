//! The archive of an import, out of the messages that carry it.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tonic::Status;

use super::proto::machine::ImageServiceImportRequest;
use super::proto::machine::image_service_import_request::Request;

/// Why an archive broke off, once it has.
#[derive(Clone, Debug, Default)]
pub struct Broken(Arc<OnceLock<Status>>);

impl Broken {
    /// Why the archive broke off; `None` where it did not.
    pub fn status(&self) -> Option<Status> {
        self.0.get().cloned()
    }

    fn with(&self, status: Status) -> io::Error {
        let error = io::Error::other(status.message().to_owned());
        // What came first says why.
        let _ = self.0.set(status);
        error
    }
}

/// The archive that messages carry, each of which is taken when the reader of the archive wants more. It fails where a
/// message is no piece of it and where the messages fail, and notes why.
pub fn archive(
    messages: impl Stream<Item = Result<ImageServiceImportRequest, Status>> + Send + 'static,
    broken: Broken,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    messages.map(move |message| match message {
        Ok(ImageServiceImportRequest { request: Some(Request::ImageChunk(piece)) }) => Ok(piece.bytes),
        Ok(_) => Err(broken.with(Status::invalid_argument("failed to import image: no image chunk"))),
        Err(status) => Err(broken.with(status)),
    })
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tonic::Code;

    use super::*;
    use crate::api::talos::proto::common::{ContainerdInstance, Data};

    fn message(request: Option<Request>) -> Result<ImageServiceImportRequest, Status> {
        Ok(ImageServiceImportRequest { request })
    }

    fn piece(bytes: &'static [u8]) -> Result<ImageServiceImportRequest, Status> {
        message(Some(Request::ImageChunk(Data { metadata: None, bytes: Bytes::from_static(bytes) })))
    }

    async fn read(
        messages: Vec<Result<ImageServiceImportRequest, Status>>,
    ) -> (Vec<Result<Bytes, io::ErrorKind>>, Option<Code>) {
        let broken = Broken::default();
        let pieces = archive(stream::iter(messages), broken.clone()).map(|piece| piece.map_err(|error| error.kind()));
        (pieces.collect().await, broken.status().map(|status| status.code()))
    }

    #[tokio::test]
    async fn pieces_make_the_archive() {
        let (read, broken) = read(vec![piece(b"a"), piece(b""), piece(b"bc")]).await;
        assert_eq!(read, [Ok("a".into()), Ok("".into()), Ok("bc".into())]);
        assert_eq!(broken, None);
    }

    #[tokio::test]
    async fn what_is_no_piece_breaks_it_off() {
        let instance = message(Some(Request::Containerd(ContainerdInstance::default())));
        for (last, code) in [
            (instance, Code::InvalidArgument),
            (message(None), Code::InvalidArgument),
            (Err(Status::cancelled("gone")), Code::Cancelled),
        ] {
            let (read, broken) = read(vec![piece(b"a"), last]).await;
            assert_eq!(read, [Ok("a".into()), Err(io::ErrorKind::Other)]);
            assert_eq!(broken, Some(code));
        }
    }
}
