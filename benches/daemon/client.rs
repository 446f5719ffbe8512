//! An HTTP/1.1 client with no layer between the clock and the socket.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;

/// How much of an answer that is not kept is read at a time.
pub const SKIMMED: usize = 1 << 20;

/// A keep-alive connection whose receive buffer is reused, so that a measured exchange allocates nothing once it is warm.
pub struct Connection {
    stream: UnixStream,
    received: Received,
}

/// One answer as it came over the wire, head and framing included.
pub struct Answer<'a> {
    pub status: u16,
    /// From before the request's first byte was written to after the answer's last byte was read.
    pub took: Duration,
    pub wire: &'a [u8],
}

impl Connection {
    pub fn open(socket: &Path) -> std::io::Result<Connection> {
        Ok(Connection { stream: UnixStream::connect(socket)?, received: Received::default() })
    }

    pub fn get(&mut self, path: &str) -> Outcome<Answer<'_>> {
        self.exchange(&get_request(path))
    }

    /// Sends a request without a body.
    pub fn send(&mut self, method: &str, path: &str) -> Outcome<Answer<'_>> {
        // Docker's clients send a credential with every push, be it an empty one: `{}` in base64.
        let head = "Host: localhost\r\nContent-Length: 0\r\nX-Registry-Auth: e30=";
        self.exchange(format!("{method} {path} HTTP/1.1\r\n{head}\r\n\r\n").as_bytes())
    }

    /// Reads an answer that is too large to keep; returns the time and the size of its body.
    pub fn skim(&mut self, path: &str) -> Outcome<(Duration, u64)> {
        let request = get_request(path);
        let start = Instant::now();
        self.stream.write_all(&request)?;
        self.received.clear();
        let head_end = self.head()?;
        let head = std::str::from_utf8(&self.received.bytes()[..head_end])?.to_owned();
        let (Some(" 200 "), Framing::Length(length)) = (head.get(8..13), body_framing(&head)?) else {
            return Err(format!("an answer that cannot be skimmed: {head}").into());
        };
        let mut left = length - (self.received.bytes().len() - head_end);
        let mut buffer = vec![0; SKIMMED];
        while left > 0 {
            match self.stream.read(&mut buffer)? {
                0 => return Err("the answer breaks off".into()),
                count => left -= count,
            }
        }
        Ok((start.elapsed(), length as u64))
    }

    fn exchange(&mut self, request: &[u8]) -> Outcome<Answer<'_>> {
        let start = Instant::now();
        self.stream.write_all(request)?;
        let status = self.answer()?;
        Ok(Answer { status, took: start.elapsed(), wire: self.received.bytes() })
    }

    /// Sends a file as the body of a POST. The kernel copies it from the page cache to the socket where it can.
    pub fn post_file(&mut self, path: &str, file: &Path) -> Outcome<Answer<'_>> {
        let mut file = File::open(file)?;
        let length = file.metadata()?.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-tar\r\nContent-Length: {length}\r\n\r\n"
        );
        let start = Instant::now();
        self.stream.write_all(head.as_bytes())?;
        // A daemon that refuses the body answers early; its answer says more than the broken pipe.
        let sent = std::io::copy(&mut file, &mut self.stream);
        let status = self.answer().map_err(|error| match sent {
            Err(cause) => cause.into(),
            Ok(_) => error,
        })?;
        Ok(Answer { status, took: start.elapsed(), wire: self.received.bytes() })
    }

    fn answer(&mut self) -> Outcome<u16> {
        self.received.clear();
        let head_end = self.head()?;
        let head = std::str::from_utf8(&self.received.bytes()[..head_end])?;
        let status = head.split(' ').nth(1).ok_or("an answer without a status")?.parse()?;
        match body_framing(head)? {
            Framing::Length(length) => {
                while self.received.bytes().len() < head_end + length {
                    self.received.fill(&mut self.stream)?;
                }
            }
            Framing::Chunked => self.skip_chunks(head_end)?,
        }
        Ok(status)
    }

    /// Reads until the end of the head; where that is.
    fn head(&mut self) -> Outcome<usize> {
        loop {
            if let Some(at) = find(self.received.bytes(), b"\r\n\r\n") {
                return Ok(at + 4);
            }
            self.received.fill(&mut self.stream)?;
        }
    }

    /// Reads until the last chunk, without copying any.
    fn skip_chunks(&mut self, mut at: usize) -> Outcome<()> {
        loop {
            let Some((size, data)) = chunk_head(self.received.bytes(), at)? else {
                self.received.fill(&mut self.stream)?;
                continue;
            };
            at = data + size + 2;
            while self.received.bytes().len() < at {
                self.received.fill(&mut self.stream)?;
            }
            if size == 0 {
                return Ok(());
            }
        }
    }
}

impl Answer<'_> {
    /// The body without its framing.
    pub fn body(&self) -> Outcome<Vec<u8>> {
        let head_end = find(self.wire, b"\r\n\r\n").ok_or("an answer without a head")? + 4;
        let head = std::str::from_utf8(&self.wire[..head_end])?;
        if let Framing::Length(length) = body_framing(head)? {
            return Ok(self.wire[head_end..head_end + length].to_vec());
        }
        let (mut body, mut at) = (Vec::new(), head_end);
        while let Some((size, data)) = chunk_head(self.wire, at)?
            && size > 0
        {
            body.extend_from_slice(&self.wire[data..data + size]);
            at = data + size + 2;
        }
        Ok(body)
    }

    /// The body of a 200; any other status is an error that carries its text.
    pub fn success(&self) -> Outcome<Vec<u8>> {
        let body = self.body()?;
        if self.status == 200 {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        Err(format!("status {}: {text}", self.status).into())
    }
}

pub fn get_request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// A receive buffer that grows to the largest answer and stays there.
#[derive(Default)]
pub struct Received {
    space: Vec<u8>,
    filled: usize,
}

impl Received {
    pub fn bytes(&self) -> &[u8] {
        &self.space[..self.filled]
    }

    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Reads once, as much as there is; the end of the stream is an error, since no answer ends there.
    pub fn fill(&mut self, stream: &mut UnixStream) -> std::io::Result<()> {
        if self.filled == self.space.len() {
            self.space.resize((2 * self.filled).max(1 << 16), 0);
        }
        match stream.read(&mut self.space[self.filled..])? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

fn body_framing(head: &str) -> Outcome<Framing> {
    for line in head.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            return Ok(Framing::Length(value.trim().parse()?));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked") {
            return Ok(Framing::Chunked);
        }
    }
    Err("an answer without a length".into())
}

/// The size of the chunk whose head starts here, and where its data starts; nothing while the head has not arrived.
fn chunk_head(wire: &[u8], at: usize) -> Outcome<Option<(usize, usize)>> {
    let rest = wire.get(at..).unwrap_or_default();
    let Some(end) = find(rest, b"\r\n") else { return Ok(None) };
    let size = usize::from_str_radix(std::str::from_utf8(&rest[..end])?.trim(), 16)?;
    Ok(Some((size, at + end + 2)))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
