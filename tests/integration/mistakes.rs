//! Mistakes in a configuration: each gives one line with its place, status 125, and a report to the
//! Runtime API; nothing is started.

use crate::support::{Reaction, RuntimeApi, Test};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Marks the place in a configuration; removed before the test.
const MARK: char = '»';

#[track_caller]
pub fn refuses(test: Test, message: &str) {
    let api = RuntimeApi::new(Reaction::Accept);
    let hook = r#"{"hooks": {"initialize": [{"name": "started", "command": ">started"}]}}"#;
    let test = test
        .script("runtime", "#!/bin/sh\n>started\n")
        .file("foreword.d/hook.json", hook)
        .args(["./runtime"]);
    let directory = test.path("").display().to_string();
    let finished =
        test.runtime_api(&api).stderr(format!("foreword: {message}\n")).status(125).run();
    assert!(!finished.directory.path("started").exists(), "something was started");

    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    let body: Value = serde_json::from_str(&request.body).expect("a body of JSON");
    let message = message.replace("<folder>", directory.trim_end_matches('/'));
    let error_type = "Runtime.ForewordConfigInvalid";
    assert_eq!(body, json!({"errorMessage": message, "errorType": error_type, "stackTrace": []}));
    assert_eq!(request.header("lambda-runtime-function-error-type"), Some(error_type));
}

/// Checks rows of a configuration with a mark before the place, and the message.
#[track_caller]
pub fn refuses_each(rows: &[(&str, &str)]) {
    for (marked, message) in rows {
        let before = marked.split(MARK).next().expect("a text before the mark");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().expect("a line").chars().count() + 1;
        let json = marked.replace(MARK, "");
        let place = |name: &str| format!("{name}:{line}:{column}: {message}");
        refuses(Test::new().file("foreword.json", &json), &place("<folder>/foreword.json"));
        // Inline JSON starts with its brace.
        if json.starts_with('{') {
            refuses(Test::new().config(&json), &place("FOREWORD_CONFIG"));
        }
        #[cfg(feature = "tool")]
        is_found_by_check(
            &json,
            &format!("<folder>/foreword.json:{line}:{column}: error: {message}"),
        );
    }
}

/// Checks that `check` reports first what the wrapper refuses, with its place.
#[cfg(feature = "tool")]
#[track_caller]
fn is_found_by_check(json: &str, expected: &str) {
    let test = Test::new().file("foreword.json", json).args(["check"]);
    let captured = test.capture();
    let directory = test.path("").display().to_string();
    let output = String::from_utf8(captured.stdout)
        .expect("UTF-8")
        .replace(directory.trim_end_matches('/'), "<folder>");
    let mut lines = output.lines();
    assert_eq!((lines.next(), captured.stderr, captured.status), (Some(expected), Vec::new(), 1));
    assert!(lines.nth(1).is_some_and(|line| line.ends_with('^')), "{output}");
}

#[test]
fn text_that_is_not_json_is_refused() {
    refuses_each(&[
        (
            "{\n  \"env\": {}}»}\n",
            "this is not JSON: trailing characters; the object has ended, remove what follows",
        ),
        (
            "{\n  \"env\": {},\n»}\n",
            "this is not JSON: trailing comma; remove the comma in front of it",
        ),
        (
            "{\"ä\": nu»l",
            "this is not JSON: EOF while parsing a value; it ends before all brackets and quotes \
             are closed",
        ),
        ("»", "this is not JSON: EOF while parsing a value; it is empty, write {}"),
        ("{»'env': {}}", "this is not JSON: key must be a string; put it in double quotes"),
        (
            "{\n\n  \"env\": {\"A\": \"1\"}\n  »\"options\": {}}",
            "this is not JSON: expected `,` or `}`; a comma is missing in front of it",
        ),
        (
            "{»// comments are none\n}",
            "this is not JSON: key must be a string; JSON has no comments, use \"description\"",
        ),
    ]);
}

