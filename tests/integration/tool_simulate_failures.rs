//! What `foreword simulate` shows of a life that does not go well, what the caller of the function
//! would have seen, and that it fails and leaves nothing.

use crate::support::process::is_gone;
use crate::support::timeline::timeless;
use crate::support::{BUSY, wait_until};
use crate::tool_simulate::{objects, outside, python, says, simulated};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// Fails as its event says.
const FAILING: &str = r#"
import os, signal, time
def handler(event, context):
    if event == "hang":
        time.sleep(1000)
    if event == "exit":
        os._exit(4)
    if event == "end":
        os._exit(0)
    if event == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "raise":
        raise KeyError("told to")
    if event == "large":
        return "x" * (7 << 20)
    return os.getpid()
"#;

fn fails(name: &str) -> Value {
    json!({"name": name, "command": "exit 3"})
}

/// The lines without what Python's client makes of the 403 that it gets.
fn without_stack(output: &str) -> String {
    let is_stack = |line: &&str| line.starts_with("    │ ") && !line.contains("the command of");
    output.lines().filter(|line| !is_stack(line)).map(|line| line.to_owned() + "\n").collect()
}

#[test]
fn before_snapshot_hook_that_fails_ends_the_simulation() {
    let hooks =
        json!({"hooks": {"before_snapshot": [says("never"), fails("fails"), says("first")]}});
    let test =
        python(&["--snap-start"]).file("app.py", "handler = print\n").config(&hooks.to_string());
    let found = without_stack(&timeless(simulated(test, 1).as_bytes()));
    assert_eq!(
        found,
        "\
init (at most 130 s)
    │ the command of first
  before_snapshot first                N ms of 30 s
  before_snapshot fails                N ms of 30 s  exited with status 3 after N ms
  the runtime reported an error of the init: Runtime.BeforeSnapshotError
  publishing the version fails with \
         {\"errorType\":\"Runtime.BeforeSnapshotError\",\"errorMessage\":\"hook \\\"fails\\\" \
         (before_snapshot) exited with status 3 after N ms\",…}
  init            in all               N ms of 130 s
shutdown
not all went well
"
    );
}

#[test]
fn after_restore_hook_that_fails_or_times_out_ends_the_environment() {
    let late = json!({"name": "late", "command": "sleep 1000", "timeout_ms": 50});
    for (hook, name, limit, what) in [
        (fails("fails"), "fails", "8 s", "exited with status 3 after N ms"),
        (late, "late", "0.05 s", "timed out after N ms (timeout_ms)"),
    ] {
        let hooks = json!({"hooks": {"after_restore": [says("first"), hook, says("never")]}});
        let test = python(&["--snap-start"])
            .file("app.py", "handler = print\n")
            .config(&hooks.to_string());
        let found = without_stack(&timeless(simulated(test, 1).as_bytes()));
        let row = format!("  after_restore   {name:<20} N ms of {limit}  {what}\n");
        let error = format!(
            "  the caller gets \
             {{\"errorType\":\"Runtime.AfterRestoreError\",\"errorMessage\":\"hook \\\"{name}\\\" \
             (after_restore) {what}\",…}}\n"
        );
        assert_eq!(
            found,
            format!(
                "\
init (at most 130 s)
  runtime         loads, its own hooks N ms of 130 s
  init            in all               N ms of 130 s
snapshot
restore (at most 10 s)
    │ the command of first
  after_restore   first                N ms of 8 s
{row}  the runtime reported an error of the restore: Runtime.AfterRestoreError
{error}  restore         in all               N ms of 10 s
shutdown
not all went well
"
            )
        );
    }
}

/// Whoever says that a failure may be has no failed step for it.
#[test]
fn hook_that_may_fail_does_not_fail_the_simulation() {
    let hook = json!({"name": "may", "command": "exit 3", "on_failure": "continue"});
    let test = python(&[]).file("app.py", "def handler(event, context): pass\n");
    let output = timeless(
        simulated(test.config(&json!({"hooks": {"initialize": [hook]}}).to_string()), 0).as_bytes(),
    );
    let row = "  initialize      may                  N ms of 10 s  exited with status 3 after N \
               ms (on_failure: continue)\n";
    assert!(output.contains(row) && output.ends_with("all went well\n"), "{output}");
}

#[test]
fn init_that_fails_on_demand_runs_again_inside_the_invocation() {
    let hooks = json!({"hooks": {"initialize": [{"name": "a",
        "command": "echo tried >>$OUT/order; exit 3"}]}});
    let outside = outside();
    let test = python(&["--event", "1", "--event", "2"])
        .config(&hooks.to_string())
        .env("OUT", outside.path());
    let order = outside.path().join("order");
    let run = test.start();
    let captured = run.finish();
    // Once by itself and once for each invocation.
    assert_eq!(fs::read_to_string(order).expect("the order"), "tried\n".repeat(3));
    let again = |number: usize| {
        format!(
            "\
init (at most 3 s)
  initialize      a                    N ms of 3 s  exited with status 3 after N ms
  the runtime reported an error of the init: Runtime.ForewordHookFailed
  init            in all               N ms of 3 s
shutdown
invocation {number}
  event   {number}
  the caller gets {{\"errorType\":\"Runtime.ForewordHookFailed\",\"errorMessage\":\"hook \\\"a\\\" \
             (initialize) exited with status 3 after N ms\",…}}
"
        )
    };
    let first = "\
init (at most 10 s)
  initialize      a                    N ms of 10 s  exited with status 3 after N ms
  the runtime reported an error of the init: Runtime.ForewordHookFailed
  init            in all               N ms of 10 s
shutdown
  Lambda tries again, inside the first invocation
";
    let expected = [first, &again(1), &again(2), "not all went well\n"].concat();
    assert_eq!((timeless(&captured.stdout), captured.status), (expected, 1));
}

/// What each event comes to; the next one finds an environment all the same.
#[test]
fn invocations_that_fail_are_reported_in_lambda_s_words() {
    let events = ["hang", "fine", "exit", "end", "crash", "raise", "large", "fine"];
    let quoted: Vec<_> = events.iter().map(|event| format!("\"{event}\"")).collect();
    let mut options = vec!["--timeout", "1", "--format", "json"];
    quoted.iter().for_each(|event| options.extend(["--event", event]));
    let told = objects(python(&options).file("app.py", FAILING), 1);
    let came_of = |invocation: usize| {
        let of = told.iter().find(|object| {
            object["invocation"] == invocation
                && (object["type"] == "answer" || object["type"] == "error")
        });
        let of = of.unwrap_or_else(|| panic!("nothing of {invocation}: {told:?}"));
        (of["type"].clone(), of["error"]["errorType"].clone(), of["error"]["errorMessage"].clone())
    };
    let request =
        |number: usize| format!("RequestId: 00000000-0000-4000-8000-{number:012x} Error: ");
    let exited =
        |number: usize, how: &str| (json!("Runtime.ExitError"), json!(request(number) + how));
    for (number, (error_type, message)) in [
        (1, (json!("Sandbox.Timedout"), json!(request(1) + "Task timed out after 1.00 seconds"))),
        (3, exited(3, "Runtime exited with error: exit status 4")),
        (4, exited(4, "Runtime exited without providing a reason")),
        (5, exited(5, "Runtime exited with error: signal: killed")),
        (6, (json!("KeyError"), json!("'told to'"))),
        (
            7,
            (
                json!("Function.ResponseSizeTooLarge"),
                json!(
                    "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
                ),
            ),
        ),
    ] {
        assert_eq!(came_of(number), (json!("error"), error_type, message), "{number}");
    }
    for number in [2, 8] {
        assert_eq!(came_of(number).0, "answer");
    }
    let inits = told.iter().filter(|object| object["type"] == "begin" && object["stage"] == "init");
    let limits: Vec<_> = inits.map(|object| object["limitMs"].as_u64().expect("a limit")).collect();
    // Those after the first are inside an invocation. Python's client lives on when its function
    // raises, and ends when its answer is refused.
    assert_eq!(limits, [10_000, 1_000, 1_000, 1_000, 1_000, 1_000]);
}

/// Neither one who writes without end, nor a line that has none.
#[test]
fn function_that_floods_its_log_times_out() {
    let floods = "import sys\ndef handler(event, context):\n    while True:\n        \
                  sys.stdout.write(event * 50)\n";
    for event in [r#""x""#, r#""x\n""#] {
        let test = python(&["--timeout", "1", "--event", event]).file("app.py", floods);
        let output = simulated(test, 1);
        let error = "Error: Task timed out after 1.00 seconds\"}\n";
        assert!(output.contains(error) && output.ends_with("\nnot all went well\n"));
        assert!(output.lines().all(|line| line.len() < 600_000));
    }
}

/// A snapshot has nothing to do with it: the next environment is restored from it.
#[test]
fn environment_that_crashes_is_replaced_by_a_restored_one() {
    let hooks = json!({"hooks": {"after_restore": [{"name": "a",
        "command": "echo restored >>$OUT/order"}]}});
    let options = ["--snap-start", "--format", "json", "--event", "\"exit\"", "--event", "1"];
    let outside = outside();
    let test = python(&options)
        .file("app.py", FAILING)
        .config(&hooks.to_string())
        .env("OUT", outside.path());
    let order = outside.path().join("order");
    let run = test.start();
    let captured = run.finish();
    assert_eq!(captured.status, 1, "{}", String::from_utf8_lossy(&captured.stdout));
    assert_eq!(fs::read_to_string(order).expect("the order"), "restored\nrestored\n");
}

#[test]
fn init_that_exceeds_its_limit_is_cut_off() {
    let slow = "import os, time\nif not os.path.exists('/tmp/once'):\n    open('/tmp/once', \
                'w').close()\n    time.sleep(1000)\n";
    let handler = "def handler(event, context):\n    return 1\n";
    let start = Instant::now();
    let test = python(&[]).file("app.py", [slow, handler].concat());
    let found = timeless(simulated(test, 1).as_bytes());
    assert!(start.elapsed() >= Duration::from_secs(10));
    assert_eq!(
        found,
        "\
init (at most 10 s)
  Init phase exceeded 10 s
  init            in all               N ms of 10 s
shutdown
  Lambda tries again, inside the first invocation
init (at most 3 s)
  runtime         loads                N ms of 3 s
  init            in all               N ms of 3 s
invocation 1 (at most 3 s)
  event   {}
  answer  1
  invocation      in all               N ms of 3 s
shutdown
not all went well
"
    );
}

#[test]
fn restore_that_exceeds_its_limit_is_cut_off() {
    let slow = "import time\nfrom snapshot_restore_py import \
                register_after_restore\nregister_after_restore(time.sleep, 1000)\nhandler = \
                print\n";
    let found = timeless(simulated(python(&["--snap-start"]).file("app.py", slow), 1).as_bytes());
    let expected = "\
restore (at most 10 s)
  it took longer than 10 s
  the caller gets {\"errorType\":\"Lambda.SnapStartTimeoutException\",\"errorMessage\":\"Lambda \
                    couldn't restore the snapshot within the timeout limit.\"}
  restore         in all               N ms of 10 s
shutdown
not all went well
";
    assert!(found.ends_with(expected), "{found}");
}

/// In order: the runtime is told to end, pre_stop hooks run, and the exit status is the signal's.
#[test]
fn simulation_that_is_interrupted_shuts_the_environment_down() {
    for (signal, options) in [
        (Signal::SIGINT, &["--timeout", "900"][..]),
        (Signal::SIGTERM, &["--timeout", "900", "--snap-start"]),
    ] {
        let handler = "import os, time\ndef handler(event, context):\n    open(os.environ['OUT'] \
                       + '/handles', 'w').close()\n    time.sleep(1000)\n";
        let hooks = json!({"hooks": {"pre_stop": [says("flush")]}});
        let outside = outside();
        let test = python(options)
            .file("app.py", handler)
            .config(&hooks.to_string())
            .env("OUT", outside.path());
        let handles = outside.path().join("handles");
        let run = test.start();
        assert!(
            wait_until(LIMIT, || handles.exists()),
            "{}",
            String::from_utf8_lossy(&run.stderr())
        );
        let start = Instant::now();
        kill(run.pid(), signal).expect("unable to send a signal");
        let captured = run.finish();
        assert!(start.elapsed() < Duration::from_secs(2) + BUSY, "{:?}", start.elapsed());
        let found = timeless(&captured.stdout);
        let expected = format!(
            "\
  event   {{}}
  invocation      in all               N ms of 900 s
shutdown (at most 2 s)
    │ the command of flush
  pre_stop        flush                N ms of 2 s
  shutdown        in all               N ms of 2 s
  interrupted by {signal}
not all went well
"
        );
        assert!(found.ends_with(&expected), "{found}");
        assert_eq!(captured.status, 128 + signal as i32);
        assert!(run.finished.is_alone());
    }
}

/// Whatever a function starts, and wherever it puts it.
#[test]
fn processes_that_a_function_leaves_behind_are_ended() {
    let daemon = r#"
import os, subprocess
command = 'trap "" TERM HUP; sleep 1000 & echo $$ >$OUT/noted; mv $OUT/noted $OUT/daemon; sleep 1000'
def handler(event, context):
    subprocess.Popen(["setsid", "sh", "-c", command])
    while not os.path.exists(os.environ["OUT"] + "/daemon"):
        pass
"#;
    for options in [&[][..], &["--snap-start"]] {
        let outside = outside();
        let run = python(options).file("app.py", daemon).env("OUT", outside.path()).start();
        let captured = run.finish();
        assert_eq!(captured.status, 0, "{}", String::from_utf8_lossy(&captured.stdout));
        let daemon = fs::read_to_string(outside.path().join("daemon")).expect("the daemon");
        let daemon = daemon.trim().parse().expect("a process number");
        assert!(is_gone(Pid::from_raw(daemon)));
        assert!(run.finished.is_alone());
    }
}
