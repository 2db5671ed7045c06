//! How foreword starts `foreword-secrets` and what becomes of its output, with a program of the
//! test's in its place. `real_parts::secrets` has the real one.

use crate::support::{DUMP, LIMIT, Reaction, RuntimeApi, Test, wait_until};
use serde_json::{Value, json};

/// Prints the environment's variables that the tests are about.
const RUNTIME: &str = "#!/bin/sh\nfor name in DB OTHER URL SEEN EXPORTED; do eval \"echo \
                       $name=\\$$name\"; done\n";

const RESOLVED: &str = "foreword: secrets were resolved after N ms: 1 variable\n";

/// Returns a start of a runtime with a program in the place of `foreword-secrets`.
fn test(config: &str, program: &str) -> Test {
    Test::new()
        .copied("bin/foreword")
        .script("bin/foreword-secrets", format!("#!/bin/sh\n{program}\n"))
        .script("runtime", RUNTIME)
        .config(config)
        .args(["./runtime"])
}

/// Runs a start that fails with this line, which the Runtime API gets, too.
#[track_caller]
fn fails(test: Test, error_type: &str, message: &str) {
    let api = RuntimeApi::new(Reaction::Accept);
    test.runtime_api(&api).stderr(format!("foreword: {message}\n")).status(125).run();
    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    assert_eq!(body["errorType"], error_type);
    assert_eq!(body["errorMessage"], message);
}

const ONE: &str = r#"{"secrets": {"DB": "ssm:/db"}}"#;

#[test]
fn program_gets_all_references_on_its_command_line_and_the_environment_of_lambda() {
    let config = r#"{
        "secrets": {
            "DB": "ssm:/${STAGE}/db", "OTHER": "secretsmanager:a#k", "P_": {"path": "ssm:/p/"}
        },
        "references": true,
        "secrets_timeout_ms": 1234,
        "env": {"STAGE": "changed", "OTHER": null}
    }"#;
    let program = "printf '%s\\n' \"$@\" \"$STAGE\" >\"$LAMBDA_TASK_ROOT/words\"; cat; echo '{}'";
    let left = test(config, program)
        .env("STAGE", "prod")
        .env("OWN", "bref-ssm:/own")
        .env("PLAIN", "see ssm:/x")
        .env("DB", "")
        .stdin("not for it")
        .stdout("DB=\nOTHER=\nURL=\nSEEN=\nEXPORTED=\n")
        .stderr("foreword: secrets were resolved after N ms: 0 variables\n")
        .run();
    assert_eq!(
        left.read("words"),
        "--keep-existing\n--timeout-ms\n1234\n--path=P_=ssm:/p/\n--\nOWN=bref-ssm:/own\n\
         DB=ssm:/prod/db\nOTHER=secretsmanager:a#k\nprod\n"
    );
}

