//! Where `foreword simulate` behaves as Lambda does and a process of one's own would not:
//! credentials, places that can be written to, what is too large, streams that break off, and whose
//! limit counts.

use crate::support::timeline::{timeless, with_python};
use crate::support::{Test, real_part};
use crate::tool_simulate::{objects, outside, python, says, simulated};
use serde_json::{Value, json};
use std::fs;

/// A handler that gives what an expression is.
fn gives(expression: &str) -> String {
    format!("import os\ndef handler(event, context):\n    return {expression}\n")
}

#[track_caller]
fn answer(told: &[Value]) -> &Value {
    let answer = told.iter().find(|object| object["type"] == "answer");
    &answer.unwrap_or_else(|| panic!("no answer: {told:#?}"))["answer"]
}

fn notes(told: &[Value]) -> Vec<&str> {
    let notes = told.iter().filter(|object| object["type"] == "note");
    notes.filter_map(|note| note["message"].as_str()).collect()
}

/// Asks the endpoint with the token that the environment has, and with others.
const CREDENTIALS: &str = r#"
import json, os, urllib.error, urllib.request

def ask(token, path=""):
    request = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] + path)
    if token is not None:
        request.add_header("Authorization", token)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as answer:
            return [answer.status, json.load(answer)]
    except urllib.error.HTTPError as error:
        return [error.code, None]

def handler(event, context):
    token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    asked = [ask(token), ask(None), ask("wrong"), ask(token, "/else")]
    return [asked, sorted(name for name in os.environ if "KEY" in name or "TOKEN" in name)]
"#;

fn with_keys(test: Test) -> Test {
    test.env("AWS_ACCESS_KEY_ID", "AKIA")
        .env("AWS_SECRET_ACCESS_KEY", "hidden")
        .env("AWS_SESSION_TOKEN", "session")
}

#[test]
fn credentials_under_snap_start_come_from_an_endpoint_with_a_token() {
    let test = python(&["--snap-start", "--format", "json"]).file("app.py", CREDENTIALS);
    let told = objects(with_keys(test), 0);
    let [asked, variables] = &answer(&told).as_array().expect("an array")[..] else {
        panic!("{told:?}")
    };
    let keys = &asked[0][1];
    assert_eq!(asked[0][0], 200);
    assert_eq!(
        [&keys["AccessKeyId"], &keys["SecretAccessKey"], &keys["Token"]],
        ["AKIA", "hidden", "session"]
    );
    assert!(keys["Expiration"].as_str().is_some_and(|time| time.ends_with('Z')), "{keys}");
    assert_eq!(
        [&asked[1], &asked[2], &asked[3]],
        [&json!([401, null]), &json!([401, null]), &json!([404, null])]
    );
    assert_eq!(variables, &json!(["AWS_CONTAINER_AUTHORIZATION_TOKEN"]));
}

#[test]
fn credentials_without_a_session_have_no_session_token() {
    let test = python(&["--snap-start", "--format", "json"]).file("app.py", CREDENTIALS);
    let told = objects(with_keys(test).env_remove("AWS_SESSION_TOKEN"), 0);
    let keys = &answer(&told)[0][0][1];
    assert!(keys["AccessKeyId"] == "AKIA" && keys.get("Token").is_none(), "{keys}");
}

#[test]
fn hooks_under_snap_start_find_the_endpoint_and_no_keys() {
    let command = "echo ${AWS_ACCESS_KEY_ID:-none} ${AWS_CONTAINER_CREDENTIALS_FULL_URI%:*}";
    let hooks = json!({"hooks": {"after_restore": [{"name": "a", "command": command}]}});
    let test = python(&["--snap-start"]).file("app.py", gives("1")).config(&hooks.to_string());
    let output = simulated(with_keys(test), 0);
    assert!(output.contains("    │ none http://127.0.0.1\n"), "{output}");
}

