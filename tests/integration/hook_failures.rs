//! Initialize hooks that do not end well: each gives one line that names it and the right status,
//! leaves nothing running, and keeps the runtime from starting unless it says `continue`.

use crate::support::sandbox;
use crate::support::{Gate, PATH, Reaction, Running, RuntimeApi, Test, wait_until};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// A run whose hook must fail for good: neither the next hook nor the runtime may say anything.
fn failing(hook: &Value) -> Test {
    let hooks = json!([hook, {"name": "next", "command": ["/bin/echo", "next"]}]);
    Test::new().hooks(hooks).args(["/bin/echo", "runtime"])
}

fn line(what: &str) -> String {
    format!("foreword: hook \"x\" (initialize) {what}\n")
}

/// What the shell says with a status, and nobody else.
const NO_COMMAND: &str = "exited with status 127 after N ms: /bin/sh found no such command; name \
                          it by its path, or add its directory to PATH";
const NOT_EXECUTABLE: &str = "exited with status 126 after N ms: /bin/sh found a file that it \
                              cannot execute; chmod +x, or name its interpreter";

#[test]
fn command_without_a_shell_that_exits_126_or_127_gets_no_hint() {
    for status in [126, 127] {
        let hook = json!({"name": "x", "command": ["/bin/sh", "-c", format!("exit {status}")]});
        failing(&hook)
            .stderr(line(&format!("exited with status {status} after N ms")))
            .status(125)
            .run();
    }
}

