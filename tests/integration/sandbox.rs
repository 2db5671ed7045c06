//! The sandbox in which foreword is tested, and what foreword does in there: `docs/sandbox.md` has
//! a row for each system call that a sandbox may refuse, and each row is tried here.

use crate::support::client::RESTORE_NEXT;
use crate::support::extension::{echo, lambda, succeeded};
use crate::support::lambda::{Call, Lambda, Settings};
use crate::support::sandbox::{is_available, is_root};
use crate::support::snap_start::noting;
use crate::support::{LIMIT, Test, foreword, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PAGE: &str = include_str!("../../docs/sandbox.md");

/// What a shell in the sandbox prints.
#[track_caller]
fn prints(script: &str, expected: &str) {
    if is_available() {
        Test::new().without_foreword().args(["/bin/bash", "-c", script]).stdout(expected).run();
    }
}

#[test]
fn root_and_layers_are_read_only() {
    for place in ["/", "/opt", "/usr", "/etc", "/var", "/home", "/var/tmp"] {
        prints(
            &format!("touch {place}/x 2>&1 | grep -o 'Read-only file system'"),
            "Read-only file system\n",
        );
    }
}

#[test]
fn tmp_is_fresh_and_writable_for_everybody() {
    let other = Test::new();
    // What tests execute is shown, wherever it is.
    let shown = [env!("CARGO_MANIFEST_DIR"), foreword()].map(|path| {
        let below = Path::new(path).strip_prefix("/tmp").ok();
        below.and_then(|path| path.iter().next()).map(|name| format!(" -e '^{}$'", name.display()))
    });
    let shown = shown.into_iter().flatten().collect::<String>();
    let ls = format!("ls /tmp | grep -v -e ^foreword-{shown}; ls {}", other.path("").display());
    let script = format!("stat -c '%a %U' /tmp; touch /tmp/x && {ls}");
    if is_available() {
        let captured = Test::new().without_foreword().args(["/bin/sh", "-c", &script]).capture();
        assert_eq!(
            (String::from_utf8_lossy(&captured.stdout).as_ref(), captured.status),
            ("1777 root\nx\n", 2)
        );
    }
}

/// The commands that the page shows, and what they print.
pub fn commands() -> impl Iterator<Item = (&'static str, &'static str)> {
    let commands =
        PAGE.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("commands");
    let outputs = ["993\n1024\n", "the function\n", ""];
    assert_eq!(commands.lines().count(), outputs.len());
    commands.lines().zip(outputs)
}

/// Runs a command with a function and a layer in the places of those of the reader.
#[track_caller]
pub fn command_prints(command: &str, stdout: &str) {
    if !is_available() || !is_root() {
        return;
    }
    let test =
        Test::new().on_the_machine().script("function/runtime", "#!/bin/sh\necho the function\n");
    let test = test.script("layer/bin/foreword", fs::read(foreword()).expect("foreword"));
    let home = test.path("").display().to_string();
    // Not from the project's directory: one in /tmp is hidden in there.
    let command =
        command.replace("scripts/sandbox", concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/sandbox"));
    let script = format!("cd / && {}", command.replace('~', home.trim_end_matches('/')));
    let captured = test.without_foreword().args(["/bin/sh", "-c", &script]).capture();
    let stderr = String::from_utf8_lossy(&captured.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&captured.stdout), stdout, "{command}: {stderr}");
    assert_eq!(
        captured.status,
        i32::from(command.ends_with("touch /file'")),
        "{command}: {stderr}"
    );
}

#[test]
fn every_command_of_the_page_without_strace_runs() {
    let commands: Vec<_> = commands().filter(|(command, _)| !command.contains("strace")).collect();
    assert_eq!(commands.len(), 2);
    commands.into_iter().for_each(|(command, stdout)| command_prints(command, stdout));
}

#[test]
fn usage_error_prints_the_usage() {
    if !is_available() {
        return;
    }
    let run = |words: &[&str]| {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/sandbox");
        let run = Command::new(program)
            .args(words)
            .env_remove("CARGO_TARGET_DIR")
            .current_dir("/")
            .output();
        let run = run.expect("the sandbox");
        (String::from_utf8(run.stderr).expect("text"), run.status.code())
    };
    for (words, said, status) in [
        (
            &["--refuse", "close_rage", "--", "true"][..],
            "no system call \"close_rage\" here; --calls prints",
            2,
        ),
        (
            &["--refuse", "close_range=EIO", "--", "true"],
            "no error \"EIO\" here; there are EPERM, ENOSYS and EACCES",
            2,
        ),
        (&["--task", "function", "--", "true"], "\"function\" is not an absolute path", 2),
        (
            &["--task", "/nowhere", "--", "true"],
            "unable to open \"/nowhere\": No such file or directory",
            125,
        ),
        (&["--", "/nowhere"], "unable to execute \"/nowhere\": No such file or directory", 127),
        (&["--", "/etc/passwd"], "unable to execute \"/etc/passwd\": Permission denied", 126),
        (&["true"], "usage: sandbox ", 2),
        (&[], "usage: sandbox ", 2),
    ] {
        let (stderr, found) = run(words);
        assert!(stderr.contains(said), "{words:?}: {stderr}");
        assert_eq!(found, Some(status), "{words:?}");
    }
}

#[test]
fn shared_memory_is_unusable() {
    prints("touch /dev/shm/x 2>/dev/null || echo refused", "refused\n");
}

#[test]
fn limits_are_those_of_a_function() {
    prints("ulimit -n; ulimit -u; ulimit -l; ulimit -s; ulimit -Hn", "1024\n742\n64\n8192\n1024\n");
}

#[test]
fn user_is_unprivileged_and_has_no_home() {
    let script = "[ $(id -u) -ne 0 ] && [ $(id -G | wc -w) -eq 1 ] && echo ${HOME-none}; grep \
                  CapEff /proc/self/status";
    if is_available() {
        let test =
            Test::new().without_foreword().env("HOME", "/root").args(["/bin/sh", "-c", script]);
        test.stdout("none\nCapEff:\t0000000000000000\n").run();
    }
}

/// What the page says of a call, in the order of the page.
fn rows() -> Vec<&'static str> {
    let table = PAGE.split("| refused |").nth(1).expect("a table").lines().skip(2);
    table
        .map_while(|row| Some(row.strip_prefix("| ")?.split(" | ").next()?.trim_matches('`')))
        .collect()
}

