//! The lives of runtime, relay and hooks depend on each other in one way only: with the runtime,
//! all of it ends.

use crate::support::client::{INVOCATION_NEXT, RESTORE_NEXT, response_to, status_of};
use crate::support::lambda::{Call, Lambda, Settings};
use crate::support::process::{Stat, is_gone};
use crate::support::snap_start::{noting, waiting};
use crate::support::{BUSY, Client, Gate, LIMIT, Played, Test, epoch_milliseconds, wait_until};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long what belongs to a runtime has when that has ended.
const LEFT: Duration = Duration::from_millis(300);

/// A hook that ends with nothing but SIGKILL, with a process below it that does the same.
const STUBBORN: &str = "trap '' TERM; (trap '' TERM; sleep 1000) & echo $$ $! >pids; wait";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Armed,
    Before,
    Frozen,
    After,
    Open,
    Failed,
}

fn pids(runtime: &Played) -> Vec<Pid> {
    let path = runtime.path("pids");
    wait_until(LIMIT, || fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n')));
    let text = fs::read_to_string(&path).expect("process ids");
    text.split_whitespace().map(|pid| Pid::from_raw(pid.parse().expect("a process id"))).collect()
}

/// Leads a runtime into a state. What comes with it are the processes of its hooks, and its
/// connections.
fn bring_to(lambda: &Lambda, state: State) -> (Played, Vec<Pid>, Vec<Client>) {
    let stubborn = json!([{"name": "x", "command": STUBBORN}]);
    let (before, after) = match state {
        State::Before => (stubborn, json!([])),
        State::After => (json!([]), stubborn),
        State::Failed => (json!([{"name": "x", "command": "exit 3"}]), json!([])),
        _ => (json!([noting("hook", "before")]), json!([noting("hook", "after")])),
    };
    let runtime = Test::new().snap_start(lambda).snapshot_hooks(before, after).play();
    let mut clients = Vec::new();
    match state {
        State::Armed => {
            // An idle one, and one that waits for its answer.
            clients =
                vec![runtime.client(), runtime.asking("GET /2020-01-01/extension/event/next")];
        }
        State::Open => {
            let client = runtime.restored(lambda);
            clients = vec![runtime.client(), runtime.asking(INVOCATION_NEXT), client];
            lambda.ready().unwrap();
        }
        _ => clients.push(runtime.asking(RESTORE_NEXT)),
    }
    match state {
        State::Frozen => assert!(lambda.snapshot().is_ok()),
        State::After => assert!(lambda.restore().is_ok()),
        State::Failed => assert_eq!(status_of(&clients[0].reply()), 403),
        _ => {}
    }
    let pids =
        if matches!(state, State::Before | State::After) { pids(&runtime) } else { Vec::new() };
    (runtime, pids, clients)
}

#[test]
fn sigkill_of_the_runtime_in_every_state_ends_relay_and_hooks() {
    for state in
        [State::Armed, State::Before, State::Frozen, State::After, State::Open, State::Failed]
    {
        let lambda = Lambda::new(Settings::default());
        let (runtime, hooks, clients) = bring_to(&lambda, state);
        let relay = runtime.relay();
        // Those of the runtime's end with it.
        drop(clients);
        runtime.signal(Signal::SIGKILL);
        runtime.is_over_within(LEFT, &[&[relay], &hooks[..]].concat());
        assert_eq!(runtime.run.finish().status, 137, "{state:?}");
        assert!(runtime.run.finished.is_alone());
        // The platform knows by itself.
        let reports =
            lambda.seen().count(Call::InitError) + lambda.seen().count(Call::RestoreError);
        assert_eq!(reports, usize::from(state == State::Failed), "{state:?}");
    }
}

/// The runtime's descriptors may have gone to a child of its, which keeps the connections.
#[test]
fn sigkill_of_the_runtime_with_open_connections_ends_the_relay() {
    for state in [State::Armed, State::Before, State::Frozen, State::After, State::Open] {
        let lambda = Lambda::new(Settings::default());
        let (runtime, hooks, _clients) = bring_to(&lambda, state);
        let relay = runtime.relay();
        runtime.signal(Signal::SIGKILL);
        runtime.is_over_within(LEFT, &[&[relay], &hooks[..]].concat());
        assert_eq!(runtime.run.finish().status, 137, "{state:?}");
    }
}

/// A restore that comes when nobody is left to be restored.
#[test]
fn hook_after_the_end_of_the_runtime_is_not_started() {
    for _ in 0..5 {
        let lambda = Lambda::new(Settings::default());
        let runtime = Test::new()
            .snap_start(&lambda)
            .snapshot_hooks(json!([]), json!([noting("after", "x")]))
            .play();
        let _client = runtime.asking(RESTORE_NEXT);
        lambda.snapshot().unwrap();
        let relay = runtime.relay();
        runtime.signal(Signal::SIGKILL);
        assert!(wait_until(LIMIT, || Stat::of(runtime.pid()).is_none_or(|stat| stat.state == 'Z')));
        lambda.restore().unwrap();
        runtime.is_over_within(LEFT, &[relay]);
        assert_eq!(runtime.order(), "");
        assert_eq!(runtime.run.finish().status, 137);
    }
}

#[test]
fn runtime_that_exits_is_not_delayed() {
    let lambda = Lambda::new(Settings::default());
    let test = Test::new()
        .snap_start(&lambda)
        .snapshot_hooks(json!([noting("hook", "before")]), json!([]));
    let mut gate = Gate::new(&test.path("gate"));
    let runtime = test.play_as("read -r go <gate; exit 7\n");
    let _client = runtime.restored(&lambda);
    let relay = runtime.relay();
    gate.open();
    assert_eq!(runtime.run.finish().status, 7);
    runtime.is_over_within(LEFT, &[relay]);
}

/// It has said nothing to anybody: it is the platform that sees it end.
#[test]
fn runtime_that_ends_before_its_first_request_runs_no_hook() {
    let lambda = Lambda::new(Settings::default());
    let hooks = |phase: &str| json!([noting(phase, "never")]);
    let test = Test::new().snap_start(&lambda).snapshot_hooks(hooks("before"), hooks("after"));
    let order = test.path("order");
    assert!(test.args(["/bin/sh", "-c", "exit 5"]).status(5).run().is_alone());
    assert!(!order.exists());
    assert_eq!(lambda.seen().requests.len(), 0);
}

/// The wrapper has nobody in front of it: what it reports goes to the address that Lambda gave.
#[test]
fn runtime_that_cannot_be_executed_leaves_no_relay() {
    let lambda = Lambda::new(Settings::default());
    let test = Test::new()
        .snap_start(&lambda)
        .snapshot_hooks(json!([noting("before", "never")]), json!([]));
    let order = test.path("order");
    let line = "unable to execute \"./nowhere\": no such file";
    let finished = test.args(["./nowhere"]).stderr(format!("foreword: {line}\n")).status(127).run();
    assert!(finished.is_alone() && !order.exists());
    let seen = lambda.seen();
    assert_eq!(seen.report.expect("a report").error_type, "Runtime.InvalidEntrypoint");
    assert_eq!((seen.requests.len(), seen.requests[0].header("Host")), (1, Some(lambda.address())));
}

/// A runtime that ends right after its answer, as some do at a shutdown.
#[test]
fn bytes_sent_before_the_runtime_s_end_still_arrive() {
    let lambda = Lambda::new(Settings::default());
    let runtime = Test::new()
        .snap_start(&lambda)
        .snapshot_hooks(json!([noting("hook", "before")]), json!([]))
        .play();
    let mut client = runtime.restored(&lambda);
    client.request(INVOCATION_NEXT, "");
    let id = lambda.hand_out("{}").unwrap();
    client.reply();
    let answer = "a".repeat(1 << 20);
    client.request(&response_to(&id), &answer);
    drop(client);
    runtime.signal(Signal::SIGKILL);
    let found = lambda.answer(&id).unwrap();
    assert!(found.is_complete && found.body == answer.as_bytes());
    assert_eq!(runtime.run.finish().status, 137);
}

/// The platform would learn of it from the runtime, which hears at once that something is wrong.
#[test]
fn sigkill_of_the_relay_fails_its_clients_at_once() {
    for state in [State::Armed, State::Frozen, State::Open] {
        let lambda = Lambda::new(Settings::default());
        let (runtime, _, clients) = bring_to(&lambda, state);
        let relay = runtime.relay();
        kill(relay, Signal::SIGKILL).expect("unable to kill the relay");
        let start = Instant::now();
        for mut client in clients {
            client.ends_in_order();
        }
        assert!(start.elapsed() < LEFT + BUSY, "{state:?}: {:?}", start.elapsed());
        assert!(wait_until(LEFT, || TcpStream::connect(&runtime.address).is_err()), "{state:?}");
        assert!(!is_gone(runtime.pid()), "{state:?}");
        runtime.end("");
    }
}

/// Its hooks go on to their end; nobody waits for them.
#[test]
fn sigkill_of_the_relay_while_a_hook_runs_fails_its_clients_at_once() {
    for state in [State::Before, State::After] {
        let lambda = Lambda::new(Settings::default());
        let (runtime, _, clients) = bring_to(&lambda, state);
        kill(runtime.relay(), Signal::SIGKILL).expect("unable to kill the relay");
        let start = Instant::now();
        for mut client in clients {
            client.ends_in_order();
        }
        assert!(start.elapsed() < LEFT + BUSY, "{state:?}: {:?}", start.elapsed());
        assert!(wait_until(LEFT, || TcpStream::connect(&runtime.address).is_err()), "{state:?}");
    }
}

/// The platform's SIGTERM goes to all of the group; a handler may still have something to say.
#[test]
fn sigterm_to_the_process_group_leaves_the_relay_to_the_handler() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let lambda = Lambda::new(Settings::default());
        let test = Test::new()
            .snap_start(&lambda)
            .snapshot_hooks(json!([waiting("hook", "before")]), json!([]));
        let mut gate = Gate::new(&test.path("before"));
        let runtime = test.play_as("trap '' TERM INT HUP; echo >deaf; exec sleep 1000\n");
        let deaf = runtime.path("deaf");
        assert!(wait_until(LIMIT, || deaf.exists()));
        let relay = runtime.relay();
        let ask = || {
            killpg(runtime.pid(), signal).expect("unable to send a signal");
            assert_eq!(status_of(&runtime.client().ask("GET /other", "")), 404);
        };
        assert_eq!(status_of(&runtime.client().ask("GET /other", "")), 404);
        ask();
        let client = runtime.asking(RESTORE_NEXT);
        runtime.wait_for_order("hook before\n");
        ask();
        gate.open();
        lambda.snapshot().unwrap();
        ask();
        lambda.restore().unwrap();
        let mut client = runtime.is_restored(client);
        client.request(INVOCATION_NEXT, "");
        let id = lambda.hand_out("{}").unwrap();
        client.reply();
        ask();
        assert_eq!(status_of(&client.ask(&response_to(&id), "last words")), 202);
        assert_eq!(lambda.answer(&id).unwrap().body, b"last words");
        assert!(!is_gone(relay));
        runtime.signal(Signal::SIGKILL);
        runtime.is_over_within(LEFT, &[relay]);
        assert_eq!(runtime.run.finish().status, 137);
    }
}