#[test]
fn command_in_one_string_of_an_array_gets_a_hint_to_split() {
    const SPLIT: &str = "write each word as a string of its own";
    for (command, cause) in [
        ("/nowhere/x --all", "unable to execute \"/nowhere/x --all\": no such file"),
        ("./tool -v", "unable to execute \"./tool -v\": no such file"),
        ("nosuch --all x", &format!("unable to find \"nosuch --all x\" in PATH ({PATH})")),
        ("echo hi", &format!("unable to find \"echo hi\" in PATH ({PATH})")),
    ] {
        let what = format!("could not be started: {cause}; {SPLIT}");
        failing(&json!({"name": "x", "command": [command]})).stderr(line(&what)).status(125).run();
    }
    Test::new()
        .config(r#"{"program": "/nowhere/python3 -O"}"#)
        .args(["/bin/true"])
        .stderr(format!(
            "foreword: unable to execute \"/nowhere/python3 -O\": no such file; {SPLIT}\n"
        ))
        .status(127)
        .run();
}

#[test]
fn hook_that_exits_or_is_killed_is_reported() {
    for (command, what) in [
        ("exit 1", "exited with status 1 after N ms"),
        ("exit 124", "exited with status 124 after N ms"),
        ("exit 255", "exited with status 255 after N ms"),
        ("nosuch 2>&-", NO_COMMAND),
        ("exit 127", NO_COMMAND),
        ("true; exec nosuch 2>&-", NO_COMMAND),
        (">plain; ./plain 2>&-", NOT_EXECUTABLE),
        ("/ 2>&-", NOT_EXECUTABLE),
        ("kill -KILL $$", "was killed by SIGKILL after N ms"),
        ("kill -TERM $$", "was killed by SIGTERM after N ms"),
        ("kill -PIPE $$", "was killed by SIGPIPE after N ms"),
        ("exec env kill -40 $$", "was killed by a real-time signal after N ms"),
    ] {
        failing(&json!({"name": "x", "command": command})).stderr(line(what)).status(125).run();
    }
}

/// The command has nothing to do with it.
#[test]
fn process_that_the_system_refuses_is_not_blamed_on_the_command() {
    for (refused, cause) in [
        ("clone", "unable to make a process: operation not permitted"),
        (
            "setpgid",
            "unable to give a process a group and standard streams of its own: operation not \
             permitted",
        ),
        (
            "setpgid=EACCES",
            "unable to give a process a group and standard streams of its own: permission denied",
        ),
    ] {
        let test = failing(&json!({"name": "x", "command": ["true"]})).refusing(refused);
        if sandbox::is_available() {
            test.stderr(line(&format!("could not be started: {cause}"))).status(125).run();
        }
    }
}

#[test]
fn hook_that_cannot_be_started_is_reported() {
    const PATH: &str = "<folder>/bin:/usr/bin:/bin";
    for (command, cwd, cause) in [
        ("/nowhere/x", ".", "unable to execute \"/nowhere/x\": no such file"),
        ("nosuch", ".", "unable to find \"nosuch\" in PATH (<folder>/bin:/usr/bin:/bin)"),
        ("${UNSET}", ".", "unable to execute the program: its name is empty"),
        ("./plain", ".", "unable to execute \"./plain\": it has no run bit (chmod +x)"),
        ("tool", ".", "unable to execute \"<folder>/bin/tool\": it has no run bit (chmod +x)"),
        ("./bin", ".", "unable to execute \"./bin\": it is a folder; name a file in it"),
        (
            "./dos",
            ".",
            "unable to execute \"./dos\": its first line, \"#!/bin/sh\", ends in a carriage \
             return; save it with Unix line ends (sed -i 's/\\r$//')",
        ),
        (
            "./dos-env",
            ".",
            "unable to execute \"./dos-env\": its first line, \"#!/usr/bin/env bash\", ends in a \
             carriage return; save it with Unix line ends (sed -i 's/\\r$//')",
        ),
        (
            "./dos-option",
            ".",
            "unable to execute \"./dos-option\": its first line, \"#!/bin/sh -e\", ends in a \
             carriage return; save it with Unix line ends (sed -i 's/\\r$//')",
        ),
        (
            "./astray",
            ".",
            "unable to execute \"./astray\": the interpreter in its first line, \"/nowhere/sh\", \
             does not exist; name one that does",
        ),
        ("/bin/true", "missing", "unable to enter \"missing\": no such file or directory"),
        ("/bin/true", "<folder>/plain", "unable to enter \"<folder>/plain\": not a directory"),
    ] {
        failing(&json!({"name": "x", "command": [command], "cwd": cwd}))
            .env("PATH", PATH)
            .file("plain", "#!/bin/sh\n")
            .file("bin/tool", "#!/bin/sh\n")
            .script("dos", "#!/bin/sh\r\necho started\r\n")
            .script("dos-env", "#!/usr/bin/env bash\r\necho started\r\n")
            .script("dos-option", "#!/bin/sh -e\r\necho started\r\n")
            .script("astray", "#!/nowhere/sh\n")
            .stderr(line(&format!("could not be started: {cause}")))
            .status(125)
            .run();
    }
}

/// Whatever a group does about SIGTERM, it is gone when foreword has ended, and the hook has timed
/// out.
#[test]
fn hook_that_runs_past_its_deadline_is_killed() {
    for (command, limit) in [
        ("exec sleep 1000", 50),
        // Says that all is well.
        ("trap 'exit 0' TERM; sleep 1000 & wait", 300),
        // Nothing in the group listens.
        ("trap '' TERM; sleep 1000 & sleep 1000 | cat; sleep 1000", 300),
        // The leader goes, what it started does not.
        ("(trap '' TERM; sleep 1000 | cat) & exec sleep 1000", 300),
        // A stopped process takes no SIGTERM until it is continued.
        ("kill -STOP $$", 50),
    ] {
        let hook = json!({"name": "x", "command": command, "timeout_ms": limit});
        let test = failing(&hook).stderr(line("timed out after N ms (timeout_ms)")).status(124);
        let start = Instant::now();
        let finished = test.run();
        // Half a second after SIGTERM comes SIGKILL; the rest is for a machine that is busy.
        assert!(start.elapsed() < Duration::from_millis(2500), "{command}: {:?}", start.elapsed());
        assert!(finished.is_alone(), "{command}");
    }
}

/// A group has half a second for its own end, of which this one takes some.
#[test]
fn hook_at_its_deadline_may_clean_up() {
    let command = "trap 'sleep 0.1; echo clean; exit 3' TERM; sleep 1000 & wait";
    let hook = json!({"name": "x", "command": command, "timeout_ms": 1000});
    let expected = line("timed out after N ms (timeout_ms)");
    assert!(failing(&hook).stdout("clean\n").stderr(expected).status(124).run().is_alone());
}

#[test]
fn hook_that_times_out_is_reported_to_the_runtime_api() {
    let api = RuntimeApi::new(Reaction::Accept);
    let hook = json!({"name": "x", "command": "exec sleep 1000", "timeout_ms": 50});
    let expected = line("timed out after N ms (timeout_ms)");
    failing(&hook).runtime_api(&api).stderr(expected).status(124).run();
    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    assert_eq!(
        request.header("lambda-runtime-function-error-type"),
        Some("Runtime.ForewordHookTimedOut")
    );
    assert!(request.body.contains("timed out after "), "{}", request.body);
}

#[test]
fn hook_that_exports_more_than_one_mebibyte_fails() {
    let filling = |bytes: usize| {
        let command =
            format!("echo A=1; head -c {} /dev/zero | tr '\\0' '#'", bytes - "A=1\n".len());
        json!({"name": "x", "command": command, "export": "dotenv"})
    };
    let too_much = line("wrote more than the 1048576 bytes that it can export");
    Test::new()
        .hooks(json!([filling(1 << 20)]))
        .args(["/bin/sh", "-c", "echo $A"])
        .stdout("1\n")
        .run();
    failing(&filling((1 << 20) + 1)).stderr(&too_much).status(125).run();
    for command in ["yes", "trap '' TERM PIPE; yes 2>&-; sleep 1000"] {
        let hook = json!({"name": "x", "command": command, "export": "json"});
        assert!(failing(&hook).stderr(&too_much).status(125).run().is_alone(), "{command}");
    }
}

#[test]
fn hook_output_without_export_has_no_limit() {
    let hook = json!({"name": "x", "command": "head -c 3000000 /dev/zero | tr '\\0' x"});
    Test::new().hooks(json!([hook])).args(["/bin/true"]).stdout("x".repeat(3_000_000)).run();
}

#[test]
fn hook_that_may_fail_stops_nothing() {
    let hook = |name: &str, command: Value| {
        json!({
            "name": name, "command": command, "on_failure": "continue"
        })
    };
    let mut hanging = hook("hangs", json!("exec sleep 1000"));
    hanging["timeout_ms"] = json!(50);
    let mut unreadable = hook("exports nonsense", json!(["/bin/echo", "A=1"]));
    unreadable["export"] = json!("json");
    let hooks = json!([
        hook("fails", json!("exit 3")),
        hook("is killed", json!("kill -KILL $$")),
        hanging,
        hook("is missing", json!(["/nowhere/x"])),
        unreadable,
        {"name": "succeeds", "command": ["/bin/echo", "hook"]},
    ]);
    let finished = Test::new()
        .hooks(hooks)
        .args(["/bin/echo", "runtime"])
        .stdout("hook\nruntime\n")
        .stderr(
            "foreword: hook \"fails\" (initialize) exited with status 3 after N ms (on_failure: \
             continue)\nforeword: hook \"is killed\" (initialize) was killed by SIGKILL after N \
             ms (on_failure: continue)\nforeword: hook \"hangs\" (initialize) timed out after N \
             ms (timeout_ms) (on_failure: continue)\nforeword: hook \"is missing\" (initialize) \
             could not be started: unable to execute \"/nowhere/x\": no such file (on_failure: \
             continue)\nforeword: hook \"exports nonsense\" (initialize) exported something \
             unreadable: line 1: this is not JSON: expected value; print one JSON object and \
             nothing else (on_failure: continue)\n",
        )
        .run();
    assert!(finished.is_alone());
}

/// foreword is the hook's parent. It dies of the signal, so that it needs no line of its own.
#[test]
fn signal_to_foreword_ends_the_hook_s_group_and_then_foreword() {
    let hook = |signal: &str| {
        let command = "trap 'echo ended >&2; exit 0' TERM; kill -SIGNAL $PPID; while :; do sleep \
                       1000 & wait; done";
        json!({"name": "x", "command": command.replace("SIGNAL", signal)})
    };
    let mut lenient = hook("TERM");
    lenient["on_failure"] = json!("continue");
    lenient["export"] = json!("dotenv");
    for (hook, status) in
        [(hook("TERM"), 143), (lenient, 143), (hook("INT"), 130), (hook("HUP"), 129)]
    {
        assert!(failing(&hook).stderr("ended\n").status(status).run().is_alone(), "{hook}");
    }
    // It leaves a core file where one is allowed, of which an emulator tells.
    let captured = failing(&hook("QUIT")).capture();
    assert!(captured.stderr.starts_with(b"ended\n") && captured.status == 131, "{captured:?}");
}

#[test]
fn hook_group_that_ignores_foreword_s_signal_is_killed() {
    let command = "trap '' TERM; sleep 1000 & kill -TERM $PPID; sleep 1000";
    assert!(failing(&json!({"name": "x", "command": command})).status(143).run().is_alone());
}

/// It is the signal that foreword then dies of, also when the hook's end comes with it or has to be
/// forced.
#[test]
fn signal_while_a_hook_is_stopped_at_its_deadline_ends_foreword() {
    for rest in [
        "kill -STOP $PPID; kill -TERM $PPID; (until grep -q '^State:.Z' /proc/$$/status; do :; \
         done; kill -CONT $PPID) & exit 0",
        "kill -TERM $PPID; sleep 1000",
    ] {
        let command =
            format!("ended() {{ trap '' TERM; {rest}; }}; trap ended TERM; sleep 1000 & wait");
        let hook = json!({"name": "x", "command": command, "timeout_ms": 1000});
        assert!(failing(&hook).status(143).run().is_alone(), "{rest}");
    }
}

/// foreword is stopped until both have happened: the signal came, and the hook ended by itself.
#[test]
fn signal_after_the_hook_has_ended_ends_foreword() {
    let command = "parent=$PPID; kill -STOP $parent; kill -TERM $parent; (until grep -q \
                   '^State:.Z' /proc/$$/status; do :; done; kill -CONT $parent) & exit 0";
    let next = json!({"name": "next", "command": ["/nowhere/x"], "on_failure": "continue"});
    let hooks = json!([{"name": "x", "command": command}, next]);
    Test::new().hooks(hooks).args(["/bin/echo", "runtime"]).status(143).run();
}

#[test]
fn hook_before_a_source_with_a_mistake_is_not_started() {
    let good = json!({"hooks": {"initialize": [{"name": "x", "command": ["/bin/echo", "hook"]}]}})
        .to_string();
    for (config, place) in [
        (
            "{\"optons\": {}}",
            "FOREWORD_CONFIG:1:2: unknown key \"optons\"; did you mean \"options\"?",
        ),
        (
            "{",
            "FOREWORD_CONFIG:1:1: this is not JSON: EOF while parsing an object; it ends before \
             all brackets and quotes are closed",
        ),
        ("missing.json", "FOREWORD_CONFIG names \"missing.json\", and there is no such file"),
    ] {
        Test::new()
            .file("foreword.d/good.json", &good)
            .file("foreword.json", &good)
            .config(config)
            .args(["/bin/echo", "runtime"])
            .stderr(format!("foreword: {place}\n"))
            .status(125)
            .run();
    }
}

/// What Lambda does to an init that takes too long; the environment, and with it /tmp, is used
/// again.
#[test]
fn hook_that_ran_when_the_init_was_cut_off_is_named_at_the_next_start() {
    let api = RuntimeApi::new(Reaction::Accept);
    let hooks = json!([
        {"name": "quick", "command": "true"},
        {"name": "stuck", "command": "[ -e again ] || { echo $$ >started; exec sleep 600; }"},
    ]);
    let test = |first: &mut Test| {
        Test::new().beside(first).hooks(hooks.clone()).runtime_api(&api).args(["/bin/true"])
    };
    let mut first = Test::new().hooks(hooks.clone()).runtime_api(&api).args(["/bin/true"]);
    let [second, third] = [test(&mut first), test(&mut first)].map(|test| test.file("again", ""));
    let first = first.start();
    killed_while_a_hook_runs(&first);
    let line = "foreword: the init before this one was cut off while hook \"stuck\" (initialize) \
                ran; see what it waits for, or lower its \"timeout_ms\"\n";
    second.stderr(line).run();
    third.run();
}

/// Killed like this, foreword can stop nothing by itself.
#[test]
fn hook_of_a_foreword_that_is_killed_ends_with_it() {
    let hook = json!({"name": "x", "command": "echo $$ >started; exec sleep 600"});
    let run = Test::new().hooks(json!([hook])).args(["/bin/true"]).allowing("prctl").start();
    killed_while_a_hook_runs(&run);
    assert!(run.finished.is_alone());
}

/// That is all that a refused `prctl` costs: the hook outlives a foreword that is killed.
#[test]
fn hook_of_a_killed_foreword_without_prctl_outlives_it() {
    let hook =
        json!({"name": "x", "command": "echo $$ >started; read -r go <gate; echo went on >order"});
    let test = Test::new().hooks(json!([hook])).args(["/bin/true"]);
    let mut gate = Gate::new(&test.path("gate"));
    let run = test.start();
    killed_while_a_hook_runs(&run);
    gate.open();
    assert!(run.finished.is_alone());
    assert_eq!(run.finished.read("order"), "went on\n");
}

#[track_caller]
fn killed_while_a_hook_runs(run: &Running) {
    let started = run.finished.directory.path("started");
    assert!(wait_until(Duration::from_secs(10), || fs::read(&started)
        .is_ok_and(|pid| pid.ends_with(b"\n"))));
    kill(run.pid(), Signal::SIGKILL).expect("it runs");
    assert_eq!(run.finish().status, 137);
}
