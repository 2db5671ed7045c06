//! The Lambda of `foreword simulate`, and what only tests ask of it: things that go wrong, waits
//! for whatever was seen, and turns that the platform does not take.

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

/// What goes wrong with one request. The state machine sees the request unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Neither read further nor shown to the state machine until `release`: never, if that is not
    /// called.
    Hold,
    /// A reset as soon as the head is there, whatever is left of the body; not shown to the state
    /// machine.
    Reset,
    /// Answered with this status whatever the state is; not shown to the state machine.
    Status(u16),
    /// These bytes, and the end; not shown to the state machine.
    Say(&'static [u8]),
    /// So many bytes of the right answer, then this end. With `End::Reset` a body is not read.
    Cut(usize, End),
    /// The right answer, each byte on its own.
    Dribble,
    /// `100 Continue` in front of the right answer.
    Continue,
    /// The right answer in chunks, without a length.
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Close,
    Reset,
}

/// How large a chunk is at most.
const CHUNK: usize = 64 << 10;

pub struct Lambda {
    platform: platform::Lambda,
    planned: Arc<Planned>,
}

/// What is still to go wrong.
#[derive(Default)]
struct Planned(Mutex<Plan>);

#[derive(Default)]
struct Plan {
    faults: Vec<(Call, Fault)>,
    held: usize,
    /// Counts the calls of `release`; what is held waits for the next one.
    releases: usize,
}

impl Lambda {
    pub fn new(settings: Settings) -> Self {
        let planned = Arc::<Planned>::default();
        let striking = Striking(Arc::clone(&planned));
        Self { platform: platform::Lambda::new(settings, striking), planned }
    }

    /// Hands an event out and waits for the answer.
    pub fn invoke(&self, event: impl Into<Vec<u8>>) -> Result<Answer, Failure> {
        let id = self.hand_out(event)?;
        self.answer(&id)
    }

    /// Answers restore/next with an event, as the emulator does after a reset. Returns the request
    /// id; the answer is taken although no invocation/next came before it.
    pub fn restore_with_event(&self, event: impl Into<Vec<u8>>) -> Result<String, Failure> {
        let mut event = Some(event.into());
        self.wait_runtime("a runtime in restore/next", |inner| {
            (platform::parked(inner)? == Parked::RestoreNext)
                .then(|| inner.invoke(event.take().unwrap_or_default(), &self.shared.settings))
        })
    }

    /// Waits until the condition gives something, whatever becomes of the runtime meanwhile.
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

    /// Waits for the nth request of a call, from 1, to be answered.
    pub fn wait_for_call(&self, call: Call, nth: usize) -> Result<Request, Failure> {
        self.wait("the answer to a call", |seen| {
            seen.of(call).nth(nth - 1).filter(|request| request.status.is_some()).cloned()
        })
    }

    /// Waits until a `Fault::Hold` keeps so many requests.
    pub fn wait_for_held(&self, count: usize) -> Result<(), Failure> {
        self.wait("requests that are held", |_| {
            (self.planned.0.lock().unwrap().held == count).then_some(())
        })
    }

    /// The next request of this call that no other fault is meant for goes wrong like this.
    pub fn fault(&self, call: Call, fault: Fault) {
        self.planned.0.lock().unwrap().faults.push((call, fault));
    }

    /// Lets go what `Fault::Hold` holds now.
    pub fn release(&self) {
        self.planned.0.lock().unwrap().releases += 1;
        self.shared.update(|_| ());
    }

    /// From now on what connects is refused; connections that are there go on.
    pub fn refuse(&self) {
        self.server.lock().unwrap().refuse();
    }

    /// Ends `refuse`.
    pub fn listen(&self) {
        self.server.lock().unwrap().listen();
    }

    /// Ends the connections that are there without an answer; what was parked stays parked for the
    /// state machine.
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

/// The platform's hold on what is planned.
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

/// What the platform says with a status out of place.
fn wrong(status: u16) -> Reply {
    match status {
        403 => Reply::error(403, "InvalidStateTransition", "State transition is not allowed"),
        500 => Reply::error(500, "InternalServerError", "Internal Server Error"),
        _ => Reply { status, ..Reply::default() },
    }
}
