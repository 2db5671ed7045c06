//! The Lambda of `foreword simulate`, with what only tests need: faults, waits for anything
//! observed, and responses that the real one does not give.

pub use platform::recording::{
    Connection, ErrorReport as Report, RecordedRequest as Request, Recording as Seen, hash,
};
pub use platform::runtime_state::{ApiCall as Call, RuntimeState as State};
pub use platform::{InvocationResult as Answer, Outcome, Parked, Settings, WaitFailure as Failure};

use foreword::simulated_lambda as platform;
use platform::http::{Body, Reply, go_on};
use platform::server::{self, AfterReply, Faults};
use platform::service::Shared;
use std::ffi::OsStr;
use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

/// A fault in one request. The state machine sees the request unless the fault says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is neither read further nor passed to the state machine until `release`; never,
    /// if that is not called.
    Hold,
    /// The connection is reset as soon as the head is there, whatever is left of the body. The
    /// state machine does not see the request.
    Reset,
    /// The response is this status, whatever the state is. The state machine does not see the
    /// request.
    Status(u16),
    /// The response is these bytes and the end. The state machine does not see the request.
    Say(&'static [u8]),
    /// This many bytes of the right response, then this end. With `End::Reset` a body is not read.
    Cut(usize, End),
    /// The right response, byte by byte.
    Dribble,
    /// `100 Continue` before the right response.
    Continue,
    /// The right response in chunks, without a length.
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Close,
    Reset,
}

/// The largest size of a chunk.
const CHUNK: usize = 64 << 10;

pub struct Lambda {
    platform: platform::Lambda,
    planned: Arc<Planned>,
}

/// The faults that are still to come.
#[derive(Default)]
struct Planned(Mutex<Plan>);

#[derive(Default)]
struct Plan {
    faults: Vec<(Call, Fault)>,
    held: usize,
    /// Counts the calls of `release`; a held request waits for the next one.
    releases: usize,
}

impl Lambda {
    pub fn new(settings: Settings) -> Self {
        let planned = Arc::<Planned>::default();
        let striking = Striking(Arc::clone(&planned));
        Self { platform: platform::Lambda::new(settings, striking), planned }
    }

    /// Delivers an event and waits for the response.
    pub fn invoke(&self, event: impl Into<Vec<u8>>) -> Result<Answer, Failure> {
        let id = self.hand_out(event)?;
        self.answer(&id)
    }

    /// Answers restore/next with an event, as the emulator does after a reset. Returns the request
    /// ID. The response is accepted although no invocation/next came before it.
    pub fn restore_with_event(&self, event: impl Into<Vec<u8>>) -> Result<String, Failure> {
        let mut event = Some(event.into());
        self.wait_runtime("a runtime in restore/next", |inner| {
            (platform::parked(inner)? == Parked::RestoreNext)
                .then(|| inner.invoke(event.take().unwrap_or_default(), &self.shared.settings))
        })
    }

    /// Waits until the condition returns something, whatever happens to the runtime meanwhile.
    pub fn wait<T>(
        &self,
        what: &'static str,
        mut condition: impl FnMut(&Seen) -> Option<T>,
    ) -> Result<T, Failure> {
        let found = self.shared.wait(|inner| condition(&inner.seen));
        found.ok_or_else(|| Failure::TimedOut(what, Box::new(self.seen())))
    }

    pub fn wait_for_state(&self, state: State) -> Result<(), Failure> {
        self.wait(state.name(), |seen| (seen.state == state).then_some(()))
    }

    /// Waits until the nth request of a call, from 1, is answered.
    pub fn wait_for_call(&self, call: Call, nth: usize) -> Result<Request, Failure> {
        self.wait("the answer to a call", |seen| {
            seen.of(call).nth(nth - 1).filter(|request| request.status.is_some()).cloned()
        })
    }

    /// Waits until `Fault::Hold` holds this many requests.
    pub fn wait_for_held(&self, count: usize) -> Result<(), Failure> {
        self.wait("requests that are held", |_| {
            (self.planned.0.lock().unwrap().held == count).then_some(())
        })
    }

    /// Plans a fault for the next request of this call that has none yet.
    pub fn fault(&self, call: Call, fault: Fault) {
        self.planned.0.lock().unwrap().faults.push((call, fault));
    }

    /// Releases the requests that `Fault::Hold` holds now.
    pub fn release(&self) {
        self.planned.0.lock().unwrap().releases += 1;
        self.shared.update(|_| ());
    }