#[test]
fn keys_that_are_unknown_or_duplicate_are_refused() {
    const RULE: &str = "here go when, secrets, secrets_timeout_ms, references, env, options, \
                        arguments, program, prefix, entry, wrappers, hooks, rules";
    refuses_each(&[
        ("{\n  »\"optoins\": {}\n}", "unknown key \"optoins\"; did you mean \"options\"?"),
        ("{\n  »\"environment\": {}\n}", "unknown key \"environment\"; did you mean \"env\"?"),
        ("{\"description\": \"größe\", »\"x\": 1}", &format!("unknown key \"x\"; {RULE}")),
        ("{\r\n\t\"env\": {},\r\n\t»\"x\": 1\r\n}", &format!("unknown key \"x\"; {RULE}")),
        (
            "{\"hooks\": {\n »\"before-snapshot\": []}}",
            "unknown key \"before-snapshot\"; did you mean \"before_snapshot\"?",
        ),
        (
            "{\"hooks\": {\"initialize\": [{\"name\": \"n\", \"command\": \"x\", »\"onFailure\": \
             \"fail\"}]}}",
            "unknown key \"onFailure\"; did you mean \"on_failure\"?",
        ),
        (
            "{\"when\": {»\"runtimes\": \"python\"}}",
            "unknown key \"runtimes\"; did you mean \"runtime\"?",
        ),
        (
            "{\"rules\": [{}, {\n\n »\"hoks\": {}}]}",
            "unknown key \"hoks\"; did you mean \"hooks\"?",
        ),
        (
            "{\n  \"env\": {\"A\": \"1\"},\n  »\"env\": {\"B\": \"2\"}\n}",
            "the key \"env\" is given twice",
        ),
        (
            "{\"env\": {\"Ä\": \"1\",\n  \"ö\": \"\", »\"Ä\": \"2\"}}",
            "the key \"Ä\" is given twice",
        ),
        ("{\"env\": {\"A\": \"1\", »\"\\u0041\": \"2\"}}", "the key \"A\" is given twice"),
        (
            "{\"description\": \"\", »\"description\": \"\"}",
            "the key \"description\" is given twice",
        ),
        ("{\"when\": {\"env\": {\"A\": true, »\"A\": false}}}", "the key \"A\" is given twice"),
        ("{\"env\": {»\"\": \"1\"}}", "\"\" cannot be the name of a variable: it is empty"),
        (
            "{\"env\": {»\"A=B\": \"1\"}}",
            "\"A=B\" cannot be the name of a variable: it holds \"=\"",
        ),
    ]);
}

#[test]
fn key_with_two_letters_transposed_gets_a_suggestion() {
    refuses_each(&[
        ("{»\"evn\": {}}", "unknown key \"evn\"; did you mean \"env\"?"),
        ("{»\"rlues\": []}", "unknown key \"rlues\"; did you mean \"rules\"?"),
    ]);
}

#[test]
fn values_of_wrong_types_are_refused() {
    const EDIT: &str =
        "expected a string, null, or an object with \"default\", \"prepend\" or \"append\"";
    refuses_each(&[
        ("»[]", "expected an object, found an array; write {\"NAME\": …}"),
        ("\n\n »\"text\"", "expected an object, found a string"),
        ("{\"env\": »[\"A=1\"]}", "expected an object, found an array; write {\"NAME\": …}"),
        (
            "{\"env\": {\"é\": \"ü\", \"A\": »1}}",
            &format!("{EDIT}, found a number; put it in quotes"),
        ),
        ("{\"env\": {\"A\": »true}}", &format!("{EDIT}, found true or false; put it in quotes")),
        (
            "{\"options\": {\n  \"append\": »\"-X importtime\"}}",
            "expected an array, found a string; write [\"…\", \"…\"], one string for each word",
        ),
        (
            "{\"options\": {\n  \"append\": [\"-X\", »8]}}",
            "expected a string, found a number; put it in quotes",
        ),
        ("{\"program\": »null}", "expected a string, found null; remove the key"),
        ("{\"rules\": »{}}", "expected an array, found an object; put it in brackets, [{…}]"),
        ("{\"description\": »1}", "expected a string, found a number; put it in quotes"),
        (
            "{\"hooks\": {\"initialize\": [{\"name\": \"n\", \"command\": »{}}]}}",
            "expected an array of strings, or a string for /bin/sh, found an object",
        ),
        (
            "{\"hooks\": {\"initialize\": [{\"name\": \"n\", \"command\": \"x\", \"timeout_ms\": \
             »\"5\"}]}}",
            "expected a number of milliseconds, found a string; write it without quotes",
        ),
    ]);
}

