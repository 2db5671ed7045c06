//! The runtime clients that people use, each through foreword from its init to the third
//! invocation, with a snapshot in between. Without snapshot hooks foreword has no part in it: all
//! is as without foreword.

use crate::support::lambda::{Answer, Call, Lambda, Outcome, Parked, Settings};
use crate::support::{Captured, Test, real_part};
use serde_json::{Value, json};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// An echo, the largest answer that may be buffered, and one that is streamed by those who can.
const EVENTS: [&str; 3] = [r#"{"key":"value"}"#, r#"{"big":true}"#, r#"{"stream":true}"#];

const PARTS: &str = "part 1\npart 2\npart 3\n";

/// What the client's own hooks write, before the snapshot and after the restore.
const HOOKS: [&str; 2] = ["before b\nbefore a\n", "after a\nafter b\n"];
const NO_HOOKS: [&str; 2] = ["", ""];

/// A client, and what it does by itself.
pub struct RuntimeClient {
    command: Vec<String>,
    prepare: Box<dyn Fn(Test) -> Test>,
    pub parked: Parked,
    pub hooks: [&'static str; 2],
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
pub struct Life {
    pub parked: Parked,
    /// At the snapshot, after the restore and at the end.
    pub log: [String; 3],
    pub answers: [Answer; 3],
    /// Which of the answers came in chunks.
    pub chunked: Vec<bool>,
    /// Their heads, sorted: a client that is an extension too polls for both at once.
    pub requests: Vec<String>,
    pub connections: usize,
    pub captured: Captured,
    /// The Runtime API's address, and the one that the runtime was told.
    pub addresses: [String; 2],
}

#[test]
fn python_client_without_snapshot_hooks_behaves_as_without_foreword() {
    RuntimeClient::python().compare();
}

#[test]
fn rust_client_without_snapshot_hooks_behaves_as_without_foreword() {
    RuntimeClient::rust().compare();
}

#[test]
fn java_client_without_snapshot_hooks_behaves_as_without_foreword() {
    RuntimeClient::java().compare();
}

#[test]
fn node_client_without_snapshot_hooks_behaves_as_without_foreword() {
    RuntimeClient::node().iter().for_each(RuntimeClient::compare);
}

#[test]
fn go_client_without_snapshot_hooks_behaves_as_without_foreword() {
    RuntimeClient::go().compare();
}

#[test]
fn shell_client_without_snapshot_hooks_behaves_as_without_foreword() {
    RuntimeClient::shell().compare();
}

impl RuntimeClient {
    /// A client that knows nothing of snapshots, does not stream and leaves SIGTERM as it is.
    fn new(command: &[&str], prepare: impl Fn(Test) -> Test + 'static) -> Self {
        Self {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            prepare: Box::new(prepare),
            parked: Parked::InvocationNext,
            hooks: NO_HOOKS,
            stream: Stream::Buffered,
            status: 143,
            last_words: "",
        }
    }

    pub fn python() -> Self {
        let command = [&part("python/bin/python"), "-m", "awslambdaric", "app.handler"];
        let client = Self::new(&command, |test| {
            test.env("PYTHONPATH", format!("{SOURCES}/python")).env("PYTHONDONTWRITEBYTECODE", "1")
        });
        Self { parked: Parked::RestoreNext, hooks: HOOKS, ..client }
    }

    pub fn rust() -> Self {
        let client = Self::new(&[&part("rust/release/client")], |test| test);
        Self { parked: Parked::RestoreNext, hooks: HOOKS, stream: Stream::Prelude, ..client }
    }

    pub fn java() -> Self {
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
        Self { parked: Parked::RestoreNext, hooks: HOOKS, ..Self::new(&command, |test| test) }
    }

    /// One handler of Node's answers buffered or streamed, never both.
    pub fn node() -> [Self; 2] {
        [("index.handler", Stream::Buffered), ("index.streaming", Stream::Plain)].map(
            |(handler, stream)| {
                let function = std::fs::read(format!("{SOURCES}/node/index.mjs"))
                    .expect("unable to read the function");
                let bootstrap =
                    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lambda/bootstrap.mjs");
                let client = Self::new(&["node", bootstrap], move |test| {
                    // A test's processes are known by LAMBDA_TASK_ROOT: the function comes to that
                    // directory.
                    test.file("index.mjs", &function)
                        .env(
                            "RUNTIME_CLIENT",
                            part("node/node_modules/aws-lambda-ric/dist/index.mjs"),
                        )
                        .env("_HANDLER", handler)
                });
                Self { stream, ..client }
            },
        )
    }

    pub fn go() -> Self {
        let client = Self::new(&[&part("go/client")], |test| test);
        Self { stream: Stream::Plain, status: 0, last_words: "sigterm\n", ..client }
    }

    pub fn shell() -> Self {
        let bootstrap = format!("{SOURCES}/shell/bootstrap.sh");
        let client = Self::new(&[&bootstrap], |test| test.env("TMPDIR", "<folder>"));
        Self { stream: Stream::Plain, ..client }
    }

    /// A run without foreword.
    pub fn direct(&self) -> Test {
        (self.prepare)(Test::new())
            .without_foreword()
            .args(&self.command)
            .env("CLIENT_LOG", "<folder>/log")
    }

    /// A run through foreword, with no configuration yet.
    pub fn through(&self) -> Test {
        (self.prepare)(Test::new())
            .args(["--"].into_iter().chain(self.command.iter().map(String::as_str)))
    }

    /// A run on an OS-only runtime: the layer's bootstrap finds the executable, and nothing else,
    /// by `_HANDLER`.
    pub fn through_bootstrap(&self) -> Test {
        let [program] = &self.command[..] else {
            panic!("more than an executable: {:?}", self.command)
        };
        let test = (self.prepare)(Test::new())
            .script("function", std::fs::read(program).expect("a function"));
        test.named("opt/bootstrap").env("_HANDLER", "function")
    }

    /// Lets the client live without foreword and with it.
    #[track_caller]
    fn compare(&self) {
        // Without the export the client would have no log.
        let export = json!({"name": "log", "command": ["/bin/echo", "CLIENT_LOG=<folder>/log"],
            "export": "dotenv"});
        let (direct, through) = (live(self.direct()), live(self.through().hooks(json!([export]))));
        for life in [&direct, &through] {
            self.check(life);
            assert_eq!(life.parked, self.parked);
            assert_eq!(life.log[0], self.hooks[0]);
            assert_eq!(life.log[1], self.hooks.concat());
            // The runtime has been told the Runtime API's own address, and takes it for the one
            // that it speaks to.
            assert_eq!(life.addresses[1], life.addresses[0]);
        }
        assert!(through.answers == direct.answers, "the answers are others than without foreword");
        assert_eq!(through.chunked, direct.chunked);
        assert_eq!(through.requests, direct.requests);
        assert_eq!(through.connections, direct.connections);
        assert_eq!(through.captured, direct.captured);
    }

    /// What has to be so in every life: the invocations, their answers and the end.
    #[track_caller]
    pub fn check(&self, life: &Life) {
        let [_, restored, end] = &life.log;
        assert_eq!(*end, format!("{restored}invoke 1\ninvoke 2\ninvoke 3\n{}", self.last_words));

        let [echo, big, stream] = &life.answers;
        for answer in &life.answers {
            let Answer { outcome, is_complete, trailers, .. } = answer;
            assert_eq!((outcome, is_complete, &trailers[..]), (&Outcome::Response, &true, &[][..]));
        }
        assert_eq!(json_of(echo), json!({"key": "value"}));
        let letters = big
            .body
            .strip_prefix(b"\"")
            .and_then(|rest| rest.strip_suffix(b"\""))
            .expect("a text of JSON");
        assert_eq!(big.body.len(), 6 << 20);
        assert!(letters.iter().all(|letter| *letter == b'x'));
        match self.stream {
            Stream::Buffered => assert_eq!(json_of(stream), json!({"stream": true})),
            Stream::Plain => assert_eq!(String::from_utf8_lossy(&stream.body), PARTS),
            Stream::Prelude => {
                let body = String::from_utf8_lossy(&stream.body);
                let (prelude, parts) = body.split_once("\0\0\0\0\0\0\0\0").expect("a prelude");
                assert_eq!(
                    serde_json::from_str::<Value>(prelude).expect("JSON")["statusCode"],
                    json!(200)
                );
                assert_eq!(parts, PARTS);
            }
        }
        assert_eq!(life.chunked[2], self.stream != Stream::Buffered);
        assert_eq!(life.captured.status, self.status);
    }
}

/// What the platform says to every client.
pub fn told(client: Test, lambda: &Lambda) -> Test {
    client
        .runtime_api(lambda)
        .env("PATH", std::env::var_os("PATH").expect("a PATH"))
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
        .env("AWS_LAMBDA_FUNCTION_NAME", "function")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
}

/// Takes a client through its life; nothing of it is left.
#[track_caller]
pub fn live(client: Test) -> Life {
    let lambda = Lambda::new(Settings::default());
    let test = told(client, &lambda);
    let path = test.path("log");
    let log = || std::fs::read_to_string(&path).unwrap_or_default();
    let run = test.start();

    let parked = lambda.snapshot().unwrap();
    // Which of its connections a client polls on is settled when it does so for all that it waits
    // for.
    let is_polling = |calls: [usize; 2]| (calls[0] == calls[1]).then_some(());
    let extension = [Call::ExtensionRegister, Call::ExtensionNext];
    lambda
        .wait("an extension that polls", |seen| is_polling(extension.map(|call| seen.count(call))))
        .unwrap();
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
    let address = |entry: &std::ffi::OsString| {
        Some(entry.to_str()?.strip_prefix("AWS_LAMBDA_RUNTIME_API=")?.to_owned())
    };
    let [told] = &environment.iter().filter_map(address).collect::<Vec<_>>()[..] else {
        panic!("{environment:?}")
    };
    let hosts = [lambda.address(), told];
    assert!(
        seen.requests
            .iter()
            .all(|request| request.header("Host").is_some_and(|host| hosts.contains(&host))),
        "{seen}"
    );
    let anonymous = |head: &str| {
        hosts.iter().fold(head.to_owned(), |head, host| head.replace(host, "<address>"))
    };
    let mut requests: Vec<_> =
        seen.requests.iter().map(|request| anonymous(&request.head.text)).collect();
    requests.sort();
    Life {
        parked,
        log: [before, after, run.finished.read("log")],
        answers,
        chunked: seen.of(Call::InvocationResponse).map(|request| request.body.is_chunked).collect(),
        requests,
        connections: seen.connections.len(),
        captured,
        addresses: hosts.map(str::to_owned),
    }
}

fn part(name: &str) -> String {
    real_part(name).display().to_string()
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}
