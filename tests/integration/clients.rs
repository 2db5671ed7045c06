//! The runtime clients that people use, each through foreword from its init to the third invocation, with a snapshot
//! in between. Without snapshot hooks foreword has no part in it: all is as without foreword.

use crate::support::lambda::{Answer, Call, Lambda, Outcome, Parked, Settings};
use crate::support::{Captured, Test, real_part};
use serde_json::{Value, json};
use std::ffi::OsString;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// An echo, the largest answer that may be buffered, and one that is streamed by those who can.
const EVENTS: [&str; 3] = [r#"{"key":"value"}"#, r#"{"big":true}"#, r#"{"stream":true}"#];

const PARTS: &str = "part 1\npart 2\npart 3\n";

/// What the client's own hooks write: before the snapshot, and until the first event.
const HOOKS: (&str, &str) = ("before b\nbefore a\n", "before b\nbefore a\nafter a\nafter b\n");
const NO_HOOKS: (&str, &str) = ("", "");

/// What the client does, with foreword and without.
struct Expected {
    parked: Parked,
    log: (&'static str, &'static str),
    stream: Stream,
    /// How it ends at SIGTERM.
    status: i32,
    last_words: &'static str,
}

/// What becomes of the event that asks for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    /// It is an echo as any other.
    Buffered,
    Plain,
    /// JSON and eight NUL come first.
    Prelude,
}

/// What can be seen of a runtime's life.
struct Life {
    parked: Parked,
    /// At the snapshot, after the restore and at the end.
    log: [String; 3],
    answers: [Answer; 3],
    /// Which of the answers came in chunks.
    chunked: Vec<bool>,
    /// Their heads, sorted: a client that is an extension too polls for both at once.
    requests: Vec<String>,
    connections: usize,
    captured: Captured,
}

#[test]
fn python() {
    let expected = Expected { parked: Parked::RestoreNext, log: HOOKS, ..Expected::default() };
    expected.compare(&[&part("python/bin/python"), "-m", "awslambdaric", "app.handler"], |test| {
        test.env("PYTHONPATH", format!("{SOURCES}/python")).env("PYTHONDONTWRITEBYTECODE", "1")
    });
}

#[test]
fn rust() {
    let (parked, stream) = (Parked::RestoreNext, Stream::Prelude);
    let expected = Expected { parked, log: HOOKS, stream, ..Expected::default() };
    expected.compare(&[&part("rust/release/client")], |test| test);
}

#[test]
fn java() {
    let expected = Expected { parked: Parked::RestoreNext, log: HOOKS, ..Expected::default() };
    let native = "com.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI";
    let command = [
        "java",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac",
        &format!("-D{native}={}", part("java/jni/client.so")),
        "-cp",
        &format!("{}:{}/*", part("java/classes"), part("java/lib")),
        "com.amazonaws.services.lambda.runtime.api.client.AWSLambda",
        "client.Function::handleRequest",
    ];
    expected.compare(&command, |test| test);
}

#[test]
fn node() {
    for (handler, stream) in [("index.handler", Stream::Buffered), ("index.streaming", Stream::Plain)] {
        let expected = Expected { stream, ..Expected::default() };
        let function = std::fs::read(format!("{SOURCES}/node/index.mjs")).expect("unable to read the function");
        let bootstrap = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lambda/bootstrap.mjs");
        expected.compare(&["node", bootstrap], |test| {
            // A test's processes are known by LAMBDA_TASK_ROOT: the function comes to that folder.
            test.file("index.mjs", &function)
                .env("RUNTIME_CLIENT", part("node/node_modules/aws-lambda-ric/dist/index.mjs"))
                .env("_HANDLER", handler)
        });
    }
}

#[test]
fn go() {
    let expected = Expected { stream: Stream::Plain, status: 0, last_words: "sigterm\n", ..Expected::default() };
    expected.compare(&[&part("go/client")], |test| test);
}

#[test]
fn shell() {
    let expected = Expected { stream: Stream::Plain, ..Expected::default() };
    let bootstrap = format!("{SOURCES}/shell/bootstrap.sh");
    expected.compare(&[&bootstrap], |test| test.env("TMPDIR", "<folder>"));
}

impl Default for Expected {
    /// A client that knows nothing of snapshots, does not stream and leaves SIGTERM as it is.
    fn default() -> Self {
        let (parked, stream) = (Parked::InvocationNext, Stream::Buffered);
        Self { parked, log: NO_HOOKS, stream, status: 143, last_words: "" }
    }
}

