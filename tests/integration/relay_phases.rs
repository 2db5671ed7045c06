//! The hooks around a snapshot when all goes well: their order, their nesting, what each of them is
//! given, and what the runtime gets to see of it.

use crate::support::client::{RESTORE_NEXT, status_of};
use crate::support::lambda::{Call, Lambda, Parked, Settings};
use crate::support::process::Stat;
use crate::support::snap_start::{noting, waiting};
use crate::support::{Gate, LIMIT, Played, Test, epoch_milliseconds, wait_until};
use serde_json::{Value, json};
use std::fs;

/// The fields of proc(5) that tell where a process belongs; the shell reads them of itself.
const READ_STAT: &str = "read -r pid name state parent group session rest </proc/self/stat";

/// A hook that writes down what this command says.
fn saying(name: &str, command: &str) -> Value {
    json!({"name": name, "command": format!("{command} >>{name}")})
}

/// Both phases with one hook, which is called `before` in the one and `after` in the other.
fn both(command: &str) -> [Value; 2] {
    ["before", "after"].map(|name| json!([saying(name, command)]))
}

fn read(runtime: &Played, name: &str) -> String {
    fs::read_to_string(runtime.path(name)).expect("what a hook wrote")
}

#[test]
fn hooks_run_in_reverse_before_and_as_registered_after_the_snapshot() {
    let rule = |name: &str| {
        let hooks =
            |phase: &str| json!([noting(phase, name), noting(phase, &format!("{name} again"))]);
        json!({"before_snapshot": hooks("before_snapshot"),
            "after_restore": hooks("after_restore")})
    };
    let unmet =
        json!({"when": {"initialization": "on-demand"}, "hooks": rule("that does not apply")});
    let mut inline = json!({"hooks": rule("inline"), "rules": [unmet, {"hooks": rule("rule")}]});
    inline["hooks"]["initialize"] = json!([noting("initialize", "first")]);

    let lambda = Lambda::new(Settings::default());
    let runtime = Test::new()
        .snap_start(&lambda)
        .file("foreword.d/1.json", json!({"hooks": rule("drop-in")}).to_string())
        .file("foreword.json", json!({"hooks": rule("task")}).to_string())
        .config(&inline.to_string())
        .play();
    assert_eq!(runtime.order(), "initialize first\n");

    let client = runtime.asking(RESTORE_NEXT);
    assert_eq!(lambda.snapshot().unwrap(), Parked::RestoreNext);
    let rules = ["drop-in", "task", "inline", "rule"];
    let registered: Vec<_> =
        rules.iter().flat_map(|rule| [(*rule).to_owned(), format!("{rule} again")]).collect();
    let reversed: String =
        registered.iter().rev().map(|name| format!("before_snapshot {name}\n")).collect();
    let before = format!("initialize first\n{reversed}");
    assert_eq!(runtime.order(), before);
    assert!(client.has_nothing() && !runtime.is_marked());

    lambda.restore().unwrap();
    runtime.is_restored(client);
    let after: String = registered.iter().map(|name| format!("after_restore {name}\n")).collect();
    assert_eq!(runtime.order(), before.clone() + &after);
    runtime.wait_for_marker();

    let logged = |line: &str| {
        let (phase, name) = line.split_once(' ').expect("a phase and a name");
        format!("foreword: hook \"{name}\" ({phase}) succeeded after N ms\n")
    };
    runtime.end(&(before + &after).lines().map(logged).collect::<String>());
    assert_eq!(lambda.seen().count(Call::RestoreNext), 1);
}

/// Nothing comes before its time: each waits for the one before it, the snapshot for all, the
/// runtime for all.
#[test]
fn each_hook_waits_for_the_one_before_it() {
    let lambda = Lambda::new(Settings::default());
    let phases =
        ["before", "after"].map(|phase| json!([waiting(phase, "one"), waiting(phase, "two")]));
    let [before, after] = phases;
    let test = Test::new().snap_start(&lambda).snapshot_hooks(before, after);
    let mut gates = ["one", "two"].map(|name| Gate::new(&test.path(name)));
    let runtime = test.play();
    assert_eq!(runtime.order(), "");
    let mut client = runtime.asking(RESTORE_NEXT);
    runtime.wait_for_order("before two\n");
    gates[1].open();
    runtime.wait_for_order("before two\nbefore one\n");
    assert_eq!(lambda.seen().requests.len(), 0);
    gates[0].open();
    lambda.snapshot().unwrap();

    lambda.restore().unwrap();
    runtime.wait_for_order("before two\nbefore one\nafter one\n");
    gates[0].open();
    runtime.wait_for_order("before two\nbefore one\nafter one\nafter two\n");
    assert!(client.has_nothing() && !runtime.is_marked());
    gates[1].open();
    assert_eq!(status_of(&client.reply()), 200);
    runtime.end("");
}

#[test]
fn hooks_of_one_phase_alone_run() {
    for (before, after, order) in [
        (json!([noting("before", "a")]), json!([]), "before a\n"),
        (json!([]), json!([noting("after", "a")]), "after a\n"),
    ] {
        let lambda = Lambda::new(Settings::default());
        let runtime = Test::new().snap_start(&lambda).snapshot_hooks(before, after).play();
        runtime.restored(&lambda);
        assert_eq!(runtime.order(), order);
        assert_eq!(lambda.seen().count(Call::RestoreNext), 1);
        runtime.end("");
    }
}