#[test]
fn shell_without_keys_gets_a_line_about_credentials() {
    let expression = "os.environ.get('AWS_CONTAINER_CREDENTIALS_FULL_URI')";
    for given in [&[][..], &[("AWS_ACCESS_KEY_ID", "AKIA")]] {
        let mut test = python(&["--snap-start"]).file("app.py", gives(expression));
        for (name, value) in given {
            test = test.env(name, value);
        }
        let output = simulated(test, 0);
        let note = "  there are no credentials: this shell has no AWS_ACCESS_KEY_ID and \
                    AWS_SECRET_ACCESS_KEY, ";
        assert!(output.contains(note) && output.contains("  answer  null\n"), "{output}");
    }
}

#[test]
fn keys_without_snap_start_stay_variables() {
    let expression = "[os.environ.get(name) for name in ('AWS_ACCESS_KEY_ID', \
                      'AWS_CONTAINER_CREDENTIALS_FULL_URI')]";
    let output = simulated(with_keys(python(&[]).file("app.py", gives(expression))), 0);
    assert!(output.contains("  answer  [\"AKIA\", null]\n"), "{output}");
}

#[test]
fn code_is_read_only_and_tmp_is_the_simulation_s() {
    let handler = r#"
import os
def attempt(path):
    try:
        open(path, "w").close()
        return "written"
    except OSError as error:
        return os.strerror(error.errno)
def handler(event, context):
    seen = sorted(os.listdir("/tmp"))
    return [attempt("own"), attempt("/tmp/own"), "foreign" in seen, os.getcwd() == os.environ["LAMBDA_TASK_ROOT"]]
"#;
    let foreign = std::env::temp_dir().join("foreign");
    let is_made = fs::File::create_new(&foreign).is_ok();
    let test = python(&[]).file("app.py", handler);
    let own = test.path("own");
    let output = simulated(test, 0);
    if is_made {
        fs::remove_file(foreign).expect("unable to remove a file");
    }
    assert!(
        output.contains("  answer  [\"Read-only file system\", \"written\", false, true]\n"),
        "{output}"
    );
    assert!(!own.exists() && !std::path::Path::new("/tmp/own").exists());
}

/// Programs and files that the command line or a variable names are there, but cannot be written
/// to.
#[test]
fn paths_in_tmp_that_the_command_line_names_stay_read_only() {
    let named = tempfile::TempDir::new().expect("a directory");
    fs::write(named.path().join("module.py"), "value = 17\n").expect("unable to write");
    let handler = format!(
        "import os, module\ndef handler(event, context):\n    return [module.value, \
         os.access('{}', os.W_OK)]\n",
        named.path().display()
    );
    let output = simulated(python(&[]).file("app.py", handler).env("PYTHONPATH", named.path()), 0);
    assert!(output.contains("  answer  [17, false]\n"), "{output}");
}

#[test]
fn directory_for_temporary_files_exists_and_is_empty() {
    let directory = tempfile::TempDir::new().expect("a directory");
    fs::write(directory.path().join("old"), "").expect("unable to write");
    let handler = "import os, tempfile\ndef handler(event, context):\n    tempfile.mkstemp()\n    \
                   return len(os.listdir(os.environ['TMPDIR']))\n";
    let output = simulated(python(&[]).file("app.py", handler).env("TMPDIR", directory.path()), 0);
    assert!(output.contains("  answer  1\n"), "{output}");
    assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 1);
}

#[test]
fn tmp_has_the_size_of_lambda_s() {
    let expression = "(lambda room: room.f_blocks * room.f_frsize >> 20)(os.statvfs('/tmp'))";
    let output = simulated(python(&[]).file("app.py", gives(expression)), 0);
    assert!(output.contains("  answer  512\n"), "{output}");
}

#[test]
fn byte_order_mark_before_an_event_is_skipped() {
    let test = python(&["--event", "\u{feff}[1]", "--event", "@event.json"])
        .file("event.json", "\u{feff}[1, 2]\n");
    let output =
        simulated(test.file("app.py", "def handler(event, context):\n    return len(event)\n"), 0);
    assert!(output.contains("  event   [1]\n  answer  1\n"), "{output}");
    assert!(output.contains("  event   [1, 2]\n  answer  2\n"), "{output}");
}

