//! The extension beside an Extensions API that follows a script: what it asks for, and that
//! whatever comes back, it never ends before the environment does.

use crate::support::extension::{echo, lambda, succeeded, waits};
use crate::support::lambda::{Call, Fault, Lambda};
use crate::support::{Test, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::Duration;

/// What is left before the deadline in most tests; the machine may be busy.
const LEFT: Duration = Duration::from_millis(1900);

const LIMIT: Duration = Duration::from_secs(30);

fn said(call: &str) -> String {
    format!(
        "foreword: pre_stop hooks run at SIGTERM only: unable to use the Extensions API: it \
         answered 500 to the {call}\n"
    )
}

/// What the events were that it registered for.
fn events(lambda: &Lambda) -> Value {
    let registered = lambda.wait_for_call(Call::ExtensionRegister, 1).unwrap();
    serde_json::from_slice::<Value>(&registered.body.bytes).expect("JSON")["events"].clone()
}

#[test]
fn extension_with_hooks_registers_for_shutdown_under_its_file_name() {
    let lambda = lambda();
    let run = Test::new().pre_stop(json!([echo("a")])).waits(&lambda);
    assert_eq!(events(&lambda), json!(["SHUTDOWN"]));
    let registered = lambda.wait_for_call(Call::ExtensionRegister, 1).unwrap();
    assert_eq!(registered.head.header("Lambda-Extension-Name"), Some("foreword"));
    assert_eq!(registered.head.header("Content-Type"), Some("application/json"));
    let next = waits(&lambda, 1);
    assert_eq!(
        next.head.header("Lambda-Extension-Identifier"),
        Some("e0000000-0000-4000-8000-000000000000")
    );
    assert_eq!(lambda.seen().requests.len(), 2);
    lambda.shutdown("spindown", LEFT);
    run.ends("a\n", &succeeded("a"));
    assert_eq!(lambda.seen().requests.len(), 2, "{}", lambda.seen());
}

/// Three of them in a row, as often as it is tried again.
#[test]
fn api_that_recovers_is_asked_again() {
    let deep = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{}{}",
        "[".repeat(200),
        "]".repeat(200)
    )
    .leak();
    for faults in [
        [Fault::Reset, Fault::Status(500), Fault::Status(403)],
        [
            Fault::Say(b""),
            Fault::Say(b"garbage\0\xff\r\n\r\n"),
            Fault::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
        ],
        [
            Fault::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngarbage"),
            Fault::Say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
            Fault::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ],
        [Fault::Say(deep.as_bytes()), Fault::Say(b"HTTP/1.1 200 OK\r\n"), Fault::Status(404)],
    ] {
        for call in [Call::ExtensionRegister, Call::ExtensionNext] {
            let lambda = lambda();
            faults.iter().for_each(|fault| lambda.fault(call, fault.clone()));
            let run = Test::new().pre_stop(json!([echo("a")])).extension(&lambda).start();
            waits(&lambda, if call == Call::ExtensionNext { 4 } else { 1 });
            assert_eq!(lambda.seen().count(call), 4, "{call:?} {faults:?}");
            lambda.shutdown("spindown", LEFT);
            run.ends("a\n", &succeeded("a"));
        }
    }
}

#[test]
fn responses_that_are_slow_or_in_pieces_are_read() {
    for fault in [Fault::Dribble, Fault::Continue, Fault::Chunked] {
        let lambda = lambda();
        lambda.fault(Call::ExtensionRegister, fault.clone());
        lambda.fault(Call::ExtensionNext, fault);
        let run = Test::new().pre_stop(json!([echo("a")])).waits(&lambda);
        lambda.shutdown("spindown", LEFT);
        run.ends("a\n", &succeeded("a"));
        assert_eq!(lambda.seen().requests.len(), 2);
    }
}

/// Tried four times, it is not tried any more, and the extension stays for what a signal may still
/// tell it.
#[test]
fn api_that_does_not_recover_does_not_end_the_extension() {
    for (call, said) in [
        (Call::ExtensionRegister, said("registration")),
        (Call::ExtensionNext, said("request for an event")),
    ] {
        let lambda = lambda();
        (0..5).for_each(|_| lambda.fault(call, Fault::Status(500)));
        let run = Test::new().pre_stop(json!([echo("a")])).extension(&lambda).start();
        assert!(wait_until(LIMIT, || run.stderr() == said.as_bytes()), "no more attempts");
        assert_eq!(lambda.seen().count(call), 4);
        run.signal(Signal::SIGTERM);
        run.ends("a\n", &(said + &succeeded("a")));
        assert_eq!(lambda.seen().count(call), 4);
    }
}

#[test]
fn api_that_refuses_connections_leaves_hooks_to_sigterm() {
    let lambda = lambda();
    lambda.refuse();
    let run = Test::new().pre_stop(json!([echo("a")])).extension(&lambda).start();
    let said = "foreword: pre_stop hooks run at SIGTERM only: unable to use the Extensions API: \
                Connection refused (os error 111)\n";
    assert!(wait_until(LIMIT, || run.stderr() == said.as_bytes()));
    run.signal(Signal::SIGTERM);
    run.ends("a\n", &(said.to_owned() + &succeeded("a")));
}

#[test]
fn registration_without_a_response_leaves_hooks_to_sigterm() {
    let lambda = lambda();
    lambda.fault(Call::ExtensionRegister, Fault::Hold);
    let run = Test::new().pre_stop(json!([echo("a")])).extension(&lambda).start();
    lambda.wait_for_held(1).unwrap();
    run.signal(Signal::SIGTERM);
    run.ends("a\n", &succeeded("a"));
}

