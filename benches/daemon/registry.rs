//! A registry that does next to nothing: the kernel sends its blobs from the page cache, and throws uploads away unread.
//!
//! It is a process of its own, so that what it costs is the same whoever its client is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::net::{RecvFlags, recv};
use serde_json::json;

use crate::Outcome;
use crate::client::SKIMMED;
use crate::contents::Contents;
use crate::layout::{INDEX, MANIFEST};

/// The repository that holds the image of the archive, under [`TAG`]. Every other one is empty and stays so.
pub const FULL: &str = "bench/full";
pub const EMPTY: &str = "bench/empty";
pub const TAG: &str = "v1";

/// Where it tells how many bytes of blobs were uploaded since the last question.
const RECEIVED: &str = "/received";

/// A registry that runs; it ends when it is dropped.
pub struct Registry {
    child: Child,
    pub port: u16,
}

impl Registry {
    /// Starts this program again, as a registry of the archive.
    pub fn start(archive: &Path) -> Outcome<Registry> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("registry").arg(archive).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut registry = Registry { child: command.spawn()?, port: 0 };
        let mut line = String::new();
        let output = registry.child.stdout.take().ok_or("a registry without output")?;
        BufReader::new(output).read_line(&mut line)?;
        registry.port = line.trim().parse()?;
        Ok(registry)
    }

    pub fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// The name of an image in one of its repositories.
    pub fn name(&self, repository: &str) -> String {
        format!("127.0.0.1:{}/{repository}", self.port)
    }

    /// How many bytes of blobs were uploaded since this was asked last.
    pub fn received(&self) -> Outcome<u64> {
        let mut stream = self.connect()?;
        write!(stream, "GET {RECEIVED} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        // It hangs up on a client that will ask no more.
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.rsplit("\r\n").next().unwrap_or_default().parse()?)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Both fail only where the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves an archive on a port of the loopback interface, which it prints. Returns only when it fails.
pub fn serve(archive: &Path) -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?.port());
    let shared = Arc::new(Shared { contents: Contents::of(archive)?, received: AtomicU64::new(0) });
    for stream in listener.incoming() {
        let (stream, shared) = (stream?, shared.clone());
        // A client that hangs up in the middle ends its own thread only.
        std::thread::spawn(move || drop(shared.serve(stream)));
    }
    Ok(())
}

struct Shared {
    contents: Contents,
    received: AtomicU64,
}

/// A request's line and the length of its body.
struct Head {
    method: String,
    path: String,
    length: u64,
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> Outcome<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(head) = read_head(&mut reader)? {
            let mut left = head.length;
            let buffered = left.min(reader.buffer().len() as u64);
            reader.consume(buffered as usize);
            left -= buffered;
            if left > 0 {
                skip(&stream, left)?;
            }
            self.answer(&stream, &head)?;
        }
        Ok(())
    }

    fn answer(&self, stream: &TcpStream, head: &Head) -> Outcome<()> {
        let path = head.path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.trim_start_matches("/v2/").rsplitn(3, '/').collect();
        match (head.method.as_str(), &parts[..]) {
            ("GET", _) if path == RECEIVED => {
                let count = self.received.swap(0, Ordering::Relaxed).to_string();
                reply(stream, "200 OK", "", count.as_bytes())
            }
            ("GET" | "HEAD", [""]) => reply(stream, "200 OK", "", b""),
            ("GET" | "HEAD", [reference, "manifests", FULL])
                if *reference == TAG || *reference == self.contents.manifest_digest =>
            {
                let digest = &self.contents.manifest_digest;
                let more = format!("Content-Type: {MANIFEST}\r\nDocker-Content-Digest: {digest}\r\n");
                match head.method.as_str() {
                    "HEAD" => promise(stream, &more, self.contents.manifest.len() as u64),
                    _ => reply(stream, "200 OK", &more, &self.contents.manifest),
                }
            }
            ("GET" | "HEAD", [digest, "blobs", FULL]) => match self.contents.open(digest)? {
                Some((mut blob, size)) => {
                    promise(stream, "", size)?;
                    if head.method == "GET" {
                        std::io::copy(&mut blob, &mut &*stream)?;
                    }
                    Ok(())
                }
                None => reply(stream, "404 Not Found", "", b""),
            },
            ("GET", [_, "referrers", _]) => {
                let none = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string();
                reply(stream, "200 OK", &format!("Content-Type: {INDEX}\r\n"), none.as_bytes())
            }
            ("POST", ["", "uploads", _]) => reply(stream, "202 Accepted", &format!("Location: {path}1\r\n"), b""),
            ("PUT", [_, "uploads", _]) => {
                self.received.fetch_add(head.length, Ordering::Relaxed);
                reply(stream, "201 Created", "", b"")
            }
            ("PUT", [_, "manifests", _]) => reply(stream, "201 Created", "", b""),
            // The answer to a HEAD has no body, and no more does this one.
            _ => reply(stream, "404 Not Found", "", b""),
        }
    }
}

/// The next request's head; `None` where the client has hung up.
fn read_head(reader: &mut impl BufRead) -> Outcome<Option<Head>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Err("no request".into()) };
    let mut head = Head { method, path, length: 0 };
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => head.length = value.trim().parse()?,
            Some((name, _)) if name.eq_ignore_ascii_case("transfer-encoding") => return Err("a body in chunks".into()),
            Some(_) => {}
            None => return Ok(Some(head)),
        }
    }
}

/// Has the kernel throw away bytes that arrive, without copying them.
fn skip(stream: &TcpStream, mut left: u64) -> Outcome<()> {
    let mut unused = vec![0; SKIMMED];
    while left > 0 {
        let most = left.min(SKIMMED as u64) as usize;
        match recv(stream, &mut unused[..most], RecvFlags::TRUNC)?.1 {
            0 => return Err("an upload breaks off".into()),
            count => left -= count as u64,
        }
    }
    Ok(())
}

fn reply(mut stream: &TcpStream, status: &str, headers: &str, body: &[u8]) -> Outcome<()> {
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    Ok(stream.write_all(&answer)?)
}

/// The head of an answer whose body follows or, on a HEAD, does not.
fn promise(mut stream: &TcpStream, headers: &str, length: u64) -> Outcome<()> {
    Ok(write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{headers}\r\n")?)
}
