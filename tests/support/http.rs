//! An HTTP/1.1 client over a Unix socket, small enough to send what no real client would.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// No answer of a test takes longer, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Opens one connection per request.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// A request to send; `Request::get(path)` and its like make one.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// With names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An answer whose body is still to be read.
pub struct Open {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

/// Reads a body, whatever ends it. Where the connection ends too early, the last read fails.
pub struct Body {
    stream: BufReader<UnixStream>,
    left: Left,
}

enum Left {
    Nothing,
    Bytes(u64),
    /// Bytes left in this chunk, and whether it is the first one.
    Chunk(u64, bool),
    UntilClosed,
}

impl Client {
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// A connection on which nothing was sent yet.
    pub fn connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    #[track_caller]
    pub fn get(&self, target: &str) -> Answer {
        self.send(&Request::get(target))
    }

    #[track_caller]
    pub fn post(&self, target: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(&Request::post(target).header("content-type", content_type).body(body))
    }

    #[track_caller]
    pub fn delete(&self, target: &str) -> Answer {
        self.send(&Request::new("DELETE", target))
    }

    /// Sends a request and reads the whole answer.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        match self.try_send(request) {
            Ok(answer) => answer,
            Err(error) => panic!("{} {}: {error}", request.method, request.target),
        }
    }

    /// The same, where the daemon may not answer.
    pub fn try_send(&self, request: &Request) -> io::Result<Answer> {
        let Open { status, headers, body: mut reader } = self.open(request)?;
        let mut body = Vec::new();
        reader.read_to_end(&mut body)?;
        Ok(Answer { status, headers, body })
    }

    /// Sends a request and reads the head of the answer.
    pub fn open(&self, request: &Request) -> io::Result<Open> {
        let mut stream = self.connect()?;
        stream.write_all(request.head().as_bytes())?;
        if let Some(body) = &request.body {
            // A daemon may refuse and close before it has read everything; then its answer is what counts.
            match stream.write_all(body) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                _ => {}
            }
        }
        Open::read(stream, &request.method)
    }

    /// Sends bytes as they are and reads until the daemon closes the connection.
    pub fn raw(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = self.connect()?;
        stream.write_all(bytes)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: None }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
    }

    /// Request line and headers, to their empty line.
    pub fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match &self.body {
            Some(body) => head.push_str(&format!("Content-Length: {}\r\n", body.len())),
            None if self.method == "POST" => head.push_str("Content-Length: 0\r\n"),
            None => {}
        }
        head + "\r\n"
    }
}

impl Answer {
    /// The first header of a name (in lower case); `None` where there is none.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {:?}", self.lossy()))
    }

    /// The same answer, if its status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.lossy());
        self
    }

    fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(2000)]).into_owned()
    }
}

impl Open {
    /// Reads the head of an answer to a request with this method.
    pub fn read(stream: UnixStream, method: &str) -> io::Result<Self> {
        let mut stream = BufReader::new(stream);
        loop {
            let status_line = line(&mut stream)?;
            let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
            let status: u16 = status.ok_or_else(|| io::Error::other(format!("not a status line: {status_line:?}")))?;
            let mut headers = Vec::new();
            loop {
                let header = line(&mut stream)?;
                if header.is_empty() {
                    break;
                }
                let (name, value) = header.split_once(':').ok_or_else(|| io::Error::other("not a header"))?;
                headers.push((name.to_lowercase(), value.trim().to_owned()));
            }
            // 100 Continue and its like come before the answer.
            if status / 100 != 1 || status == 101 {
                let left = Left::of(method, status, &headers);
                return Ok(Self { status, headers, body: Body { stream, left } });
            }
        }
    }
}

impl Left {
    fn of(method: &str, status: u16, headers: &[(String, String)]) -> Self {
        let header = |name: &str| headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        if method == "HEAD" || matches!(status, 204 | 304) {
            Self::Nothing
        } else if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            Self::Chunk(0, true)
        } else {
            header("content-length").and_then(|value| value.parse().ok()).map_or(Self::UntilClosed, Self::Bytes)
        }
    }
}

impl Body {
    /// The size of the next chunk; 0 at the end, trailers read.
    fn next_chunk(&mut self, first: bool) -> io::Result<u64> {
        if !first && !line(&mut self.stream)?.is_empty() {
            return Err(io::Error::other("a chunk is longer than it says"));
        }
        let size = line(&mut self.stream)?;
        let size =
            u64::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).map_err(io::Error::other)?;
        if size == 0 {
            while !line(&mut self.stream)?.is_empty() {}
        }
        Ok(size)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Left::Chunk(0, first) = self.left {
            self.left = match self.next_chunk(first)? {
                0 => Left::Nothing,
                size => Left::Chunk(size, false),
            };
        }
        let left = match &mut self.left {
            Left::Nothing | Left::Bytes(0) => return Ok(0),
            Left::UntilClosed => return self.stream.read(buffer),
            Left::Bytes(left) | Left::Chunk(left, _) => left,
        };
        let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.stream.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ends too early"));
        }
        *left -= read as u64;
        Ok(read)
    }
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ends too early"));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
