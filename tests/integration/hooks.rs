//! The order of `initialize` hooks and what each of them is given. Hooks and runtime append to the
//! same standard output: what is expected there is the expected order.

use crate::support::{DUMP, Reaction, RuntimeApi, Test, epoch_milliseconds, foreword};
use serde_json::{Value, json};

/// Prints its name.
fn named(name: &str) -> Value {
    json!({"name": name, "command": ["/bin/echo", name]})
}

fn rule(names: &[&str]) -> Value {
    json!({"hooks": {"initialize": names.iter().map(|name| named(name)).collect::<Value>()}})
}

/// The fields of proc(5) that tell where a process belongs; the shell reads them of itself.
const READ_STAT: &str = "read -r pid name state parent group session rest </proc/self/stat";

/// A set of signals in the text of /proc/PID/status. Signals 32 and 33 are the C library's own:
/// glibc's posix_spawn, which starts the test too, leaves them ignored.
fn signals(status: &str, set: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(":\t"));
    let bits = u64::from_str_radix(line.expect("a set of this name"), 16).expect("a number");
    bits & !(0b11 << 31)
}

#[test]
fn hooks_run_as_registered_before_the_runtime() {
    let unmet = json!({"when": {"env": {"PATH": false}}, "hooks": {"initialize": [named("rule \
     that does not apply")]}});
    let mut second = rule(&["second rule", "again"]);
    second["rules"] = json!([rule(&["inside the second"]), unmet]);
    let mut task = rule(&["again", "task"]);
    task["rules"] = json!([rule(&["first rule"]), second, rule(&["third rule"])]);
    let mut inline = rule(&["inline"]);
    for (name, applies) in [("hook that does not apply", false), ("hook that applies", true)] {
        let mut hook = named(name);
        hook["when"] = json!({"env": {"PATH": applies}});
        inline["hooks"]["initialize"].as_array_mut().expect("a list").push(hook);
    }
    let order = [
        "drop-in 10",
        "drop-in 9",
        "again",
        "task",
        "first rule",
        "second rule",
        "again",
        "inside the second",
        "third rule",
        "inline",
        "hook that applies",
    ];
    let logged =
        |name: &&str| format!("foreword: hook \"{name}\" (initialize) succeeded after N ms\n");
    Test::new()
        .config(&inline.to_string())
        .file("foreword.json", task.to_string())
        .file("foreword.d/9.json", rule(&["drop-in 9"]).to_string())
        .file("foreword.d/10.json", rule(&["drop-in 10"]).to_string())
        .file("foreword.d/9.text", rule(&["no JSON file"]).to_string())
        .args(["/bin/echo", "runtime"])
        .stdout(order.join("\n") + "\nruntime\n")
        .stderr(order.iter().map(logged).collect::<String>())
        .run();
}

#[test]
fn context_of_a_hook_is_one_line_of_json_with_lambda_s_facts() {
    let hook = json!({"name": "look", "command": "cat >context", "timeout_ms": 60_000});
    let test = Test::new()
        .config(
            &json!({"env": {"_HANDLER": "wrapper.handler"}, "hooks": {"initialize": [hook]}})
                .to_string(),
        )
        .env("AWS_LAMBDA_FUNCTION_NAME", "hello")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("_HANDLER", "app.handler")
        .env("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12")
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")
        .args(["/bin/sh", "-c", "echo $_HANDLER"])
        .stdout("wrapper.handler\n")
        .stderr("foreword: hook \"look\" (initialize) succeeded after N ms\n");
    let before = epoch_milliseconds();
    let line = test.run().read("context");
    let after = epoch_milliseconds();
    assert_eq!(line.matches('\n').count(), 1, "{line:?}");
    assert!(line.ends_with('\n'), "{line:?}");

    let context: Value = serde_json::from_str(&line).expect("JSON");
    let deadline = context["deadline_ms"].as_u64().expect("a time");
    assert!((before + 60_000..=after + 60_000).contains(&deadline), "{before} {deadline} {after}");
    let function =
        json!({"name": "hello", "version": "$LATEST", "memory": 512, "handler": "app.handler"});
    let expected = json!({
        "phase": "initialize",
        "hook": "look",
        "function": function,
        "runtime": "python3.12",
        "initialization": "provisioned-concurrency",
        "deadline_ms": deadline,
    });
    assert_eq!(context, expected);
}