#[test]
fn edits_with_mistakes_are_refused() {
    refuses_each(&[
        (
            "{\"env\": {\"PATH\": {\n    »\"prepend\": \"/opt\"}}}",
            "\"prepend\" needs a \"separator\" beside it, which may be \"\"",
        ),
        (
            "{\"options\": {\"values\": {\"-cp\": {»\"append\": \"x\"}}}}",
            "\"append\" needs a \"separator\" beside it, which may be \"\"",
        ),
        (
            "{\"env\": {\"A\": {\"default\": \"x\", »\"separator\": \"\"}}}",
            "\"separator\" goes with \"prepend\" or \"append\" only",
        ),
        (
            "{\"env\": {\"A\": {\"prepend\": \"x\", »\"append\": \"y\", \"separator\": \"\"}}}",
            "\"prepend\" and \"append\" cannot stand in one edit; write one of them",
        ),
        (
            "{\"options\": {\"remove\": [\"-X*\",\n »\"[z-a]\"]}}",
            "the range z-a in \"[z-a]\" runs backwards",
        ),
        (
            "{\"when\": {\"file\": »\"/opt/[z-a]\"}}",
            "the range z-a in \"/opt/[z-a]\" runs backwards",
        ),
        (
            "{\"when\": {\"env\": {\"A\": [»\"[z-a]\"]}}}",
            "the range z-a in \"[z-a]\" runs backwards",
        ),
        (
            "{\"env\": {\"A\": »\"x${B\"}}",
            "a \"${\" is not closed (a literal \"${\" is written \"$${\")",
        ),
        (
            "{\"entry\": »\"${B:-${C}\"}",
            "a \"${\" is not closed (a literal \"${\" is written \"$${\")",
        ),
        (
            "{\"arguments\": {\"replace\": {\"a\": »\"${1}\"}}}",
            "a \"${\" begins neither ${NAME} nor ${NAME:-text} (a literal \"${\" is written \
             \"$${\")",
        ),
        (
            "{\"env\": {\"A\": »\"a\\u0000b\"}}",
            "this string holds a NUL character, which no argument or variable can",
        ),
        (
            "{\"env\": {»\"A\\u0000\": \"b\"}}",
            "this string holds a NUL character, which no argument or variable can",
        ),
    ]);
}

#[test]
fn hooks_with_mistakes_are_refused() {
    let hook = |members: &str| format!("{{\"hooks\": {{\"initialize\": [\n  {members}]}}}}");
    let with = |member: &str| hook(&format!("{{\"name\": \"n\", \"command\": \"x\", {member}}}"));
    let limit = |number: &str| {
        format!("\"timeout_ms\" is {number}; it takes whole milliseconds from 1 to 4294967295")
    };
    let rows = [
        (hook("»{\"name\": \"n\"}"), "the hook has no \"command\"".to_owned()),
        (hook("»{\"command\": \"x\"}"), "the hook has no \"name\"".into()),
        (
            hook("{\"name\": \"n\", \"command\": »[]}"),
            "the command is empty; its first string is the program".into(),
        ),
        (
            hook("{\"name\": \"n\", \"command\": [»\"\", \"x\"]}"),
            "the command's program is an empty string".into(),
        ),
        (hook("{\"name\": \"n\", \"command\": »\"\"}"), "this string must not be empty".into()),
        (with("\"cwd\": »\"\""), "this string must not be empty".into()),
        (with("\"timeout_ms\": »0"), limit("0")),
        (with("\"timeout_ms\": »-1"), limit("-1")),
        (with("\"timeout_ms\": »1.5"), limit("1.5")),
        (
            with("\"on_failure\": »\"ignore\""),
            "\"ignore\" is not one of \"fail\", \"continue\"".into(),
        ),
        (with("\"export\": »\"yaml\""), "\"yaml\" is not one of \"json\", \"dotenv\"".into()),
        (
            with("»\"export\": \"json\"").replace("initialize", "after_restore"),
            "a hook in after_restore cannot export: the runtime runs already; let it write a file \
             for the handler to read, or move it to \"initialize\""
                .into(),
        ),
    ];
    refuses_each(&rows.each_ref().map(|(json, message)| (json.as_str(), message.as_str())));
}