#[test]
fn context_of_a_relay_hook_has_lambda_s_facts_and_the_deadline() {
    let lambda = Lambda::new(Settings::default());
    let hook = |name: &str, limit: Option<u64>| {
        let mut hook = saying(name, "cat");
        limit.into_iter().for_each(|limit| hook["timeout_ms"] = json!(limit));
        hook
    };
    // In the order in which they run: with a limit, without, and beyond that of the phase.
    let names = ["limited", "plain", "beyond"];
    let hooks = |phase: &str| {
        let limits = [Some(2000), None, Some(200_000)];
        names
            .iter()
            .zip(limits)
            .map(|(name, limit)| hook(&format!("{phase}-{name}"), limit))
            .collect::<Vec<_>>()
    };
    let reversed: Vec<_> = hooks("before_snapshot").into_iter().rev().collect();
    let runtime = Test::new()
        .snap_start(&lambda)
        .env("AWS_LAMBDA_FUNCTION_NAME", "hello")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "7")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("_HANDLER", "app.handler")
        .env("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12")
        .snapshot_hooks(json!(reversed), json!(hooks("after_restore")))
        .play();
    let mut client = runtime.asking(RESTORE_NEXT);
    let start = epoch_milliseconds() - 1000;
    lambda.snapshot().unwrap();
    let restore = epoch_milliseconds();
    lambda.restore().unwrap();
    assert_eq!(status_of(&client.reply()), 200);
    let end = epoch_milliseconds();

    for (phase, [from, to], limits) in [
        ("before_snapshot", [start, restore], [2000, 30_000, 120_000]),
        ("after_restore", [restore, end], [2000, 8000, 8000]),
    ] {
        for (name, limit) in names.iter().zip(limits) {
            let hook = format!("{phase}-{name}");
            let line = read(&runtime, &hook);
            assert_eq!((line.matches('\n').count(), line.ends_with('\n')), (1, true), "{line:?}");
            let context: Value = serde_json::from_str(&line).expect("JSON");
            let deadline = context["deadline_ms"].as_u64().expect("a time");
            assert!(
                (from + limit..=to + limit).contains(&deadline),
                "{hook}: {from} + {limit}, {deadline}, {to}"
            );
            let function =
                json!({"name": "hello", "version": "7", "memory": 512, "handler": "app.handler"});
            let expected = json!({
                "phase": phase,
                "hook": hook,
                "function": function,
                "runtime": "python3.12",
                "initialization": "snap-start",
                "deadline_ms": deadline,
            });
            assert_eq!(context, expected);
        }
    }
    runtime.end("");
}

/// Byte for byte, but for the one address.
#[test]
fn hooks_of_the_relay_see_the_runtime_s_environment_and_lambda_s_address() {
    let lambda = Lambda::new(Settings::default());
    let dump = |name: &str| json!([{"name": name, "command": ["./dump", name]}]);
    let [before, after] = ["before", "after"].map(dump);
    let export = json!({"name": "export", "command": ["/bin/echo", "EXPORTED=by a hook"],
        "export": "dotenv"});
    let hooks = json!({"initialize": [export], "before_snapshot": before, "after_restore": after});
    let runtime = Test::new()
        .snap_start(&lambda)
        .env("FOREWORD_LOG", "warn")
        // A shell's own process still has the environment that it was given.
        .script("dump", "#!/bin/sh\n/bin/cat /proc/$$/environ >\"$1\"\n")
        .config(&json!({"env": {"EDITED": "by a rule"}, "hooks": hooks}).to_string())
        .play_as("/bin/cat /proc/$$/environ >part; /bin/mv part own; exec sleep 1000\n");
    runtime.restored(&lambda);

    assert!(wait_until(LIMIT, || runtime.path("own").exists()), "the runtime's environment");
    let own = read(&runtime, "own");
    let own: Vec<_> = own.split_terminator('\0').collect();
    for entry in ["EXPORTED=by a hook", "EDITED=by a rule"] {
        assert!(own.contains(&entry), "{own:?}");
    }
    let [lambdas, runtimes] =
        [lambda.address(), &runtime.address].map(|it| format!("AWS_LAMBDA_RUNTIME_API={it}"));
    let replaced =
        |entry: &&str| if *entry == runtimes { lambdas.clone() } else { (*entry).to_owned() };
    let expected: Vec<_> = own.iter().map(replaced).collect();
    assert_eq!(expected.iter().filter(|entry| **entry == lambdas).count(), 1);
    for name in ["before", "after"] {
        let environ = read(&runtime, name);
        assert_eq!(environ.split_terminator('\0').collect::<Vec<_>>(), expected, "{name}");
    }
    runtime.end("");
}

