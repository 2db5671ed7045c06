//! Forwards bytes both ways between two connections, without a look at them. An end is passed on as
//! an end and a reset as a reset, so that a truncated message stays truncated. There is no timeout.

use crate::process::{PollFd, PollFlags, reset, wait};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

/// Most bytes of one read. Fewer mean more system calls; more would leave the processor's cache
/// before they are written. `scripts/bench-relay.sh` measures the throughput. The kernel provides
/// memory only for pages that are read into.
const BUFFER: usize = 256 << 10;

/// One of the two directions.
#[derive(Default)]
struct Direction {
    /// Bytes that were read and could not be written yet.
    pending: VecDeque<u8>,
    /// Whether the source has ended.
    has_source_ended: bool,
    /// Whether the end was passed on to the destination.
    is_shut_down: bool,
}

impl Direction {
    /// Reads and writes as much as is possible without blocking.
    fn advance(&mut self, from: &TcpStream, to: &TcpStream, buffer: &mut [u8]) -> Result<()> {
        if self.pending.is_empty() && !self.has_source_ended {
            match retry_interrupted(|| (&mut &*from).read(buffer)) {
                Ok(0) => self.has_source_ended = true,
                Ok(length) => {
                    let written = write_some(to, &buffer[..length])?;
                    self.pending.extend(&buffer[written..length]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        } else if !self.pending.is_empty() {
            let written = write_some(to, self.pending.as_slices().0)?;
            self.pending.drain(..written);
        }
        if self.pending.is_empty() {
            // Frees the memory: a connection that waits for its next event must not keep it.
            self.pending = VecDeque::new();
            if self.has_source_ended && !self.is_shut_down {
                self.is_shut_down = true;
                to.shutdown(Shutdown::Write)?;
            }
        }
        Ok(())
    }

    fn wants_input(&self) -> bool {
        self.pending.is_empty() && !self.has_source_ended
    }
}

/// Forwards bytes until both sides have ended. `first` is what the client has sent already.
/// `on_response` is called once, when upstream has ended: some clients end their side late, or
/// never.
pub fn run(client: TcpStream, upstream: TcpStream, first: Vec<u8>, on_response: impl FnOnce()) {
    let mut on_response = Some(on_response);
    let mut call_once = || {
        if let Some(on_response) = on_response.take() {
            on_response();
        }
    };
    if forward(&client, &upstream, first, &mut call_once).is_err() {
        reset(client);
        reset(upstream);
    }
    call_once();
}

fn forward(
    client: &TcpStream,
    upstream: &TcpStream,
    first: Vec<u8>,
    on_upstream_end: &mut dyn FnMut(),
) -> Result<()> {
    for stream in [client, upstream] {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
    }
    let mut up = Direction { pending: first.into(), ..Direction::default() };
    let mut down = Direction::default();
    let mut buffer = vec![0; BUFFER];
    up.advance(client, upstream, &mut buffer)?;
    while !(up.is_shut_down && down.is_shut_down) {
        let mut watched = [
            PollFd::new(client.as_fd(), events(&up, &down)),
            PollFd::new(upstream.as_fd(), events(&down, &up)),
        ];
        // poll(2) reports the end of a stream even if no event is asked for. One that was shut down
        // and is not to be read now is left out, or the loop would spin once it has ended too.
        let is_watched = |fd: &PollFd, to: &Direction| !(fd.events().is_empty() && to.is_shut_down);
        let first = usize::from(!is_watched(&watched[0], &down));
        let last = 1 + usize::from(is_watched(&watched[1], &up));
        wait(&mut watched[first..last], None)?;
        let [from_client, from_upstream] =
            watched.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        if (from_client | from_upstream).contains(PollFlags::POLLERR) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let input = PollFlags::POLLIN | PollFlags::POLLHUP;
        if from_client.intersects(input) || from_upstream.contains(PollFlags::POLLOUT) {
            up.advance(client, upstream, &mut buffer)?;
        }
        if from_upstream.intersects(input) || from_client.contains(PollFlags::POLLOUT) {
            down.advance(upstream, client, &mut buffer)?;
            if down.is_shut_down {
                on_upstream_end();
            }
        }
    }
    Ok(())
}

/// Returns the events to wait for at a stream: the source of one direction, the destination of the
/// other.
fn events(source_of: &Direction, destination_of: &Direction) -> PollFlags {
    let input = if source_of.wants_input() { PollFlags::POLLIN } else { PollFlags::empty() };
    let output =
        if destination_of.pending.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
    input | output
}

/// Writes as much as is possible without blocking; returns the number of bytes.
fn write_some(to: &TcpStream, bytes: &[u8]) -> Result<usize> {
    match retry_interrupted(|| (&mut &*to).write(bytes)) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}

fn retry_interrupted<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