#[test]
fn values_come_before_edits_and_hooks_and_are_taken_literally() {
    let config = json!({
        "secrets": {"DB": "ssm:/db"},
        "env": {"URL": "db://${DB}@host"},
        "hooks": {"initialize": [
            {"name": "a", "command": ["/bin/sh", "-c", "echo SEEN=\"'$DB'\""], "export": "dotenv"},
            {"name": "b", "command": ["/bin/echo", "EXPORTED=1"], "export": "dotenv"}
        ]}
    });
    test(&config.to_string(), r#"echo '{"DB": "a $(x) ${HOME} \"b\" `c`"}'"#)
        .env("FOREWORD_LOG", "warn")
        .stdout(
            "DB=a $(x) ${HOME} \"b\" `c`\nOTHER=\nURL=db://a $(x) ${HOME} \"b\" `c`@host\n\
             SEEN=a $(x) ${HOME} \"b\" `c`\nEXPORTED=1\n",
        )
        .run();
}

#[test]
fn nothing_is_started_when_there_is_nothing_to_resolve() {
    for (config, name) in [
        (ONE, "DB"),
        (r#"{"references": true}"#, "OTHER"),
        (r#"{"secrets": {}}"#, "OTHER"),
        (r#"{"when": {"env": {"NO": true}}, "secrets": {"DB": "ssm:/db"}}"#, "OTHER"),
        (r#"{"env": {"URL": {"default": ""}}}"#, "OTHER"),
    ] {
        let captured = test(config, "exit 1").env(name, "mine").capture();
        assert_eq!((captured.stderr, captured.status), (Vec::new(), 0), "{config}");
    }
    let disabled = test(ONE, "exit 1").env("FOREWORD_DISABLED", "1").capture();
    assert_eq!((disabled.stderr, disabled.status), (Vec::new(), 0));
}

#[test]
fn every_way_to_fail_is_one_line_with_the_status_and_type_of_secrets() {
    let secret = "Runtime.ForewordSecretFailed";
    let exactly = |program: &str, error_type: &str, message: &str| {
        fails(test(ONE, program), error_type, message);
    };
    exactly(
        "echo 'foreword-secrets: unable to get A: x' >&2; echo >&2; echo hidden
         echo 'foreword-secrets: unable to get B: y' >&2; exit 1",
        secret,
        "unable to get A: x; unable to get B: y",
    );
    exactly(
        "echo 'foreword-secrets: unable to read it' >&2; exit 2",
        "Runtime.ForewordConfigInvalid",
        "unable to read it",
    );
    exactly("exit 3", secret, "foreword-secrets exited with status 3 and gave no reason");
    exactly("kill -KILL $$", secret, "foreword-secrets was killed by SIGKILL");
    exactly(
        "echo hidden",
        secret,
        "foreword-secrets exported something unreadable: line 1: this is not JSON: expected \
         value; print one JSON object and nothing else",
    );
    exactly(
        "echo '{\"DB\": {\"hidden\": 1}}'",
        secret,
        "foreword-secrets exported something unreadable: the value of \"DB\" is an object, not a \
         string, number or boolean; print it as a string, or leave it out",
    );
    exactly(
        "head -c 5000000 /dev/zero",
        secret,
        "foreword-secrets printed more than the 4194304 bytes that an environment can hold",
    );
    // What it writes to standard error is no part of a success.
    test(ONE, "echo hidden >&2; echo '{\"DB\": \"x\"}'")
        .stdout("DB=x\nOTHER=\nURL=\nSEEN=\nEXPORTED=\n")
        .stderr(RESOLVED)
        .run();
}

#[test]
fn missing_program_is_named_with_its_layer() {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    Test::new()
        .copied("bin/foreword")
        .script("runtime", RUNTIME)
        .config(ONE)
        .args(["./runtime"])
        .stderr(format!(
            "foreword: there is no <folder>/bin/foreword-secrets, which resolves secrets: attach \
             the layer foreword-secrets-{architecture}\n"
        ))
        .status(125)
        .run();
    Test::new()
        .copied("bin/foreword")
        .file("bin/foreword-secrets", "#!/bin/sh\n")
        .config(ONE)
        .args(["/bin/true"])
        .stderr(
            "foreword: unable to execute \"<folder>/bin/foreword-secrets\": it has no execute \
             permission (chmod +x)\n",
        )
        .status(125)
        .run();
}

#[test]
fn program_that_hangs_is_stopped_with_all_that_it_started() {
    let config = r#"{"secrets": {"DB": "ssm:/db"}, "secrets_timeout_ms": 100}"#;
    let left = test(config, "sleep 60 & sleep 60")
        .stderr(
            "foreword: foreword-secrets did not end at its limit (secrets_timeout_ms), and was \
             stopped\n",
        )
        .status(125)
        .run();
    assert!(left.is_alone());
}

#[test]
fn signal_while_secrets_are_resolved_ends_foreword() {
    let config = r#"{"secrets": {"DB": "ssm:/db"}, "secrets_timeout_ms": 60000}"#;
    let run = test(config, "touch \"$LAMBDA_TASK_ROOT/started\"; sleep 60").start();
    let started = run.finished.directory.path("started");
    assert!(wait_until(LIMIT, || started.exists()));
    let captured = run.terminate();
    assert_eq!((captured.stdout, captured.stderr, captured.status), (Vec::new(), Vec::new(), 143));
    assert!(run.finished.is_alone());
}

/// Writes down all that a process can see of others and of itself, but for its own environment.
const LOOK: &str = r#"{
    cat /proc/[0-9]*/cmdline /proc/$PPID/environ
    printf '%s\n' "$FOREWORD_STAGE"
    find /tmp /var/tmp /dev/shm -path "$LAMBDA_TASK_ROOT" -prune -o \
        -type f -newer "$LAMBDA_TASK_ROOT/bin/foreword" -exec cat {} +
} >>"$LAMBDA_TASK_ROOT/seen" 2>/dev/null
true
"#;

#[test]
fn value_is_in_no_log_report_stage_command_line_or_file() {
    let value = "planted-value-of-a-secret";
    let config = json!({
        "secrets": {"DB": "ssm:/db"},
        "env": {"URL": "db://${DB}"},
        "wrappers": ["./wrapper"],
        "hooks": {"initialize": [
            {"name": "looks", "command": ["./look"]},
            {"name": "fails", "command": "echo \"$DB\" >&2; exit 3", "on_failure": "continue"}
        ]}
    });
    for (level, format) in [("trace", "JSON"), ("trace", "Text"), ("info", "JSON")] {
        let api = RuntimeApi::new(Reaction::Accept);
        let captured =
            test(&config.to_string(), "printf '{\"DB\": \"planted-%s\"}' value-of-a-secret")
                .runtime_api(&api)
                .env("FOREWORD_LOG", level)
                .env("AWS_LAMBDA_LOG_FORMAT", format)
                .env("FOREWORD_METRICS", "Tests")
                .script("look", format!("#!/bin/sh\n{LOOK}"))
                .script("wrapper", format!("#!/bin/sh\n{LOOK}exec \"$@\"\n"))
                .script("runtime", format!("#!/bin/sh\n{LOOK}printf '%s' \"$DB\" >&3\n"))
                .within(["/bin/sh", "-c", "exec \"$@\" 3>\"$LAMBDA_TASK_ROOT/value\"", "sh"])
                .start();
        let output = captured.finish();
        assert_eq!(output.status, 0, "{}", String::from_utf8_lossy(&output.stderr));
        // It does arrive, and what a hook itself writes is as it wrote it.
        assert_eq!(captured.finished.read("value"), value);
        let held = std::fs::read_dir(captured.finished.directory.path("")).expect("a directory");
        let held = held.map(|file| file.expect("a file").path()).filter(|path| {
            let content = std::fs::read(path).unwrap_or_default();
            content.windows(value.len()).any(|part| part == value.as_bytes())
        });
        let mut held: Vec<_> =
            held.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect();
        held.sort();
        assert_eq!(held, [".stderr", "value"]);
        let log = String::from_utf8(output.stderr).expect("UTF-8");
        let own: Vec<_> = log.lines().filter(|line| *line != value).collect();
        assert!(own.len() > 2, "{log}");
        let seen = std::fs::read(captured.finished.directory.path("seen")).expect("what was seen");
        let seen = String::from_utf8_lossy(&seen).into_owned();
        assert!(seen.contains("ssm:/db") || seen.contains("wrapper"), "{seen}");
        for text in [&own.join("\n"), &seen, &String::from_utf8_lossy(&output.stdout).into_owned()]
        {
            assert!(!text.contains(value), "{level} {format}: {text}");
        }
        assert!(!format!("{:?}", api.requests()).contains(value));
    }
}

#[test]
fn secrets_take_part_in_no_metric_and_need_no_hook() {
    let captured =
        test(ONE, "echo '{\"DB\": \"x\"}'").env("AWS_LAMBDA_LOG_FORMAT", "JSON").capture();
    let line: Value = serde_json::from_slice(&captured.stderr).expect("one line of JSON");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["outcome"], "success");
    assert_eq!(line["exported"], 1);
    assert!(line["durationMs"].as_u64().is_some_and(|ms| u128::from(ms) < LIMIT.as_millis()));
}

/// Returns what the program was asked for: the words behind `--`.
fn asked(test: Test) -> String {
    let program = r#"#!/bin/sh
        while [ "$1" != -- ]; do shift; done
        shift
        echo "$*" >"$LAMBDA_TASK_ROOT/asked"
        echo '{}'"#;
    let left = test.script("bin/foreword-secrets", program);
    let captured = left.capture();
    assert_eq!(captured.status, 0, "{}", String::from_utf8_lossy(&captured.stderr));
    left.finished().read("asked")
}

#[test]
fn later_rule_and_later_source_win() {
    let config = r#"{
        "secrets": {"DB": "ssm:/first", "OTHER": "ssm:/other"},
        "rules": [
            {"secrets": {"DB": "ssm:/second"}},
            {"when": {"env": {"NO": true}}, "secrets": {"DB": "ssm:/never"}}
        ]
    }"#;
    assert_eq!(asked(test(config, "")), "OTHER=ssm:/other DB=ssm:/second\n");
    let later = test(r#"{"secrets": {"OTHER": "ssm:/last"}}"#, "").file("foreword.json", config);
    assert_eq!(asked(later), "DB=ssm:/second OTHER=ssm:/last\n");
}

#[test]
fn hook_overwrites_a_secret_that_it_exports_and_edits_see_only_the_secret() {
    let config = json!({
        "secrets": {"DB": "ssm:/db"},
        "env": {"URL": "db://${DB}@host"},
        "arguments": {"append": ["${DB}"]},
        "hooks": {"initialize": [
            {"name": "a", "command": "echo \"DB=more $DB\"", "export": "dotenv"},
            {"name": "b", "command": "echo \"SEEN=$DB\"", "export": "dotenv"}
        ]}
    });
    test(&config.to_string(), r#"echo '{"DB": "planted"}'"#)
        .env("FOREWORD_LOG", "warn")
        .script("runtime", [RUNTIME, "echo \"$@\"\n"].concat())
        .stdout(
            "DB=more planted\nOTHER=\nURL=db://planted@host\nSEEN=more planted\nEXPORTED=\n\
             more planted\n",
        )
        .run();
}

#[test]
fn malformed_reference_is_a_mistake_in_the_configuration_at_its_place() {
    for (config, name, value, message) in [
        (
            r#"{"secrets": {"DB": "ssm:${SEEN}/db"}}"#,
            "SEEN",
            "a",
            "FOREWORD_CONFIG:1:14: a name with / in it begins with /; write ssm:/a/db",
        ),
        (
            r#"{"secrets": {"P_": {"path": "${SEEN}"}}}"#,
            "SEEN",
            "hidden",
            "FOREWORD_CONFIG:1:14: only the Parameter Store has paths; write ssm:/PATH/",
        ),
        (
            r#"{"references": true}"#,
            "SEEN",
            "ssm:hidden word",
            "unable to read the reference in SEEN: a parameter's name holds no ' '",
        ),
    ] {
        let test = test(config, "echo '{}'").env(name, value);
        fails(test, "Runtime.ForewordConfigInvalid", message);
    }
}

/// Every character that JSON can carry, but NUL, and a value of 64 KiB of them.
#[test]
fn values_with_every_character_arrive_exactly() {
    let every: String =
        ('\u{1}'..='\u{2ff}').chain(['\u{2028}', '\u{fffd}', '\u{1f980}', '\u{10ffff}']).collect();
    let long: String = every.chars().cycle().take(40_000).collect();
    let shell = "$(touch \"$LAMBDA_TASK_ROOT/pwned\") `touch pwned` ${HOME} ${DB:-x} $$ 'a' \"b\" \
                 \\n\n\r\n\t ";
    assert!(long.len() > 64 << 10 && long.len() < 128 << 10, "{}", long.len());
    let values = json!({"DB": every, "OTHER": long, "URL": shell, "SEEN": "", "EXPORTED": "\n"});
    let config = json!({
        "secrets": {
            "DB": "ssm:/a", "OTHER": "ssm:/b", "URL": "ssm:/c", "SEEN": "ssm:/d",
            "EXPORTED": "ssm:/e"
        },
        "env": {"COPY": "${OTHER}"}
    });
    let test = test(&config.to_string(), "cat \"$LAMBDA_TASK_ROOT/values\"");
    let captured =
        test.file("values", values.to_string()).env("FOREWORD_LOG", "warn").script("runtime", DUMP);
    let found = captured.capture();
    assert_eq!((found.status, &found.stderr), (0, &Vec::new()));
    let (_, environment) = found
        .stdout
        .split_at(found.stdout.iter().position(|byte| *byte == b'\n').expect("a command line") + 1);
    let entries: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
    for (name, value) in values.as_object().expect("values") {
        let entry = format!("{name}={}", value.as_str().expect("a text"));
        assert!(entries.contains(&entry.as_bytes()), "{name}");
    }
    assert!(entries.contains(&format!("COPY={long}").as_bytes()));
    assert!(!captured.path("pwned").exists());
}

/// A hook that fails quotes its environment, and so may a program that cannot be executed.
#[test]
fn failure_behind_the_secrets_is_reported_without_their_values() {
    let value = "planted-value of a secret";
    let program = format!("echo '{{\"DB\": \"{value}\"}}'");
    for (config, error_type, parts) in [
        (
            json!({"hooks": {"initialize": [
                {"name": "a", "command": "echo \"it is $DB, $DB.\" >&2; exit 3"}
            ]}}),
            "Runtime.ForewordHookFailed",
            ["hook \"a\" (initialize) exited with status 3", "it is [redacted], [redacted]."],
        ),
        (
            json!({"hooks": {"initialize": [{"name": "a", "command": ["${DB}", "${DB}"]}]}}),
            "Runtime.ForewordHookFailed",
            ["could not be started", "[redacted]"],
        ),
        (
            json!({"hooks": {"initialize": [
                {"name": "a", "command": ["true"], "cwd": "/missing/${DB}"}
            ]}}),
            "Runtime.ForewordHookFailed",
            ["could not be started", "/missing/[redacted]"],
        ),
        (
            json!({"hooks": {"initialize": [
                {"name": "a", "command": "echo \"$DB\"", "export": "json"}
            ]}}),
            "Runtime.ForewordHookFailed",
            ["exported something unreadable", "JSON"],
        ),
        (
            json!({"program": "/missing/${DB}"}),
            "Runtime.InvalidEntrypoint",
            ["unable to execute", "/missing/[redacted]"],
        ),
        (
            json!({"wrappers": ["/missing/${DB}"]}),
            "Runtime.ForewordWrapperFailed",
            ["unable to execute", "/missing/[redacted]"],
        ),
    ] {
        let mut config = config;
        config["secrets"] = json!({"DB": "ssm:/db"});
        for format in ["JSON", "Text"] {
            let api = RuntimeApi::new(Reaction::Accept);
            let captured = test(&config.to_string(), &program)
                .runtime_api(&api)
                .env("FOREWORD_LOG", "trace")
                .env("AWS_LAMBDA_LOG_FORMAT", format)
                .capture();
            assert_ne!(captured.status, 0, "{config}");
            let log = String::from_utf8(captured.stderr).expect("UTF-8");
            let own = log.lines().filter(|line| !line.starts_with("it is"));
            assert!(own.clone().all(|line| !line.contains(value)), "{config} {log}");
            assert!(own.count() > 0, "{config}");
            let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
            assert!(!format!("{request:?}").contains(value), "{request:?}");
            let body: Value = serde_json::from_str(&request.body).expect("JSON");
            assert_eq!(body["errorType"], error_type, "{config}");
            for part in parts {
                let message = body["errorMessage"].as_str().expect("a text");
                assert!(message.contains(part), "{part}: {message}");
            }
        }
    }
}

#[test]
fn value_that_is_too_long_for_a_variable_fails_with_its_reason() {
    test(ONE, "printf '{\"DB\": \"'; head -c 200000 /dev/zero | tr '\\0' x; echo '\"}'")
        .env("FOREWORD_LOG", "warn")
        .stderr(
            "foreword: unable to execute \"./runtime\": the variable DB has 200003 bytes, and the \
             kernel takes 131071 at most\n",
        )
        .status(126)
        .run();
}

/// A start that has nothing to resolve makes no system call that another start does not make.
#[cfg(feature = "real-parts")]
#[test]
fn start_without_secrets_to_resolve_makes_no_call_more() {
    let calls = |config: &str, name: &str| {
        let test = test(config, "exit 1")
            .on_the_machine()
            .env(name, "mine")
            .env("FOREWORD_LOG", "warn")
            .within(["strace", "-f", "-qq", "-o", "calls", "--"])
            .args(["/bin/true"]);
        assert_eq!(test.capture().status, 0);
        let calls = test.finished().read("calls");
        let (own, _) = calls.split_once("execve(\"/bin/true\"").expect("the runtime");
        let name =
            |line: &str| line.split_whitespace().nth(1)?.split('(').next().map(str::to_owned);
        own.lines().filter_map(name).collect::<Vec<_>>()
    };
    let without = calls(r#"{"env": {"URL": {"default": ""}}}"#, "DB");
    assert!(without.iter().all(|call| !["clone", "fork", "vfork", "socket"].contains(&&**call)));
    for (config, name) in
        [(ONE, "DB"), (r#"{"references": true}"#, "OTHER"), (r#"{"secrets": {}}"#, "OTHER")]
    {
        assert_eq!(calls(config, name), without, "{config}");
    }
}
