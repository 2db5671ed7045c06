//! The sockets: one thread that accepts, one for each connection, and the faults that a test asked for.

use super::Shared;
use super::http::{Body, Framing, Head, Reply, go_on};
use super::record::{Connection, Request, Summary};
use super::states::{Call, Route};
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, Weak};
use std::thread::{JoinHandle, spawn};
use std::time::Instant;

/// What goes wrong with one request. The state machine sees the request unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Neither read further nor shown to the state machine until `release`: never, if that is not called.
    Hold,
    /// A reset as soon as the head is there, whatever is left of the body; not shown to the state machine.
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

enum Next {
    Request,
    Close,
    Reset,
}

/// With the thread that serves each; the stream is gone when that has ended.
type Connections = Vec<(Weak<TcpStream>, JoinHandle<()>)>;

pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// The listener, as what the standard library can shut down.
    accepting: Option<(TcpStream, JoinHandle<()>)>,
    connections: Arc<Mutex<Connections>>,
}

impl Server {
    pub fn start(shared: Arc<Shared>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("unable to listen");
        let address = listener.local_addr().expect("a listener has an address");
        let mut server = Self { address, shared, accepting: None, connections: Arc::default() };
        server.accept(listener);
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the listener: what connects is refused. Connections that were accepted go on.
    pub fn refuse(&mut self) {
        if let Some((listener, thread)) = self.accepting.take() {
            // Takes effect at once, also while a process that is just being started holds the descriptor as well,
            // and wakes the thread out of its wait for a connection.
            let _ = listener.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }

    /// Listens again, at the same address.
    pub fn listen(&mut self) {
        self.refuse();
        let listener = TcpListener::bind(self.address).expect("unable to listen again");
        self.accept(listener);
    }

    /// Ends every connection in order, whatever waits there for an answer. To the state machine that is nothing.
    pub fn disconnect(&self) {
        for (stream, _) in self.connections.lock().unwrap().iter() {
            if let Some(stream) = stream.upgrade() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    fn accept(&mut self, listener: TcpListener) {
        let handle = listener.try_clone().expect("unable to keep a listener");
        let (shared, connections) = (Arc::clone(&self.shared), Arc::clone(&self.connections));
        let thread = spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (stream, shared) = (Arc::new(stream), Arc::clone(&shared));
                let known = Arc::downgrade(&stream);
                let number = shared.update(|inner| {
                    inner.seen.connections.push(Connection::Open);
                    inner.seen.connections.len() - 1
                });
                connections.lock().unwrap().push((known, spawn(move || serve(&shared, stream, number))));
            }
        });
        self.accepting = Some((TcpStream::from(OwnedFd::from(handle)), thread));
    }
}

impl Drop for Server {
    /// The one who drops this has ended all waits.
    fn drop(&mut self) {
        self.refuse();
        self.disconnect();
        for (_, thread) in self.connections.lock().unwrap().drain(..) {
            let _ = thread.join();
        }
    }
}

/// Takes one request after the other, until one side ends the connection.
fn serve(shared: &Shared, stream: Arc<TcpStream>, connection: usize) {
    let _ = stream.set_nodelay(true);
    let end = loop {
        match exchange(shared, &stream, connection) {
            Ok(Next::Request) => {}
            Ok(Next::Close) | Err(_) => break End::Close,
            Ok(Next::Reset) => break End::Reset,
        }
    };
    shared.update(|inner| inner.seen.connections[connection] = Connection::Ended);
    // With something unread, the kernel makes a reset of the end of the last descriptor. A shutdown would send an
    // orderly end before it.
    if end == End::Close {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn exchange(shared: &Shared, stream: &TcpStream, connection: usize) -> io::Result<Next> {
    let Some(head) = Head::read(stream)? else { return Ok(Next::Close) };
    let Some((method, target)) = head.request_line() else {
        Head::finish(stream)?;
        let number = record(shared, connection, &head, None);
        shared.update(|inner| inner.seen.requests[number].status = Some(400));
        let reply = Reply { status: 400, ..Reply::default() };
        write(stream, &reply, None, true)?;
        return Ok(Next::Close);
    };
    let route = Route::of(method, target, shared.settings.snap_start);
    let call = if let Route::Known(call, _) = route { Some(call) } else { None };
    let number = record(shared, connection, &head, call);

    let fault = call.and_then(|call| shared.take_fault(call));
    let unread = match &fault {
        Some(Fault::Reset) => return Ok(Next::Reset),
        Some(Fault::Cut(_, End::Reset)) => true,
        Some(Fault::Hold) => {
            shared.hold(number);
            false
        }
        _ => false,
    };
    if !unread {
        Head::finish(stream)?;
        if head.says("Expect", "100-continue") {
            go_on(stream)?;
        }
    }
    let read = || {
        let progress = |length| shared.update(|inner| inner.seen.requests[number].body.length = length);
        let body = if unread { Body::default() } else { Body::read(stream, &head, progress) };
        shared.update(|inner| inner.seen.requests[number].body = Summary::of(&body));
        body
    };
    if let Some(Fault::Say(bytes)) = &fault {
        (&mut &*stream).write_all(bytes)?;
        return Ok(Next::Close);
    }
    let reply = match (&fault, route) {
        (Some(Fault::Status(status)), _) => {
            read();
            wrong(*status)
        }
        (_, Route::Known(call, id)) => match shared.answer(call, id, &head, number, read, &|| has_ended(stream)) {
            Some(reply) => reply,
            None => return Ok(Next::Close),
        },
        (_, Route::WrongMethod) => {
            read();
            Reply { status: 405, ..Reply::default() }
        }
        (_, Route::Unknown) => {
            read();
            wrong(404)
        }
    };
    let is_last = head.says("Connection", "close");
    shared.update(|inner| inner.seen.requests[number].status = Some(reply.status));
    let next = write(stream, &reply, fault.as_ref(), is_last)?;
    Ok(if is_last && matches!(next, Next::Request) { Next::Close } else { next })
}

fn record(shared: &Shared, connection: usize, head: &Head, call: Option<Call>) -> usize {
    let (head, body) = (head.clone(), Summary::default());
    let request = Request { connection, at: Instant::now(), head, call, body, status: None };
    shared.update(|inner| {
        inner.seen.requests.push(request);
        inner.seen.requests.len() - 1
    })
}

/// Whether the client has ended the connection, or its own half, without sending more.
fn has_ended(stream: &TcpStream) -> bool {
    let _ = stream.set_nonblocking(true);
    let peeked = stream.peek(&mut [0]);
    let _ = stream.set_nonblocking(false);
    match peeked {
        Ok(length) => length == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

fn write(mut stream: &TcpStream, reply: &Reply, fault: Option<&Fault>, is_last: bool) -> io::Result<Next> {
    let framing = if fault == Some(&Fault::Chunked) { Framing::Chunked } else { Framing::Length };
    let encoded = reply.encode(framing, is_last);
    match fault {
        Some(Fault::Cut(length, end)) => {
            stream.write_all(&encoded[..encoded.len().min(*length)])?;
            return Ok(if *end == End::Reset { Next::Reset } else { Next::Close });
        }
        Some(Fault::Dribble) => {
            for byte in encoded {
                stream.write_all(&[byte])?;
            }
        }
        Some(Fault::Continue) => {
            go_on(stream)?;
            stream.write_all(&encoded)?;
        }
        _ => stream.write_all(&encoded)?,
    }
    Ok(Next::Request)
}

/// What the platform says with a status out of place.
fn wrong(status: u16) -> Reply {
    match status {
        403 => Reply::error(403, "InvalidStateTransition", "State transition is not allowed"),
        404 => {
            let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
            Reply { status, headers, body: b"404 page not found\n".to_vec() }
        }
        500 => Reply::error(500, "InternalServerError", "Internal Server Error"),
        _ => Reply { status, ..Reply::default() },
    }
}
