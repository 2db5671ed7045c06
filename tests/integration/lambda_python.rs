//! AWS's runtime client for Python against the Runtime API that the relay is tested with: what it
//! does by itself, without foreword between them.

use crate::support::lambda::{Call, End, Failure, Fault, Lambda, Outcome, Parked, Settings};
use crate::support::{Captured, PATH, Test, real_part};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::read_to_string;
use std::thread::{JoinHandle, spawn};

/// Its hooks and its handler write down their order.
const PYTHON_HANDLER: &str = r#"
import os, snapshot_restore_py

def note(text):
    with open("order", "a") as order:
        print(text, file=order)

note("import")
for name in ("one", "two"):
    snapshot_restore_py.register_before_snapshot(note, "before " + name)
    snapshot_restore_py.register_after_restore(note, text="after " + name)

def handler(event, context):
    note(f"event {event['n']}")
    if event.get("fail"):
        raise RuntimeError("told to")
    return "a" * ((6 << 20) - 2) if event.get("large") else {"pid": os.getpid()}
"#;

/// A runtime that is running.
struct Python(JoinHandle<(Test, Captured)>);

impl Python {
    fn start(lambda: &Lambda, handler: &str) -> Self {
        let test = Test::new()
            .without_foreword()
            .args([
                real_part("python/bin/python3").to_str().unwrap(),
                "-m",
                "awslambdaric",
                "app.handler",
            ])
            .file("app.py", handler)
            .env("PATH", PATH)
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
            .runtime_api(lambda.address());
        Self(spawn(move || {
            let captured = test.capture();
            (test, captured)
        }))
    }

    /// Waits for its end, and gives back what it ran in.
    #[track_caller]
    fn finish(self, status: i32) -> Test {
        let (test, captured) = self.0.join().expect("it ends by itself");
        assert_eq!(captured.status, status, "{}", String::from_utf8_lossy(&captured.stdout));
        test
    }
}

#[test]
fn python_client_from_init_to_the_third_invocation_answers() {
    let lambda = Lambda::new(Settings::default());
    let run = Python::start(&lambda, PYTHON_HANDLER);
    assert_eq!(lambda.snapshot().unwrap(), Parked::RestoreNext);
    lambda.restore().unwrap();
    let first = lambda.invoke(r#"{"n":1}"#).unwrap();
    let pid = serde_json::from_slice::<Value>(&first.body).unwrap()["pid"].as_i64().unwrap();
    let large = lambda.invoke(r#"{"n":2,"large":true}"#).unwrap();
    assert_eq!((large.outcome, large.body.len()), (Outcome::Response, 6 << 20));
    let failed = lambda.invoke(r#"{"n":3,"fail":true}"#).unwrap();
    let error: Value = serde_json::from_slice(&failed.body).unwrap();
    // The type is in the body alone: this client sends no error type header with an invocation's
    // error.
    assert_eq!(
        (failed.outcome, error["errorType"].as_str()),
        (Outcome::Error(String::new()), Some("RuntimeError"))
    );
    lambda.ready().unwrap();
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGTERM).unwrap();

    let finished = run.finish(128 + Signal::SIGTERM as i32);
    let order = [
        "import",
        "before two",
        "before one",
        "after one",
        "after two",
        "event 1",
        "event 2",
        "event 3",
    ];
    assert_eq!(
        read_to_string(finished.path("order")).unwrap(),
        order.map(|line| format!("{line}\n")).concat()
    );
    let seen = lambda.seen();
    let calls: Vec<_> =
        seen.requests.iter().map(|request| (request.call.unwrap(), request.connection)).collect();
    assert_eq!(calls[0], (Call::RestoreNext, 0));
    // From here on the native client: its own connection, kept.
    let answers = [Call::InvocationResponse, Call::InvocationResponse, Call::InvocationError];
    let cycle = answers.into_iter().flat_map(|answer| [(Call::InvocationNext, 1), (answer, 1)]);
    assert_eq!(calls[1..], [cycle.collect(), vec![(Call::InvocationNext, 1)]].concat());
    assert_eq!(seen.requests[0].header("User-Agent"), None);
    assert!(seen.requests[1].header("User-Agent").unwrap().starts_with("aws-lambda-python/"));
}

#[test]
fn python_client_whose_hooks_raise_reports_it() {
    for (handler, call, error_type, status) in [
        (
            "def fail(): raise \
             Exception('x')\nsnapshot_restore_py.register_before_snapshot(fail)\n",
            Call::InitError,
            "Runtime.BeforeSnapshotError",
            64,
        ),
        (
            "def fail(): raise Exception('x')\nsnapshot_restore_py.register_after_restore(fail)\n",
            Call::RestoreError,
            "Runtime.AfterRestoreError",
            65,
        ),
    ] {
        let lambda = Lambda::new(Settings::default());
        let run = Python::start(
            &lambda,
            &format!("import snapshot_restore_py\n{handler}def handler(*_): pass\n"),
        );
        let failure = lambda.restore().and_then(|_| lambda.ready()).unwrap_err();
        let Failure::Reported(report) = failure else { panic!("{failure:?}") };
        assert_eq!((report.call, report.error_type.as_str()), (call, error_type));
        run.finish(status);
        assert_eq!(lambda.seen().of(call).count(), 1);
    }
}

#[test]
fn python_client_with_another_status_does_not_restore() {
    for (fault, status) in [
        (Fault::Status(403), 64),
        (Fault::Status(202), 64),
        (Fault::Reset, 64),
        (Fault::Cut(0, End::Close), 64),
        (Fault::Continue, 0),
        (Fault::Chunked, 0),
        (Fault::Dribble, 0),
    ] {
        let lambda = Lambda::new(Settings::default());
        lambda.fault(Call::RestoreNext, fault.clone());
        let run = Python::start(&lambda, "import os\ndef handler(*_): os._exit(0)\n");
        let id = lambda.restore().and_then(|_| lambda.hand_out("{}"));
        assert_eq!(id.is_ok(), status == 0, "{fault:?}");
        run.finish(status);
    }
}

#[test]
fn python_client_that_loses_its_restore_cannot_report_it() {
    let lambda = Lambda::new(Settings::default());
    let run = Python::start(&lambda, "def handler(*_): pass\n");
    lambda.snapshot().unwrap();
    lambda.disconnect();
    run.finish(1);
    let calls: Vec<_> = lambda
        .seen()
        .requests
        .iter()
        .map(|request| (request.call.unwrap(), request.status))
        .collect();
    assert_eq!(calls, [(Call::RestoreNext, None), (Call::InitError, Some(403))]);
}
