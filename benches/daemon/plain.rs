//! The least that a client of a registry can do: what a pull and a push are measured against.
//!
//! As many connections as the daemon has by default, each kept for one blob after the other, and nothing that the bytes
//! themselves do not need.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::contents::{Blob, Contents};
use crate::layout::{MANIFEST, hex};
use crate::registry::{EMPTY, FULL, Registry, TAG};

const DOWNLOADS: usize = 3;
const UPLOADS: usize = 5;

const BUFFER: usize = 256 << 10;

/// The time to download an image, hash it and write it to one file with one sync at the end. The file is removed again.
pub fn pull(registry: &Registry, contents: &Contents, copy: &Path) -> Outcome<Duration> {
    let start = Instant::now();
    let mut stream = registry.connect()?;
    let mut manifest = vec![0; request(&mut stream, "GET", &format!("{FULL}/manifests/{TAG}"), 0)? as usize];
    stream.read_exact(&mut manifest)?;
    let file = File::create(copy)?;
    let mut places = Vec::new();
    for blob in &contents.blobs {
        places.push((places.last().map_or(0, |(at, before): &(u64, &Blob)| at + before.size), blob));
    }
    side_by_side(DOWNLOADS, registry, places, |stream, (at, blob)| download(stream, blob, &file, at))?;
    file.sync_all()?;
    let took = start.elapsed();
    std::fs::remove_file(copy)?;
    Ok(took)
}

/// The time to read the blobs of an image from a directory and upload them.
pub fn push(registry: &Registry, contents: &Contents, blobs: &Path) -> Outcome<Duration> {
    let start = Instant::now();
    side_by_side(UPLOADS, registry, contents.blobs.iter().collect(), |stream, blob| upload(stream, blob, blobs))?;
    let mut stream = registry.connect()?;
    send_head(&mut stream, "PUT", &format!("{EMPTY}/manifests/{TAG}"), contents.manifest.len() as u64)?;
    stream.write_all(&contents.manifest)?;
    answer(&mut stream)?;
    Ok(start.elapsed())
}

/// Does the work on several connections, each taking the next when it is done with one.
fn side_by_side<T: Send>(
    connections: usize,
    registry: &Registry,
    work: Vec<T>,
    each: impl Fn(&mut TcpStream, T) -> Outcome<()> + Sync,
) -> Outcome<()> {
    let queue = Mutex::new(work.into_iter());
    let next = || queue.lock().ok()?.next();
    let run = || -> Outcome<()> {
        let mut stream = registry.connect()?;
        while let Some(item) = next() {
            each(&mut stream, item)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..connections).map(|_| scope.spawn(|| run().map_err(|error| error.to_string()))).collect();
        for thread in threads {
            thread.join().map_err(|_| "a connection panicked")??;
        }
        Ok(())
    })
}

fn download(stream: &mut TcpStream, blob: &Blob, file: &File, mut at: u64) -> Outcome<()> {
    let mut left = request(stream, "GET", &format!("{FULL}/blobs/{}", blob.digest), 0)?;
    let (mut buffer, mut hash) = (vec![0; BUFFER], Sha256::new());
    while left > 0 {
        let most = left.min(BUFFER as u64) as usize;
        let count = stream.read(&mut buffer[..most])?;
        if count == 0 {
            return Err("a download breaks off".into());
        }
        hash.update(&buffer[..count]);
        file.write_all_at(&buffer[..count], at)?;
        at += count as u64;
        left -= count as u64;
    }
    match blob.digest == format!("sha256:{}", hex(&hash.finalize().into())) {
        true => Ok(()),
        false => Err("the registry sent something else".into()),
    }
}

fn upload(stream: &mut TcpStream, blob: &Blob, blobs: &Path) -> Outcome<()> {
    request(stream, "POST", &format!("{EMPTY}/blobs/uploads/"), 0)?;
    send_head(stream, "PUT", &format!("{EMPTY}/blobs/uploads/1?digest={}", blob.digest), blob.size)?;
    let mut file = File::open(blobs.join(blob.digest.trim_start_matches("sha256:")))?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => stream.write_all(&buffer[..count])?,
        }
    }
    answer(stream)?;
    Ok(())
}

/// Sends a request without a body; the length of the answer's body, which has not been read.
fn request(stream: &mut TcpStream, method: &str, path: &str, length: u64) -> Outcome<u64> {
    send_head(stream, method, path, length)?;
    answer(stream)
}

fn send_head(stream: &mut TcpStream, method: &str, path: &str, length: u64) -> Outcome<()> {
    let head = format!(
        "{method} /v2/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MANIFEST}\r\nContent-Length: {length}\r\n\r\n"
    );
    Ok(stream.write_all(head.as_bytes())?)
}

/// Reads the head of an answer and no more; the length of its body.
fn answer(stream: &mut TcpStream) -> Outcome<u64> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head)?;
    if !head.starts_with("HTTP/1.1 20") {
        return Err(format!("the registry answers {head}").into());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    Ok(length.ok_or("an answer without a length")?.parse()?)
}
