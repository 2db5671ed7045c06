//! Parses HTTP/1 messages: finds the end of heads and bodies, and reads and rewrites header fields.
//! Works on bytes in memory; does not read or write connections.

use anyhow::{Result, anyhow, bail};
use httparse::{EMPTY_HEADER, Error, Header, Status};

/// The result of parsing the head of a message.
pub enum Head<T> {
    /// The end of the head is missing.
    Partial,
    Complete(T),
    /// The bytes are not HTTP/1.
    Invalid,
}

/// The head of a request.
#[derive(Debug, Clone)]
pub struct RequestHead {
    pub method: String,
    /// In origin-form or in absolute-form; `lambda::api::path_of` returns the path of either.
    pub target: String,
    /// Names and values in the order sent.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The length of the head in bytes, with the blank line.
    pub length: usize,
    is_http_1_0: bool,
}

impl RequestHead {
    /// Returns the value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.headers.iter();
        let named = headers.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(&named.1)
    }

    /// Reports whether the connection is to be closed after the response
    /// (<https://www.rfc-editor.org/rfc/rfc9112#section-9.3>).
    pub fn closes_connection(&self) -> bool {
        let is_connection =
            |(name, _): &&(String, Vec<u8>)| name.eq_ignore_ascii_case("Connection");
        let values = self.headers.iter().filter(is_connection).map(|(_, value)| value);
        let mut options = values.flat_map(|value| value.split(|&byte| byte == b','));
        self.is_http_1_0 || options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    }
}

/// Returns the value of the first header of this name in the complete head of a request.
pub fn request_header(head: &[u8], name: &str) -> Option<String> {
    match parse_request_head(head) {
        Head::Complete(head) => {
            head.header(name).map(|value| String::from_utf8_lossy(value).into_owned())
        }
        Head::Partial | Head::Invalid => None,
    }
}

/// Reports whether the connection is to be closed after the response to a complete head. A head
/// that cannot be parsed counts as one that says so.
pub fn closes_connection(head: &[u8]) -> bool {
    match parse_request_head(head) {
        Head::Complete(head) => head.closes_connection(),
        Head::Partial | Head::Invalid => true,
    }
}

/// Parses the head of a request at the beginning of `bytes`.
pub fn parse_request_head(bytes: &[u8]) -> Head<RequestHead> {
    let parsed = with_headers(|headers| {
        let mut request = httparse::Request::new(headers);
        let Status::Complete(length) = request.parse(bytes)? else { return Ok(None) };
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        Ok(Some(RequestHead {
            method: text(request.method),
            target: text(request.path),
            headers: to_owned_headers(request.headers),
            length,
            is_http_1_0: request.version == Some(0),
        }))
    });
    match parsed {
        Ok(None) => Head::Partial,
        Ok(Some(head)) => Head::Complete(head),
        Err(_) => Head::Invalid,
    }
}

/// Parses header lines up to a blank line, such as the trailers behind the last chunk.
pub fn header_lines(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let parsed = with_headers(|headers| {
        Ok(match httparse::parse_headers(bytes, headers)? {
            Status::Complete((_, headers)) => Some(to_owned_headers(headers)),
            Status::Partial => None,
        })
    });
    parsed.ok()?
}

/// Parses the line before a chunk, with its line ending; returns the chunk's size in bytes.
pub fn chunk_size(line: &[u8]) -> Option<usize> {
    match httparse::parse_chunk_size(line) {
        Ok(Status::Complete((_, size))) => usize::try_from(size).ok(),
        _ => None,
    }
}

/// Copies names and values.
fn to_owned_headers(headers: &[Header]) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect()
}

/// Returns a complete head of a request with `Connection: close` instead of its own `Connection`
/// fields.
pub fn with_connection_close(head: &[u8]) -> Vec<u8> {
    let mut closing = Vec::with_capacity(head.len() + 32);
    // Empty lines before the request line are to be ignored
    // (<https://www.rfc-editor.org/rfc/rfc9112#section-2.2>).
    let start = head.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(0);
    for (number, line) in head[start..].split_inclusive(|&byte| byte == b'\n').enumerate() {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        if !name.eq_ignore_ascii_case(b"connection") {
            closing.extend_from_slice(line);
        }
        if number == 0 {
            closing.extend_from_slice(b"Connection: close\r\n");
        }
    }
    closing
}

/// Returns a complete response without its `Connection` fields, for a client whose connection stays
/// open. Returns `None` when only the end of the connection would end the response.
pub fn without_connection_header(response: &[u8]) -> Option<Vec<u8>> {
    let length = with_headers(|headers| {
        let mut parsed = httparse::Response::new(headers);
        Ok(match parsed.parse(response)? {
            Status::Complete(length) => match body_length(parsed.headers) {
                BodyLength::Known(_) | BodyLength::Chunked => Some(length),
                BodyLength::UntilEnd | BodyLength::Invalid => None,
            },
            Status::Partial => None,
        })
    });
    let (head, body) = response.split_at(length.ok()??);
    let is_kept = |line: &&[u8]| {
        !line.get(..11).is_some_and(|name| name.eq_ignore_ascii_case(b"connection:"))
    };
    let lines = head.split_inclusive(|&byte| byte == b'\n').filter(is_kept);
    Some(lines.chain([body]).flatten().copied().collect())
}

/// A complete response.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Its bytes as they came, from the status line to the end of the body, without interim
    /// responses such as `100 Continue`.
    pub bytes: Vec<u8>,
    head_length: usize,
}

