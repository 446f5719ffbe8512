//! The body of an answer that tells of what happens, a line each.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};

/// How often lines are sent at most. Each time wakes the client, which costs both sides more than a line does; and nobody
/// sees what lasts shorter than this.
const PACE: Duration = Duration::from_millis(10);

/// So many bytes of lines are not held back, whatever the time.
const MOST: usize = 32 << 10;

/// A body of the lines that `line` makes of `first` and of all events after it, in order. An event whose line is empty is not told.
///
/// The first line is sent at once, what follows shortly after in fewer writes, and the last with the end of the events. Dropping
/// the body drops the receiver.
pub fn lines<E: Send + 'static>(first: Option<E>, events: Receiver<E>, line: fn(E) -> Bytes) -> Body {
    let telling = Telling { first, events, line, pace: PACE, sent: None };
    Body::from_stream(telling.pieces().map(Ok::<_, Infallible>))
}

struct Telling<E> {
    first: Option<E>,
    events: Receiver<E>,
    line: fn(E) -> Bytes,
    pace: Duration,
    /// When lines were sent last.
    sent: Option<Instant>,
}

impl<E> Telling<E> {
    fn pieces(self) -> impl Stream<Item = Bytes> {
        stream::unfold(self, |mut telling| async { Some((telling.gather().await?, telling)) })
    }

    /// The lines to send next; `None` at the end.
    async fn gather(&mut self) -> Option<Bytes> {
        let mut gathered = BytesMut::new();
        while gathered.is_empty() {
            let event = match self.first.take() {
                Some(first) => first,
                None => self.events.recv().await?,
            };
            gathered.extend_from_slice(&(self.line)(event));
        }
        let until = self.sent.map_or_else(Instant::now, |sent| sent + self.pace);
        while gathered.len() < MOST
            && let Ok(Some(event)) = timeout_at(until, self.events.recv()).await
        {
            gathered.extend_from_slice(&(self.line)(event));
        }
        self.sent = Some(Instant::now());
        Some(gathered.freeze())
    }
}

#[cfg(test)]
mod tests;
