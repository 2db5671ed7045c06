//! Wrappers as they are in the wild: what cannot be executed, what ends by itself, what starts the
//! runtime as a child or asks it for its version first.

use crate::support::{DIRECTORY, Reaction, RuntimeApi, Test, foreword};
use serde_json::{Value, json};

/// This machine, as Lambda calls it, and one that it is not (`e_machine` of the ELF header).
const THIS: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
const FOREIGN: (u8, &str) =
    if cfg!(target_arch = "x86_64") { (183, "arm64") } else { (62, "x86_64") };

/// Says who it is and goes on.
const WRAPPER: &str = "#!/bin/sh\necho \"${0##*/}\" >>log\nexec \"$@\"\n";

const RUNTIME: &str = "#!/bin/sh\necho \"$*\"\necho runtime >>log\n";

fn test(wrappers: &[&str]) -> Test {
    let test =
        Test::new().script("one", WRAPPER).script("two", WRAPPER).script("bin/python3.12", RUNTIME);
    let test = test
        .config(&json!({"wrappers": wrappers}).to_string())
        .env("TMPDIR", "<folder>/tmp")
        .file("tmp/x", "");
    test.args(["bin/python3.12", "bootstrap.py"])
}

/// The line, the status and what the caller of the function is told; nothing is left of the
/// stand-in.
#[track_caller]
fn fails(test: Test, error_type: &str, cause: &str, status: i32) {
    let api = RuntimeApi::new(Reaction::Accept);
    let directory = test.path(".").display().to_string();
    let finished =
        test.runtime_api(&api).stderr(format!("foreword: {cause}\n")).status(status).run();
    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let cause = cause.replace(DIRECTORY, directory.trim_end_matches("/."));
    assert_eq!(body, json!({"errorMessage": cause, "errorType": error_type, "stackTrace": []}));
    assert_eq!(std::fs::read_dir(finished.directory.path("tmp")).expect("a directory").count(), 1);
}

/// A wrapper that cannot be executed, as the first one and behind another one.
#[track_caller]
fn refuses(prepare: impl Fn(Test) -> Test, cause: &str, status: i32) {
    let cause = format!("wrapper \"w\": {cause}");
    for wrappers in [&["./w", "./one"][..], &["./one", "./w"], &["./one", "./two", "./w"]] {
        fails(prepare(test(wrappers)), "Runtime.ForewordWrapperFailed", &cause, status);
    }
}

#[test]
fn wrapper_that_cannot_be_executed_is_named_with_a_remedy() {
    let foreign = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 11], &[FOREIGN.0, 0], &[0; 44]].concat();
    let refused = |cause: &str| format!("unable to execute \"./w\": {cause}");
    refuses(|test| test, &refused("no such file"), 127);
    refuses(|test| test.file("w", WRAPPER), &refused("it has no run bit (chmod +x)"), 126);
    refuses(|test| test.file("w/x", ""), &refused("it is a folder; name a file in it"), 126);
    for (content, cause) in [
        (
            &b"#!/bin/bash\r\nexec \"$@\"\r\n"[..],
            "its first line, \"#!/bin/bash\", ends in a carriage return; save it with Unix line \
             ends (sed -i 's/\\r$//')",
        ),
        (
            b"#!/usr/bin/env bash\r\nexec \"$@\"\r\n",
            "its first line, \"#!/usr/bin/env bash\", ends in a carriage return; save it with \
             Unix line ends (sed -i 's/\\r$//')",
        ),
        (
            b"#!/nowhere/bash\n",
            "the interpreter in its first line, \"/nowhere/bash\", does not exist; name one that \
             does",
        ),
        (
            &foreign,
            &format!("it is for {}, and this machine is {THIS}; build it for {THIS}", FOREIGN.1),
        ),
        (b"\0garbage", "it is neither a program nor a script; name a program or a script"),
    ] {
        refuses(|test| test.script("w", content), &refused(cause), 126);
    }
}

/// Its own path stays what it is called by; the name is for messages.
#[test]
fn wrapper_with_a_name_is_logged_by_it() {
    let config = r#"{"wrappers": [{"path": "./w", "name": "data dog"}]}"#;
    let cause = "wrapper \"data dog\": unable to execute \"./w\": no such file";
    fails(test(&[]).config(config), "Runtime.ForewordWrapperFailed", cause, 127);
    let cause = "wrapper \"./w/\": unable to execute \"./w/\": it is a folder; name a file in it";
    fails(test(&["./w/"]).file("w/x", ""), "Runtime.ForewordWrapperFailed", cause, 126);
}

#[test]
fn wrapper_without_a_shebang_is_executed_by_the_shell() {
    let wrapper = "echo \"$0\" >>log\nexec \"$@\" --sh\n";
    let finished =
        test(&["./one", "./w", "./two"]).script("w", wrapper).stdout("bootstrap.py --sh\n").run();
    assert_eq!(finished.read("log"), "one\n./w\ntwo\nruntime\n");
}

