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

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(reader: impl Read + Send + 'static) -> (Vec<u8>, io::Result<()>) {
        let reading = move || {
            let (mut reader, mut all) = (reader, Vec::new());
            let result = reader.read_to_end(&mut all).map(drop);
            (all, result)
        };
        tokio::task::spawn_blocking(reading).await.unwrap()
    }

    #[tokio::test]
    async fn all_is_read_up_to_the_end_or_the_failure() {
        let (events, _listener) = mpsc::channel::<()>(1);
        let bytes = ["one", "", " two"].map(|text| Ok(Bytes::from(text)));
        let (all, result) = read(blocking_reader(stream::iter(bytes), &events)).await;
        assert!(all == b"one two" && result.is_ok());
        let broken = [Ok(Bytes::from("one")), Err(io::ErrorKind::TimedOut.into()), Ok(Bytes::from("two"))];
        let (all, result) = read(blocking_reader(stream::iter(broken), &events)).await;
        assert_eq!((all.as_slice(), result.unwrap_err().kind()), (b"one".as_slice(), io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_stream_that_stalls_fails_when_nobody_listens() {
        let (events, listener) = mpsc::channel::<()>(1);
        let stalled = stream::iter([Ok(Bytes::from("one"))]).chain(stream::pending());
        let reading = tokio::spawn(read(blocking_reader(stalled, &events)));
        drop(listener);
        let (_, result) = reading.await.unwrap();
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }
}
