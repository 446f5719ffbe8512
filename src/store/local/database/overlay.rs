//! A file that is read as if it could be written: what is written stays in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parking_lot::{Mutex, MutexGuard};

const BLOCK: u64 = 4096;

/// A database file that no look at it can change, not even to note that the last process crashed.
#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    len: u64,
    /// Up to where the file's own bytes count.
    kept: u64,
    /// Blocks that were written, by number.
    written: BTreeMap<u64, Box<[u8; BLOCK as usize]>>,
}

impl Overlay {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { file, state: Mutex::new(State { len, kept: len, written: BTreeMap::new() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The bytes of one block from an offset in it on.
    fn read_block(&self, state: &State, number: u64, from: usize, out: &mut [u8]) -> io::Result<()> {
        if let Some(block) = state.written.get(&number) {
            out.copy_from_slice(&block[from..from + out.len()]);
            return Ok(());
        }
        let start = number * BLOCK + from as u64;
        let own = usize::try_from(state.kept.saturating_sub(start)).unwrap_or(usize::MAX).min(out.len());
        self.file.read_exact_at(&mut out[..own], start)?;
        out[own..].fill(0);
        Ok(())
    }
}

/// The blocks that a range touches: each with where the range begins in it, and which part of the range it is.
fn blocks(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        // Less than a block.
        let from = (at % BLOCK) as usize;
        let part = (BLOCK as usize - from).min(len - done);
        let range = done..done + part;
        done += part;
        (part > 0).then_some((at / BLOCK, from, range))
    })
}

impl redb::StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > state.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, from, range) in blocks(offset, out.len()) {
            self.read_block(&state, number, from, &mut out[range])?;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        if len < state.len {
            state.kept = state.kept.min(len);
            drop(state.written.split_off(&len.div_ceil(BLOCK)));
            // What is cut off reads as zero when the file grows again.
            let from = (len % BLOCK) as usize;
            if from > 0
                && let Some(block) = state.written.get_mut(&(len / BLOCK))
            {
                block[from..].fill(0);
            }
        }
        state.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        for (number, from, range) in blocks(offset, data.len()) {
            let mut block = Box::new([0; BLOCK as usize]);
            self.read_block(&state, number, 0, block.as_mut_slice())?;
            block[from..from + range.len()].copy_from_slice(&data[range]);
            state.written.insert(number, block);
        }
        state.len = state.len.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use redb::StorageBackend as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_file_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let own: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
        std::fs::write(&path, &own).unwrap();
        let overlay = Overlay::open(&path).unwrap();
        let read = |offset: u64, len: usize| {
            let mut out = vec![0xAA; len];
            overlay.read(offset, &mut out).map(|()| out)
        };
        assert_eq!(read(0, 10_000).unwrap(), own);
        assert!(read(9_999, 2).is_err() && read(u64::MAX, 2).is_err());
        overlay.write(4_090, &[1; 5_000]).unwrap();
        let mut expected = own.clone();
        expected[4_090..9_090].fill(1);
        assert_eq!(read(0, 10_000).unwrap(), expected);
        // Shorter and longer again: the rest is zero, in blocks that were written and in those that were not.
        overlay.set_len(9_000).unwrap();
        overlay.set_len(20_000).unwrap();
        expected.truncate(9_000);
        expected.resize(20_000, 0);
        assert_eq!(read(0, 20_000).unwrap(), expected);
        overlay.set_len(1_000).unwrap();
        overlay.set_len(5_000).unwrap();
        expected.truncate(1_000);
        expected.resize(5_000, 0);
        assert_eq!(read(0, 5_000).unwrap(), expected);
        assert_eq!(std::fs::read(&path).unwrap(), own);
    }
}