    /// Refuses new connections; existing ones go on.
    pub fn refuse(&self) {
        self.server.lock().unwrap().refuse();
    }

    /// Ends `refuse`.
    pub fn listen(&self) {
        self.server.lock().unwrap().listen();
    }

    /// Ends the existing connections without a response. The state machine still has their
    /// requests.
    pub fn disconnect(&self) {
        self.server.lock().unwrap().disconnect();
    }
}

impl Deref for Lambda {
    type Target = platform::Lambda;

    fn deref(&self) -> &platform::Lambda {
        &self.platform
    }
}

impl AsRef<OsStr> for Lambda {
    fn as_ref(&self) -> &OsStr {
        self.address().as_ref()
    }
}

impl AsRef<str> for Lambda {
    fn as_ref(&self) -> &str {
        self.address()
    }
}

impl Planned {
    fn take(&self, call: Call) -> Option<Fault> {
        let mut plan = self.0.lock().unwrap();
        let position = plan.faults.iter().position(|(known, _)| *known == call)?;
        Some(plan.faults.remove(position).1)
    }

    /// Waits for the next `release`.
    fn hold(&self, shared: &Shared, number: usize) {
        let before = {
            let mut plan = self.0.lock().unwrap();
            plan.held += 1;
            plan.releases
        };
        shared.update(|_| ());
        shared
            .park(number, &|| false, |_| (self.0.lock().unwrap().releases > before).then_some(()));
        self.0.lock().unwrap().held -= 1;
        shared.update(|_| ());
    }
}

/// The planned faults, as the simulated Lambda calls them.
struct Striking(Arc<Planned>);

impl Faults for Striking {
    fn strike(&self, shared: &Shared, call: Call, number: usize) -> Option<Box<dyn server::Fault>> {
        match self.0.take(call)? {
            Fault::Hold => {
                self.0.hold(shared, number);
                None
            }
            fault => Some(Box::new(fault)),
        }
    }
}

impl server::Fault for Fault {
    fn leaves_body(&self) -> bool {
        matches!(self, Fault::Reset | Fault::Cut(_, End::Reset))
    }

    fn answer(&self, mut stream: &TcpStream, read: &dyn Fn() -> Body) -> Option<io::Result<Reply>> {
        match self {
            Fault::Reset => Some(Err(ErrorKind::ConnectionReset.into())),
            Fault::Say(bytes) => {
                Some(stream.write_all(bytes).and(Err(ErrorKind::ConnectionAborted.into())))
            }
            Fault::Status(status) => {
                read();
                Some(Ok(wrong(*status)))
            }
            _ => None,
        }
    }

    fn write(
        &self,
        mut stream: &TcpStream,
        reply: &Reply,
        is_last: bool,
    ) -> io::Result<AfterReply> {
        let encoded = reply.encode(is_last);
        match self {
            Fault::Cut(length, end) => {
                stream.write_all(&encoded[..encoded.len().min(*length)])?;
                return match end {
                    End::Close => Ok(AfterReply::Close),
                    End::Reset => Err(ErrorKind::ConnectionReset.into()),
                };
            }
            Fault::Dribble => encoded.iter().try_for_each(|byte| stream.write_all(&[*byte]))?,
            Fault::Continue => go_on(stream).and_then(|()| stream.write_all(&encoded))?,
            Fault::Chunked => stream.write_all(&in_chunks(reply, is_last))?,
            _ => stream.write_all(&encoded)?,
        }
        Ok(AfterReply::Request)
    }
}

fn in_chunks(reply: &Reply, is_last: bool) -> Vec<u8> {
    let head = Reply { body: Vec::new(), ..reply.clone() }.encode(is_last);
    let head = String::from_utf8(head).expect("a head of text");
    let mut encoded =
        head.replace("Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n").into_bytes();
    for piece in reply.body.chunks(CHUNK) {
        encoded.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        encoded.extend_from_slice(piece);
        encoded.extend_from_slice(b"\r\n");
    }
    encoded.extend_from_slice(b"0\r\n\r\n");
    encoded
}

/// Returns Lambda's response with a status that does not fit the state.
fn wrong(status: u16) -> Reply {
    match status {
        403 => Reply::error(403, "InvalidStateTransition", "State transition is not allowed"),
        500 => Reply::error(500, "InternalServerError", "Internal Server Error"),
        _ => Reply { status, ..Reply::default() },
    }
}