/// A wrapper would have come and reported it.
#[test]
fn configuration_mistake_without_a_wrapper_is_logged_at_the_end() {
    for faults in [0, 3] {
        let lambda = lambda();
        (0..faults).for_each(|_| lambda.fault(Call::ExtensionRegister, Fault::Status(500)));
        let run = Test::new().config(r#"{"hoks": {}}"#).waits(&lambda);
        assert_eq!(run.stderr(), b"");
        lambda.shutdown("spindown", Duration::from_millis(1900));
        run.ends(
            "",
            "foreword: FOREWORD_CONFIG:1:2: unknown key \"hoks\"; did you mean \"hooks\"?\n",
        );
        assert_eq!(lambda.seen().count(Call::ExtensionInitError), 0);
    }
}

#[test]
fn configuration_mistake_with_a_wrapper_is_left_to_it() {
    let lambda = lambda();
    let mut extension = Test::new().config(r#"{"hoks": {}}"#);
    let wrapper = Test::new().config(r#"{"hoks": {}}"#).beside(&mut extension).runtime_api(&lambda);
    let run = extension.waits(&lambda);
    let line = "foreword: FOREWORD_CONFIG:1:2: unknown key \"hoks\"; did you mean \"hooks\"?\n";
    wrapper.args(["/bin/true"]).stderr(line).status(125).run();
    lambda.shutdown("failure", Duration::from_millis(1900));
    run.ends("", "");
}

#[test]
fn configuration_mistake_without_registration_is_only_logged() {
    let lambda = lambda();
    (0..4).for_each(|_| lambda.fault(Call::ExtensionRegister, Fault::Status(500)));
    let run = Test::new().config("{").extension(&lambda).start();
    let is_deaf =
        || String::from_utf8_lossy(&run.stderr()).contains("pre_stop hooks run at SIGTERM only");
    assert!(wait_until(Duration::from_secs(30), is_deaf));
    run.signal(Signal::SIGTERM);
    let found = run.finish();
    let log = String::from_utf8(found.stderr).expect("text");
    assert!(log.contains("\nforeword: FOREWORD_CONFIG:1:1: ") && log.lines().count() == 2, "{log}");
    assert_eq!(found.status, 0);
}

#[test]
fn extension_without_hooks_registers_for_nothing_and_waits() {
    let other = r#"{"hooks": {"initialize": [{"name": "a", "command": "exit 3"}]}}"#;
    let never = r#"{"hooks": {"pre_stop": [{"name": "a", "command": "echo a", "when": {"env": {"SET": false}}}]}}"#;
    for (config, disabled) in
        [("", ""), ("{}", ""), (other, ""), (never, ""), (r#"{"hoks": {}}"#, "1")]
    {
        let lambda = lambda();
        let test = Test::new().config(config).env("FOREWORD_DISABLED", disabled).env("SET", "1");
        let run = test.waits(&lambda);
        assert_eq!(events(&lambda), json!([]), "{config}");
        run.signal(Signal::SIGTERM);
        run.ends("", "");
    }
}

/// An extension has no `AWS_EXECUTION_ENV` and no program; what it cannot know counts as true.
#[test]
fn conditions_that_the_extension_cannot_decide_let_it_register() {
    let known = json!({"architecture": ["x86_64", "arm64"]});
    for (when, expected) in [
        (json!({}), true),
        (json!({"runtime": "python"}), true),
        (json!({"not": {"runtime": "python"}}), true),
        (json!({"runtime": "python", "not": known}), false),
        (known, true),
        (json!({"env": {"_HANDLER": true}}), true),
        (json!({"env": {"_HANDLER": false}}), true),
        (json!({"env": {"SET": true}}), true),
        (json!({"env": {"SET": "1"}}), true),
        (json!({"env": {"SET": "${_HANDLER}"}}), true),
        (json!({"env": {"SET": "2"}}), false),
        (json!({"initialization": "snap-start"}), true),
        (json!({"file": "here"}), true),
        (json!({"file": "elsewhere"}), false),
        (json!({"any": [{"file": "elsewhere"}, {"env": {"SET": "2"}}]}), false),
        (json!({"any": [{"file": "elsewhere"}, {"runtime": "java"}]}), true),
        (json!({"not": {"any": [{"file": "here"}, {"runtime": "java"}]}}), false),
    ] {
        let lambda = lambda();
        let config = json!({"rules": [{"when": when, "hooks": {"pre_stop": [echo("a")]}}]});
        let test = Test::new().config(&config.to_string()).env("SET", "1").file("here", "");
        let _run = test.waits(&lambda);
        assert_eq!(
            events(&lambda),
            if expected { json!(["SHUTDOWN"]) } else { json!([]) },
            "{when}"
        );
    }
}

#[test]
fn address_that_is_invalid_fails_the_start_of_the_extension() {
    let unable = |cause: &str| format!("foreword: unable to start the extension: {cause}\n");
    let test = || Test::new().pre_stop(json!([echo("a")])).named("extensions/foreword").status(125);
    test().stderr(unable("AWS_LAMBDA_RUNTIME_API is not set")).run();
    test()
        .runtime_api("nowhere")
        .stderr(unable("unable to find \"nowhere\": invalid socket address"))
        .run();
}
