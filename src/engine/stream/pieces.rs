//! Content as a stream of pieces.
//!
//! What the page cache holds is read where it is asked for: that takes less time than to have another thread do it. Only
//! where the disk would be waited for is it read off the runtime's threads.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use bytes::Bytes;
use futures_util::{Stream, stream};

use crate::domain::{Error, Kind, Result};
use crate::store::Blob;
use crate::store::blocking::{offload, wait};

/// Bytes that are read at a time: each piece that is sent may wake the peer, and few of them cost less than many.
const READ_SIZE: usize = 512 << 10;

/// A rest that is so little longer than a piece is read as one: to send a few bytes more takes as long as to send many.
const LONGEST: usize = READ_SIZE + READ_SIZE / 8;

/// How many bytes more the disk is told to get ready.
const AHEAD: u64 = 4 << 20;

/// How many buffers are kept while nobody needs them.
const MAX_UNUSED: usize = 8;

/// The bytes in a range, in pieces of at most `most`. What is `held` lives as long as the stream.
///
/// The stream fails with `DataLoss` where the content ends before the range does.
pub(in crate::engine) fn pieces(
    reader: Arc<dyn Blob>,
    range: Range<u64>,
    most: usize,
    buffers: Arc<BufferPool>,
    held: impl Send + 'static,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let reading = Reading { reader, range, most: most.max(1), buffers, _held: held };
    stream::try_unfold(reading, |mut reading| async move {
        match reading.range.is_empty() {
            true => Ok(None),
            false => Ok(Some((reading.next().await?, reading))),
        }
    })
}

/// A range that is being read.
struct Reading<H> {
    reader: Arc<dyn Blob>,
    /// What is left of it.
    range: Range<u64>,
    most: usize,
    buffers: Arc<BufferPool>,
    _held: H,
}

impl<H> Reading<H> {
    async fn next(&mut self) -> Result<Bytes> {
        let offset = self.range.start;
        let left = usize::try_from(self.range.end - offset).unwrap_or(usize::MAX).min(self.most);
        let len = if left <= LONGEST { left } else { READ_SIZE };
        let mut buffer = self.buffers.take(len);
        let ready = self.reader.read_ready(&mut buffer[..len], offset);
        if ready < len {
            let reader = self.reader.clone();
            let read = offload(move || {
                reader.prefetch(offset + len as u64, AHEAD);
                read_full(reader.as_ref(), &mut buffer[ready..len], offset + ready as u64).map(|()| buffer)
            });
            buffer = read.await?;
        }
        self.range.start += len as u64;
        Ok(Bytes::from_owner(PooledBuffer { buffer, len, buffers: self.buffers.clone() }))
    }
}

/// Fills the buffer from an offset on. Blocks.
///
/// # Errors
/// `DataLoss` where the content ends before.
pub(in crate::engine) fn read_full(reader: &dyn Blob, buffer: &mut [u8], offset: u64) -> Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        match wait(reader.read_at(&mut buffer[filled..], offset + filled as u64))? {
            0 => return Err(Error::new(Kind::DataLoss, "content is shorter than recorded")),
            read => filled += read,
        }
    }
    Ok(())
}

/// Buffers that pieces were in, for further pieces of any content: a new one would have to be zeroed first, which takes a
/// tenth of the time to read and send it.
#[derive(Default)]
pub(in crate::engine) struct BufferPool(Mutex<Vec<Vec<u8>>>);

impl BufferPool {
    fn take(&self, len: usize) -> Vec<u8> {
        let mut buffer = self.0.lock().pop().unwrap_or_default();
        buffer.resize(buffer.len().max(len), 0);
        buffer
    }

    fn put(&self, buffer: Vec<u8>) {
        let mut unused = self.0.lock();
        if unused.len() < MAX_UNUSED && buffer.len() <= LONGEST {
            unused.push(buffer);
        }
    }
}

/// A piece on its way; its buffer goes back when nobody needs its bytes any more.
struct PooledBuffer {
    buffer: Vec<u8>,
    len: usize,
    buffers: Arc<BufferPool>,
}

impl AsRef<[u8]> for PooledBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        self.buffers.put(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use futures_util::future::BoxFuture;

    use super::*;

    /// Content of which only a part is at hand.
    struct Lukewarm {
        content: Vec<u8>,
        ready: u64,
    }

    impl Blob for Lukewarm {
        fn size(&self) -> u64 {
            self.content.len() as u64
        }

        fn read_at<'a>(&'a self, buffer: &'a mut [u8], offset: u64) -> BoxFuture<'a, Result<usize>> {
            let rest = &self.content[(offset as usize).min(self.content.len())..];
            // Short reads must do no harm.
            let len = rest.len().min(buffer.len()).min(70_000);
            buffer[..len].copy_from_slice(&rest[..len]);
            Box::pin(async move { Ok(len) })
        }

        fn read_ready(&self, buffer: &mut [u8], offset: u64) -> usize {
            let end = self.ready.min(self.size());
            let len = end.saturating_sub(offset).min(buffer.len() as u64) as usize;
            buffer[..len].copy_from_slice(&self.content[offset as usize..][..len]);
            len
        }
    }

    async fn read(ready: u64, range: Range<u64>, most: usize) -> Result<Vec<Bytes>> {
        let content = (0..1_500_000u32).map(|at| (at / 7) as u8).collect();
        pieces(Arc::new(Lukewarm { content, ready }), range, most, Arc::default(), ()).try_collect().await
    }

    #[tokio::test]
    async fn the_bytes_are_the_same_wherever_they_come_from() {
        let all: Vec<u8> = (0..1_500_000u32).map(|at| (at / 7) as u8).collect();
        for ready in [0, 1, 200_000, 1_400_000, u64::MAX] {
            for (range, most) in [(0..1_500_000, usize::MAX), (5..1_400_001, 100_000), (77..77, 1), (3..9, 0)] {
                let read = read(ready, range.clone(), most).await.unwrap();
                assert!(read.iter().all(|piece| piece.len() <= most.max(1)), "{ready} {range:?} {most}");
                assert_eq!(read.concat(), all[range.start as usize..range.end as usize], "{ready} {range:?} {most}");
            }
        }
    }

    #[tokio::test]
    async fn content_that_ends_early_is_an_error() {
        for ready in [0, u64::MAX] {
            assert_eq!(read(ready, 1_400_000..1_500_001, 1000).await.unwrap_err().kind(), Kind::DataLoss);
        }
    }

    #[tokio::test]
    async fn buffers_are_used_again() {
        let content = vec![7; 10 * READ_SIZE];
        let reader = Arc::new(Lukewarm { content, ready: u64::MAX });
        let reading =
            Reading { reader, range: 0..10 * READ_SIZE as u64, most: READ_SIZE, buffers: Arc::default(), _held: () };
        let (buffers, mut reading) = (reading.buffers.clone(), reading);
        for _ in 0..10 {
            drop(reading.next().await.unwrap());
        }
        assert_eq!(buffers.0.lock().len(), 1);
    }
}
