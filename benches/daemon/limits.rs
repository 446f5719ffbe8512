//! What the machine could do at best: the same bytes moved with nothing else done.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::client::{Received, SKIMMED};

/// How much is written to a socket at a time.
const FED: usize = 256 << 10;

/// A peer on a Unix socket that answers each request with bytes it was given beforehand.
pub struct Echo {
    stream: UnixStream,
    request: Vec<u8>,
    length: usize,
    received: Received,
    peer: Option<JoinHandle<()>>,
}

impl Echo {
    /// Prepares the exchange of this request for this answer.
    pub fn new(request: Vec<u8>, answer: Vec<u8>) -> Outcome<Echo> {
        let (stream, mut far) = UnixStream::pair()?;
        let (mut heard, length) = (vec![0; request.len()], answer.len());
        // Ends when this side closes its stream.
        let peer =
            std::thread::spawn(move || while far.read_exact(&mut heard).is_ok() && far.write_all(&answer).is_ok() {});
        Ok(Echo { stream, request, length, received: Received::default(), peer: Some(peer) })
    }

    /// The time from sending the request to having read the whole answer.
    pub fn exchange(&mut self) -> Outcome<Duration> {
        self.received.clear();
        let start = Instant::now();
        self.stream.write_all(&self.request)?;
        while self.received.bytes().len() < self.length {
            self.received.fill(&mut self.stream)?;
        }
        Ok(start.elapsed())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        if let Some(peer) = self.peer.take() {
            // The peer only moves bytes and has nothing to panic on.
            let _ = peer.join();
        }
    }
}

/// The time to read a file, hash it and write it to another with one sync at the end. The copy is removed again.
pub fn store(archive: &Path, copy: &Path) -> Outcome<Duration> {
    let mut buffer = vec![0; 1 << 20];
    let start = Instant::now();
    let (mut from, mut to, mut hash) = (File::open(archive)?, File::create(copy)?, Sha256::new());
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
    }
    std::hint::black_box(hash.finalize());
    to.sync_all()?;
    let took = start.elapsed();
    std::fs::remove_file(copy)?;
    Ok(took)
}

/// The time to read files and write them to a Unix socket, whose other end reads everything and keeps nothing.
pub fn feed(files: &[PathBuf]) -> Outcome<Duration> {
    let (mut near, mut far) = UnixStream::pair()?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || -> std::io::Result<()> {
            let mut buffer = vec![0; FED];
            for path in files {
                let mut file = File::open(path)?;
                loop {
                    match file.read(&mut buffer)? {
                        0 => break,
                        count => near.write_all(&buffer[..count])?,
                    }
                }
            }
            Ok(())
        });
        let mut buffer = vec![0; SKIMMED];
        while far.read(&mut buffer)? > 0 {}
        writer.join().map_err(|_| "writing to a socket panicked")??;
        Ok(start.elapsed())
    })
}

/// Reads a file once, so that it lies in the page cache, then lets the disk finish what it owes to earlier runs.
pub fn settle(archive: &Path) -> Outcome<()> {
    std::io::copy(&mut File::open(archive)?, &mut std::io::sink())?;
    rustix::fs::sync();
    Ok(())
}