#[test]
fn event_over_six_mebibytes_is_refused() {
    let outside = outside();
    let file = |name: &str, length: usize| {
        let path = outside.path().join(name);
        fs::write(&path, format!("\"{}\"", "x".repeat(length - 2))).expect("unable to write");
        format!("@{}", path.display())
    };
    let (large, fits) = (file("large", (6 << 20) + 1), file("fits", 6 << 20));
    let handler =
        "def handler(event, context):\n    print('handles', len(event))\n    return len(event)\n";
    for snap_start in [&[][..], &["--snap-start"]] {
        let options = [
            &["--format", "json", "--event", &large, "--event", &fits, "--event", "[]"],
            snap_start,
        ]
        .concat();
        let told = objects(python(&options).file("app.py", handler), 1);
        let error = told.iter().find(|object| object["type"] == "error").expect("an error");
        assert_eq!((&error["invocation"], &error["caller"]), (&json!(1), &json!("invoker")));
        assert_eq!(
            error["error"],
            json!({
                "errorType": "RequestEntityTooLargeException",
                "errorMessage": "6291457 byte payload is too large for the RequestResponse \
                 invocation type (limit 6291456 bytes)",
            })
        );
        let handled: Vec<_> =
            told.iter().filter(|object| object["type"] == "log").map(|log| &log["line"]).collect();
        assert_eq!(handled, ["handles 6291454", "handles 0"]);
        // The next one has the environment that there was.
        let inits =
            told.iter().filter(|object| object["type"] == "begin" && object["stage"] == "init");
        assert_eq!(inits.count(), 1);
    }
}

/// A runtime that answers with a stream and these trailers.
fn streams(trailers: &[(&str, &str)]) -> String {
    let lines: String =
        trailers.iter().map(|(name, value)| format!("{name}: {value}\\r\\n")).collect();
    let names: Vec<_> = trailers.iter().map(|(name, _)| *name).collect();
    format!(
        r#"#!/usr/bin/env python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", base + "next")
    event = api.getresponse()
    event.read()
    api.putrequest("POST", base + event.getheader("Lambda-Runtime-Aws-Request-Id") + "/response")
    api.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    api.putheader("Transfer-Encoding", "chunked")
    api.putheader("Trailer", "{}")
    api.endheaders()
    api.send(b"7\r\npartial\r\n0\r\n{lines}\r\n")
    api.getresponse().read()
"#,
        names.join(", ")
    )
}

#[test]
fn stream_that_breaks_off_has_the_error_of_its_trailers() {
    const TYPE: &str = "Lambda-Runtime-Function-Error-Type";
    const BODY: &str = "Lambda-Runtime-Function-Error-Body";
    let own = json!({"errorType": "MidStream", "errorMessage": "broke off", "stackTrace": []});
    for (trailers, expected) in [
        // {"errorType":"MidStream","errorMessage":"broke off","stackTrace":[]}
        (
            &[
                (TYPE, "Runtime.StreamError"),
                (
                    BODY,
                    "eyJlcnJvclR5cGUiOiJNaWRTdHJlYW0iLCJlcnJvck1lc3NhZ2UiOiJicm9rZSBvZmYiLCJzdGFja\
                     1RyYWNlIjpbXX0=",
                ),
            ][..],
            own,
        ),
        // {"errorMessage":"only"}
        (
            &[(TYPE, "Runtime.StreamError"), (BODY, "eyJlcnJvck1lc3NhZ2UiOiJvbmx5In0=")],
            json!({"errorType": "Runtime.StreamError", "errorMessage": "only"}),
        ),
        // no JSON
        (
            &[(TYPE, "Runtime.StreamError"), (BODY, "bm8gSlNPTg==")],
            json!({"errorType": "Runtime.StreamError", "errorMessage": "no JSON"}),
        ),
        (
            &[("lambda-runtime-function-error-type", "Runtime.StreamError")],
            json!({"errorType": "Runtime.StreamError", "errorMessage": "Response stream ended \
             with an error that has no message"}),
        ),
    ] {
        let test =
            with_python(Test::new()).args(["simulate", "--format", "json", "--", "./runtime"]);
        let told = objects(test.script("runtime", streams(trailers)), 1);
        let error = told.iter().find(|object| object["type"] == "error").expect("an error");
        assert_eq!(error["error"], expected, "{trailers:?}");
    }
}

