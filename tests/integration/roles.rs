//! What foreword takes itself for, by its name and its first argument, and how it is switched off
//! in each role.

use crate::support::{Reaction, RuntimeApi, Test};

/// Prints its path, its arguments and what the configuration made of `MODE`.
const RUNTIME: &str = "#!/bin/sh\nIFS='|'; echo \"$0|$*|$MODE\"\n";

const CONFIG: &str = r#"{"env": {"MODE": "edited"}}"#;

/// A runtime in PATH, in the task root as `_HANDLER`, and a configuration.
fn test() -> Test {
    let test =
        Test::new().script("bin/python3", RUNTIME).script("task/handler", RUNTIME).config(CONFIG);
    test.env("PATH", "<folder>/bin:/usr/bin:/bin")
        .env("LAMBDA_TASK_ROOT", "<folder>/task")
        .env("_HANDLER", "handler")
}

/// The roles that execute something: the name of foreword, its arguments, and what the runtime
/// receives.
const EXECUTING: [(&str, &[&str], &str); 7] = [
    ("foreword", &["<folder>/bin/python3", "-m", "app"], "<folder>/bin/python3|-m|app"),
    ("foreword", &["bin/python3"], "bin/python3|"),
    ("foreword", &["--", "python3", "-m", "app"], "<folder>/bin/python3|-m|app"),
    ("foreword", &["--", "<folder>/bin/python3", "--", ""], "<folder>/bin/python3|--|"),
    ("foreword", &["--", "python3", "-m", "app", "--help"], "<folder>/bin/python3|-m|app|--help"),
    ("bootstrap", &[], "<folder>/task/handler|"),
    ("opt/bootstrap", &["--help"], "<folder>/task/handler|"),
];

#[test]
fn each_role_executes_its_program_as_configured() {
    for (name, arguments, expected) in EXECUTING {
        test().named(name).args(arguments).stdout(format!("{expected}|edited\n")).run();
    }
}

#[test]
fn disabled_role_executes_its_program_despite_a_broken_configuration() {
    for value in ["1", "true", "TRUE", "yes"] {
        for (name, arguments, expected) in EXECUTING {
            let broken =
                test().named(name).args(arguments).file("task/foreword.json", "{").config("{");
            broken
                .env("FOREWORD_DISABLED", value)
                .env("MODE", "own")
                .stdout(format!("{expected}|own\n"))
                .run();
        }
    }
}

#[test]
fn disabled_with_0_or_false_is_off() {
    let broken = "foreword: FOREWORD_CONFIG:1:1: this is not JSON: EOF while parsing an object; \
                  it ends before all brackets and quotes are closed\n";
    for value in ["0", "false", "False", ""] {
        for (name, arguments, expected) in EXECUTING {
            let test = || test().named(name).args(arguments).env("FOREWORD_DISABLED", value);
            test().stdout(format!("{expected}|edited\n")).run();
            test().config("{").stderr(broken).status(125).run();
        }
    }
}

#[test]
fn disabled_without_a_program_makes_none_up() {
    let disabled = || test().env("FOREWORD_DISABLED", "1");
    let usage =
        "foreword: there is no program to start; usage: foreword -- PROGRAM [ARGUMENT]...\n";
    disabled().args(["--"]).stderr(usage).status(125).run();
    disabled()
        .args(["./missing"])
        .stderr("foreword: unable to execute \"./missing\": no such file\n")
        .status(127)
        .run();
}

#[test]
fn program_that_looks_like_an_option_needs_two_dashes() {
    let test = || test().script("bin/--version", RUNTIME);
    test().args(["--", "--version"]).stdout("<folder>/bin/--version||edited\n").run();
    test().args(["--version"]).stdout(concat!("foreword ", env!("CARGO_PKG_VERSION"), "\n")).run();
}

#[test]
fn two_dashes_without_a_program_print_the_usage() {
    let api = RuntimeApi::new(Reaction::Accept);
    let usage = "there is no program to start; usage: foreword -- PROGRAM [ARGUMENT]...";
    test().runtime_api(&api).args(["--"]).stderr(format!("foreword: {usage}\n")).status(125).run();
    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    assert_eq!(
        request.header("lambda-runtime-function-error-type"),
        Some("Runtime.InvalidEntrypoint")
    );
    assert!(request.body.contains(usage), "{}", request.body);
}

#[test]
fn bootstrap_without_a_handler_fails() {
    let unset = "foreword: unable to find the function's executable: _HANDLER, which names it, is \
                 not set\n";
    test().named("bootstrap").env_remove("_HANDLER").stderr(unset).status(127).run();
    test().named("bootstrap").env("_HANDLER", "").stderr(unset).status(127).run();
    let missing = "foreword: unable to execute \"<folder>/task/missing\": no such file; let \
                   Handler name the function's executable\n";
    let api = RuntimeApi::new(Reaction::Accept);
    let test = test().named("bootstrap").env("_HANDLER", "missing").runtime_api(&api);
    test.stderr(missing).status(127).run();
    assert_eq!(api.requests().len(), 1);
}

/// It would start itself for ever.
#[test]
fn bootstrap_does_not_take_itself_for_the_handler() {
    let cause = "foreword: \"<folder>/task/bootstrap\" (_HANDLER) is foreword itself; let Handler \
                 name the function's executable\n";
    test().named("task/bootstrap").env("_HANDLER", "bootstrap").stderr(cause).status(126).run();
}

