//! The sockets: one thread that accepts, one for each connection, and the place where things may go
//! wrong on purpose.

use super::Shared;
use super::http::{Body, Reply, RequestHead, go_on};
use super::recording::{BodySummary, Connection, RecordedRequest};
use super::runtime_state::{ApiCall, Route};
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, Weak};
use std::thread::{JoinHandle, spawn};

/// What goes wrong on purpose: nothing, where nobody says what.
pub trait Faults: Send + Sync {
    /// The fault of one request, whose head is there and behind which nothing has been read; it may
    /// be waited for here.
    fn strike(&self, _shared: &Shared, _call: ApiCall, _number: usize) -> Option<Box<dyn Fault>> {
        None
    }
}

impl Faults for () {}

/// What goes wrong with one request. An error of kind `ConnectionReset` makes a reset of what is
/// left unread, and any other one the end of the connection.
pub trait Fault {
    /// Whether what is behind the head stays unread.
    fn leaves_body(&self) -> bool;

    /// The answer in the place of the state machine's, which then does not see the request.
    fn answer(&self, stream: &TcpStream, read: &dyn Fn() -> Body) -> Option<io::Result<Reply>>;

    fn write(&self, stream: &TcpStream, reply: &Reply, is_last: bool) -> io::Result<AfterReply>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterReply {
    Request,
    Close,
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
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut server =
            Self { address: anywhere, shared, accepting: None, connections: Arc::default() };
        server.listen();
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the listener: what connects is refused. Connections that were accepted go on.
    pub fn refuse(&mut self) {
        if let Some((listener, thread)) = self.accepting.take() {
            // Takes effect at once, also while a process that is just being started holds the
            // descriptor as well, and wakes the thread out of its wait for a
            // connection.
            let _ = listener.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }

    /// Listens, and always at the same address.
    pub fn listen(&mut self) {
        self.refuse();
        let listener = TcpListener::bind(self.address).expect("unable to listen");
        self.address = listener.local_addr().expect("a listener has an address");
        self.accept(listener);
    }

    /// Ends every connection in order, whatever waits there for an answer. To the state machine
    /// that is nothing.
    pub fn disconnect(&self) {
        for (stream, _) in self.connections.lock().unwrap().iter() {
            if let Some(stream) = stream.upgrade() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// Comes back when nobody serves any more. Who calls this has ended all waits.
    pub fn end(&mut self) {
        self.refuse();
        self.disconnect();
        for (_, thread) in self.connections.lock().unwrap().drain(..) {
            let _ = thread.join();
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
                connections
                    .lock()
                    .unwrap()
                    .push((known, spawn(move || serve(&shared, stream, number))));
            }
        });
        self.accepting = Some((TcpStream::from(OwnedFd::from(handle)), thread));
    }
}

/// Takes one request after the other, until one side ends the connection.
fn serve(shared: &Shared, stream: Arc<TcpStream>, connection: usize) {
    let _ = stream.set_nodelay(true);
    let mut end = exchange(shared, &stream, connection);
    while matches!(end, Ok(AfterReply::Request)) {
        end = exchange(shared, &stream, connection);
    }
    shared.update(|inner| inner.seen.connections[connection] = Connection::Ended);
    // With something unread, the kernel makes a reset of the end of the last descriptor. A shutdown
    // would send an orderly end before it.
    if end.err().is_none_or(|error| error.kind() != ErrorKind::ConnectionReset) {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn exchange(shared: &Shared, stream: &TcpStream, connection: usize) -> io::Result<AfterReply> {
    let Some(head) = RequestHead::read(stream)? else { return Ok(AfterReply::Close) };
    let Some((method, target)) = head.request_line() else {
        RequestHead::finish(stream)?;
        let number = record(shared, connection, &head, None);
        shared.update(|inner| inner.seen.requests[number].status = Some(400));
        let reply = Reply { status: 400, ..Reply::default() };
        (&mut &*stream).write_all(&reply.encode(true))?;
        return Ok(AfterReply::Close);
    };
    let route = Route::of(method, target, shared.settings.snap_start);
    let call = if let Route::Known(call, _) = route { Some(call) } else { None };
    let number = record(shared, connection, &head, call);

    let fault = call.and_then(|call| shared.faults.strike(shared, call, number));
    let unread = fault.as_ref().is_some_and(|fault| fault.leaves_body());
    if !unread {
        RequestHead::finish(stream)?;
        if head.says("Expect", "100-continue") {
            go_on(stream)?;
        }
    }
    let read = || {
        let progress =
            |length| shared.update(|inner| inner.seen.requests[number].body.length = length);
        let body = if unread { Body::default() } else { Body::read(stream, &head, progress) };
        shared.update(|inner| inner.seen.requests[number].body = BodySummary::of(&body));
        body
    };
    let reply = match (fault.as_ref().and_then(|fault| fault.answer(stream, &read)), route) {
        (Some(reply), _) => reply?,
        (_, Route::Known(call, id)) => {
            match shared.answer(call, id, &head, number, read, &|| has_ended(stream)) {
                Some(reply) => reply,
                None => return Ok(AfterReply::Close),
            }
        }
        (_, Route::WrongMethod) => {
            read();
            Reply { status: 405, ..Reply::default() }
        }
        (_, Route::Unknown) => {
            read();
            not_found()
        }
    };
    let is_last = head.closes_connection;
    shared.update(|inner| inner.seen.requests[number].status = Some(reply.status));
    let next = match fault {
        Some(fault) => fault.write(stream, &reply, is_last)?,
        None => (&mut &*stream).write_all(&reply.encode(is_last)).map(|()| AfterReply::Request)?,
    };
    Ok(if is_last { AfterReply::Close } else { next })
}

fn record(shared: &Shared, connection: usize, head: &RequestHead, call: Option<ApiCall>) -> usize {
    let (head, body) = (head.clone(), BodySummary::default());
    let request = RecordedRequest { connection, head, call, body, status: None };
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

fn not_found() -> Reply {
    let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
    Reply { status: 404, headers, body: b"404 page not found\n".to_vec() }
}
