//! Writing packs anew of which most does not count any more.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::Packs;
use super::location::Packed;
use crate::domain::{Digest, Error, Result};

/// How many bytes are copied at a time.
const PIECE: u64 = 4 << 20;

impl Packs {
    /// Copies what counts of sparse packs to the newest one, and deletes them. What cannot be done now is done another time.
    pub(super) fn compact(&self) {
        // Whoever does it already sees to all.
        let Some(_compacting) = self.compacting.try_lock() else { return };
        let mut last = None;
        loop {
            let Some(number) = self.state.lock().sparse().filter(|number| last != Some(*number)) else { return };
            last = Some(number);
            // Nothing may be added to what is to go.
            self.give_up(number);
            if let Err(error) = self.move_entries(number) {
                tracing::debug!(
                    error = error.chain(),
                    "could not give back the room of removed blobs; a later removal does"
                );
                return;
            }
            self.delete_deserted();
        }
    }

    fn move_entries(&self, number: u32) -> Result<()> {
        let (entries, file) = {
            let state = self.state.lock();
            let Some(pack) = state.pack(number) else { return Ok(()) };
            (state.entries(number), pack.file.clone())
        };
        let read = |entry: &Packed| -> Result<(Digest, Arc<[u8]>)> {
            let mut blob = vec![0; entry.location.size as usize];
            file.read_exact_at(&mut blob, u64::from(entry.location.start))
                .map_err(|e| Error::io("reading content", e))?;
            Ok((entry.digest.clone(), blob.into()))
        };
        let mut piece = Vec::new();
        let mut bytes = 0;
        for (n, entry) in entries.iter().enumerate() {
            piece.push(read(entry)?);
            bytes += entry.entry_len();
            if bytes >= PIECE || n + 1 == entries.len() {
                // What was removed or placed again meanwhile stays as it is.
                self.add(&piece, |state, entry| state.location(&entry.digest).is_some_and(|at| at.pack == number))?;
                piece.clear();
                bytes = 0;
            }
        }
        Ok(())
    }
}
