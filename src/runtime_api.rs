//! The requests that foreword itself sends to the Runtime API: the report of a failed initialization.
//! Bounded in time, so that nobody has to wait for a Runtime API that hangs.

use crate::report::Failure;
use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Names where the Runtime API listens, as `host:port` (AWS's documentation, "Using the Lambda runtime API").
pub const ADDRESS: &str = "AWS_LAMBDA_RUNTIME_API";

/// How long a report may take in all: the failure must reach the log even when the Runtime API hangs.
const REPORT_LIMIT: Duration = Duration::from_secs(1);

/// foreword can fail before AWS's Runtime Interface Emulator, which starts it, listens: a connection that is refused is
/// tried this often again, this far apart.
const STARTING: usize = 10;
const STARTING_STEP: Duration = Duration::from_millis(5);

/// Posts a failure to `/runtime/init/error`, so that the caller of the function sees it
/// (AWS's documentation, "Using the Lambda runtime API").
///
/// # Errors
/// When the Runtime API cannot be reached, does not answer in a second, or answers something else than 202.
pub fn post_init_error(address: &str, failure: &Failure) -> Result<()> {
    let name = failure.error_type.name();
    let body = json!({"errorMessage": failure.message, "errorType": name, "stackTrace": []}).to_string();
    let request = format!(
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Lambda-Runtime-Function-Error-Type: {name}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let address = address.to_owned();
    let (sender, answer) = mpsc::channel();
    // A thread, because looking up a name has no time limit of its own; it ends with the process.
    thread::Builder::new().spawn(move || sender.send(exchange(&address, &request)))?;
    let status = answer.recv_timeout(REPORT_LIMIT).map_err(|_| anyhow!("no answer within 1 s"))??;
    match status.as_str() {
        "202" => Ok(()),
        _ => bail!("it answered {status}"),
    }
}

fn connect(targets: &[SocketAddr], limit: Duration) -> Result<TcpStream> {
    let mut refused = anyhow!("its name has no address");
    for target in targets {
        match TcpStream::connect_timeout(target, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) => refused = error.into(),
        }
    }
    Err(refused)
}

/// Sends a request and gives the status code of the answer.
fn exchange(address: &str, request: &str) -> Result<String> {
    let deadline = Instant::now() + REPORT_LIMIT;
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let targets: Vec<_> = address.to_socket_addrs()?.collect();
    let mut stream = connect(&targets, left());
    for _ in 0..STARTING {
        if stream.is_ok() {
            break;
        }
        thread::sleep(STARTING_STEP);
        stream = connect(&targets, left());
    }
    let mut stream = stream?;
    stream.set_write_timeout(Some(left()))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 512];
    while !answer.contains(&b'\n') {
        stream.set_read_timeout(Some(left()))?;
        match stream.read(&mut chunk)? {
            0 => bail!("it closed the connection without an answer"),
            length => answer.extend_from_slice(&chunk[..length]),
        }
    }
    let head = String::from_utf8_lossy(&answer);
    let status =
        head.lines().next().and_then(|line| line.split(' ').nth(1)).context("it answered something else than HTTP")?;
    Ok(status.to_owned())
}
