//! Carries bytes both ways between two connections, without a look at them: an end passes on as an
//! end, a reset as a reset, so that what was truncated stays truncated. There is no time after
//! which it gives up.

use crate::process::{PollFd, PollFlags, reset, wait};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

/// Most that is read at a time: less means more calls, and more would leave the processor's cache
/// before it is written. Most connections never carry more than a page, and what is never filled
/// costs nothing.
const ROOM: usize = 256 << 10;

/// One of the two directions.
#[derive(Default)]
struct Flow {
    /// What was read and could not be written yet.
    pending: VecDeque<u8>,
    /// Nothing more will come.
    is_over: bool,
    /// The other side has been told so.
    is_ended: bool,
}

impl Flow {
    /// Moves what can be moved at once.
    fn advance(&mut self, from: &TcpStream, to: &TcpStream, room: &mut [u8]) -> Result<()> {
        if self.pending.is_empty() && !self.is_over {
            match retried(|| (&mut &*from).read(room)) {
                Ok(0) => self.is_over = true,
                Ok(length) => {
                    let written = write_some(to, &room[..length])?;
                    self.pending.extend(&room[written..length]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        } else if !self.pending.is_empty() {
            let written = write_some(to, self.pending.as_slices().0)?;
            self.pending.drain(..written);
        }
        if self.pending.is_empty() {
            // Given back: a connection that waits for its next event holds no more than it has to.
            self.pending = VecDeque::new();
            if self.is_over && !self.is_ended {
                self.is_ended = true;
                to.shutdown(Shutdown::Write)?;
            }
        }
        Ok(())
    }

    fn waits_for_input(&self) -> bool {
        self.pending.is_empty() && !self.is_over
    }
}

/// Carries bytes until both sides have ended; `first` is what the client has sent already.
/// `answered` is called when nothing more comes from upstream: some clients end their side late, or
/// never.
pub fn run(client: TcpStream, upstream: TcpStream, first: Vec<u8>, answered: impl FnOnce()) {
    let mut answered = Some(answered);
    let mut tell = || answered.take().map_or((), |answered| answered());
    if carry(&client, &upstream, first, &mut tell).is_err() {
        reset(client);
        reset(upstream);
    }
    tell();
}

fn carry(
    client: &TcpStream,
    upstream: &TcpStream,
    first: Vec<u8>,
    answered: &mut dyn FnMut(),
) -> Result<()> {
    for stream in [client, upstream] {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
    }
    let mut up = Flow { pending: first.into(), ..Flow::default() };
    let mut down = Flow::default();
    let mut room = vec![0; ROOM];
    up.advance(client, upstream, &mut room)?;
    while !(up.is_ended && down.is_ended) {
        let mut watched = [
            PollFd::new(client.as_fd(), interest(&up, &down)),
            PollFd::new(upstream.as_fd(), interest(&down, &up)),
        ];
        // One that has been told the end and is not to be read now would wake this over and over,
        // once it has ended too.
        let is_worth_it = |of: &PollFd, writes: &Flow| !(of.events().is_empty() && writes.is_ended);
        let first = usize::from(!is_worth_it(&watched[0], &down));
        let last = 1 + usize::from(is_worth_it(&watched[1], &up));
        wait(&mut watched[first..last], None)?;
        let [of_client, of_upstream] =
            watched.map(|one| one.revents().unwrap_or(PollFlags::empty()));
        if (of_client | of_upstream).contains(PollFlags::POLLERR) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let input = PollFlags::POLLIN | PollFlags::POLLHUP;
        if of_client.intersects(input) || of_upstream.contains(PollFlags::POLLOUT) {
            up.advance(client, upstream, &mut room)?;
        }
        if of_upstream.intersects(input) || of_client.contains(PollFlags::POLLOUT) {
            down.advance(upstream, client, &mut room)?;
            if down.is_ended {
                answered();
            }
        }
    }
    Ok(())
}

/// What is to be told of a connection, given the flows that read from it and write to it.
fn interest(reads: &Flow, writes: &Flow) -> PollFlags {
    let input = if reads.waits_for_input() { PollFlags::POLLIN } else { PollFlags::empty() };
    let output = if writes.pending.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
    input | output
}

/// Writes as much as fits.
fn write_some(to: &TcpStream, bytes: &[u8]) -> Result<usize> {
    match retried(|| (&mut &*to).write(bytes)) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}

fn retried<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