#[test]
fn context_without_a_fact_has_null_or_the_default() {
    let hook = json!({"name": "look \"twice\"\n", "command": "cat >context"});
    let test = Test::new().hooks(json!([hook])).args(["/bin/echo", "started"]);
    let before = epoch_milliseconds();
    let mut context: Value =
        serde_json::from_str(&test.stdout("started\n").run().read("context")).expect("JSON");
    let after = epoch_milliseconds();
    // The limit of a hook that says none is 10 s.
    let deadline =
        context.as_object_mut().expect("an object").remove("deadline_ms").expect("a deadline");
    let deadline = deadline.as_u64().expect("a time");
    assert!((before + 10_000..=after + 10_000).contains(&deadline), "{before} {deadline} {after}");
    let function = json!({"name": null, "version": null, "memory": null, "handler": null});
    let expected = json!({
        "phase": "initialize",
        "hook": "look \"twice\"\n",
        "function": function,
        "runtime": "echo",
        "initialization": null,
    });
    assert_eq!(context, expected);
}

/// The context is a file that nobody has to read, and the runtime's own standard input is still
/// there.
#[test]
fn hook_that_does_not_read_its_context_succeeds() {
    let hooks = json!([{"name": "ignores it", "command": ["/bin/true"]}, {"name": "closes it",
        "command": "exec <&-"}]);
    Test::new()
        .hooks(hooks)
        .stdin("for the runtime\n")
        .args(["/bin/cat"])
        .stdout("for the runtime\n")
        .run();
}

