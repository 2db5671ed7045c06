//! What a freeze and a thaw of the environment do to whatever foreword waits for, where a sandbox
//! refuses `restart_syscall`: a sleep that was stopped then ends with an error. SIGSTOP and SIGCONT
//! stand for freeze and thaw.

use crate::support::extension::{NAME, echo, lambda, succeeded};
use crate::support::lambda::{Lambda, Settings};
use crate::support::process::Stat;
use crate::support::snap_start::noting;
use crate::support::{LIMIT, Reaction, Running, RuntimeApi, Test, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{Backlog, listen};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// With which errors the call is refused.
const REFUSED: [&str; 2] = ["restart_syscall=EPERM", "restart_syscall=ENOSYS"];

/// Between a thaw and the next freeze.
const PAUSE: Duration = Duration::from_millis(3);

/// Stops a process and lets it go on, again and again.
struct Freezing {
    is_over: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Freezing {
    fn begin(pid: Pid) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let thread = spawn(move || {
            let state = || Stat::of(pid).map_or('X', |stat| stat.state);
            while !wait_until(PAUSE, || over.load(Ordering::Relaxed))
                && !matches!(state(), 'X' | 'Z')
            {
                let _ = kill(pid, Signal::SIGSTOP);
                let is_stopped =
                    wait_until(LIMIT, || matches!(state(), 'T' | 'X' | 'Z')) && state() == 'T';
                counted.fetch_add(usize::from(is_stopped), Ordering::Relaxed);
                let _ = kill(pid, Signal::SIGCONT);
            }
        });
        Self { is_over, count, thread }
    }

    /// How often it was stopped so far.
    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Lets the process be; gives how often it was stopped.
    fn end(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("an end");
        self.count.load(Ordering::Relaxed)
    }
}

/// Runs to the end while it is frozen over and over.
fn frozen(run: &Running) -> (String, String, i32) {
    let freezing = Freezing::begin(run.pid());
    let captured = run.finish();
    assert!(freezing.end() > 3);
    (text(captured.stdout), text(captured.stderr), captured.status)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[test]
fn initialize_hooks_after_a_thaw_go_on() {
    let hooks = json!([
        {"name": "inherits", "command": "sleep 0.1; echo said"},
        {"name": "exports", "command": "sleep 0.1; echo A=1; exec >&-; sleep 0.1",
            "export": "dotenv"},
    ]);
    for refused in REFUSED {
        let run = Test::new()
            .hooks(hooks.clone())
            .refusing(refused)
            .args(["/usr/bin/env", "printenv", "A"])
            .start();
        assert_eq!(frozen(&run), ("said\n1\n".to_owned(), String::new(), 0), "{refused}");
    }
}

#[test]
fn hook_that_times_out_while_frozen_is_ended_with_its_group() {
    let stubborn = "(trap '' TERM; while :; do sleep 0.01; done) & sleep 600";
    let hooks = json!([{"name": "x", "command": stubborn, "timeout_ms": 100}]);
    for refused in REFUSED {
        let run = Test::new().hooks(hooks.clone()).refusing(refused).args(["/bin/true"]).start();
        let message = "foreword: hook \"x\" (initialize) timed out after 100 ms (timeout_ms)\n";
        assert_eq!(frozen(&run), (String::new(), message.to_owned(), 124), "{refused}");
        assert!(run.finished.is_alone());
    }
}

/// It waits in the middle of connecting, because the server has no room for one more that it has
/// not accepted.
#[test]
fn request_of_a_hook_after_a_thaw_goes_on() {
    for refused in REFUSED {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        listen(&server, Backlog::new(0).expect("a length")).expect("no room");
        let address = server.local_addr().expect("an address");
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(50));
        let waiting: Vec<_> = std::iter::from_fn(|| connect().ok()).collect();
        let hooks = json!([{"name": "x", "http": format!("GET http://{address}/")}]);
        let run = Test::new().hooks(hooks).refusing(refused).args(["/bin/echo", "runtime"]).start();
        let freezing = Freezing::begin(run.pid());
        assert!(wait_until(LIMIT, || freezing.count() > 30), "{refused}");
        spawn(move || {
            drop(waiting);
            for mut client in server.incoming().flatten() {
                let _ = client.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
            }
        });
        let captured = run.finish();
        freezing.end();
        assert_eq!(
            (text(captured.stdout).as_str(), text(captured.stderr).as_str()),
            ("runtime\n", ""),
            "{refused}"
        );
    }
}

#[test]
fn report_to_an_api_that_hangs_after_a_thaw_is_given_up() {
    for refused in REFUSED {
        let api = RuntimeApi::new(Reaction::Hang);
        let run =
            Test::new().config("{").runtime_api(&api).refusing(refused).args(["/bin/true"]).start();
        let (stdout, stderr, status) = frozen(&run);
        assert!(stderr.starts_with("foreword: FOREWORD_CONFIG:1:"), "{stderr}");
        assert_eq!((stdout.as_str(), status), ("", 125), "{refused}");
    }
}

/// The relay is frozen all the time: before the snapshot, while it waits for the restore, and as a
/// tunnel.
#[test]
fn relay_after_a_thaw_goes_on() {
    let slow = |phase: &str| -> Value {
        json!({"name": "slow", "command": format!("sleep 0.1; echo {phase} slow >>order")})
    };
    for refused in REFUSED {
        let lambda = Lambda::new(Settings::default());
        let hooks = |phase| json!([slow(phase), noting(phase, "quick")]);
        let test = Test::new().snap_start(&lambda).snapshot_hooks(hooks("before"), hooks("after"));
        let runtime = test.refusing(refused).play();
        let freezing = Freezing::begin(runtime.relay());
        let client = runtime.restored(&lambda);
        runtime.wait_for_order("before quick\nbefore slow\nafter slow\nafter quick\n");
        drop(client);
        let relay = runtime.relay();
        runtime.signal(Signal::SIGKILL);
        runtime.ended(137, "").is_over_within(Duration::from_millis(300), &[relay]);
        assert!(freezing.end() > 3);
    }
}

#[test]
fn extension_after_a_thaw_goes_on() {
    for refused in REFUSED {
        let lambda = lambda();
        let slow = json!({"name": "slow", "command": "sleep 0.1; echo slow"});
        let run =
            Test::new().pre_stop(json!([echo("quick"), slow])).refusing(refused).waits(&lambda);
        let freezing = Freezing::begin(run.pid());
        lambda.shutdown("spindown", Duration::from_millis(1900));
        run.ends("slow\nquick\n", &(succeeded("slow") + &succeeded("quick")));
        assert!(freezing.end() > 3, "{NAME}");
    }
}