#[test]
fn bootstrap_under_another_name_is_no_bootstrap() {
    for name in ["bootstrap.sh", "bootstrap/foreword"] {
        let help = test().args(["--help"]).capture().stdout;
        test().named(name).stderr(help).status(2).run();
    }
}

#[test]
fn help_is_printed_on_request_and_without_arguments() {
    let help = Test::new().args(["--help"]).capture();
    assert_eq!((&*help.stderr, help.status), (&b""[..], 0));
    let text = String::from_utf8(help.stdout).expect("text");
    for word in [
        "Usage: foreword -- PROGRAM [ARGUMENT]...",
        "/opt/foreword.d/*.json",
        "FOREWORD_DROPIN_DIR",
        "$LAMBDA_TASK_ROOT/foreword.json",
        "FOREWORD_CONFIG",
        "FOREWORD_LOG",
        "FOREWORD_DISABLED",
        "AWS_LAMBDA_EXEC_WRAPPER=/opt/bin/foreword",
    ] {
        assert!(text.contains(word), "no {word} in\n{text}");
    }
    Test::new().args(["-h"]).stdout(&text).run();
    Test::new().args(["help"]).stdout(&text).run();
    Test::new().stderr(&text).status(2).run();
}

#[test]
fn command_of_the_tool_wins_over_a_program_in_path() {
    for word in ["check", "help", "plan", "schema", "simulate"] {
        let captured =
            test().script(&format!("bin/{word}"), RUNTIME).args([word, "--help"]).capture();
        assert!(
            !String::from_utf8_lossy(&captured.stdout).contains("|edited"),
            "{word} is a program"
        );
        test()
            .script(&format!("bin/{word}"), RUNTIME)
            .args(["--", word, "x"])
            .stdout(format!("<folder>/bin/{word}|x|edited\n"))
            .run();
    }
}

const ELSEWHERE: &str =
    "in the tool, which \"cargo install --path .\" installs from foreword's source";

#[cfg(not(feature = "tool"))]
#[test]
fn layer_s_binary_as_the_tool_says_where_that_is() {
    for word in ["check", "plan", "schema", "simulate"] {
        let message = format!(
            "foreword: the layer's foreword has no command \"{word}\"; it is {ELSEWHERE}\n"
        );
        test()
            .script(&format!("bin/{word}"), RUNTIME)
            .args([word, "x"])
            .stderr(message)
            .status(2)
            .run();
    }
}

/// What wrong use prints: the usage is the one that help shows.
fn wrong_use(message: &str) -> String {
    let help = String::from_utf8(Test::new().args(["--help"]).capture().stdout).expect("text");
    let usage =
        help.split_once("Usage: ").expect("the usage").1.split_once("\n\n").expect("its end").0;
    format!("error: {message}\n\nUsage: {usage}\n\nFor more information, try '--help'.\n")
}

/// Nobody reads usage there; what is missing is reported.
#[test]
fn bare_word_in_a_function_is_a_program() {
    let api = RuntimeApi::new(Reaction::Accept);
    let cause = "foreword: unable to find \"frobnicate\" in PATH (<folder>/bin:/usr/bin:/bin)\n";
    test().runtime_api(&api).args(["frobnicate", "x"]).stderr(cause).status(127).run();
    assert_eq!(api.requests().len(), 1);
}

#[test]
fn version_option_prints_the_version() {
    for option in ["--version", "-V"] {
        Test::new()
            .args([option])
            .stdout(concat!("foreword ", env!("CARGO_PKG_VERSION"), "\n"))
            .run();
    }
}

#[test]
fn usage_error_of_the_tool_exits_2() {
    test()
        .args(["--frobnicate", "x"])
        .stderr(wrong_use("unexpected argument '--frobnicate' found"))
        .status(2)
        .run();
}

/// Expects that a bare word is refused as a command, although `PATH` has a program of this name.
#[track_caller]
fn is_no_command(word: &str, meant: &str) {
    let elsewhere =
        if cfg!(feature = "tool") { String::new() } else { format!("; they are {ELSEWHERE}") };
    let message = format!(
        "there is no command \"{word}\"; {meant} (a program of this name: foreword -- \
         {word}){elsewhere}"
    );
    let test = || test().script(&format!("bin/{word}"), RUNTIME);
    test().args([word, "x"]).stderr(wrong_use(&message)).status(2).run();
    test().args(["--", word, "x"]).stdout(format!("<folder>/bin/{word}|x|edited\n")).run();
    let api = RuntimeApi::new(Reaction::Accept);
    test()
        .runtime_api(&api)
        .args([word, "x"])
        .stdout(format!("<folder>/bin/{word}|x|edited\n"))
        .run();
}

#[test]
fn word_that_is_no_command_starts_no_program() {
    for word in ["init", "python3", "frobnicate", "app.py"] {
        is_no_command(word, "the commands are check, help, plan, schema, simulate");
    }
}

#[test]
fn misspelled_command_gets_a_suggestion() {
    for (word, meant) in [
        ("chek", "check"),
        ("paln", "plan"),
        ("simulte", "simulate"),
        ("shema", "schema"),
        ("Check", "check"),
    ] {
        is_no_command(word, &format!("did you mean \"{meant}\"?"));
    }
}

/// A person looks at the tool, not at a function: neither a broken configuration nor the switch
/// matters.
#[test]
fn tool_without_a_configuration_works() {
    let version = concat!("foreword ", env!("CARGO_PKG_VERSION"), "\n");
    Test::new().config("{").args(["--version"]).stdout(version).run();
    Test::new().env("FOREWORD_DISABLED", "1").args(["--version"]).stdout(version).run();
}
