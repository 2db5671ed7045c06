//! Wrappers that get in each other's way, or in foreword's: nothing runs for ever, and what is
//! wrong is said.

use crate::support::{Reaction, RuntimeApi, Test, foreword};
use serde_json::json;

/// Says who it is and goes on.
const WRAPPER: &str = "#!/bin/sh\necho \"${0##*/}\" >>log\nexec \"$@\"\n";

const RUNTIME: &str = "#!/bin/sh\necho \"runtime $* $AWS_LAMBDA_RUNTIME_API\" >>log\n";

fn test(wrappers: &[&str]) -> Test {
    let config = json!({"wrappers": wrappers, "options": {"append": ["-X"]}}).to_string();
    let test =
        Test::new().script("one", WRAPPER).script("two", WRAPPER).script("bin/python3.12", RUNTIME);
    let test =
        test.config(&config).env("AWS_LAMBDA_EXEC_WRAPPER", foreword()).env("TMPDIR", "<folder>");
    test.args(["bin/python3.12", "app.py"])
}

/// Who ran, in order.
#[track_caller]
fn ran(test: Test, expected: &[&str]) {
    let log = test.run().read("log");
    assert_eq!(log.lines().map(str::trim_end).collect::<Vec<_>>(), expected);
}

#[test]
fn foreword_as_a_wrapper_is_refused() {
    let cause = |path: &str| {
        format!("foreword: the wrapper {path:?} is foreword itself; take it out of \"wrappers\"\n")
    };
    let named = |path: &str| test(&[]).config(&format!(r#"{{"wrappers": ["./one", {path:?}]}}"#));
    named(foreword()).stderr(cause(foreword())).status(125).run();
    named("${AWS_LAMBDA_EXEC_WRAPPER}").stderr(cause(foreword())).status(125).run();
    named("./link").named("link").stderr(cause("./link")).status(125).run();
}

/// Not only as a wrapper: also as what a rule puts in front of the runtime or in its place.
#[test]
fn foreword_as_the_program_is_refused() {
    let own = format!("{:?}", foreword());
    let refuses = |config: String, program: &str, key: &str| {
        let cause = format!("foreword: {program} is foreword itself; take it out of {key:?}\n");
        // A directory of the name is not what PATH is searched for.
        let test = test(&[])
            .named("link")
            .file("folder/link/x", "")
            .env("PATH", "<folder>/directory:<folder>:/usr/bin:/bin");
        test.config(&config).stderr(cause).status(125).run();
    };
    refuses(format!(r#"{{"prefix": [{own}]}}"#), &own, "prefix");
    refuses(format!(r#"{{"prefix": [{own}, "--"], "wrappers": ["./one"]}}"#), &own, "prefix");
    refuses(format!(r#"{{"prefix": ["env", "A=1", {own}]}}"#), &own, "prefix");
    refuses(format!(r#"{{"program": {own}}}"#), &own, "program");
    refuses(format!(r#"{{"prefix": ["env"], "program": {own}}}"#), &own, "program");
    refuses(r#"{"prefix": ["link"]}"#.into(), "\"link\"", "prefix");
    refuses(r#"{"program": "link"}"#.into(), "\"link\"", "program");
    // Others may stand there.
    let others = r#"{"prefix": ["env", "--"], "rules": [{"program": "bin/python3.12"}]}"#;
    ran(test(&[]).config(others), &["runtime app.py"]);
}

/// With an option, with nothing or an end of options, and by a stand-in that was made, of which
/// nothing is left.
#[test]
fn wrapper_that_resolves_the_stand_in_is_named() {
    let api = RuntimeApi::new(Reaction::Accept);
    for words in ["-X importtime \"${@:2}\"", "", "--"] {
        let wrapper = format!(
            "#!/bin/bash\nexport AWS_LAMBDA_RUNTIME_API=127.0.0.1:1\nexec \"$(readlink -f \
             \"$1\")\" {words}\n"
        );
        let cause = format!(
            "foreword: the wrapper \"./w\" executed {:?} in the place of the path that it was \
             given; let it execute that as it is, not what it leads to (readlink -f)\n",
            std::fs::canonicalize(foreword()).expect("foreword")
        );
        let test = test(&["./one", "./w"])
            .script("w", wrapper)
            .file("tmp/x", "")
            .env("TMPDIR", "<folder>/tmp");
        let finished = test.runtime_api(&api).stderr(cause).status(126).run();
        assert_eq!(
            std::fs::read_dir(finished.directory.path("tmp")).expect("a directory").count(),
            1
        );
    }
    let types: Vec<_> = api
        .requests()
        .iter()
        .map(|request| request.header("lambda-runtime-function-error-type").map(str::to_owned))
        .collect();
    assert_eq!(types, vec![Some("Runtime.ForewordWrapperFailed".to_owned()); 3]);
}

/// Its stand-in has foreword's own name.
#[test]
fn program_named_foreword_is_executed() {
    for words in
        ["\"$@\"", "\"$1\" -v \"${@:2}\"", "-a \"$0\" \"$@\"", "-a foreword \"$1\" -v \"${@:2}\""]
    {
        let wrapper = format!("#!/bin/bash\nexec {words}\n");
        let test = test(&["./w", "./one"]).script("w", &wrapper).script("bin/foreword", RUNTIME);
        let runtime =
            if wrapper.contains("-v") { "runtime -X -v app.py" } else { "runtime -X app.py" };
        ran(test.args(["bin/foreword", "app.py"]), &["one", runtime]);
    }
}

#[test]
fn wrapper_whose_path_is_empty_is_refused() {
    let cause = "foreword: FOREWORD_CONFIG:1:42: the path of the wrapper, \"${WRAPPER}\", is \
                 empty here; set the variable, or give the wrapper a \"when\"\n";
    test(&["${WRAPPER}"]).stderr(cause).status(125).run();
    let config = r#"{"wrappers": [{"path": "${WRAPPER}", "when": {"env": {"WRAPPER": true}}}]}"#;
    ran(test(&[]).config(config), &["runtime app.py"]);
    ran(test(&[]).config(config).env("WRAPPER", "./one"), &["one", "runtime app.py"]);
}

#[test]
fn wrapper_that_goes_on_under_its_own_name_is_accepted() {
    let own = "#!/bin/bash\necho own >>log\nexec -a \"$0\" \"$@\"\n";
    ran(test(&["./w", "./one"]).script("w", own), &["own", "one", "runtime -X app.py"]);
}

/// As a hook that stands twice is run twice.
#[test]
fn wrapper_that_stands_twice_runs_twice() {
    ran(
        test(&["./one", "./one", "./two", "./one"]),
        &["one", "one", "two", "one", "runtime -X app.py"],
    );
}

#[test]
fn wrapper_that_executes_the_variable_s_path_runs_itself_again() {
    let wrapper = "#!/bin/bash\necho by-variable >>log\n[[ $AWS_LAMBDA_EXEC_WRAPPER == \"$0\" ]] \
                   || exec \"$AWS_LAMBDA_EXEC_WRAPPER\" \"$@\"\nexec \"$@\"\n";
    let test = |wrappers| test(wrappers).script("w", wrapper);
    ran(test(&["./w", "./w"]), &["by-variable", "by-variable", "runtime -X app.py"]);
    ran(test(&["./one", "./w", "./two"]), &["one", "by-variable", "two", "runtime -X app.py"]);
}

#[test]
fn wrapper_that_sets_the_variable_names_the_next_one() {
    let naming = |path: &str| {
        format!("#!/bin/sh\necho naming >>log\nAWS_LAMBDA_EXEC_WRAPPER={path} exec \"$@\"\n")
    };
    let test = |wrappers, path| test(wrappers).script("w", naming(path)).script("three", WRAPPER);
    ran(test(&["./w", "./one"], "./three"), &["naming", "three", "one", "runtime -X app.py"]);
    ran(test(&["./w", "./one", "./two"], "./two"), &["naming", "two", "one", "runtime -X app.py"]);
    ran(
        test(&["./w", "./w"], "./three"),
        &["naming", "three", "naming", "three", "runtime -X app.py"],
    );
    // The chain goes on anyway.
    for path in [foreword(), "", "./w", "\"$0\""] {
        ran(test(&["./w", "./one"], path), &["naming", "one", "runtime -X app.py"]);
    }
    let missing = "foreword: wrapper \"missing\": unable to execute \"./missing\": no such file\n";
    test(&["./w", "./one"], "./missing").stderr(missing).status(127).run();
}

#[test]
fn wrappers_that_name_each_other_are_stopped() {
    let naming =
        |path: &str| format!("#!/bin/sh\nexport AWS_LAMBDA_EXEC_WRAPPER={path}\nexec \"$@\"\n");
    let cause = "foreword: wrapper \"./b\" names \"./a\" in AWS_LAMBDA_EXEC_WRAPPER, which ran \
                 before it: they would take turns for ever\n";
    let test = test(&["./a"]).script("a", naming("./b")).script("b", naming("./a"));
    test.stderr(cause).status(126).run();
}

/// What Lambda's variable named before the chain, or what the wrapper has been told is the wrapper
/// to use.
#[test]
fn wrapper_that_executes_foreword_once_more_goes_on_in_the_chain() {
    let hook = json!({"name": "h", "command": "echo hook >>log"});
    for command in
        ["\"$FOREWORD\" \"$@\"", "\"$FOREWORD\" -- \"$@\"", "\"$FOREWORD\" \"$1\" -v \"${@:2}\""]
    {
        let wrapper = format!("#!/bin/bash\necho nesting >>log\nexec {command}\n");
        let config = json!({"wrappers": ["./one", "./w", "./two"], "options": {"append": ["-X"]},
            "hooks": {"initialize": [hook]}});
        let test =
            test(&[]).config(&config.to_string()).script("w", &wrapper).named("opt/foreword");
        let runtime =
            if command.contains("-v") { "runtime -v -X app.py" } else { "runtime -X app.py" };
        let test = test.env("FOREWORD", "<folder>/opt/foreword").env("FOREWORD_LOG", "warn");
        ran(test, &["hook", "one", "nesting", "two", runtime]);
    }
}

/// What tells a stand-in is that it leads to foreword, not what its directory is called.
#[test]
fn program_in_a_directory_named_like_a_stand_in_is_executed() {
    let test = test(&["./one"])
        .script("stand-in/python3.12", RUNTIME)
        .args(["stand-in/python3.12", "app.py"]);
    ran(test, &["one", "runtime -X app.py"]);
}

/// It is still the chain: another program, and what follows in it.
#[test]
fn wrapper_that_starts_another_program_through_foreword_works() {
    let wrapper = "#!/bin/bash\nexec \"$FOREWORD\" bin/python3.13 \"${@:2}\" 13\n";
    let test = test(&["./w", "./two"])
        .script("w", wrapper)
        .named("opt/foreword")
        .script("bin/python3.13", RUNTIME);
    ran(test.env("FOREWORD", "<folder>/opt/foreword"), &["two", "runtime -X app.py 13"]);
}

#[test]
fn wrapper_that_uses_the_tool_works() {
    let wrapper = "#!/bin/sh\n\"$FOREWORD\" --version >>log\nexec \"$@\"\n";
    let test = test(&["./w"])
        .script("w", wrapper)
        .named("opt/foreword")
        .env("FOREWORD", "<folder>/opt/foreword");
    ran(test, &[concat!("foreword ", env!("CARGO_PKG_VERSION")), "runtime -X app.py"]);
}

/// The runtime speaks to the address that the chain leaves there; failures go to the one that
/// Lambda gave.
#[test]
fn wrapper_that_sets_the_api_address_changes_the_runtime_s_only() {
    let setting = "#!/bin/sh\nexport AWS_LAMBDA_RUNTIME_API=127.0.0.1:1\nexec \"$@\"\n";
    let api = RuntimeApi::new(Reaction::Accept);
    let given = test(&["./w", "./one"]).script("w", setting).runtime_api(&api);
    ran(given, &["one", "runtime -X app.py 127.0.0.1:1"]);
    assert_eq!(api.requests().len(), 0);
    let missing = test(&["./w", "./one", "./missing"]).script("w", setting).runtime_api(&api);
    let cause = "foreword: wrapper \"missing\": unable to execute \"./missing\": no such file\n";
    missing.stderr(cause).status(127).run();
    assert_eq!(api.requests().len(), 1);
}

#[test]
fn stage_that_foreword_did_not_write_is_refused() {
    let cause = "foreword: FOREWORD_STAGE is not as foreword left it; it is foreword's own \
                 variable, let nothing set it\n";
    for value in ["1", "", "%"] {
        test(&["./one"])
            .env("FOREWORD_STAGE", value)
            .named("foreword")
            .stderr(cause)
            .status(125)
            .run();
    }
    // More than there was, less, and something else of the same length.
    for spoiled in [
        "$FOREWORD_STAGE,",
        "${FOREWORD_STAGE%?}",
        "${FOREWORD_STAGE#?}",
        "${FOREWORD_STAGE/python3.12/python3.13}",
    ] {
        let spoiling = format!("#!/bin/bash\nexport FOREWORD_STAGE=\"{spoiled}\"\nexec \"$@\"\n");
        test(&["./w"]).script("w", spoiling).stderr(cause).status(125).run();
    }
    let disabled =
        test(&["./one"]).env("FOREWORD_STAGE", "1").env("FOREWORD_DISABLED", "1").named("foreword");
    assert_eq!(disabled.run().read("log"), "runtime app.py \n");
}

/// Whatever the program is called: as `bootstrap`, or as foreword's own program, foreword would
/// begin the chain anew.
#[test]
fn wrapper_that_drops_the_environment_is_named() {
    const ENDS_A_LOOP: &str = "echo w >>log; [ \"$(wc -l <log)\" -lt 5 ] || exit 99";
    let dropping =
        |command: &str| format!("#!/bin/sh\necho \"$1\" >stand-in\n{ENDS_A_LOOP}\n{command}\n");
    let handler = |name: &str| {
        test(&[]).named("opt/bootstrap").args([""; 0]).env("_HANDLER", name).script(name, RUNTIME)
    };
    let foreword = || test(&[]).named("opt/foreword").env("FOREWORD", "<folder>/opt/foreword");
    for (test, command) in [
        (test(&[]), "exec env -i PATH=\"$PATH\" \"$@\""),
        (handler("bin/bootstrap"), "unset FOREWORD_STAGE; exec \"$@\""),
        (handler("bin/handler"), "unset FOREWORD_STAGE; exec \"$@\""),
        (foreword(), "unset FOREWORD_STAGE; exec \"$FOREWORD\" \"$@\""),
        (foreword(), "unset FOREWORD_STAGE; exec \"$FOREWORD\" -- \"$@\""),
    ] {
        let test = test.config(r#"{"wrappers": ["./w"]}"#).script("w", dropping(command));
        let captured = test.capture();
        let read =
            |name: &str| std::fs::read_to_string(test.path(name)).expect("what the wrapper wrote");
        let cause = format!(
            "foreword: foreword was started as {:?} without FOREWORD_STAGE: let wrappers hand on \
             their environment\n",
            read("stand-in").trim_end()
        );
        let log = String::from_utf8(captured.stderr).expect("UTF-8");
        assert_eq!((log, captured.status, &*read("log")), (cause, 126, "w\n"), "{command}");
    }
}
