//! As much of HTTP/1.1 as the Runtime API needs: requests with a length, chunks or no body,
//! answers, and nothing beyond them. It reads only what belongs to the request at hand, so that a
//! connection can be left with something unread, which is what makes the kernel end it with a
//! reset.

use crate::http::{self, Head};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

/// More than any client sends in front of a body.
const LONGEST_HEAD: usize = 8 << 20;

/// What is read at a time.
const PIECE: usize = 64 << 10;

/// The head of a request. Each byte of it is a character here (Latin-1).
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// As it was sent, without the last line break.
    pub text: String,
    /// Method and target; nothing when this is not HTTP/1.
    request_line: Option<(String, String)>,
    headers: Vec<(String, String)>,
    /// Whether the client waits for the end of the connection behind the response.
    pub closes_connection: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Body {
    pub bytes: Vec<u8>,
    pub is_chunked: bool,
    /// As sent, in order; only behind chunks.
    pub trailers: Vec<(String, String)>,
    /// Whether the client sent what it had announced.
    pub is_complete: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl RequestHead {
    /// `None` when the connection ends first. The line feed that ends the head stays unread.
    pub fn read(stream: &TcpStream) -> io::Result<Option<Self>> {
        let read = read_through(stream, b"\r\n\r", LONGEST_HEAD)?;
        Ok(read.map(|bytes| {
            let text = latin_1(bytes.trim_ascii());
            match http::parse_request_head(&[&bytes[..], b"\n"].concat()) {
                Head::Complete(head) => Self {
                    text,
                    closes_connection: head.closes_connection(),
                    request_line: Some((head.method, head.target)),
                    headers: decoded(head.headers),
                },
                Head::Partial | Head::Invalid => {
                    Self { text, closes_connection: true, request_line: None, headers: Vec::new() }
                }
            }
        }))
    }

    /// Reads what `read` has left.
    pub fn finish(stream: &TcpStream) -> io::Result<()> {
        (&mut &*stream).read_exact(&mut [0])
    }

    /// Returns method and target; nothing when this is not HTTP/1.
    pub fn request_line(&self) -> Option<(&str, &str)> {
        self.request_line.as_ref().map(|(method, target)| (method.as_str(), target.as_str()))
    }

    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn says(&self, name: &str, value: &str) -> bool {
        self.header(name).is_some_and(|known| known.eq_ignore_ascii_case(value))
    }
}

impl Body {
    /// Reads a body; `progress` is told how much has come so far, after each piece. What is cut off
    /// is not an error but a body that is not complete.
    pub fn read(stream: &TcpStream, head: &RequestHead, mut progress: impl FnMut(usize)) -> Self {
        let mut body =
            Self { is_chunked: head.says("Transfer-Encoding", "chunked"), ..Self::default() };
        let read = if body.is_chunked {
            body.read_chunks(stream, &mut progress)
        } else {
            let length = head.header("Content-Length").and_then(|length| length.parse().ok());
            body.read_length(stream, length.unwrap_or(0), &mut progress)
        };
        body.is_complete = read.is_ok();
        body
    }

    fn read_length(
        &mut self,
        stream: &TcpStream,
        length: usize,
        progress: &mut dyn FnMut(usize),
    ) -> io::Result<()> {
        let end = self.bytes.len() + length;
        while self.bytes.len() < end {
            let start = self.bytes.len();
            self.bytes.resize(end.min(start + PIECE), 0);
            let read = (&mut &*stream).read(&mut self.bytes[start..]);
            self.bytes.truncate(start + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            progress(self.bytes.len());
        }
        Ok(())
    }

    fn read_chunks(
        &mut self,
        stream: &TcpStream,
        progress: &mut dyn FnMut(usize),
    ) -> io::Result<()> {
        loop {
            let line = line(stream)?;
            let size = http::chunk_size(&line).ok_or(ErrorKind::InvalidData)?;
            if size == 0 {
                break;
            }
            self.read_length(stream, size, progress)?;
            if !is_blank(&self::line(stream)?) {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        let mut trailers = Vec::new();
        loop {
            let line = line(stream)?;
            trailers.extend_from_slice(&line);
            if is_blank(&line) {
                break;
            }
        }
        self.trailers = decoded(http::header_lines(&trailers).ok_or(ErrorKind::InvalidData)?);
        Ok(())
    }
}

impl Reply {
    pub fn json(status: u16, body: String) -> Self {
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Self { status, headers, body: body.into_bytes() }
    }

    pub fn accepted() -> Self {
        Self::json(202, r#"{"status":"OK"}"#.to_owned())
    }

    pub fn error(status: u16, error_type: &str, message: &str) -> Self {
        Self::json(status, format!(r#"{{"errorMessage":"{message}","errorType":"{error_type}"}}"#))
    }

    pub fn encode(&self, is_last: bool) -> Vec<u8> {
        let mut encoded = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            encoded += &format!("{name}: {value}\r\n");
        }
        if is_last {
            encoded += "Connection: close\r\n";
        }
        encoded += &format!("Content-Length: {}\r\n\r\n", self.body.len());
        [encoded.into_bytes(), self.body.clone()].concat()
    }
}

pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Request Entity Too Large",
        500 => "Internal Server Error",
        _ => "",
    }
}

/// Writes `Continue`, for which a client may wait before it sends its body.
pub fn go_on(stream: &TcpStream) -> io::Result<()> {
    (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
}

/// Reads a line with its line break.
fn line(stream: &TcpStream) -> io::Result<Vec<u8>> {
    Ok(read_through(stream, b"\n", LONGEST_HEAD)?.ok_or(ErrorKind::UnexpectedEof)?)
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii_end().is_empty()
}

/// Reads up to and with the mark, and not a byte more. `None` when the connection ends first.
fn read_through(stream: &TcpStream, mark: &[u8], limit: usize) -> io::Result<Option<Vec<u8>>> {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let seen = stream.peek(&mut piece)?;
        if seen == 0 {
            return Ok(None);
        }
        let start = read.len();
        read.extend_from_slice(&piece[..seen]);
        // The mark may have begun in what was read before.
        let from = (start + 1).saturating_sub(mark.len());
        let found = read[from..].windows(mark.len()).position(|window| window == mark);
        let end = found.map(|position| from + position + mark.len());
        read.truncate(end.unwrap_or(read.len()));
        (&mut &*stream).read_exact(&mut piece[..read.len() - start])?;
        if end.is_some() {
            return Ok(Some(read));
        }
        if read.len() > limit {
            return Err(ErrorKind::InvalidData.into());
        }
    }
}

fn decoded(headers: Vec<(String, Vec<u8>)>) -> Vec<(String, String)> {
    headers.into_iter().map(|(name, value)| (name, latin_1(&value))).collect()
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
