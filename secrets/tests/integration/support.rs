//! Starts the server once for all tests, runs the program, and compares all that it left.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

/// What stands in every value that is stored, so that it can be looked for.
pub const MARKER: &str = "MARKER";

/// The server of all tests.
pub struct Server {
    facts: Value,
    /// It ends when nobody holds its standard input any more, which is when the tests are over.
    _process: Child,
}

pub fn server() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
    &SERVER
}

impl Server {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("../target/real-parts/moto/bin/python");
        let mut child = Command::new(&python)
            .arg(root.join("tests/integration/server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; run scripts/real-parts.sh moto", python.display())
            });
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("standard output"))
            .read_line(&mut line)
            .expect("a line");
        Self { facts: serde_json::from_str(&line).expect("the server's facts"), _process: child }
    }

    pub fn fact(&self, pointer: &str) -> &Value {
        self.facts.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"))
    }

    pub fn text(&self, pointer: &str) -> &str {
        self.fact(pointer).as_str().expect("a text")
    }

    pub fn port(&self, pointer: &str) -> u64 {
        self.fact(pointer).as_u64().expect("a port")
    }

    pub fn ca(&self) -> PathBuf {
        Path::new(self.text("/folder")).join("ca.pem")
    }

    pub fn door(&self, name: &str) -> String {
        format!("https://localhost:{}", self.port(&format!("/ports/{name}")))
    }

    /// Sends a request to the server's own control, and returns the body of the answer.
    pub fn control(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port("/control") as u16)).expect("control");
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(" 200 "), "{head}");
        body.to_owned()
    }

    /// The requests that came in through a door and name something with this text.
    pub fn requests(&self, door: &str, text: &str) -> Vec<Value> {
        let log: Vec<Value> =
            serde_json::from_str(&self.control("GET", "/log", "")).expect("the log");
        let matches = |entry: &Value| {
            entry["door"] == door
                && (text.is_empty() || entry["identifiers"].to_string().contains(text))
        };
        log.into_iter().filter(matches).collect()
    }
}

/// The program, about to be run with nothing in its environment but what is said here.
pub struct Run {
    command: Command,
}

impl Run {
    /// Without credentials and without a door.
    pub fn bare<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(program(), arguments)
    }

    /// The same of another program, which starts this one.
    pub fn of<'a>(
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut command = Command::new(program);
        command
            .env_clear()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self { command }.env("AWS_REGION", "us-east-1").env("HOME", "/nonexistent")
    }

    /// With the keys of the user who may do everything, through the door that plays no fault.
    pub fn new<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self::bare(arguments).user("all").door("plain")
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn door(self, name: &str) -> Self {
        let ca = server().ca();
        self.env("AWS_ENDPOINT_URL", &server().door(name))
            .env("AWS_CA_BUNDLE", ca.to_str().expect("a text"))
    }

    pub fn user(self, name: &str) -> Self {
        let key = |index: usize| server().text(&format!("/keys/{name}/{index}"));
        self.env("AWS_ACCESS_KEY_ID", key(0)).env("AWS_SECRET_ACCESS_KEY", key(1))
    }

    /// Where requests are counted, a busy machine must not make them more.
    pub fn patient(mut self) -> Self {
        self.command.args(["--timeout-ms", "60000"]);
        self
    }

    pub fn start(mut self) -> Child {
        self.command.spawn().expect("the program")
    }

    pub fn run(self) -> Outcome {
        let started = Instant::now();
        let output = self.start().wait_with_output().expect("the program's end");
        let took = started.elapsed();
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let outcome = Outcome {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            took,
        };
        assert!(!outcome.stderr.contains(MARKER), "a value in {}", outcome.stderr);
        if outcome.status != Some(0) {
            assert_eq!(outcome.stdout, "", "standard output of a failure");
        }
        outcome
    }
}

/// All that is left of a run. None has a value in its standard error.
#[derive(Debug)]
pub struct Outcome {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Outcome {
    /// Succeeded without a word, and printed these variables as JSON.
    #[track_caller]
    pub fn gives(&self, expected: &[(&str, &str)]) {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        let variables: serde_json::Map<String, Value> =
            serde_json::from_str(&self.stdout).expect("one object");
        let expected = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
            .collect::<serde_json::Map<_, _>>();
        assert_eq!(variables, expected);
    }

    /// Failed with this status and these lines, each without the `foreword-secrets: ` before it.
    #[track_caller]
    pub fn fails(&self, status: i32, lines: &[&str]) {
        let expected: String =
            lines.iter().map(|line| format!("foreword-secrets: {line}\n")).collect();
        assert_eq!((self.status, self.stderr.as_str()), (Some(status), expected.as_str()));
    }

    /// Failed, with one line that holds all of these.
    #[track_caller]
    pub fn fails_with(&self, parts: &[&str]) {
        assert_eq!(self.status, Some(1), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {:?}", self.stderr);
        }
    }

    /// Failed with so many lines, each of which holds this.
    #[track_caller]
    pub fn fails_with_each(&self, count: usize, part: &str) {
        assert_eq!((self.status, self.stderr.lines().count()), (Some(1), count), "{self:?}");
        assert!(self.stderr.lines().all(|line| line.contains(part)), "{self:?}");
    }

    /// Took at least and at most so many milliseconds. The machine may be busy: the upper one is
    /// generous.
    #[track_caller]
    pub fn took_between(&self, least: u64, most: u64) {
        let took = self.took.as_millis() as u64;
        assert!((least..=most).contains(&took), "took {took} ms: {self:?}");
    }
}

/// The program under test: the one that cargo built, or the one that the environment names.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        std::env::var_os("FOREWORD_SECRETS_UNDER_TEST")
            .map_or_else(|| env!("CARGO_BIN_EXE_foreword-secrets").into(), PathBuf::from)
    })
}
