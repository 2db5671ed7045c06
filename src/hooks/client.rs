//! An HTTP/1.1 client for servers on this machine, which can also wait until a server accepts
//! connections. It waits only by the caller's [`Watch`], so that signals, the deadline and a
//! cancellation end it. It does not follow redirects.

use crate::http::Response;
use crate::loopback::{Address, Request};
use crate::process::{Latch, PollFlags, Signal, Wake, Watch, cause, connect};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The timeout of one attempt to connect, after which the client looks at signals.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(100);

/// The pause before the client tries again to connect to a server that is not there yet.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Most bytes of a response: 1 MiB, the most that a hook can export, and 64 KiB for its head.
const MAX_RESPONSE: usize = (1 << 20) + (64 << 10);

/// A reason to give up.
#[derive(Debug)]
pub enum ClientError {
    /// The cause, in words that follow the address of the server.
    Failed(String),
    /// The deadline has passed.
    TimedOut,
    /// A signal arrived that ends foreword.
    Interrupted(Signal),
    /// The latch was set.
    Cancelled,
}

/// A client that gives up at a deadline, at a signal, or when a latch is set.
#[derive(Clone, Copy)]
pub struct Client<'c> {
    pub watch: &'c Watch,
    pub deadline: Instant,
    pub cancel: Option<&'c Latch>,
}

impl Client<'_> {
    /// Sleeps.
    ///
    /// # Errors
    /// When the client gives up before the pause is over.
    pub fn pause(&self, pause: Duration) -> Result<(), ClientError> {
        self.wait(Instant::now() + pause, None)
    }

    /// Waits until a server accepts connections.
    ///
    /// # Errors
    /// When the client gives up; never [`ClientError::Failed`].
    pub fn wait_until_accepting(&self, address: &Address) -> Result<(), ClientError> {
        loop {
            match self.connect(address) {
                Ok(_) => return Ok(()),
                Err(ClientError::Failed(_)) => self.pause(RETRY_PAUSE)?,
                Err(other) => return Err(other),
            }
        }
    }

    /// Sends a request and returns the response.
    ///
    /// # Errors
    /// When the client gives up, nothing listens, or the response is not HTTP/1.
    pub fn send(&self, request: &Request, body: &[u8]) -> Result<Response, ClientError> {
        let failed = |error: io::Error| ClientError::Failed(cause(&error));
        let mut stream = self.connect(&request.address)?;
        stream.set_nonblocking(true).map_err(failed)?;
        let (bytes, mut sent) = (request.encode(body), 0);
        let (mut received, mut buffer) = (Vec::new(), vec![0; 8192]);
        loop {
            // A server may respond before it has read everything, and close its end to the rest.
            let writing = if sent < bytes.len() { PollFlags::POLLOUT } else { PollFlags::empty() };
            self.wait(self.deadline, Some((&stream, PollFlags::POLLIN | writing)))?;
            match stream.write(&bytes[sent..]) {
                Ok(written) => sent += written,
                Err(error) if is_temporary(&error) => {}
                Err(_) => sent = bytes.len(),
            }
            let length = match stream.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if is_temporary(&error) => continue,
                Err(error) => return Err(failed(error)),
            };
            received.extend_from_slice(&buffer[..length]);
            if received.len() > MAX_RESPONSE {
                let cause = format!("it answered with more than {MAX_RESPONSE} bytes");
                return Err(ClientError::Failed(cause));
            }
            match Response::take(&mut received, length == 0) {
                Ok(Some(response)) => return Ok(response),
                Ok(None) => {}
                Err(error) => return Err(ClientError::Failed(error.to_string())),
            }
        }
    }

    /// Connects to the first target of an address that accepts. A target that neither accepts nor
    /// refuses is tried until the client gives up: a busy server accepts later.
    fn connect(&self, address: &Address) -> Result<TcpStream, ClientError> {
        loop {
            let mut refused = None;
            for target in &address.targets {
                match connect(target, self.deadline.min(Instant::now() + CONNECT_TIMEOUT)) {
                    Ok(stream) => return Ok(stream),
                    Err(error) if error.kind() == ErrorKind::TimedOut => {}
                    Err(error) => refused = Some(error),
                }
            }
            // Looks at signals and the deadline.
            self.pause(Duration::ZERO)?;
            if let Some(error) = refused {
                return Err(ClientError::Failed(cause(&error)));
            }
        }
    }

    /// Waits until a time, or for an event of a stream before that.
    fn wait(
        &self,
        until: Instant,
        stream: Option<(&TcpStream, PollFlags)>,
    ) -> Result<(), ClientError> {
        let watched = stream.map(|(stream, events)| (stream.as_fd(), events));
        match self.watch.wait_until(until.min(self.deadline), watched, self.cancel) {
            Wake::Signal(signal) => Err(ClientError::Interrupted(signal)),
            Wake::Stopped => Err(ClientError::Cancelled),
            Wake::Late if Instant::now() >= self.deadline => Err(ClientError::TimedOut),
            Wake::Late | Wake::Ready => Ok(()),
        }
    }
}

/// Tells whether a call on a non-blocking stream has to be made again.
fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