#[test]
fn table_of_the_page_has_the_calls_that_are_tested() {
    let known = [
        "prctl",
        "pidfd_open",
        "pidfd_send_signal",
        "close_range",
        "memfd_create",
        "signalfd4",
        "eventfd2",
        "restart_syscall",
        "abstract Unix sockets",
    ];
    assert_eq!(rows(), known);
}

/// Tries foreword in all roles, with all calls of the table refused that a filter can refuse, one
/// by one.
fn refused_one_by_one(try_one: impl Fn(&dyn Fn() -> Test, &str)) {
    for call in rows().into_iter().filter(|call| !call.contains(' ')) {
        for error in ["EPERM", "ENOSYS"] {
            let refused = format!("{call}={error}");
            try_one(&|| Test::new().refusing(&refused), &refused);
        }
    }
}

#[test]
fn initialize_hooks_with_any_call_refused_run() {
    // Longer than a page, so that the context does not fit into every pipe.
    let long = "x".repeat(100_000);
    refused_one_by_one(|test, refused| {
        let hooks = json!([
            {"name": "exports", "command": "cat >context; echo A=exported", "export": "dotenv"},
            {"name": "ignores its input", "command": ["/bin/true"]},
            {"name": "ends", "command": "sleep 600", "timeout_ms": 50, "on_failure": "continue"},
        ]);
        let config = json!({"hooks": {"initialize": hooks}}).to_string();
        let test = test().config(&config).env("FOREWORD_LOG", "error").env("_HANDLER", &long);
        let stderr = "foreword: hook \"ends\" (initialize) timed out after N ms (timeout_ms) \
                      (on_failure: continue)\n";
        let finished =
            test.args(["/usr/bin/printenv", "A"]).stdout("exported\n").stderr(stderr).run();
        let context: serde_json::Value =
            serde_json::from_str(&finished.read("context")).expect("JSON");
        assert_eq!(context["function"]["handler"], json!(long), "{refused}");
        assert!(finished.is_alone());
    });
}

