//! Addresses of servers on this machine that hooks speak to, and requests to them, as a
//! configuration writes them. Only reads them; `hooks::client` connects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// `HOST:PORT` of this machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Address {
    pub targets: Vec<SocketAddr>,
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
    pub address: Address,
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

    /// Returns the request with a body, which a GET leaves out.
    pub fn encode(&self, body: &[u8]) -> Vec<u8> {
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
