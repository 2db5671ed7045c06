//! The credentials of a function with SnapStart: not variables, which a snapshot would keep, but an
//! endpoint of its own that hands them out to whoever has the token (AWS's documentation,
//! "Activating and managing Lambda SnapStart"; AWS SDKs and Tools Reference Guide, "Container
//! credential provider").

use crate::environ::Environ;
use crate::lambda::{
    ACCESS_KEY_ID, CREDENTIALS_TOKEN, CREDENTIALS_URI, SECRET_ACCESS_KEY, SESSION_TOKEN,
};
use crate::simulated_lambda::http::{Body, Reply, RequestHead};
use crate::timestamp::{Precision, rfc3339};
use serde_json::json;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::spawn;
use std::time::{Duration, SystemTime};

/// The variables in which this shell has keys, and functions without SnapStart theirs.
const KEYS: [&str; 3] = [ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN];

/// The path at which the endpoint answers.
const PATH: &str = "/2021-08-23/credentials";

/// How long what it hands out holds.
const VALIDITY: Duration = Duration::from_secs(6 * 3600);

/// A client that sends nothing is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes the keys out of the environment and lets an endpoint hand them out, as long as this
/// process lives; gives what whoever watches should know of it.
///
/// # Errors
/// When there can be no endpoint.
pub fn serve_from_endpoint(environ: &mut Environ) -> io::Result<Option<String>> {
    let keys = KEYS
        .map(|name| environ.lossy(name).filter(|key| !key.is_empty()).map(|key| key.into_owned()));
    let [Some(identifier), Some(secret), session] = keys else {
        KEYS.iter().for_each(|name| environ.unset(name));
        let note = format!(
            "there are no credentials: this shell has no {ACCESS_KEY_ID} and {SECRET_ACCESS_KEY}, \
             which an endpoint would hand out as Lambda's does"
        );
        let is_there = environ.non_empty(CREDENTIALS_URI).is_some();
        return Ok((!is_there).then_some(note));
    };
    KEYS.iter().for_each(|name| environ.unset(name));
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let port = listener.local_addr()?.port();
    let token = token()?;
    environ.set(CREDENTIALS_URI, format!("http://127.0.0.1:{port}{PATH}").as_ref());
    environ.set(CREDENTIALS_TOKEN, token.as_ref());
    let expiration = rfc3339(SystemTime::now() + VALIDITY, Precision::Milliseconds);
    // The SDKs take the token for optional, and an empty one for a wrong one.
    let mut answer =
        json!({"AccessKeyId": identifier, "SecretAccessKey": secret, "Expiration": expiration});
    if let Some(session) = session {
        answer["Token"] = session.into();
    }
    let answer = answer.to_string();
    spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (token, answer) = (token.clone(), answer.clone());
            spawn(move || serve(&stream, &token, &answer));
        }
    });
    Ok(None)
}

/// Answers one request after the other, until one side ends the connection.
fn serve(stream: &TcpStream, token: &str, answer: &str) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    while let Ok(Some(head)) = RequestHead::read(stream) {
        if RequestHead::finish(stream).is_err() {
            break;
        }
        Body::read(stream, &head, |_| {});
        let reply = match head.request_line() {
            _ if head.header("Authorization") != Some(token) => Reply::json(
                401,
                r#"{"code":"Unauthorized","message":"the authorization token is missing or wrong"}"#.into(),
            ),
            Some(("GET", PATH)) => Reply::json(200, answer.to_owned()),
            _ => Reply::json(404, r#"{"code":"NotFound","message":"there is nothing at this path"}"#.into()),
        };
        let is_last = head.closes_connection;
        if (&mut { stream }).write_all(&reply.encode(is_last)).is_err() || is_last {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// A token that nobody can guess.
fn token() -> io::Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