impl Expected {
    /// Lets the client live without foreword and with it.
    #[track_caller]
    fn compare(&self, command: &[&str], with: impl Fn(Test) -> Test) {
        let direct = with(Test::new()).without_foreword().args(command).env("CLIENT_LOG", "<folder>/log");
        // Without the export the client would have no log.
        let export = json!({"name": "log", "command": ["/bin/echo", "CLIENT_LOG=<folder>/log"], "export": "dotenv"});
        let through = with(Test::new()).args([&["--"], command].concat()).hooks(json!([export]));
        let (direct, through) = (live(direct), live(through));
        self.check(&direct);
        self.check(&through);
        assert!(through.answers == direct.answers, "the answers are others than without foreword");
        assert_eq!(through.chunked, direct.chunked);
        assert_eq!(through.requests, direct.requests);
        assert_eq!(through.connections, direct.connections);
        assert_eq!(through.captured, direct.captured);
    }

    #[track_caller]
    fn check(&self, life: &Life) {
        assert_eq!(life.parked, self.parked);
        let (before, after) = self.log;
        let end = format!("{after}invoke 1\ninvoke 2\ninvoke 3\n{}", self.last_words);
        assert_eq!(life.log, [before, after, &end]);

        let [echo, big, stream] = &life.answers;
        for answer in &life.answers {
            let Answer { outcome, is_complete, trailers, .. } = answer;
            assert_eq!((outcome, is_complete, &trailers[..]), (&Outcome::Response, &true, &[][..]));
        }
        assert_eq!(json_of(echo), json!({"key": "value"}));
        let letters = big.body.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).expect("a text of JSON");
        assert_eq!(big.body.len(), 6 << 20);
        assert!(letters.iter().all(|letter| *letter == b'x'));
        match self.stream {
            Stream::Buffered => assert_eq!(json_of(stream), json!({"stream": true})),
            Stream::Plain => assert_eq!(String::from_utf8_lossy(&stream.body), PARTS),
            Stream::Prelude => {
                let body = String::from_utf8_lossy(&stream.body);
                let (prelude, parts) = body.split_once("\0\0\0\0\0\0\0\0").expect("a prelude");
                assert_eq!(serde_json::from_str::<Value>(prelude).expect("JSON")["statusCode"], json!(200));
                assert_eq!(parts, PARTS);
            }
        }
        assert_eq!(life.chunked[2], self.stream != Stream::Buffered);
        assert_eq!(life.captured.status, self.status);
    }
}

/// Takes a client through its life; nothing of it is left.
#[track_caller]
fn live(client: Test) -> Life {
    let lambda = Lambda::new(Settings::default());
    let test = client
        .runtime_api(&lambda)
        .env("PATH", std::env::var_os("PATH").expect("a PATH"))
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
        .env("AWS_LAMBDA_FUNCTION_NAME", "function")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
    let path = test.path("log");
    let log = || std::fs::read_to_string(&path).unwrap_or_default();
    let run = test.start();

    let parked = lambda.snapshot().unwrap();
    // Which of its connections a client polls on is settled when it does so for all that it waits for.
    let is_polling = |calls: [usize; 2]| (calls[0] == calls[1]).then_some(());
    let extension = [Call::ExtensionRegister, Call::ExtensionNext];
    lambda.wait("an extension that polls", |seen| is_polling(extension.map(|call| seen.count(call)))).unwrap();
    let before = log();
    lambda.restore().unwrap();
    lambda.ready().unwrap();
    let after = log();
    let answers = EVENTS.map(|event| lambda.invoke(event).unwrap());
    lambda.ready().unwrap();

    let seen = lambda.seen();
    let environment = run.environment();
    let captured = run.terminate();
    assert!(run.finished.is_alone());
    assert_eq!(lambda.seen().requests.len(), seen.requests.len(), "it asks for nothing more");
    // The runtime has been told the Runtime API's own address, and takes it for the one that it speaks to.
    let entry = OsString::from(format!("AWS_LAMBDA_RUNTIME_API={}", lambda.address()));
    assert_eq!(environment.iter().filter(|known| **known == entry).count(), 1);
    assert!(seen.requests.iter().all(|request| request.header("Host") == Some(lambda.address())), "{seen}");
    let mut requests: Vec<_> =
        seen.requests.iter().map(|request| request.head.0.replace(lambda.address(), "<address>")).collect();
    requests.sort();
    Life {
        parked,
        log: [before, after, run.finished.read("log")],
        answers,
        chunked: seen.of(Call::InvocationResponse).map(|request| request.body.is_chunked).collect(),
        requests,
        connections: seen.connections.len(),
        captured,
    }
}

fn part(name: &str) -> String {
    real_part(name).display().to_string()
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}
