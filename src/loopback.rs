//! Servers on this machine that hooks speak to: an address that has to accept connections, a
//! request over HTTP/1.1. Waits only as the caller's `Watch` does, so that signals and deadlines
//! end it. Follows nothing and trusts nothing.

use crate::http::Answer;
use crate::process::{Latch, PollFlags, Signal, Wake, Watch, connect};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long one attempt to connect may take before signals are looked at.
const STEP: Duration = Duration::from_millis(100);

/// How long to wait before a server that is not there yet is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Most bytes of an answer.
const LONGEST: usize = (1 << 20) + (64 << 10);

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// `HOST:PORT` of this machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Address {
    targets: Vec<SocketAddr>,
}

impl Address {
    /// Reads an address; a name other than `localhost` is not looked up.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| format!("\"{text}\" names no port, as in 127.0.0.1:8080"))?;
        let port = port.parse().ok().filter(|&port| port != 0);
        let port =
            port.ok_or_else(|| format!("\"{text}\" has no port from 1 to 65535 at its end"))?;
        Self::of(host, port).ok_or_else(|| {
            format!(
                "\"{host}\" is not this machine; a hook speaks to 127.0.0.1, [::1] or localhost \
                 only"
            )
        })
    }

    fn of(host: &str, port: u16) -> Option<Self> {
        let addresses = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => vec![IpAddr::V6(address.parse().ok()?)],
            None if host.eq_ignore_ascii_case("localhost") => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            None => vec![IpAddr::V4(host.parse().ok()?)],
        };
        let is_loopback = addresses.iter().all(IpAddr::is_loopback);
        let targets = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        is_loopback.then_some(Self { targets })
    }
}

/// What a hook asks: `POST http://127.0.0.1:8080/path`.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'t> {
    pub method: &'t str,
    host: &'t str,
    path: &'t str,
    address: Address,
}

impl<'t> Request<'t> {
    /// Reads a request as it is written.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn parse(text: &'t str) -> Result<Self, String> {
        let form =
            || format!("\"{text}\" is no request; write it as \"POST http://127.0.0.1:8080/path\"");
        let (method, url) = text.split_once(' ').ok_or_else(form)?;
        if !METHODS.contains(&method) {
            return Err(format!("\"{method}\" is no method; take one of {}", METHODS.join(", ")));
        }
        if url.starts_with("https:") {
            return Err(format!(
                "\"{url}\" asks for TLS, which a server on the same machine does not need; take \
                 http"
            ));
        }
        let behind = url.strip_prefix("http://").ok_or_else(form)?;
        let (host, path) = behind.split_at(behind.find(['/', '?', '#']).unwrap_or(behind.len()));
        if path.starts_with('#')
            || url.bytes().any(|byte| byte <= b' ' || byte == 0x7f)
            || host.contains('@')
        {
            return Err(form());
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let address =
            if has_port { Address::parse(host) } else { Address::parse(&format!("{host}:80")) }?;
        Ok(Self { method, host, path, address })
    }

    fn bytes(&self, body: &[u8]) -> Vec<u8> {
        let Self { method, host, path, .. } = self;
        let slash = if path.starts_with('/') { "" } else { "/" };
        let version = env!("CARGO_PKG_VERSION");
        let mut head = format!(
            "{method} {slash}{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: foreword/{version}\r\n"
        );
        // Some servers refuse a GET that has a body.
        let body = if *method == "GET" { &[][..] } else { body };
        if *method != "GET" {
            head +=
                &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        [head.as_bytes(), b"Accept: */*\r\nConnection: close\r\n\r\n", body].concat()
    }
}

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
            Wake::Late | Wake::Happened => Ok(()),
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
                return Err(Trouble::Failed(crate::process::cause(&error)));
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
    pub fn ask(&self, request: &Request, body: &[u8]) -> Result<Answer, Trouble> {
        let failed = |error: std::io::Error| Trouble::Failed(crate::process::cause(&error));
        let mut stream = self.connect(&request.address)?;
        stream.set_nonblocking(true).map_err(failed)?;
        let (bytes, mut sent) = (request.bytes(body), 0);
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
            match Answer::take(&mut answer, length == 0) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(error) => return Err(Trouble::Failed(error.to_string())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_this_machine() {
        for (text, host, path) in [
            ("POST http://127.0.0.1:8080/pre-stop", "127.0.0.1:8080", "/pre-stop"),
            ("GET http://localhost/", "localhost", "/"),
            ("PUT http://[::1]:1", "[::1]:1", ""),
            ("DELETE http://[::1]?a=b", "[::1]", "?a=b"),
            ("PATCH http://127.1.2.3:65535/a/b?c", "127.1.2.3:65535", "/a/b?c"),
        ] {
            let request = Request::parse(text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((request.host, request.path), (host, path), "{text}");
        }
    }

    #[test]
    fn requests_that_are_none_or_leave_this_machine() {
        for (text, why) in [
            ("http://127.0.0.1/", "is no request"),
            ("POST", "is no request"),
            ("POST 127.0.0.1:8080/", "is no request"),
            ("post http://127.0.0.1/", "\"post\" is no method; take one of GET, POST"),
            ("HEAD http://127.0.0.1/", "is no method"),
            ("POST https://127.0.0.1/", "asks for TLS"),
            ("POST http://example.com/", "\"example.com\" is not this machine"),
            ("POST http://10.0.0.1:80/", "is not this machine"),
            ("POST http://169.254.169.254/latest", "is not this machine"),
            ("POST http://127.0.0.1.example.com/", "is not this machine"),
            ("POST http://[::2]/", "is not this machine"),
            ("POST http://[::1/", "is not this machine"),
            ("POST http://127.0.0.1@example.com/", "is no request"),
            ("POST http://127.0.0.1:0/", "no port from 1"),
            ("POST http://127.0.0.1:99999/", "no port from 1"),
            ("POST http://127.0.0.1/a b", "is no request"),
            ("POST http://127.0.0.1/\r\nX: y", "is no request"),
            ("POST http:///", "is not this machine"),
        ] {
            let error = Request::parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