#[test]
fn conditions_with_mistakes_are_refused() {
    const RUNTIMES: &str =
        "(one of python, node, java, ruby, dotnet, provided, or a glob such as \"python3.*\")";
    refuses_each(&[
        (
            "{\"when\": {\"runtime\": »\"pyhton\"}}",
            &format!("\"pyhton\" is no runtime; did you mean \"python\"? {RUNTIMES}"),
        ),
        (
            "{\"when\": {\"runtime\": [\"java\", »\"perl\"]}}",
            &format!("\"perl\" is no runtime {RUNTIMES}"),
        ),
        (
            "{\"when\": {\"architecture\": »\"amd64\"}}",
            "\"amd64\" is not one of \"x86_64\", \"arm64\"",
        ),
        (
            "{\"when\": {\"initialization\": »\"on_demand\"}}",
            "\"on_demand\" is no initialization; did you mean \"on-demand\"?",
        ),
        (
            "{\"when\": {\"initialization\": [\"on-demand\", »\"snapstart\"]}}",
            "\"snapstart\" is no initialization; did you mean \"snap-start\"?",
        ),
        (
            "{\"when\": {\"initialization\": »\"lambda_managed_instances\"}}",
            "\"lambda_managed_instances\" is no initialization; did you mean \
             \"lambda-managed-instances\"?",
        ),
        (
            "{\"when\": {\"initialization\": »\"managed-instances\"}}",
            "\"managed-instances\" is no initialization; did you mean \
             \"lambda-managed-instances\"?",
        ),
        (
            "{\"when\": {\"initialization\": »\"lambda-managed-instance\"}}",
            "\"lambda-managed-instance\" is no initialization; did you mean \
             \"lambda-managed-instances\"?",
        ),
        (
            "{\"when\": {\"initialization\": »\"provisioned\"}}",
            "\"provisioned\" is no initialization; did you mean \"provisioned-concurrency\"?",
        ),
        (
            "{\"when\": {\"any\": »[]}}",
            "an empty array matches nothing; remove the key or name something",
        ),
        (
            "{\"when\": {\"not\": {»\"files\": \"x\"}}}",
            "unknown key \"files\"; did you mean \"file\"?",
        ),
    ]);
}

/// No function has one of these identifiers, so the condition would never hold.
#[test]
fn condition_on_an_os_only_runtime_s_identifier_is_refused() {
    for (written, value) in [
        ("provided.al2023", "»\"provided.al2023\""),
        ("provided.al2", "[\"python\", »\"provided.al2\"]"),
        ("provided*", "»\"provided*\""),
        ("provide?.al2", "»\"provide?.al2\""),
        ("provided.al[2]*", "»\"provided.al[2]*\""),
    ] {
        let message = format!(
            "\"{written}\" never holds: an OS-only function is not told which runtime it has \
             (AWS_EXECUTION_ENV is not set there); write \"provided\""
        );
        refuses_each(&[(&format!("{{\"when\": {{\"runtime\": {value}}}}}"), &message)]);
    }
}

