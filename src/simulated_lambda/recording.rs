//! What the Runtime API has seen, in order, and where it stands: what tests assert on and
//! conditions wait for.

use super::http::{Body, RequestHead};
use super::runtime_state::{ApiCall, RuntimeState};
use std::collections::hash_map::DefaultHasher;
use std::fmt::{Display, Formatter, Result};
use std::hash::Hasher;

/// A longer body is kept as length and hash only.
const KEPT: usize = 64 << 10;

#[derive(Clone, Debug)]
pub struct Recording {
    pub state: RuntimeState,
    /// How many restore/next and invocation/next wait for their answer.
    pub parked: usize,
    /// In the order in which their heads were complete.
    pub requests: Vec<RecordedRequest>,
    /// By number; in the order in which they were accepted.
    pub connections: Vec<Connection>,
    pub report: Option<ErrorReport>,
    pub has_exited: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    Open,
    /// The client has ended it, or its own half; an answer that waits is sent all the same.
    Ended,
}

#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The number of the connection that it came over.
    pub connection: usize,
    pub head: RequestHead,
    /// Nothing when the path or the method is unknown.
    pub call: Option<ApiCall>,
    pub body: BodySummary,
    /// The status of the answer; nothing as long as none was sent.
    pub status: Option<u16>,
}

/// What is kept of a body. While it is being read, `length` grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodySummary {
    pub length: usize,
    /// As `hash` has it.
    pub hash: u64,
    /// The whole of a body up to 64 KiB, else nothing.
    pub bytes: Vec<u8>,
    pub is_chunked: bool,
    pub trailers: Vec<(String, String)>,
    pub is_complete: bool,
}

/// An `init/error` or `restore/error` that the platform took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReport {
    pub call: ApiCall,
    /// The header `Lambda-Runtime-Function-Error-Type`, as sent.
    pub error_type: String,
    pub body: Vec<u8>,
}

impl Recording {
    pub(super) fn new() -> Self {
        Self {
            state: RuntimeState::Started,
            parked: 0,
            requests: Vec::new(),
            connections: Vec::new(),
            report: None,
            has_exited: false,
        }
    }

    /// The requests of one call.
    pub fn of(&self, call: ApiCall) -> impl Iterator<Item = &RecordedRequest> {
        self.requests.iter().filter(move |request| request.call == Some(call))
    }

    /// How many requests of one call there were.
    pub fn count(&self, call: ApiCall) -> usize {
        self.of(call).count()
    }
}

/// One line for each request, for whoever asks why something did not come.
impl Display for Recording {
    fn fmt(&self, formatter: &mut Formatter) -> Result {
        writeln!(formatter, "{:?}, {} parked, requests:", self.state, self.parked)?;
        for request in &self.requests {
            let (method, path) = request.head.request_line().unwrap_or(("?", "?"));
            let answer =
                request.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let (connection, length) = (request.connection, request.body.length);
            writeln!(
                formatter,
                "  connection {connection}: {method} {path}, body of {length}: {answer}"
            )?;
        }
        Ok(())
    }
}

impl RecordedRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }
}

impl BodySummary {
    pub(super) fn of(body: &Body) -> Self {
        Self {
            length: body.bytes.len(),
            hash: hash(&body.bytes),
            bytes: if body.bytes.len() <= KEPT { body.bytes.clone() } else { Vec::new() },
            is_chunked: body.is_chunked,
            trailers: body.trailers.clone(),
            is_complete: body.is_complete,
        }
    }
}

pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
