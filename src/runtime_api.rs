//! A client of the Runtime API, for the requests that foreword itself makes: reports of failures, and
//! those of the relay and the extension. Reports have a timeout, so that a Runtime API that does not
//! respond holds up no failure.

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

/// The timeout of a report, from connecting to its response.
const REPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// The number of times that a refused connection is tried again, and the pause before each. AWS's
/// Runtime Interface Emulator starts foreword, which can fail before the emulator listens
/// (<https://github.com/aws/aws-lambda-runtime-interface-emulator>).
const RETRIES: usize = 10;
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// A Runtime API at a known address.
#[derive(Debug, Clone)]
pub struct RuntimeApi {
    /// The address as it was given, for the header `Host`.
    address: String,
    resolved: Vec<SocketAddr>,
}

impl RuntimeApi {
    /// Resolves an address, `HOST:PORT`. Looking up a name has no timeout of its own.
    ///
    /// # Errors
    /// When the address is malformed or the name has no address.
    pub fn resolve(address: &str) -> Result<Self> {
        let resolved: Vec<_> = address.to_socket_addrs()?.collect();
        if resolved.is_empty() {
            bail!("its name has no address");
        }
        Ok(Self { address: address.to_owned(), resolved })
    }

    /// Returns the address as it was given.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Connects, with the kernel's own timeout, which a client without the relay has too.
    pub fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(&self.resolved[..])
    }

    /// Posts a failure, so that the caller of the function sees it
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>, "Initialization error").
    ///
    /// # Errors
    /// When there is no connection, no response within a second, or a status other than 202.
    pub fn report(&self, call: Call, failure: &Failure) -> Result<()> {
        let error_type = failure.error_type.name();
        let headers = [(api::FUNCTION_ERROR_TYPE, error_type)];
        let request = self.encode_request(call, &headers, &failure.to_json(error_type));
        let deadline = Instant::now() + REPORT_TIMEOUT;
        let mut stream = self.connect_before(deadline);
        for _ in 0..RETRIES {
            if stream.is_ok() {
                break;
            }
            sleep(RETRY_PAUSE);
            stream = self.connect_before(deadline);
        }
        match exchange(&mut stream?, &request, Some(deadline))?.status {
            202 => Ok(()),
            status => bail!("it answered {status}"),
        }
    }

    fn connect_before(&self, deadline: Instant) -> io::Result<TcpStream> {
        let mut last = Err(io::ErrorKind::NotFound.into());
        for target in &self.resolved {
            last = connect(target, deadline);
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// Encodes a request with `Connection: close`. The body is JSON, or empty for none.
    pub fn encode_request(&self, call: Call, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let (method, path) = (call.method(), call.path());
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            request.extend([*name, ": ", *value, "\r\n"]);
        }
        if !body.is_empty() {
            let length = body.len().to_string();
            let lines = "Content-Type: application/json\r\nContent-Length: ";
            request.extend([lines, &*length, "\r\n"]);
        }
        (request + "Connection: close\r\n\r\n" + body).into_bytes()
    }

    /// Sends a request over a connection of its own and returns the response, for which it waits
    /// without a timeout. The request is complete and has `Connection: close`.
    ///
    /// # Errors
    /// When there is no complete response.
    pub fn send(&self, request: &[u8]) -> Result<Response> {
        let mut stream = self.connect()?;
        exchange(&mut stream, request, None)
    }
}

/// Resolves the address of a Runtime API and posts the failure of an initialization to it.
///
/// # Errors
/// Those of [`RuntimeApi::resolve`] and [`RuntimeApi::report`], which have one second together.
pub fn post_init_error(address: &str, failure: &Failure) -> Result<()> {
    let (sender, result) = mpsc::channel();
    let (address, failure) = (address.to_owned(), failure.clone());
    // A thread, because looking up a name has no timeout. The thread ends with the process.
    thread::Builder::new().spawn(move || {
        let reported =
            RuntimeApi::resolve(&address).and_then(|api| api.report(Call::InitError, &failure));
        sender.send(reported)
    })?;
    result.recv_timeout(REPORT_TIMEOUT).map_err(|_| anyhow!("no answer within 1 s"))?
}

/// Sends a request with `Connection: close` and returns the response.
fn exchange(stream: &mut TcpStream, request: &[u8], deadline: Option<Instant>) -> Result<Response> {
    stream.set_write_timeout(deadline.map(remaining))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        stream.set_read_timeout(deadline.map(remaining))?;
        let length = match stream.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        bytes.extend_from_slice(&piece[..length]);
        if let Some(response) = Response::take(&mut bytes, length == 0)? {
            return Ok(response);
        }
    }
}

/// Returns the time until a deadline, at least 1 ms: a socket takes a timeout of zero for an error.
fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