impl Response {
    /// Returns the body, without the framing of its chunks.
    pub fn body(&self) -> Vec<u8> {
        let body = &self.bytes[self.head_length..];
        if self.header("Transfer-Encoding").is_none() {
            return body.to_vec();
        }
        let mut content = Vec::new();
        let mut rest = body;
        while let Ok(Status::Complete((line, size @ 1..))) = httparse::parse_chunk_size(rest) {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let (chunk, after) = rest[line..].split_at(size.min(rest.len() - line));
            content.extend_from_slice(chunk);
            rest = after.strip_prefix(b"\r\n").unwrap_or_default();
        }
        content
    }

    /// Returns the value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<String> {
        with_headers(|headers| {
            let mut response = httparse::Response::new(headers);
            response.parse(&self.bytes)?;
            Ok(header(response.headers, name)
                .map(|value| String::from_utf8_lossy(value).into_owned()))
        })
        .ok()?
    }

    /// Takes a response from the bytes that have come so far, and discards what follows it. Returns
    /// `None` while it is incomplete. `ended` says that the peer has closed the connection.
    ///
    /// # Errors
    /// When the response is not HTTP/1 or cut off.
    pub fn take(bytes: &mut Vec<u8>, ended: bool) -> Result<Option<Self>> {
        loop {
            let head = with_headers(|headers| {
                let mut response = httparse::Response::new(headers);
                Ok(match response.parse(bytes)? {
                    Status::Partial => None,
                    Status::Complete(length) => {
                        let status = response.code.unwrap_or_default();
                        let body = if has_body(status) {
                            body_length(response.headers)
                        } else {
                            BodyLength::Known(0)
                        };
                        Some((status, length, body))
                    }
                })
            });
            let (status, head_length, body) = match head {
                Err(error) => bail!("it sent something other than HTTP ({error})"),
                Ok(None) if ended && bytes.is_empty() => {
                    bail!("it closed the connection without a response")
                }
                Ok(None) if ended => bail!("it closed the connection in the middle of a response"),
                Ok(None) => return Ok(None),
                Ok(Some(head)) => head,
            };
            // Interim responses are dropped. 101 is final: what follows it is another protocol.
            if (100..200).contains(&status) && status != 101 {
                bytes.drain(..head_length);
                continue;
            }
            let rest = &bytes[head_length..];
            let length = match body {
                BodyLength::Known(length) => Some(length).filter(|&length| length <= rest.len()),
                BodyLength::Chunked => chunks_length(rest)?,
                BodyLength::UntilEnd => Some(rest.len()).filter(|_| ended),
                BodyLength::Invalid => {
                    bail!("it sent a Content-Length that is not a number, or two of them")
                }
            };
            return match length {
                Some(length) => {
                    bytes.truncate(head_length + length);
                    Ok(Some(Self { status, bytes: std::mem::take(bytes), head_length }))
                }
                None if ended => bail!("it closed the connection in the middle of a response"),
                None => Ok(None),
            };
        }
    }
}

/// The length of a body as its head says it (<https://www.rfc-editor.org/rfc/rfc9112#section-6.3>).
enum BodyLength {
    /// `Content-Length`, in bytes.
    Known(usize),
    /// `Transfer-Encoding`, of which chunked is the last.
    Chunked,
    /// The body ends with the connection.
    UntilEnd,
    /// `Content-Length` is not a number, or there are two different ones.
    Invalid,
}

/// Reports whether a response with this status has a body, whatever its head says
/// (<https://www.rfc-editor.org/rfc/rfc9112#section-6.3>).
fn has_body(status: u16) -> bool {
    !matches!(status, 101 | 204 | 304)
}

/// Returns the length of a body from the header fields of its message.
fn body_length(headers: &[Header]) -> BodyLength {
    if header(headers, "Transfer-Encoding").is_some() {
        return BodyLength::Chunked;
    }
    let is_digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number =
        |value| std::str::from_utf8(value).ok().map(str::trim).filter(is_digits)?.parse().ok();
    let mut lengths =
        headers.iter().filter(|header| header.name.eq_ignore_ascii_case("Content-Length"));
    let Some(first) = lengths.next() else { return BodyLength::UntilEnd };
    match number(first.value) {
        Some(length) if lengths.all(|other| number(other.value) == Some(length)) => {
            BodyLength::Known(length)
        }
        _ => BodyLength::Invalid,
    }
}

/// Returns the length in bytes of a chunked body with its trailers, or `None` while its end is
/// missing.
fn chunks_length(body: &[u8]) -> Result<Option<usize>> {
    let mut position = 0;
    loop {
        let rest = body.get(position..).unwrap_or_default();
        let (line, size) = match httparse::parse_chunk_size(rest) {
            Err(_) => bail!("it sent chunks that cannot be read"),
            Ok(Status::Partial) => return Ok(None),
            Ok(Status::Complete(found)) => found,
        };
        position += line;
        if size == 0 {
            break;
        }
        position = position.saturating_add(usize::try_from(size)?).saturating_add(2);
    }
    let trailers = with_headers(|headers| {
        Ok(match httparse::parse_headers(&body[position..], headers)? {
            Status::Partial => None,
            Status::Complete((length, _)) => Some(position + length),
        })
    });
    trailers.map_err(|error| anyhow!("it sent trailers that cannot be read ({error})"))
}

/// Returns the value of the first header of this name.
fn header<'h>(headers: &[Header<'h>], name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// Calls `parse` with an array for headers, and again with a larger one while there are more
/// headers.
fn with_headers<'b, T>(parse: impl Fn(&mut [Header<'b>]) -> Result<T, Error>) -> Result<T, Error> {
    let mut count = 64;
    loop {
        match parse(&mut vec![EMPTY_HEADER; count]) {
            Err(Error::TooManyHeaders) => count *= 4,
            parsed => return parsed,
        }
    }
}