/// As it would alone.
#[test]
fn wrapper_that_does_not_come_back_ends_with_its_own_status() {
    for (wrapper, status) in [
        ("exit 7", 7),
        ("exit 0", 0),
        ("kill -KILL $$", 128 + 9),
        ("exec sh -c 'echo other; exit 3'", 3),
        ("exec \"$LAMBDA_TASK_ROOT/$_HANDLER\"", 9),
    ] {
        let wrapper = format!("#!/bin/sh\n{wrapper}\n");
        let test =
            test(&["./one", "./w", "./two"]).script("w", &wrapper).script("app.sh", "exit 9\n");
        let test = test.env("_HANDLER", "app.sh").env("FOREWORD_LOG", "debug");
        let captured = test.capture();
        let (log, wrote) =
            (String::from_utf8(captured.stderr), std::fs::read_to_string(test.path("log")));
        assert_eq!(
            (captured.status, wrote.expect("a log").as_str()),
            (status, "one\n"),
            "{wrapper}"
        );
        let log = log.expect("UTF-8");
        let last =
            log.lines().rfind(|line| line.contains("is handed the process")).expect("a line");
        assert!(
            last.starts_with("foreword: wrapper \"w\" is handed the process: [\"./w\", "),
            "{last}"
        );
    }
}

#[test]
fn wrapper_that_starts_the_runtime_as_a_child_works() {
    starts_the_runtime_as_a_child(
        "#!/bin/sh\n\"$@\" --child\nstatus=$?\necho over >>log\nexit $status\n",
    );
}

/// Takes a wrapper that gives the runtime one more argument, ends with its status, and then writes
/// `over` into the log.
#[track_caller]
pub fn starts_the_runtime_as_a_child(child: &str) {
    for (wrappers, expected) in [
        (&["./w", "./one"][..], "one\nruntime\nover\n"),
        (&["./one", "./w"], "one\nruntime\nover\n"),
        (&["./w", "./one", "./w"], "one\nruntime\nover\nover\n"),
    ] {
        let count = wrappers.iter().filter(|name| **name == "./w").count();
        let runtime = format!("{RUNTIME}exit 5\n");
        let test = test(wrappers).script("w", child).script("bin/python3.12", runtime);
        let finished =
            test.stdout(format!("bootstrap.py{}\n", " --child".repeat(count))).status(5).run();
        assert_eq!(finished.read("log"), expected, "{child}");
    }
}

/// The interpreter answers as it would without other wrappers; what starts it afterwards finds
/// everything as before.
#[test]
fn wrapper_that_asks_for_the_interpreter_s_version_works() {
    let probing = "#!/bin/bash\nversion=$(\"$1\" --version) || exit 1\n[[ $(\"$1\" --version) == \
                   \"$version\" ]] || exit 2\nexec \"$1\" \"-X $version\" \"${@:2}\"\n";
    let hook = json!({"name": "h", "command": "echo hook >>log"});
    for wrappers in [["./w", "./one"], ["./one", "./w"], ["./w", "./w"]] {
        let config = json!({"wrappers": wrappers, "hooks": {"initialize": [hook]}}).to_string();
        let runtime = "#!/bin/sh\nfor word; do [ \"$word\" != --version ] || exec echo 3.12; \
                       done\necho \"$*\"\n";
        let test = test(&[]).script("w", probing).script("bin/python3.12", runtime).config(&config);
        let options = if wrappers == ["./w", "./w"] { "-X 3.12 -X 3.12" } else { "-X 3.12" };
        let finished =
            test.env("FOREWORD_LOG", "warn").stdout(format!("{options} bootstrap.py\n")).run();
        assert_eq!(finished.read("log").lines().filter(|line| *line == "hook").count(), 1);
    }
}

#[test]
fn missing_runtime_after_wrappers_is_named() {
    let missing = test(&["./one", "./two"]).args(["/nowhere/python3.12", "x"]);
    fails(
        missing,
        "Runtime.InvalidEntrypoint",
        "unable to execute \"/nowhere/python3.12\": no such file",
        127,
    );
}

/// Nothing of it is carried along a second time; what the kernel does not take is named.
#[test]
fn environment_of_the_largest_size_passes_through_the_chain() {
    // A quarter of the stack's limit (execve(2)).
    let setup = [
        "/bin/bash",
        "-c",
        "ulimit -Ss 8192; exec \"$@\"",
        "setup",
        foreword(),
        "bin/python3.12",
        "bootstrap.py",
    ];
    let names = || (0..20).map(|number| format!("LARGE_{number}"));
    let large = |config: Value| {
        let test = test(&["./one"]).without_foreword().args(setup).config(&config.to_string());
        names().fold(test, |test, name| test.env(name, "x".repeat(100_000)))
    };
    large(json!({"wrappers": ["./one", "./two"]})).stdout("bootstrap.py\n").run();
    let copies: serde_json::Map<_, _> =
        names().map(|name| (format!("COPY_{name}"), json!(format!("${{{name}}}")))).collect();
    let captured = large(json!({"wrappers": ["./one"], "env": copies})).capture();
    let log = String::from_utf8(captured.stderr).expect("UTF-8");
    let cause = "foreword: wrapper \"one\": unable to execute \"./one\": command line and \
                 environment together have ";
    assert!(log.starts_with(cause) && captured.status == 126, "{} {log}", captured.status);
}