#[test]
fn hook_has_the_environment_as_edited_so_far() {
    let exported = json!({"B": "exported", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:3"});
    let look = r#"echo "${A-unset}, $B, ${C-unset}, ${AWS_LAMBDA_RUNTIME_API-unset}""#;
    let hooks = json!([
        {"name": "before", "command": look},
        {"name": "export", "command": ["/bin/echo", exported.to_string()], "export": "json"},
        {"name": "own edits", "command": look, "env": {"A": null,
            "C": "of ${B} and ${A:-nothing}"}},
        {"name": "own address", "command": look, "env": {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:4"}},
        {"name": "after", "command": look},
    ]);
    let env = json!({"A": "edited ${A}", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:2", "B": "edited"});
    let test = |given: Option<&str>| {
        let config = json!({"env": env, "hooks": {"initialize": hooks}}).to_string();
        let test = Test::new().config(&config).env("FOREWORD_LOG", "warn").env("A", "given");
        let test = test.args(["/bin/sh", "-c", look]);
        let address = given.unwrap_or("unset");
        let expected = format!(
            "edited given, edited, unset, {address}\nunset, exported, of exported and nothing, \
             {address}\nedited given, exported, unset, 127.0.0.1:4\nedited given, exported, \
             unset, {address}\nedited given, exported, unset, 127.0.0.1:3\n"
        );
        match given {
            None => test,
            Some(address) => test.runtime_api(address),
        }
        .stdout(expected)
    };
    test(Some("127.0.0.1:1")).run();
    test(None).run();
}

/// Byte for byte: order, duplicates, entries without `=`, bytes that are not UTF-8.
#[test]
fn hook_without_edits_has_the_environment_of_the_runtime() {
    let test = || {
        Test::new()
            .raw_env("A=1")
            .raw_env("odd")
            .raw_env("A=2")
            .env("B", std::ffi::OsStr::new("\u{e9}"))
    };
    let dump = "#!/bin/sh\n/bin/cat /proc/$$/environ >hook\n";
    let test = test().script("hook.sh", dump).script("runtime", DUMP).args(["./runtime"]);
    let test = test.hooks(json!([{"name": "dump", "command": ["./hook.sh"]}]));
    let captured = test.capture();
    assert_eq!((captured.stderr.as_slice(), captured.status), (&b""[..], 0));
    let hook = std::fs::read(test.path("hook")).expect("what the hook wrote");
    let runtime = captured.stdout.splitn(2, |byte| *byte == b'\n').nth(1).expect("two lines");
    assert_eq!(hook, runtime);
    assert!(hook.windows(12).any(|window| window == b"A=1\0odd\0A=2\0"), "{}", hook.escape_ascii());
}

#[test]
fn hook_runs_in_its_cwd_or_the_working_directory() {
    let hooks = json!([
        {"name": "here", "command": "pwd"},
        {"name": "there", "command": ["./tool"], "cwd": "${PLACE}/deep"},
        {"name": "absolute", "command": "pwd", "cwd": "/"},
        {"name": "here again", "command": "pwd"},
    ]);
    Test::new()
        .hooks(hooks)
        .env("PLACE", "sub")
        .script("sub/deep/tool", "#!/bin/sh\npwd\n")
        .args(["/bin/sh", "-c", "pwd"])
        .stdout("<folder>\n<folder>/sub/deep\n/\n<folder>\n<folder>\n")
        .run();
}

#[test]
fn hook_leads_its_own_process_group_under_the_runtime_s_process() {
    let hook = format!("{READ_STAT}; echo $((pid == group)) $parent $session");
    let runtime = format!("{READ_STAT}; echo 1 $pid $session");
    let hooks = json!([{"name": "look", "command": hook}]);
    let captured = Test::new().hooks(hooks).args(["/bin/sh", "-c", &runtime]).capture();
    let output = String::from_utf8(captured.stdout).expect("text");
    let lines: Vec<_> = output.lines().collect();
    assert_eq!((captured.status, lines.len()), (0, 2), "{output}");
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn hook_starts_with_default_dispositions_and_an_empty_mask() {
    let hooks = json!([{"name": "look", "command": ["/bin/cp", "/proc/self/status", "status"]}]);
    let parent = [
        "/usr/bin/env",
        "--ignore-signal=PIPE,CHLD,HUP,TERM,RTMAX",
        "--block-signal=USR1,CHLD,INT",
    ];
    let foreword = [foreword(), "/bin/echo", "started"];
    let test = Test::new().hooks(hooks).without_foreword().args([&parent[..], &foreword].concat());
    let status = test.stdout("started\n").run().read("status");
    assert_eq!(
        ["SigPnd", "SigBlk", "SigIgn", "SigCgt"].map(|mask| signals(&status, mask)),
        [0; 4],
        "{status}"
    );
}

#[test]
fn hook_has_the_file_descriptors_of_the_runtime_only() {
    let hooks = json!([
        {"name": "exporting", "command": ["/bin/echo", "A=1"], "export": "dotenv"},
        {"name": "plain", "command": ["/bin/ls", "/proc/self/fd"]},
        {"name": "elsewhere", "command": ["/bin/ls", "/proc/self/fd"], "cwd": "/"},
        {"name": "while exporting", "command": "/bin/ls /proc/self/fd >&2; echo B=1",
            "export": "dotenv"},
    ]);
    let listing = |command: &[&str]| {
        let setup = ["/bin/bash", "-c", "exec \"$@\" 7</dev/null 2>&1", "setup"];
        Test::new()
            .hooks(hooks.clone())
            .without_foreword()
            .args([&setup, command].concat())
            .capture()
    };
    let alone = listing(&["/bin/ls", "/proc/self/fd"]);
    let together = listing(&[foreword(), "/bin/ls", "/proc/self/fd"]);
    assert!(alone.stdout.ends_with(b"\n7\n"), "{}", alone.stdout.escape_ascii());
    assert_eq!(
        together.stdout.escape_ascii().to_string(),
        alone.stdout.repeat(4).escape_ascii().to_string()
    );
}

#[test]
fn command_as_a_string_is_run_by_the_shell_and_as_an_array_directly() {
    let hooks = json!([
        {"name": "string", "command": "echo '${A}' \"${A#x}\" ${UNSET:-none} $((1+1)) | cat"},
        {"name": "list", "command": ["/bin/echo", "${A}", "${UNSET:-none}", "${UNSET}", "$$A",
            "$A", "'$(id)'", "*", "a  b"]},
        {"name": "own environment", "command": ["${TOOL}", "${A}"], "env": {"A": "${A}y",
            "TOOL": "echo"}},
        {"name": "looked up", "command": ["tool"], "env": {"PATH": "<folder>/bin"}},
    ]);
    Test::new()
        .hooks(hooks)
        .env("A", "xx")
        .script("bin/tool", "#!/bin/sh\necho found\n")
        .args(["/bin/echo", "runtime"])
        .stdout("${A} x none 2\nxx none  $A $A '$(id)' * a  b\nxxy\nfound\nruntime\n")
        .run();
}

#[test]
fn script_of_a_hook_without_a_shebang_is_run_by_the_shell() {
    Test::new()
        .hooks(json!([{"name": "script", "command": ["./script", "hook", "a b"]}]))
        .script("script", "echo \"$0: $# $1\"\n")
        .args(["./script", "runtime"])
        .stdout("./script: 2 hook\n./script: 1 runtime\n")
        .run();
}

/// foreword takes SIGCHLD for itself while hooks run; what the parent left of it is the runtime's
/// again.
#[test]
fn exit_status_under_a_parent_that_ignores_sigchld_is_seen() {
    let hooks = json!([
        {"name": "succeeds", "command": "exit 0"},
        {"name": "fails", "command": "exit 3", "on_failure": "continue"},
    ]);
    let parent = ["/usr/bin/env", "--ignore-signal=CHLD"];
    let foreword = [foreword(), "/bin/cp", "/proc/self/status", "status"];
    let test = Test::new().hooks(hooks).without_foreword().args([&parent[..], &foreword].concat());
    let line = "foreword: hook \"fails\" (initialize) exited with status 3 after N ms \
                (on_failure: continue)\n";
    let status = test.stderr(line).run().read("status");
    // SIGCHLD is signal 17.
    assert_eq!(signals(&status, "SigIgn"), 1 << 16, "{status}");
}

/// The daemon has everything it inherited, and whoever waits for the pipe's end waits for the
/// daemon.
#[test]
fn daemon_of_a_hook_lives_on_and_delays_nothing() {
    let daemon = "mkfifo go done; (read -r word <go; echo \"$word\" >&2; echo ended >done) &";
    for (hook, exported) in [
        (json!({"name": "start", "command": daemon}), "unset"),
        (
            json!({"name": "start", "command": format!("{daemon} echo A=1"), "export": "dotenv"}),
            "1",
        ),
    ] {
        Test::new()
            .hooks(json!([hook]))
            .args([
                "/bin/sh",
                "-c",
                "echo ${A-unset}; echo from the daemon >go; cat done; until grep -q daemon \
                 .stderr; do :; done",
            ])
            .stdout(format!("{exported}\nended\n"))
            .stderr("from the daemon\n")
            .run();
    }
}

/// Starts a daemon that writes to its standard output when it is told to, more than a pipe holds,
/// and says how that went.
const WRITING_DAEMON: &str = "mkfifo go done; (read -r word <go; head -c 200000 /dev/zero; \
                              status=$?; head -c 200000 /dev/zero && echo went on $status >done) &";

#[test]
fn daemon_of_an_exporting_hook_can_go_on_writing() {
    for (command, format, exported) in [
        (format!("{WRITING_DAEMON} echo A=1"), "dotenv", "1"),
        (format!("{WRITING_DAEMON} echo '{{\"A\": 1}}'"), "json", "1"),
        (format!("echo A=before; {WRITING_DAEMON}"), "dotenv", "before"),
        (format!("{WRITING_DAEMON} echo A=1; exit 3"), "dotenv", "unset"),
        // One that has left the group of the hook, too.
        (format!("echo A=1; setsid sh -c '{WRITING_DAEMON} :'"), "dotenv", "1"),
    ] {
        let hook = json!({"name": "start", "command": command, "export": format,
            "on_failure": "continue"});
        let test = Test::new().hooks(json!([hook])).env("FOREWORD_LOG", "off");
        let runtime = "echo ${A-unset}; echo now >go; cat done; ps -o ppid= --ppid $$ | wc -l";
        // The pipeline's own two processes, and none that foreword has left.
        let finished = test
            .args(["/bin/sh", "-c", runtime])
            .stdout(format!("{exported}\nwent on 0\n2\n"))
            .run();
        assert!(finished.is_alone(), "{command}");
    }
}

/// What it writes later is not exported, and whoever waits for the end of the runtime's output does
/// not wait for it.
#[test]
fn daemon_of_an_exporting_hook_holds_nothing_of_the_runtime() {
    let daemon = "mkfifo go; (read -r word <go; echo LATE=1) & echo A=1";
    let hook = json!({"name": "start", "command": daemon, "export": "dotenv"});
    let test = Test::new().hooks(json!([hook])).without_foreword();
    let parent = "\"$@\" | cat; echo late >go";
    let runtime =
        ["/bin/sh", "-c", parent, "sh", foreword(), "/bin/sh", "-c", "echo $A ${LATE-none}"];
    assert!(test.args(runtime).stdout("1 none\n").run().is_alone());
}

/// Nobody is there to run them, which must not go unnoticed.
#[test]
fn pre_stop_hooks_without_an_extension_give_a_warning() {
    let api = RuntimeApi::new(Reaction::Accept);
    let test = |applies: bool| {
        let hook = json!({"name": "x", "command": ["/bin/echo", "run"],
            "when": {"env": {"PATH": applies}}});
        let test = Test::new().config(&json!({"hooks": {"pre_stop": [hook]}}).to_string());
        test.args(["/bin/echo", "runtime"]).stdout("runtime\n")
    };
    let warning = "foreword: pre_stop hooks are not run: there is no extension of foreword's to \
                   run them, which the layer foreword-prestop has (Connection refused (os error \
                   111))\n";
    test(true).runtime_api(&api).stderr(warning).run();
    test(false).runtime_api(&api).run();
    let nowhere = "foreword: pre_stop hooks are not run: AWS_LAMBDA_RUNTIME_API is not set, so \
                   nobody tells when the environment ends; foreword simulate runs them\n";
    test(true).stderr(nowhere).run();
    test(true).runtime_api("").stderr(nowhere).run();
    test(true).env("FOREWORD_LOG", "error").run();
    test(false).run();
}

#[test]
fn snapshot_hooks_without_a_runtime_api_give_a_warning() {
    let warning = "foreword: the hooks around the snapshot are not run: AWS_LAMBDA_RUNTIME_API is \
                   not set; foreword simulate runs them\n";
    for phase in ["before_snapshot", "after_restore"] {
        let config =
            json!({"hooks": {phase: [{"name": "x", "command": ["/bin/echo", "run"]}]}}).to_string();
        let test =
            || Test::new().config(&config).args(["/bin/echo", "runtime"]).stdout("runtime\n");
        test().env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start").stderr(warning).run();
        test().env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand").run();
        test().run();
    }
}

/// What dotnet8's bootstrap sets, and what becomes of it.
#[test]
fn empty_certificate_file_of_dotnet8_reaches_the_runtime_and_no_hook() {
    let hook =
        r#"{"name": "n", "command": "echo hook ${SSL_CERT_FILE-unset} ${SSL_CERT_DIR-unset}""#;
    let runtime = "echo runtime ${SSL_CERT_FILE-unset} ${SSL_CERT_DIR-unset}";
    const EMPTY: &str = "/var/runtime/empty-certificates.crt";
    for (name, value, env, of_hook, of_runtime) in [
        ("SSL_CERT_FILE", EMPTY, "", "unset unset", format!("{EMPTY} unset")),
        ("SSL_CERT_FILE", "/etc/mine.crt", "", "/etc/mine.crt unset", "/etc/mine.crt unset".into()),
        ("SSL_CERT_FILE", "", "", " unset", " unset".into()),
        (
            "SSL_CERT_FILE",
            "/var/runtime/empty-certificates.crt2",
            "",
            &format!("{EMPTY}2 unset"),
            format!("{EMPTY}2 unset"),
        ),
        ("SSL_CERT_DIR", EMPTY, "", &format!("unset {EMPTY}"), format!("unset {EMPTY}")),
        (
            "SSL_CERT_FILE",
            EMPTY,
            r#", "env": {"SSL_CERT_FILE": "/mine"}"#,
            "/mine unset",
            format!("{EMPTY} unset"),
        ),
        (
            "SSL_CERT_FILE",
            EMPTY,
            r#", "env": {"SSL_CERT_FILE": "/var/runtime/empty-certificates.crt"}"#,
            &format!("{EMPTY} unset"),
            format!("{EMPTY} unset"),
        ),
        (
            "SSL_CERT_FILE",
            EMPTY,
            r#", "env": {"A": "${SSL_CERT_FILE}"}"#,
            "unset unset",
            format!("{EMPTY} unset"),
        ),
    ] {
        let config = format!(r#"{{"hooks": {{"initialize": [{hook}{env}}}]}}}}"#);
        let test = Test::new().config(&config).env("FOREWORD_LOG", "warn").env(name, value);
        let expected = format!("hook {of_hook}\nruntime {of_runtime}\n").replace("  ", " ");
        test.args(["/bin/sh", "-c", runtime]).stdout(expected).run();
    }
}