#[test]
fn stream_of_node_s_client_that_fails_has_the_function_s_error() {
    let handler = "exports.handler = awslambda.streamifyResponse(async (event, stream) => {\n    \
                   stream.write('partial');\n    await new Promise((next) => setTimeout(next, \
                   100));\n    throw new RangeError('broke off');\n});\n";
    let client = real_part("node/node_modules/aws-lambda-ric/bin/index.mjs");
    let client = client.display().to_string();
    let test = with_python(Test::new()).args([
        "simulate",
        "--format",
        "json",
        "--",
        "node",
        &client,
        "index.handler",
    ]);
    let told = objects(test.file("index.js", handler), 1);
    let error =
        told.iter().find(|object| object["type"] == "error").unwrap_or_else(|| panic!("{told:#?}"));
    assert_eq!(
        [&error["error"]["errorType"], &error["error"]["errorMessage"]],
        ["RangeError", "broke off"],
        "{error}"
    );
}

#[test]
fn variable_of_managed_instances_is_dropped_with_a_note() {
    let dropped = "AWS_LAMBDA_MAX_CONCURRENCY is dropped: what is rehearsed takes one invocation \
                   at a time, and not several as on a managed instance";
    let expression = "os.environ.get('AWS_LAMBDA_MAX_CONCURRENCY')";
    let by_option = ["--format", "json", "--env", "AWS_LAMBDA_MAX_CONCURRENCY=8"];
    for (options, in_shell, is_said) in [
        (&["--format", "json"][..], Some("8"), true),
        (&by_option, None, true),
        (&["--format", "json"], Some(""), false),
        (&["--format", "json"], None, false),
    ] {
        let mut test = python(options).file("app.py", gives(expression));
        if let Some(value) = in_shell {
            test = test.env("AWS_LAMBDA_MAX_CONCURRENCY", value);
        }
        let told = objects(test, 0);
        assert_eq!(notes(&told).contains(&dropped), is_said, "{options:?}");
        assert_eq!(answer(&told), &Value::Null);
    }
}

#[test]
fn limit_of_a_hook_is_the_shorter_of_its_own_and_the_phase_s() {
    let limited =
        |name: &str, limit: u64| json!({"name": name, "command": "true", "timeout_ms": limit});
    let hooks = json!({"hooks": {
        "initialize": [limited("short", 1500), limited("long", 600_000), says("plain")],
        "before_snapshot": [limited("brief", 250), says("usual")],
        "after_restore": [limited("quick", 700), limited("slow", 60_000)],
        "pre_stop": [limited("last", 900), limited("endless", 60_000)],
    }});
    let options = ["--snap-start", "--format", "json"];
    let told = objects(python(&options).file("app.py", gives("1")).config(&hooks.to_string()), 0);
    let limits = told.iter().filter(|object| object["type"] == "hook");
    let limits: Vec<_> =
        limits.map(|hook| (hook["hook"].as_str().expect("a name"), &hook["limitMs"])).collect();
    assert_eq!(
        limits,
        [
            ("short", &json!(1500)),
            ("long", &json!(130_000)),
            ("plain", &json!(10_000)),
            ("usual", &json!(30_000)),
            ("brief", &json!(250)),
            ("quick", &json!(700)),
            ("slow", &json!(8000)),
            ("endless", &json!(2000)),
            ("last", &json!(900)),
        ]
    );
    let output = timeless(
        simulated(python(&[]).file("app.py", gives("1")).config(&hooks.to_string()), 0).as_bytes(),
    );
    for row in [
        "  initialize      short                N ms of 1.5 s\n",
        "  initialize      long                 N ms of 10 s\n",
        "  pre_stop        last                 N ms of 0.9 s\n",
    ] {
        assert!(output.contains(row), "{output}");
    }
}

/// Hooks of one name have each its own limit, in the order in which they run.
#[test]
fn hooks_of_one_name_have_their_own_limits() {
    let limited = |limit: u64| json!({"name": "twice", "command": "true", "timeout_ms": limit});
    let hooks = json!({"hooks": {"initialize": [limited(1000), limited(2000)]}});
    let output = timeless(
        simulated(python(&[]).file("app.py", gives("1")).config(&hooks.to_string()), 0).as_bytes(),
    );
    let row = |limit| format!("  initialize      twice                N ms of {limit} s\n");
    let rows = row(1) + &row(2);
    assert!(output.contains(&rows), "{output}");
}

