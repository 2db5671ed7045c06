//! Speaks to servers on this machine: waits until an address accepts connections, sends a request over
//! HTTP/1.1. Waits only as the caller's `Watch` does, so that signals and deadlines end it. Follows no
//! redirects.

use crate::http::Response;
use crate::loopback::{Address, Request};
use crate::process::{Latch, PollFlags, Signal, Wake, Watch, cause, connect};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long one attempt to connect may take before signals are looked at.
const STEP: Duration = Duration::from_millis(100);

/// How long to wait before a server that is not there yet is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Most bytes of an answer.
const LONGEST: usize = (1 << 20) + (64 << 10);

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// In words that follow the name of the server.
    Failed(String),
    TimedOut,
    /// A signal came that is to end foreword.
    Interrupted(Signal),
    Cancelled,
}

/// How long a conversation may last, and who can end it before.
#[derive(Clone, Copy)]
pub struct Until<'u> {
    pub watch: &'u Watch,
    pub deadline: Instant,
    pub stop: Option<&'u Latch>,
}

impl Until<'_> {
    fn wait(
        &self,
        until: Instant,
        for_what: Option<(&TcpStream, PollFlags)>,
    ) -> Result<(), Trouble> {
        let descriptor = for_what.map(|(stream, events)| (stream.as_fd(), events));
        match self.watch.wait_until(until.min(self.deadline), descriptor, self.stop) {
            Wake::Signal(signal) => Err(Trouble::Interrupted(signal)),
            Wake::Stopped => Err(Trouble::Cancelled),
            Wake::Late if Instant::now() >= self.deadline => Err(Trouble::TimedOut),
            Wake::Late | Wake::Ready => Ok(()),
        }
    }

    /// Sleeps for a while.
    pub fn pause(&self, pause: Duration) -> Result<(), Trouble> {
        self.wait(Instant::now() + pause, None)
    }

    fn connect(&self, address: &Address) -> Result<TcpStream, Trouble> {
        loop {
            let mut refused = None;
            for target in &address.targets {
                match connect(target, self.deadline.min(Instant::now() + STEP)) {
                    Ok(stream) => return Ok(stream),
                    // A server that is busy answers later.
                    Err(error) if error.kind() == ErrorKind::TimedOut => {}
                    Err(error) => refused = Some(error),
                }
            }
            self.pause(Duration::ZERO)?;
            if let Some(error) = refused {
                return Err(Trouble::Failed(cause(&error)));
            }
        }
    }

    /// Waits until something accepts connections there.
    ///
    /// # Errors
    /// Never with `Failed`.
    pub fn accepts(&self, address: &Address) -> Result<(), Trouble> {
        loop {
            match self.connect(address) {
                Ok(_) => return Ok(()),
                Err(Trouble::Failed(_)) => self.pause(PAUSE)?,
                Err(other) => return Err(other),
            }
        }
    }

    /// Sends a request; gives the answer.
    ///
    /// # Errors
    /// When there is none in time, or none that can be understood.
    pub fn ask(&self, request: &Request, body: &[u8]) -> Result<Response, Trouble> {
        let failed = |error: std::io::Error| Trouble::Failed(cause(&error));
        let mut stream = self.connect(&request.address)?;
        stream.set_nonblocking(true).map_err(failed)?;
        let (bytes, mut sent) = (request.encode(body), 0);
        let (mut answer, mut piece) = (Vec::new(), vec![0; 8192]);
        loop {
            // A server may answer before it has read everything, and refuse to read the rest.
            let writing = if sent < bytes.len() { PollFlags::POLLOUT } else { PollFlags::empty() };
            self.wait(self.deadline, Some((&stream, PollFlags::POLLIN | writing)))?;
            match stream.write(&bytes[sent..]) {
                Ok(written) => sent += written,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => sent = bytes.len(),
            }
            let length = match stream.read(&mut piece) {
                Ok(length) => length,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
                {
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            answer.extend_from_slice(&piece[..length]);
            if answer.len() > LONGEST {
                return Err(Trouble::Failed(format!("it answered with more than {LONGEST} bytes")));
            }
            match Response::take(&mut answer, length == 0) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(error) => return Err(Trouble::Failed(error.to_string())),
            }
        }
    }
}
