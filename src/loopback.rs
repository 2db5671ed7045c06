//! Parses the loopback addresses that hooks connect to and the requests that they send there, as a
//! configuration writes them. Resolves no names and opens no connections; `hooks::client` does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The methods that a hook may use.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// A loopback address, `HOST:PORT`.
#[derive(Debug, PartialEq, Eq)]
pub struct Address {
    /// The socket addresses to try; `localhost` has one for IPv4 and one for IPv6.
    pub targets: Vec<SocketAddr>,
}

impl Address {
    /// Parses an address.
    ///
    /// # Errors
    /// With what is wrong with it, such as a host other than a loopback address or `localhost`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| format!("\"{text}\" names no port, as in 127.0.0.1:8080"))?;
        let port = port.parse().ok().filter(|&port| port != 0);
        let port = port.ok_or_else(|| format!("\"{text}\" has no port from 1 to 65535"))?;
        Self::from_parts(host, port).ok_or_else(|| {
            format!(
                "\"{host}\" is not this machine; a hook speaks to 127.0.0.1, [::1] or localhost \
                 only"
            )
        })
    }

    fn from_parts(host: &str, port: u16) -> Option<Self> {
        let targets = addresses_of(host, port)?;
        targets.iter().all(|target| target.ip().is_loopback()).then_some(Self { targets })
    }
}

/// Returns the socket addresses of a host: an IP address, or `localhost`, which has one for IPv4
/// and one for IPv6. Returns `None` for any other name: nothing needs one, and a resolver would add
/// 25 KB to the binary (`scripts/build-layer.sh` prints its size).
pub fn addresses_of(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    let addresses = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => vec![IpAddr::V6(address.parse().ok()?)],
        None if host.eq_ignore_ascii_case("localhost") => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        None => vec![IpAddr::V4(host.parse().ok()?)],
    };
    Some(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// The request of a hook, `POST http://127.0.0.1:8080/path`.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'t> {
    pub method: &'t str,
    /// Host and, if it is written, port.
    host: &'t str,
    /// Path and query; may be empty.
    path: &'t str,
    pub address: Address,
}

impl<'t> Request<'t> {
    /// Parses a request.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn parse(text: &'t str) -> Result<Self, String> {
        let form = || {
            format!("\"{text}\" is not a request; write it as \"POST http://127.0.0.1:8080/path\"")
        };
        let (method, url) = text.split_once(' ').ok_or_else(form)?;
        if !METHODS.contains(&method) {
            return Err(format!("\"{method}\" is not a method; use one of {}", METHODS.join(", ")));
        }
        if url.starts_with("https:") {
            return Err(format!(
                "\"{url}\" asks for TLS, which a server on the same machine does not need; use \
                 http"
            ));
        }
        let after = url.strip_prefix("http://").ok_or_else(form)?;
        let (host, path) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
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

    /// Encodes the request with a body, which GET omits.
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
            head += "Content-Type: application/json\r\nContent-Length: ";
            head += &body.len().to_string();
            head += "\r\n";
        }
        [head.as_bytes(), b"Accept: */*\r\nConnection: close\r\n\r\n", body].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_to_this_machine_is_parsed() {
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
    fn request_that_is_none_or_leaves_this_machine_is_refused() {
        for (text, why) in [
            ("http://127.0.0.1/", "is not a request"),
            ("POST", "is not a request"),
            ("POST 127.0.0.1:8080/", "is not a request"),
            ("post http://127.0.0.1/", "\"post\" is not a method; use one of GET, POST"),
            ("HEAD http://127.0.0.1/", "is not a method"),
            ("POST https://127.0.0.1/", "asks for TLS"),
            ("POST http://example.com/", "\"example.com\" is not this machine"),
            ("POST http://10.0.0.1:80/", "is not this machine"),
            ("POST http://169.254.169.254/latest", "is not this machine"),
            ("POST http://127.0.0.1.example.com/", "is not this machine"),
            ("POST http://[::2]/", "is not this machine"),
            ("POST http://[::1/", "is not this machine"),
            ("POST http://127.0.0.1@example.com/", "is not a request"),
            ("POST http://127.0.0.1:0/", "no port from 1"),
            ("POST http://127.0.0.1:99999/", "no port from 1"),
            ("POST http://127.0.0.1/a b", "is not a request"),
            ("POST http://127.0.0.1/\r\nX: y", "is not a request"),
            ("POST http:///", "is not this machine"),
        ] {
            let error = Request::parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
