//! Bytes as they arrive, with a look ahead.

use std::io::{self, BufRead, Read};

/// Bytes that are read ahead.
const BUFFER: usize = 128 << 10;

type Used<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// A buffered reader that can look at what comes next, and that tells what of it was used.
pub(in crate::archive) struct Source<'a, R> {
    reader: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Who is shown the bytes that are used.
    used: Option<Used<'a>>,
    /// Why that failed; told by the next read.
    failed: Option<io::Error>,
}

impl<'a, R: Read> Source<'a, R> {
    pub(in crate::archive) fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; BUFFER].into(), start: 0, end: 0, used: None, failed: None }
    }

    /// Shows all bytes that are used from now on to somebody, not those that are skipped.
    pub(in crate::archive) fn showing<'b>(self, used: Used<'b>) -> Source<'b, R> {
        let Self { reader, buffer, start, end, failed, .. } = self;
        Source { reader, buffer, start, end, used: Some(used), failed }
    }

    /// The next bytes, as many as asked for unless the end comes first.
    pub(in crate::archive) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.start + count > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        while self.end - self.start < count {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + count)])
    }

    /// Skips all zeroes that come next.
    pub(super) fn skip_zeroes(&mut self) -> io::Result<()> {
        loop {
            let next = self.fill_buf()?;
            let zeroes = next.iter().take_while(|byte| **byte == 0).count();
            if zeroes == 0 {
                return Ok(());
            }
            self.start += zeroes;
        }
    }
}

impl<R: Read> BufRead for Source<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.end = self.reader.read(&mut self.buffer)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        if let Some(used) = &mut self.used
            && count > 0
            && let Err(error) = used(&self.buffer[self.start..self.start + count])
        {
            self.failed.get_or_insert(error);
        }
        self.start += count;
    }
}

impl<R: Read> Read for Source<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.fill_buf()?;
        let count = next.len().min(buffer.len());
        buffer[..count].copy_from_slice(&next[..count]);
        self.consume(count);
        Ok(count)
    }
}