#[test]
fn wrappers_with_mistakes_are_refused() {
    const WRAPPER: &str = "here go path, name, when, env, last";
    refuses_each(&[
        (
            r#"{"wrappers": »"/opt/w"}"#,
            "expected an array, found a string; write [\"…\", \"…\"], one string for each word",
        ),
        (
            r#"{"wrappers": [»1]}"#,
            "expected the path of a wrapper, or an object with \"path\", found a number",
        ),
        (r#"{"wrappers": [»""]}"#, "this string must not be empty"),
        (r#"{"wrappers": [»{"name": "x"}]}"#, "the wrapper has no \"path\""),
        (
            r#"{"wrappers": [{"path": "/w", "last": »"yes"}]}"#,
            "expected true or false, found a string; write it without quotes",
        ),
        (r#"{"wrappers": [{"path": "/w", "name": »""}]}"#, "this string must not be empty"),
        (
            r#"{"wrappers": [{"path": "/w", »"nmae": "x"}]}"#,
            "unknown key \"nmae\"; did you mean \"name\"?",
        ),
        (
            r#"{"wrappers": [{"path": "/w", »"zzzzzzz": "x"}]}"#,
            &format!("unknown key \"zzzzzzz\"; {WRAPPER}"),
        ),
        (
            r#"{"wrappers": [{"path": "/w", "when": {»"runtme": "x"}}]}"#,
            "unknown key \"runtme\"; did you mean \"runtime\"?",
        ),
        (
            r#"{"wrappers": [»"w"]}"#,
            "\"w\" is no path; name the wrapper's file, such as \"/opt/w\"",
        ),
        (
            r#"{"wrappers": [{"path": »"w"}]}"#,
            "\"w\" is no path; name the wrapper's file, such as \"/opt/w\"",
        ),
        (
            r#"{"wrappers": [»"/${"]}"#,
            "a \"${\" is not closed (a literal \"${\" is written \"$${\")",
        ),
    ]);
    Test::new().config(r#"{"wrappers": []}"#).args(["/bin/true"]).run();
}

#[test]
fn nesting_beyond_the_limit_is_refused() {
    let nested = |depth: usize| {
        let (open, close) = (r#"{"rules": ["#.repeat(depth), "]}".repeat(depth));
        format!("{open}{MARK}{{}}{close}")
    };
    let deep = nested(33);
    refuses_each(&[(&deep, "this is nested more than 32 deep")]);
    Test::new().config(&nested(32).replace(MARK, "")).args(["/bin/true"]).run();

    let text = |depth: usize| {
        format!("{{\"env\": {{\"A\": {MARK}\"{}x{}\"}}}}", "${A:-".repeat(depth), "}".repeat(depth))
    };
    refuses_each(&[(&text(17), "more than 16 \"${\" stand inside each other")]);
    Test::new()
        .config(&text(16).replace(MARK, ""))
        .args(["/bin/sh", "-c", "echo $A"])
        .stdout("x\n")
        .run();

    let endless = Test::new().config(&r#"{"rules":["#.repeat(2400));
    refuses(endless, "FOREWORD_CONFIG:1:640: this is not JSON: recursion limit exceeded");
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let directory = |name: &str| Test::new().file(&format!("{name}/file"), "");
    refuses(directory("foreword.json"), "unable to read <folder>/foreword.json: is a directory");
    refuses(
        directory("foreword.d/a.json"),
        "unable to read <folder>/foreword.d/a.json: is a directory",
    );
    // No process writes to the pipe, and foreword does not wait for one.
    let fifo = Test::new().file("foreword.d/other", "");
    mkfifo(&fifo.path("foreword.d/a.json"), Mode::from_bits_truncate(0o644)).expect("a FIFO");
    refuses(fifo, "unable to read <folder>/foreword.d/a.json: not a regular file");
    let named = directory("named").env("FOREWORD_CONFIG", "<folder>/named");
    refuses(named, "unable to read \"<folder>/named\" (FOREWORD_CONFIG): is a directory");
    let dropins = Test::new().file("file", "").env("FOREWORD_DROPIN_DIR", "<folder>/file");
    refuses(dropins, "unable to read <folder>/file: not a directory");
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let file = |json: &[u8]| Test::new().file("foreword.json", json);
    refuses(
        file(b"{\n  \"env\": {\"A\": \"\xff\"}}"),
        "<folder>/foreword.json:2:17: this is not UTF-8",
    );
    refuses(file(b"{\"\xc3\xa9\": \"\xc3\"}"), "<folder>/foreword.json:1:8: this is not UTF-8");
    let inline = Test::new().env("FOREWORD_CONFIG", OsStr::from_bytes(b"{\"\xff\""));
    refuses(inline, "FOREWORD_CONFIG:1:3: this is not UTF-8");
}

#[test]
fn first_mistake_in_the_first_file_is_named() {
    let first = "{\"env\": {\"A\": 1}, \"x\": 1}";
    let test = Test::new().file("foreword.d/a.json", first).file("foreword.json", "{").config("{");
    let message = "expected a string, null, or an object with \"default\", \"prepend\" or \
                   \"append\", found a number; put it in quotes";
    refuses(test, &format!("<folder>/foreword.d/a.json:1:15: {message}"));
}