/// Without it nothing is known of a hook, and nothing is said about it that is not so.
#[test]
fn wait_that_is_refused_is_not_blamed_on_the_hook() {
    if is_available() {
        let hook = json!([{"name": "a", "command": ["/bin/true"]}]);
        let test = Test::new().hooks(hook).refusing("waitid").args(["/bin/true"]);
        let cause = "unable to wait for a command: operation not permitted";
        test.stderr(format!("foreword: hook \"a\" (initialize) could not be started: {cause}\n"))
            .status(125)
            .run();
    }
}

#[test]
fn relay_with_any_call_refused_lives_as_long_as_its_runtime() {
    refused_one_by_one(|test, refused| {
        let lambda = Lambda::new(Settings::default());
        let hooks = |phase| json!([noting(phase, "a")]);
        let runtime =
            test().snap_start(&lambda).snapshot_hooks(hooks("before"), hooks("after")).play();
        drop(runtime.restored(&lambda));
        assert_eq!(runtime.order(), "before a\nafter a\n", "{refused}");
        let relay = runtime.relay();
        runtime.signal(Signal::SIGKILL);
        runtime.ended(137, "").is_over_within(Duration::from_millis(300), &[relay]);
    });
}

#[test]
fn runtime_with_any_call_refused_is_killed_when_a_hook_fails() {
    refused_one_by_one(|test, refused| {
        let lambda = Lambda::new(Settings::default());
        let fails = json!([{"name": "x", "command": "exit 3"}]);
        let runtime = test().snap_start(&lambda).snapshot_hooks(fails, json!([])).play();
        let _client = runtime.asking(RESTORE_NEXT);
        assert!(wait_until(LIMIT, || lambda.seen().of(Call::InitError).count() == 1), "{refused}");
        runtime
            .ended(137, "foreword: hook \"x\" (before_snapshot) exited with status 3 after N ms\n");
    });
}

#[test]
fn pre_stop_hooks_with_any_call_refused_see_the_runtime_s_environment() {
    refused_one_by_one(|test, refused| {
        let lambda = lambda();
        let say = json!({"name": "say", "command": "echo $A"});
        let exports = json!({"name": "exports", "command": "echo A=exported", "export": "dotenv"});
        let config = json!({"hooks": {"initialize": [exports], "pre_stop": [echo("last"), say]}})
            .to_string();
        let mut extension = test().config(&config);
        let wrapper = test()
            .config(&config)
            .env("FOREWORD_LOG", "warn")
            .beside(&mut extension)
            .runtime_api(&lambda);
        let run = extension.waits(&lambda);
        wrapper.args(["/bin/true"]).run();
        lambda.shutdown("spindown", Duration::from_millis(1900));
        run.ends("exported\nlast\n", &(succeeded("say") + &succeeded("last")));
        assert!(fs::read_dir(run.finished.directory.path("tmp")).is_ok(), "{refused}");
    });
}

#[test]
fn chain_with_any_call_refused_runs() {
    refused_one_by_one(|test, refused| {
        let exports = json!({"name": "exports", "command": "echo A=exported", "export": "dotenv"});
        let config =
            json!({"wrappers": ["./w", "./w"], "hooks": {"initialize": [exports]}}).to_string();
        let test = test()
            .config(&config)
            .env("FOREWORD_LOG", "warn")
            .script("w", "#!/bin/sh\necho w $A\nexec \"$@\"\n");
        let test = test.script("python3.12", "#!/bin/sh\necho runtime $A\n").args(["./python3.12"]);
        let captured = test.stdout("w exported\nw exported\nruntime exported\n").run();
        assert!(captured.is_alone(), "{refused}");
    });
}