#[test]
fn relay_address_is_on_the_loopback_and_given_to_the_runtime_only() {
    let lambda = Lambda::new(Settings::default());
    let [before, after] = both("echo $AWS_LAMBDA_RUNTIME_API");
    let runtime = Test::new().snap_start(&lambda).snapshot_hooks(before, after).play();
    let port = runtime.address.strip_prefix("127.0.0.1:").expect("an address of the loopback");
    assert!(port.parse::<u16>().is_ok_and(|port| port != 0), "{port}");
    assert_ne!(runtime.address, lambda.address());
    runtime.restored(&lambda);
    for name in ["before", "after"] {
        assert_eq!(read(&runtime, name), format!("{}\n", lambda.address()));
    }
    runtime.end("");
}

/// A name is resolved as well, as for the runtime client that would have been given it.
#[test]
fn relay_uses_the_edited_address_and_hooks_lambda_s() {
    let (given, edited) = (Lambda::new(Settings::default()), Lambda::new(Settings::default()));
    let [before, after] = both("echo $AWS_LAMBDA_RUNTIME_API");
    let config = json!({
        "env": {"AWS_LAMBDA_RUNTIME_API": edited.address().replace("127.0.0.1", "localhost")},
        "hooks": {"before_snapshot": before, "after_restore": after},
    });
    let runtime = Test::new()
        .snap_start(&given)
        .config(&config.to_string())
        .env("FOREWORD_LOG", "warn")
        .play();
    let mut client = runtime.restored(&edited);
    client.request("GET /2018-06-01/runtime/invocation/next", "");
    edited.hand_out("event").unwrap();
    assert!(client.reply().ends_with("\r\n\r\nevent"));
    for name in ["before", "after"] {
        assert_eq!(read(&runtime, name), format!("{}\n", given.address()));
    }
    assert_eq!(given.seen().connections.len(), 0);
    runtime.end("");
}

#[test]
fn hook_s_own_env_cwd_and_command_apply() {
    let lambda = Lambda::new(Settings::default());
    let hooks = |phase: &str| {
        let command = ["./tool", "${OWN}", "${AWS_LAMBDA_RUNTIME_API}", phase];
        json!([
            {"name": "own", "command": command, "cwd": "${PLACE}/deep",
                "env": {"OWN": "${PLACE} of its own"}},
            saying(phase, "pwd"),
        ])
    };
    let runtime = Test::new()
        .snap_start(&lambda)
        .env("PLACE", "sub")
        .script("sub/deep/tool", "#!/bin/sh\necho \"$1, $2 $OWN\" >\"../../own-$3\"\n")
        .snapshot_hooks(hooks("before"), hooks("after"))
        .play();
    runtime.restored(&lambda);
    for phase in ["before", "after"] {
        let expected = format!("sub of its own, {} sub of its own\n", lambda.address());
        assert_eq!(read(&runtime, &format!("own-{phase}")), expected);
        assert_eq!(
            read(&runtime, phase),
            format!("{}\n", runtime.path("").to_string_lossy().trim_end_matches('/'))
        );
    }
    runtime.end("");
}

#[test]
fn hook_that_is_listed_twice_runs_twice() {
    let words = ["a  b", "", "'$(id)' \"\\", "*", "$A", "-n\n", "\u{e9}"];
    let twice = |phase: &str| {
        let command = [&["./tool", phase], &words[..]].concat();
        let hook = json!({"name": "x", "command": command});
        json!([hook, hook])
    };
    let lambda = Lambda::new(Settings::default());
    let runtime = Test::new()
        .snap_start(&lambda)
        .script("tool", "#!/bin/sh\nprintf '<%s>' \"$@\" >>order\n")
        .snapshot_hooks(twice("before"), twice("after"))
        .play();
    runtime.restored(&lambda);
    let line = |phase: &str| format!("<{phase}>{}", words.map(|word| format!("<{word}>")).concat());
    let expected: String = ["before", "before", "after", "after"].map(line).concat();
    assert_eq!(runtime.order(), expected);
    runtime.end("");
}

/// The relay ignores what ends the runtime; its hooks do not inherit that. Signals 32 and 33 are
/// the C library's own: glibc's posix_spawn, which starts the test too, leaves them ignored.
#[test]
fn hook_of_the_relay_leads_its_own_group_with_default_dispositions() {
    let lambda = Lambda::new(Settings::default());
    let look = format!(
        "{{ {READ_STAT}; echo $((pid == group)) $parent $session; cat /proc/self/status; }}"
    );
    let [before, after] = both(&look);
    let runtime = Test::new().snap_start(&lambda).snapshot_hooks(before, after).play();
    let (relay, session) = (runtime.relay(), Stat::of(runtime.pid()).expect("a runtime").session);
    runtime.restored(&lambda);
    for name in ["before", "after"] {
        let text = read(&runtime, name);
        let (place, status) = text.split_once('\n').expect("lines");
        assert_eq!(place, format!("1 {relay} {session}"));
        for set in ["SigPnd", "SigBlk", "SigIgn", "SigCgt"] {
            let line = status.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(":\t"));
            let signals =
                u64::from_str_radix(line.expect("a set of this name"), 16).expect("a number");
            assert_eq!(signals & !(0b11 << 31), 0, "{status}");
        }
    }
    runtime.end("");
}