#[test]
fn hook_that_ran_when_the_init_was_cut_off_is_named() {
    let hooks = json!({"hooks": {"initialize": [
        says("first"), {"name": "slow", "command": "sleep 1000", "timeout_ms": 60_000},
            says("never"),
    ]}});
    let test = python(&["--timeout", "1"]).file("app.py", gives("1")).config(&hooks.to_string());
    let output = timeless(simulated(test, 1).as_bytes());
    let first = "  initialize      slow                 N ms of 10 s  was cut off after N ms: the \
                 init has 10 s\n  Init phase exceeded 10 s; hook \"slow\" (initialize) was still \
                 running\n";
    let second = "  initialize      slow                 N ms of 1 s  was cut off after N ms: the \
                  function's timeout is 1 s\n  it took longer than 1 s; hook \"slow\" \
                  (initialize) was still running\n";
    let (at, then) = (output.find(first), output.find(second));
    assert!(at.is_some() && at < then, "{output}");
}

#[test]
fn hook_that_ran_when_the_timeout_cut_the_init_off_is_named() {
    // The first init fails at once, the one inside the invocation takes too long.
    let command = "test -e /tmp/once && exec sleep 1000; touch /tmp/once; exit 1";
    for others in [json!([]), json!([says("flush")])] {
        let slow = json!({"name": "slow", "command": command, "timeout_ms": 60_000});
        let hooks = json!({"hooks": {"initialize": [slow], "pre_stop": others}});
        let options = ["--timeout", "1", "--format", "json"];
        let told =
            objects(python(&options).file("app.py", gives("1")).config(&hooks.to_string()), 1);
        let hooks: Vec<_> = told
            .iter()
            .filter(|object| object["type"] == "hook" && object["hook"] == "slow")
            .collect();
        let [first, second] = &hooks[..] else { panic!("{told:#?}") };
        assert_eq!([&first["outcome"], &second["outcome"]], ["failure", "timeout"]);
        let message = second["message"].as_str().expect("a message");
        assert!(
            message.starts_with("was cut off after ")
                && message.ends_with("the function's timeout is 1 s")
        );
        let problem = "it took longer than 1 s; hook \"slow\" (initialize) was still running";
        assert!(told.iter().any(|object| object["message"] == problem), "{told:#?}");
    }
}

#[test]
fn init_that_the_runtime_draws_out_blames_no_hook() {
    let handler = "import os, time\nos.path.exists('/tmp/once') and \
                   time.sleep(1000)\nopen('/tmp/once', 'w').close()\nraise OSError\n";
    let hooks = json!({"hooks": {"initialize": [says("a")], "before_snapshot": [says("b")]}});
    let test = python(&["--timeout", "1"]).file("app.py", handler).config(&hooks.to_string());
    let output = simulated(test, 1);
    assert!(
        output.contains("  it took longer than 1 s\n") && !output.contains("still running"),
        "{output}"
    );
}

#[test]
fn hook_that_succeeds_at_its_second_attempt_counts_as_success() {
    let command = "test -e /tmp/once || { touch /tmp/once; exit 1; }";
    let hook = json!({"name": "again", "command": command, "attempts": 2, "pause_ms": 1});
    let hooks = json!({"hooks": {"initialize": [hook]}});
    let output = simulated(python(&[]).file("app.py", gives("1")).config(&hooks.to_string()), 0);
    assert!(
        output.contains("; it is tried again in 1 ms\n") && output.ends_with("all went well\n"),
        "{output}"
    );
}

#[test]
fn background_hook_that_goes_on_is_not_missed() {
    let hook = json!({"name": "agent", "command": "sleep 1000", "background": true});
    let hooks = json!({"hooks": {"initialize": [hook], "before_snapshot": [says("drain")]}});
    for options in [&[][..], &["--snap-start"]] {
        let output =
            simulated(python(options).file("app.py", gives("1")).config(&hooks.to_string()), 0);
        assert!(output.ends_with("all went well\n"), "{output}");
    }
}
