//! What pre_stop hooks see: the environment of the runtime, which the wrapper hands over to the
//! extension, and nobody else, and what is left of it when nobody hands anything over.

use crate::support::extension::{echo, lambda, succeeded};
use crate::support::lambda::Lambda;
use crate::support::{Finished, Running, Test, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::time::Duration;

pub const LEFT: Duration = Duration::from_millis(1900);

pub const LIMIT: Duration = Duration::from_secs(30);

const SECRET: &str = "s3cret value\n of two lines";

/// Both processes of the environment, with what Lambda tells both.
pub fn both(lambda: &Lambda, config: &Value) -> (Test, Test) {
    let mut extension = one(config);
    let wrapper = beside(&mut extension, lambda, config);
    (extension, wrapper)
}

/// A process of an environment.
fn one(config: &Value) -> Test {
    Test::new().config(&config.to_string()).env("FOREWORD_LOG", "warn").env("OF_BOTH", "both")
}

/// The wrapper in the environment of an extension.
fn beside(extension: &mut Test, lambda: &Lambda, config: &Value) -> Test {
    one(config).beside(extension).runtime_api(lambda).env("_HANDLER", "app.handler")
}

/// Runs the wrapper; it hands over before it becomes the runtime, which does nothing.
pub fn starts(wrapper: Test) -> Finished {
    wrapper.args(["/bin/true"]).run()
}

fn address(lambda: &Lambda) -> SocketAddr {
    SocketAddr::from_abstract_name(format!("foreword/{}", lambda.address())).expect("an address")
}

#[test]
fn hook_after_a_handover_sees_the_runtime_s_environment() {
    let lambda = lambda();
    let config = json!({
        "env": {"EDITED": "${OF_BOTH}", "AWS_LAMBDA_RUNTIME_API": "elsewhere",
            "LAMBDA_TASK_ROOT": "/", "_HANDLER": "wrapper.handler"},
        "hooks": {
            "initialize": [{"name": "exports", "command": "cat exported", "export": "json"}],
            "pre_stop": [{
                "name": "a",
                "env": {"OWN": "${EXPORTED}"},
                "command": "cat; pwd; echo $EDITED $EXPORTED $OWN $_HANDLER; echo \"$SECRET\"; \
                 echo $AWS_LAMBDA_RUNTIME_API",
            }],
        },
    });
    let (extension, wrapper) = both(&lambda, &config);
    let run = extension.waits(&lambda);
    let wrapper =
        wrapper.file("exported", json!({"EXPORTED": "exported", "SECRET": SECRET}).to_string());
    let wrapper = starts(wrapper.env("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"));
    lambda.shutdown("spindown", LEFT);
    let captured = run.finish();
    let output = String::from_utf8(captured.stdout).expect("text");
    let (context, rest) = output.split_once('\n').expect("a context");
    let context: Value = serde_json::from_str(context).expect("JSON");
    assert_eq!(context["function"]["handler"], json!("app.handler"));
    assert_eq!(context["runtime"], json!("python3.12"));
    let directory = wrapper.directory.path("").canonicalize().expect("a directory");
    let expected = format!(
        "{}\nboth exported exported wrapper.handler\n{SECRET}\n{}\n",
        directory.display(),
        lambda.address()
    );
    assert_eq!((rest, captured.stderr, captured.status), (&*expected, Vec::new(), 0));
}

/// Not in what either process says at any level, not in a file, and not where other processes could
/// read it.
#[test]
fn handover_is_never_written_to_files_or_logs() {
    for level in ["trace", "info"] {
        let lambda = lambda();
        let config = json!({"hooks": {
            "initialize": [{"name": "exports", "command": "printf 'A=%s\\n' hun''ter2-exported",
                "export": "dotenv"}],
            "pre_stop": [
                {"name": "sees", "command": "test ${#A} -eq 16"},
                {"name": "fails", "command": ["/bin/sh", "-c", "exit ${STATUS:-3}", "${A}"],
                    "cwd": "${CWD:-.}"},
                {"name": "missing", "command": ["/missing/${A}", "${A}"]},
                {"name": "no folder", "command": "echo", "cwd": "/missing/${A}"},
            ],
        }});
        let (extension, wrapper) = both(&lambda, &config);
        let extension = extension.env("FOREWORD_LOG", level).waits(&lambda);
        let wrapper = wrapper.env("FOREWORD_LOG", level).args(["/bin/sleep", "1000"]).start();
        // The runtime has been started, so all has been handed over.
        assert!(wait_until(LIMIT, || has_export(&wrapper)));
        for file in ["environ", "cmdline"] {
            let content = fs::read(format!("/proc/{}/{file}", extension.pid()))
                .expect("a file of the process");
            assert!(!holds_secret(&content));
        }
        lambda.shutdown("spindown", LEFT);
        let ended = extension.finish();
        let log = String::from_utf8_lossy(&ended.stderr);
        for (name, said) in [
            ("missing", "could not be started"),
            ("no folder", "could not be started"),
            ("fails", "exited"),
        ] {
            assert!(log.contains(&format!("hook {name:?} (pre_stop) {said}")), "{log}");
        }
        assert!(log.contains("hook \"sees\" (pre_stop) succeeded") == (level != "off"), "{log}");
        let told = wrapper.terminate();
        for output in [ended.stdout, ended.stderr, told.stdout, told.stderr] {
            assert!(!holds_secret(&output), "{}", String::from_utf8_lossy(&output));
        }
        for finished in [&extension.finished, &wrapper.finished] {
            assert_eq!(files_with_secret(&finished.directory.path("")), Vec::<String>::new());
        }
    }
}

fn has_export(wrapper: &Running) -> bool {
    wrapper.environment().iter().any(|entry| entry == "A=hunter2-exported")
}

fn holds_secret(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains("hunter2-exported")
}

fn files_with_secret(directory: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let found = entries.map(|path| match path.is_dir() {
        true => files_with_secret(&path),
        // A link leads to foreword itself.
        false if path.is_symlink() || !holds_secret(&fs::read(&path).expect("a file")) => {
            Vec::new()
        }
        false => vec![path.display().to_string()],
    });
    found.flatten().collect()
}

/// Larger than any socket's buffer, with bytes that are not UTF-8 and entries that are no
/// variables.
#[test]
fn handover_of_any_size_and_bytes_is_complete() {
    let lambda = lambda();
    let long = "x".repeat(100_000);
    let names: Vec<_> = (0..8).map(|number| format!("LONG{number}")).collect();
    let print = "cat /proc/self/environ | tr '\\0' '\\n' | sort";
    let config = json!({"hooks": {"pre_stop": [{"name": "a", "command": print}]}});
    let (extension, wrapper) = both(&lambda, &config);
    let run = extension.waits(&lambda);
    let wrapper = names.iter().fold(wrapper, |wrapper, name| wrapper.env(name, &long));
    starts(
        wrapper
            .env(
                "BYTES",
                <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff\xfe="),
            )
            .raw_env("odd"),
    );
    lambda.shutdown("spindown", LEFT);
    let found = run.finish();
    assert_eq!(found.stderr, b"");
    let lines: Vec<_> = found.stdout.split(|byte| *byte == b'\n').collect();
    assert_eq!(
        lines.iter().filter(|line| line.starts_with(b"LONG") && line.len() == 100_006).count(),
        8
    );
    assert!(lines.contains(&&b"BYTES=\xff\xfe="[..]));
}

/// The one that was told last knows best: a runtime that is started anew may have been given
/// something else.
#[test]
fn handover_of_the_last_runtime_wins() {
    let lambda = lambda();
    let config = json!({"hooks": {"pre_stop": [{"name": "a", "command": "echo $ONLY"}]}});
    let mut extension = one(&config);
    let wrappers =
        ["first", "second"].map(|only| beside(&mut extension, &lambda, &config).env("ONLY", only));
    let run = extension.waits(&lambda);
    let _finished = wrappers.map(starts);
    lambda.shutdown("timeout", LEFT);
    run.ends("second\n", "");
}

/// The extension by itself would take the function for one on an OS-only runtime.
#[test]
fn conditions_with_a_handover_are_decided_by_the_wrapper() {
    let lambda = lambda();
    let when = |name: &str, when: Value| {
        json!({
            "name": name, "command": ["/bin/echo", name], "when": when
        })
    };
    let config = |last: Value| {
        json!({"hooks": {"pre_stop": [
            when("provided", json!({"runtime": "provided"})),
            when("handler", json!({"env": {"_HANDLER": false}})),
            when("python", last),
        ]}})
    };
    for (last, expected) in
        [(json!({"runtime": "python"}), "python\n"), (json!({"not": {"runtime": "python"}}), "")]
    {
        let lambda =
            if expected.is_empty() { &crate::support::extension::lambda() } else { &lambda };
        let (extension, wrapper) = both(lambda, &config(last));
        let run = extension.waits(lambda);
        starts(wrapper.env("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"));
        lambda.shutdown("spindown", LEFT);
        run.ends(expected, "");
    }
}

#[test]
fn edits_without_a_handover_are_computed_by_the_extension() {
    let lambda = lambda();
    let config = json!({
        "env": {"EDITED": "${OF_BOTH}-${LAMBDA_TASK_ROOT}"},
        "hooks": {
            "initialize": [{"name": "exports", "command": "echo EXPORTED=1; echo run >&2",
                "export": "dotenv"}],
            "pre_stop": [
                {"name": "a", "command": "echo $EDITED $EXPORTED; pwd"},
                {"name": "other", "command": "echo other", "when": {"runtime": "python"}},
            ],
        },
    });
    let run = both(&lambda, &config).0.waits(&lambda);
    lambda.shutdown("failure", LEFT);
    run.ends("both-<folder>\n<folder>\n", "");
}

/// Lambda does not tell an extension where the code is, and starts it somewhere else.
#[test]
fn configuration_of_the_extension_is_found_beside_the_code() {
    let lambda = lambda();
    let config = json!({"hooks": {"pre_stop": [echo("a")]}}).to_string();
    let test = Test::new().file("code/my.json", config).env("LAMBDA_TASK_ROOT", "<folder>/code");
    let run = test.env("FOREWORD_CONFIG", "my.json").waits(&lambda);
    lambda.shutdown("spindown", LEFT);
    run.ends("a\n", &succeeded("a"));
}

#[test]
fn handover_of_garbage_or_nothing_is_ignored() {
    let lambda = lambda();
    let config = json!({"hooks": {"pre_stop": [{"name": "a", "command": "echo $ONLY"}]}});
    let (extension, wrapper) = both(&lambda, &config);
    let run = extension.waits(&lambda);
    let mut silent = UnixStream::connect_addr(&address(&lambda)).expect("a listener");
    for said in [&b""[..], b"garbage", b"r\0\0\0", b"r\0\0\0\0more", &[0xff; 100_000]] {
        let mut other = UnixStream::connect_addr(&address(&lambda)).expect("a listener");
        let _ = other.write_all(said);
    }
    // The wrapper comes when nobody is in front of it any more: it has no more patience than the
    // extension.
    silent.set_read_timeout(Some(LIMIT)).expect("a limit");
    assert_eq!(silent.read(&mut [0]).expect("an end"), 0);
    starts(wrapper.env("ONLY", "told"));
    lambda.shutdown("spindown", LEFT);
    run.ends("told\n", "");
}

/// What is in the place of the directory is not trusted, and what an extension that was killed has
/// left is taken over.
#[test]
fn handover_directory_that_exists_is_used_only_if_private() {
    let config = json!({"hooks": {"pre_stop": [{"name": "a", "command": "echo $ONLY"}]}});
    for (mode, told) in [(0o700, "told\n"), (0o755, "\n")] {
        let lambda = lambda();
        let name = SocketAddr::from_abstract_name(format!("foreword/{}", lambda.address()))
            .expect("a name");
        let _taken =
            std::os::unix::net::UnixListener::bind_addr(&name).expect("a name that is free");
        if fs::metadata("/proc/self").expect("this process").uid() != 0 {
            // The wrapper would take the test for the extension.
            return;
        }
        let (extension, wrapper) = both(&lambda, &config);
        let left = format!("tmp/.foreword-{}/socket", lambda.address());
        let extension = extension.file(&left, "");
        let directory = extension.path(&left).parent().expect("a directory").to_owned();
        fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(mode))
            .expect("a mode");
        let run = extension.waits(&lambda);
        let wrapped = wrapper.env("ONLY", "told").args(["/bin/true"]).capture();
        lambda.shutdown("spindown", LEFT);
        let captured = run.finish();
        let log = String::from_utf8(captured.stderr).expect("text");
        let expected =
            "foreword: pre_stop hooks will not see what the runtime sees: unable to listen: ";
        assert_eq!(log.starts_with(expected), mode != 0o700, "{log}");
        assert_eq!(
            (String::from_utf8_lossy(&captured.stdout).as_ref(), captured.status),
            (told, 0)
        );
        assert_eq!(
            wrapped.stderr.is_empty(),
            mode == 0o700,
            "{}",
            String::from_utf8_lossy(&wrapped.stderr)
        );
    }
}

/// Hooks get none of the extension's descriptors, and the runtime none of the wrapper's: whoever
/// lists them opens the first that is free.
#[test]
fn handover_leaks_no_file_descriptor() {
    let lambda = lambda();
    let list = "cd /proc/self/fd && echo *";
    let config = json!({"hooks": {"pre_stop": [{"name": "a", "command": list}]}});
    let (extension, wrapper) = both(&lambda, &config);
    let run = extension.waits(&lambda);
    wrapper.args(["/bin/sh", "-c", list]).stdout("0 1 2 3\n").run();
    lambda.shutdown("spindown", LEFT);
    run.ends("0 1 2 3\n", "");
}
