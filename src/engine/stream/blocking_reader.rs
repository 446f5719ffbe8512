//! What arrives as a stream, for decoders that block.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

/// A stream's bytes as a reader that blocks; to be read off the runtime's threads. When nobody listens to `events` any
/// more, reading fails with `ConnectionAborted`.
pub(in crate::engine) fn blocking_reader<S, E>(archive: S, events: &mpsc::Sender<E>) -> impl Read + Send + use<S, E>
where
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    E: Send + 'static,
{
    let given_up = events.clone();
    let until_given_up = stream::unfold((Box::pin(archive), given_up), |(mut archive, given_up)| async {
        let bytes = tokio::select! {
            biased;
            () = given_up.closed() => Some(Err(io::ErrorKind::ConnectionAborted.into())),
            bytes = archive.next() => bytes,
        };
        bytes.map(|bytes| (bytes, (archive, given_up)))
    });
    SyncIoBridge::new(StreamReader::new(Box::pin(until_given_up)))
}
