//! What arrives as a stream, for who reads it and waits.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

/// How many pieces are read ahead.
const AHEAD: usize = 4;

/// A stream's pieces as a reader that blocks.
pub(in crate::engine) struct PieceReader {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl PieceReader {
    /// Reads a stream in a task of its own. When nobody listens to `events` any more, reading fails with
    /// `ConnectionAborted`.
    pub(in crate::engine) fn of<E: Send + 'static>(
        stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        events: &mpsc::Sender<E>,
    ) -> Self {
        let (pieces, reader) = mpsc::channel(AHEAD);
        let given_up = events.clone();
        tokio::spawn(async move {
            let mut stream = std::pin::pin!(stream);
            loop {
                let piece = tokio::select! {
                    () = given_up.closed() => Some(Err(io::ErrorKind::ConnectionAborted.into())),
                    piece = stream.next() => piece,
                };
                let Some(piece) = piece else { break };
                let last = piece.is_err();
                // The reader hangs up when it has seen the end of the archive, or has failed.
                if pieces.send(piece).await.is_err() || last {
                    break;
                }
            }
        });
        Self { pieces: reader, current: Bytes::new() }
    }
}

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.current = piece?,
                None => return Ok(0),
            }
        }
        let len = self.current.len().min(buffer.len());
        buffer[..len].copy_from_slice(&self.current.split_to(len));
        Ok(len)
    }
}
