//! Where the parts of HTTP/1 messages begin and end, and what their heads say. Only looks at bytes
//! that are there.

use anyhow::{Result, anyhow, bail};
use httparse::{EMPTY_HEADER, Error, Header, Status};

/// A message's head as far as it has come.
pub enum Head<T> {
    Partial,
    Complete(T),
    /// This is not HTTP/1.
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
    /// Bytes of the whole head, with the blank line.
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

    /// Whether the client waits for the end of the connection behind the response (RFC 9112,
    /// section 9.3, <https://www.rfc-editor.org/rfc/rfc9112#section-9.3>).
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

/// Whether the client that sent this complete head waits for the end of the connection.
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
            headers: owned(request.headers),
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
            Status::Complete((_, headers)) => Some(owned(headers)),
            Status::Partial => None,
        })
    });
    parsed.ok()?
}

/// Parses the line in front of a chunk, with its line break.
pub fn chunk_size(line: &[u8]) -> Option<usize> {
    match httparse::parse_chunk_size(line) {
        Ok(Status::Complete((_, size))) => usize::try_from(size).ok(),
        _ => None,
    }
}

fn owned(headers: &[Header]) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect()
}

/// The same head with `Connection: close` in the place of whatever it says about the connection.
pub fn with_connection_close(head: &[u8]) -> Vec<u8> {
    let mut closing = Vec::with_capacity(head.len() + 32);
    // Line ends in front of a request are none of it (RFC 9112, section 2.2).
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

/// The same answer for a client that goes on with its connection: it says nothing about the
/// connection. Nothing when the end of the answer is that of the connection.
pub fn without_connection_header(answer: &[u8]) -> Option<Vec<u8>> {
    let length = with_headers(|headers| {
        let mut response = httparse::Response::new(headers);
        Ok(match response.parse(answer)? {
            Status::Complete(length)
                if matches!(
                    body_length(response.headers),
                    BodyLength::Known(_) | BodyLength::Chunked
                ) =>
            {
                Some(length)
            }
            _ => None,
        })
    });
    let (head, body) = answer.split_at(length.ok()??);
    let is_kept = |line: &&[u8]| {
        !line.get(..11).is_some_and(|name| name.eq_ignore_ascii_case(b"connection:"))
    };
    let lines = head.split_inclusive(|&byte| byte == b'\n').filter(is_kept);
    Some(lines.chain([body]).flatten().copied().collect())
}

/// A complete answer, with its head and its body as they came.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// From the status line to the end of the body; what was only to be waited for (`100
    /// Continue`) is left out.
    pub bytes: Vec<u8>,
    head_length: usize,
}

impl Response {
    /// The body, put together from its chunks.
    pub fn body(&self) -> Vec<u8> {
        let body = &self.bytes[self.head_length..];
        if self.header("Transfer-Encoding").is_none() {
            return body.to_vec();
        }
        let mut whole = Vec::new();
        let mut rest = body;
        while let Ok(Status::Complete((line, size @ 1..))) = httparse::parse_chunk_size(rest) {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let (chunk, after) = rest[line..].split_at(size.min(rest.len() - line));
            whole.extend_from_slice(chunk);
            rest = after.strip_prefix(b"\r\n").unwrap_or_default();
        }
        whole
    }

    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<String> {
        with_headers(|headers| {
            let mut response = httparse::Response::new(headers);
            response.parse(&self.bytes)?;
            Ok(header(response.headers, name)
                .map(|value| String::from_utf8_lossy(value).into_owned()))
        })
        .ok()?
    }

    /// Takes the answer at the beginning of `bytes` once it is complete; `ended` says that nothing
    /// more will come.
    ///
    /// # Errors
    /// When it is not HTTP/1 or cut off.
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
                Err(error) => bail!("it answered something else than HTTP ({error})"),
                Ok(None) if ended && bytes.is_empty() => {
                    bail!("it closed the connection without an answer")
                }
                Ok(None) if ended => bail!("it closed the connection in the middle of an answer"),
                Ok(None) => return Ok(None),
                Ok(Some(head)) => head,
            };
            // What comes behind 101 is no HTTP any more.
            if (100..200).contains(&status) && status != 101 {
                bytes.drain(..head_length);
                continue;
            }
            let rest = &bytes[head_length..];
            let length = match body {
                BodyLength::Known(length) => Some(length).filter(|&length| length <= rest.len()),
                BodyLength::Chunked => chunks_length(rest)?,
                BodyLength::UntilEnd => Some(rest.len()).filter(|_| ended),
                BodyLength::Unclear => {
                    bail!("it answered with a Content-Length that is no number, or with two")
                }
            };
            return match length {
                Some(length) => {
                    bytes.truncate(head_length + length);
                    Ok(Some(Self { status, bytes: std::mem::take(bytes), head_length }))
                }
                None if ended => bail!("it closed the connection in the middle of an answer"),
                None => Ok(None),
            };
        }
    }
}

/// How a body's end is known.
enum BodyLength {
    Known(usize),
    Chunked,
    UntilEnd,
    /// Its length is no number, or there are two of them.
    Unclear,
}

/// Whatever the head of such an answer says, nothing follows (RFC 9112, section 6.3).
fn has_body(status: u16) -> bool {
    !matches!(status, 101 | 204 | 304)
}

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
        _ => BodyLength::Unclear,
    }
}

/// How long a body in chunks is, with its trailers; nothing as long as its end is missing.
fn chunks_length(body: &[u8]) -> Result<Option<usize>> {
    let mut position = 0;
    loop {
        let rest = body.get(position..).unwrap_or_default();
        let (line, size) = match httparse::parse_chunk_size(rest) {
            Err(_) => bail!("it answered in chunks that cannot be read"),
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
    trailers.map_err(|error| anyhow!("it answered with trailers that cannot be read ({error})"))
}

fn header<'h>(headers: &[Header<'h>], name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// Parses with room for as many headers as there are.
fn with_headers<'b, T>(parse: impl Fn(&mut [Header<'b>]) -> Result<T, Error>) -> Result<T, Error> {
    let mut room = 64;
    loop {
        match parse(&mut vec![EMPTY_HEADER; room]) {
            Err(Error::TooManyHeaders) => room *= 4,
            parsed => return parsed,
        }
    }
}