/// The relay is deaf from its first moment on: nobody would notice that it is gone before the
/// runtime needs it.
#[test]
fn sigterm_to_the_process_group_at_the_start_leaves_the_relay() {
    for _ in 0..20 {
        let lambda = Lambda::new(Settings::default());
        let test = Test::new()
            .snap_start(&lambda)
            .snapshot_hooks(json!([noting("hook", "before")]), json!([]));
        let runtime = test.play_as("trap '' TERM; kill -TERM 0; echo >sent; exec sleep 1000\n");
        let sent = runtime.path("sent");
        assert!(wait_until(LIMIT, || sent.exists()));
        runtime.restored(&lambda);
    }
}

/// As near to a snapshot as it gets without one: nothing runs while the clock does.
#[test]
fn sigstop_during_the_snapshot_takes_no_time_from_the_hooks() {
    let lambda = Lambda::new(Settings::default());
    let look = json!({"name": "look", "command": "cat >context"});
    let runtime = Test::new()
        .snap_start(&lambda)
        .snapshot_hooks(json!([noting("hook", "before")]), json!([look, noting("hook", "after")]))
        // Where a sandbox refuses to restart it, sleep(1) gives up.
        .play_as("mkfifo never; read -r go <never\n");
    let client = runtime.asking(RESTORE_NEXT);
    lambda.snapshot().unwrap();
    let relay = runtime.relay();
    let is_stopped = |pid| Stat::of(pid).is_some_and(|stat| stat.state == 'T');
    killpg(runtime.pid(), Signal::SIGSTOP).expect("unable to stop the group");
    assert!(wait_until(LIMIT, || is_stopped(relay) && is_stopped(runtime.pid())));
    lambda.restore().unwrap();
    lambda.wait_for_call(Call::RestoreNext, 1).unwrap();
    assert!(client.has_nothing());
    assert_eq!(runtime.order(), "hook before\n");
    let start = epoch_milliseconds();
    killpg(runtime.pid(), Signal::SIGCONT).expect("unable to let the group go on");
    runtime.is_restored(client);
    let end = epoch_milliseconds();
    assert_eq!(runtime.order(), "hook before\nhook after\n");
    let context = fs::read_to_string(runtime.path("context")).expect("a context");
    let context: Value = serde_json::from_str(&context).expect("JSON");
    let deadline = context["deadline_ms"].as_u64().expect("a time");
    assert!((start + 8000..=end + 8000).contains(&deadline), "{start} {deadline} {end}");
    runtime.end("");
}

/// A daemon that a hook has left behind is no hook any more.
#[test]
fn daemon_of_a_hook_lives_on_and_delays_nothing() {
    let lambda = Lambda::new(Settings::default());
    let daemon = json!({"name": "start", "command": "sleep 1000 & echo $! >>pids"});
    let runtime =
        Test::new().snap_start(&lambda).snapshot_hooks(json!([daemon]), json!([daemon])).play();
    let mut client = runtime.restored(&lambda);
    client.request(INVOCATION_NEXT, "");
    lambda.hand_out("{}").unwrap();
    client.reply();
    let pids = pids(&runtime);
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| !is_gone(*pid)));
    let relay = runtime.relay();
    runtime.signal(Signal::SIGKILL);
    runtime.is_over_within(LEFT, &[relay]);
}
