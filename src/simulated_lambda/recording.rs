//! A recording of the Runtime API: its requests in order, and its state, for the assertions of
//! tests and the conditions of waits.

use super::http::{Body, ReceivedHead};
use super::runtime_state::{ApiCall, RuntimeState};
use std::collections::hash_map::DefaultHasher;
use std::fmt::{Display, Formatter, Result};
use std::hash::Hasher;

/// Longest body that is kept; of a longer one, length and hash.
const KEPT: usize = 64 << 10;

#[derive(Clone, Debug)]
pub struct Recording {
    pub state: RuntimeState,
    /// The number of requests for restore/next and invocation/next that wait.
    pub parked: usize,
    /// In the order in which their heads were complete.
    pub requests: Vec<RecordedRequest>,
    /// By number, in the order in which they were accepted.
    pub connections: Vec<Connection>,
    pub report: Option<ErrorReport>,
    pub has_exited: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    Open,
    /// The client has closed it, or its own half; a response that waits is sent all the same.
    Ended,
}

#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The number of its connection.
    pub connection: usize,
    pub head: ReceivedHead,
    /// `None` for an unknown path or method.
    pub call: Option<ApiCall>,
    pub body: BodySummary,
    /// The status of the response, once it was sent.
    pub status: Option<u16>,
}

/// The recorded part of a body. While it is read, `length` grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodySummary {
    pub length: usize,
    /// The result of `hash`.
    pub hash: u64,
    /// The body, up to 64 KiB.
    pub bytes: Vec<u8>,
    pub is_chunked: bool,
    pub trailers: Vec<(String, String)>,
    pub is_complete: bool,
}

/// An `init/error` or `restore/error` that the platform accepted.
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

    /// Returns the requests of one call.
    pub fn of(&self, call: ApiCall) -> impl Iterator<Item = &RecordedRequest> {
        self.requests.iter().filter(move |request| request.call == Some(call))
    }

    /// Returns the number of requests of one call.
    pub fn count(&self, call: ApiCall) -> usize {
        self.of(call).count()
    }
}

/// Writes one line for each request, to explain why a wait failed.
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
