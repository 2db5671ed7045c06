//! The requests that foreword itself sends to the Runtime API: reports of what failed, and what the
//! relay asks for. Reports are bounded in time, so that nobody has to wait for a Runtime API that
//! hangs.

use crate::http::Response;
use crate::lambda::api::{self, Call};
use crate::process::{connect, sleep};
use crate::report::Failure;
use anyhow::{Result, anyhow, bail};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a report may take in all: the failure must reach the log even when the Runtime API
/// hangs.
const REPORT_LIMIT: Duration = Duration::from_secs(1);

/// foreword can fail before AWS's Runtime Interface Emulator, which starts it, listens: a
/// connection that is refused is tried this often again, this far apart.
const STARTING: usize = 10;
const STARTING_STEP: Duration = Duration::from_millis(5);

/// Where a Runtime API listens.
#[derive(Debug, Clone)]
pub struct RuntimeApi {
    address: String,
    targets: Vec<SocketAddr>,
}

impl RuntimeApi {
    /// Looks an address up, which may take as long as it likes.
    ///
    /// # Errors
    /// When it is no address, or the name in it has none.
    pub fn find(address: &str) -> Result<Self> {
        let targets: Vec<_> = address.to_socket_addrs()?.collect();
        if targets.is_empty() {
            bail!("its name has no address");
        }
        Ok(Self { address: address.to_owned(), targets })
    }

    /// Waits for a connection as long as the kernel does, which a client of its own would do as
    /// well.
    pub fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(&self.targets[..])
    }

    /// Posts a failure, so that the caller of the function sees it
    /// (AWS's documentation, "Using the Lambda runtime API").
    ///
    /// # Errors
    /// When the Runtime API cannot be reached, does not answer in a second, or answers something
    /// else than 202.
    pub fn report(&self, call: Call, failure: &Failure) -> Result<()> {
        let name = failure.error_type.name();
        let headers = [(api::FUNCTION_ERROR_TYPE, name)];
        let request = self.request(call, &headers, &failure.body(name));
        let deadline = Instant::now() + REPORT_LIMIT;
        let mut stream = self.connect_before(deadline);
        for _ in 0..STARTING {
            if stream.is_ok() {
                break;
            }
            sleep(STARTING_STEP);
            stream = self.connect_before(deadline);
        }
        match exchange(&mut stream?, &request, Some(deadline))?.status {
            202 => Ok(()),
            status => bail!("it answered {status}"),
        }
    }

    fn connect_before(&self, deadline: Instant) -> io::Result<TcpStream> {
        let mut last = Err(io::ErrorKind::NotFound.into());
        for target in &self.targets {
            last = connect(target, deadline);
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// A request that asks for the end of the connection; a body is JSON.
    pub fn request(&self, call: Call, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let (method, path) = (call.method(), call.path());
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request +=
                &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        (request + "Connection: close\r\n\r\n" + body).into_bytes()
    }

    /// Asks for something that may take for ever, over a connection of its own. The request is a
    /// whole one, and asks for the end of the connection.
    ///
    /// # Errors
    /// When there is no complete answer.
    pub fn ask(&self, request: &[u8]) -> Result<Response> {
        let mut stream = self.connect()?;
        exchange(&mut stream, request, None)
    }

    pub fn address(&self) -> &str {
        &self.address
    }
}

/// Posts the failure of an initialization to an address that has to be looked up.
///
/// # Errors
/// As [`RuntimeApi::report`] has them; the look-up is part of the second.
pub fn post_init_error(address: &str, failure: &Failure) -> Result<()> {
    let (sender, answer) = mpsc::channel();
    let (address, failure) = (address.to_owned(), failure.clone());
    // A thread, because looking up a name has no time limit of its own; it ends with the process.
    thread::Builder::new().spawn(move || {
        let reported =
            RuntimeApi::find(&address).and_then(|api| api.report(Call::InitError, &failure));
        sender.send(reported)
    })?;
    answer.recv_timeout(REPORT_LIMIT).map_err(|_| anyhow!("no answer within 1 s"))?
}

/// Sends a request that asks for the end of the connection, and gives the answer.
fn exchange(stream: &mut TcpStream, request: &[u8], deadline: Option<Instant>) -> Result<Response> {
    stream.set_write_timeout(deadline.map(left))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        stream.set_read_timeout(deadline.map(left))?;
        let length = match stream.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        bytes.extend_from_slice(&piece[..length]);
        if let Some(answer) = Response::take(&mut bytes, length == 0)? {
            return Ok(answer);
        }
    }
}

/// A timeout of nothing would be none.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
