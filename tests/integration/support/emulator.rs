//! AWS's Runtime Interface Emulator around one command: started on ports of its own, asked once
//! ready, ended with everything it started when it is dropped.

use super::process::{Process, wait_until};
use super::sandbox::{self, Sandbox};
use super::{TestDirectory, normalise};
use serde_json::Value;
use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Beyond this the emulator is taken for broken. An answer takes less than a second on an idle
/// machine.
const LIMIT: Duration = Duration::from_secs(60);

pub struct Emulator {
    process: Process,
    has_ended: Cell<bool>,
    address: String,
    directory: TestDirectory,
}

/// What the caller of the function gets, normalised.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Emulator {
    pub(super) fn start(
        directory: TestDirectory,
        command: &[OsString],
        environment: Vec<OsString>,
        around: &Sandbox,
    ) -> Self {
        let (address, runtime_api) = (free_address(), free_address());
        sandbox::take_name_of_extension(&runtime_api);
        let mut whole = vec![real_part("emulator/aws-lambda-rie").into()];
        for (option, value) in [
            ("--runtime-interface-emulator-address", &address),
            ("--runtime-api-address", &runtime_api),
        ] {
            whole.extend([option.into(), value.into()]);
        }
        whole.extend_from_slice(command);
        let process = Process::start(
            &directory,
            &around.around(&directory, whole.into_iter()),
            &environment,
            b"",
        );
        let emulator = Self { process, has_ended: Cell::new(false), address, directory };
        // The emulator starts to listen on the two in no order, and a runtime can be faster than
        // its Runtime API.
        for address in [&emulator.address, &runtime_api] {
            let ready = wait_until(LIMIT, || TcpStream::connect(address).is_ok());
            assert!(ready, "the emulator does not listen on {address}:\n{}", emulator.log());
        }
        emulator
    }

    /// Invokes the function once.
    pub fn invoke(&self, event: &str) -> Answer {
        self.request(event)
            .unwrap_or_else(|error| panic!("unable to invoke: {error}\n{}", self.log()))
    }

    /// Lets it shut the environment down, and waits for its end.
    pub fn shut_down(&self) {
        self.process.terminate();
        self.process.finish(LIMIT);
        self.has_ended.set(true);
    }

    /// What emulator and runtime have written so far, normalised; the emulator itself merges the
    /// streams of both.
    pub fn log(&self) -> String {
        let log = [self.process.stdout(), self.process.stderr()].concat();
        String::from_utf8_lossy(&normalise(&log, &self.directory)).into_owned()
    }

    /// The text of a file that function or hooks have left in the test's directory, normalised;
    /// nothing as long as there is none.
    pub fn read(&self, name: &str) -> String {
        let content = fs::read(self.directory.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&normalise(&content, &self.directory)).into_owned()
    }

    fn request(&self, event: &str) -> std::io::Result<Answer> {
        let mut connection = TcpStream::connect(&self.address)?;
        connection.set_read_timeout(Some(LIMIT))?;
        write!(
            connection,
            "POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: {}\r\nConnection: \
             close\r\nContent-Length: {}\r\n\r\n{event}",
            self.address,
            event.len()
        )?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer)?;
        let answer =
            String::from_utf8(normalise(&answer, &self.directory)).expect("an answer is text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("an answer has a status");
        let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
        Ok(Answer { status, body })
    }
}

impl Drop for Emulator {
    /// The emulator puts the runtime in a group of its own and kills it at SIGTERM; the directory's
    /// end takes the rest.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.process.terminate();
            eprintln!("the emulator's log:\n{}", self.log());
        } else if !self.has_ended.get() {
            self.shut_down();
        }
    }
}

/// A path in target/real-parts.
pub fn real_part(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real-parts").join(name);
    assert!(
        path.exists(),
        "unable to find a real part, {}: run scripts/real-parts.sh",
        path.display()
    );
    path
}

/// An address where nothing listens yet. The ports lie below those that the kernel hands out by
/// itself, and each is handed out once.
fn free_address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id() * 64 % 20_000;
    loop {
        let port = 10_000 + (start + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % 20_000;
        let address = format!("127.0.0.1:{port}");
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}
