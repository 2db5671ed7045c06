//! What edits make of the command lines that Lambda hands over, as listed in AWS's images and in
//! ours.

use crate::support::Test;

/// Prints the name that it was started by and its arguments.
const RUNTIME: &str = "#!/bin/sh\nIFS='|'; echo \"${0##*/}|$*\"\n";

const PYTHON: &str = "<folder>/python3.12|/var/runtime/bootstrap.py";
const PYTHON_IMAGE: &str = "<folder>/python3|-m|awslambdaric|app.handler";
const NODE: &str = "<folder>/node|--expose-gc|--max-http-header-size|81920|--max-semi-space-size=6|\
                    --max-old-space-size=116|/var/runtime/index.mjs";
const NODE_IMAGE: &str =
    "<folder>/node|/var/task/node_modules/aws-lambda-ric/bin/index.mjs|index.handler";
const JAVA11: &str = "<folder>/java|-XX:MaxHeapSize=222823k|-XX:-TieredCompilation|-javaagent:/\
                      var/runtime/x.jar|-classpath|a.jar:b.jar|lambdainternal.AWSLambda";
const JAVA21: &str = "<folder>/java|-XX:MaxHeapSize=445645k|-XX:+TieredCompilation|-XX:\
                      TieredStopAtLevel=1|--add-opens=java.base/java.io=ALL-UNNAMED|-classpath|a.\
                      jar:b.jar|com.amazonaws.services.lambda.runtime.api.client.AWSLambda|pkg.\
                      Class::method";
const JAVA_IMAGE: &str =
    "<folder>/java|-cp|./*|com.amazonaws.services.lambda.runtime.api.client.AWSLambda|pkg.H";
const RUBY: &str = "<folder>/ruby|/var/runtime/index.rb";
const DOTNET: &str = "<folder>/dotnet|exec|--depsfile|/var/task/A.deps.json|--runtimeconfig|/var/\
                      task/A.runtimeconfig.json|/var/runtime/Amazon.Lambda.RuntimeSupport.\
                      dll|A::T::M";
const NATIVE: &str = "<folder>/Native";

fn test(command: &str, config: &str) -> Test {
    let words: Vec<_> = command.split('|').collect();
    let name = words[0].rsplit('/').next().expect("a name");
    Test::new().script(name, RUNTIME).config(config).env("_HANDLER", "app.handler").args(words)
}

/// Every row is a command line, a configuration, and what the runtime receives.
#[track_caller]
fn edits(rows: &[(&str, &str, &str)]) {
    for (command, config, expected) in rows {
        test(command, config).stdout(format!("{expected}\n")).run();
    }
}

#[test]
fn command_line_without_edits_is_unchanged() {
    for command in [
        PYTHON,
        PYTHON_IMAGE,
        NODE,
        NODE_IMAGE,
        JAVA11,
        JAVA21,
        JAVA_IMAGE,
        RUBY,
        DOTNET,
        &format!("{NATIVE}|"),
    ] {
        let expected = command.trim_start_matches("<folder>/");
        edits(&[(command.trim_end_matches('|'), "{}", expected)]);
    }
}

#[test]
fn options_that_are_added_stand_between_program_and_entry() {
    let config = r#"{"options": {"prepend": ["<", "<<"], "append": [">", ">>"]}}"#;
    edits(&[
        (PYTHON, config, "python3.12|<|<<|>|>>|/var/runtime/bootstrap.py"),
        (PYTHON_IMAGE, config, "python3|<|<<|>|>>|-m|awslambdaric|app.handler"),
        (
            NODE,
            config,
            "node|<|<<|--expose-gc|--max-http-header-size|81920|--max-semi-space-size=6|\
             --max-old-space-size=116|>|>>|\
             /var/runtime/index.mjs",
        ),
        (
            NODE_IMAGE,
            config,
            "node|<|<<|>|>>|/var/task/node_modules/aws-lambda-ric/bin/index.mjs|index.handler",
        ),
        (
            JAVA11,
            config,
            "java|<|<<|-XX:MaxHeapSize=222823k|-XX:-TieredCompilation|\
             -javaagent:/var/runtime/x.jar|\
             -classpath|a.jar:b.jar|>|>>|lambdainternal.AWSLambda",
        ),
        (
            JAVA_IMAGE,
            config,
            "java|<|<<|-cp|./*|>|>>|com.amazonaws.services.lambda.runtime.api.client.AWSLambda|\
             pkg.H",
        ),
        (RUBY, config, "ruby|<|<<|>|>>|/var/runtime/index.rb"),
        (
            DOTNET,
            config,
            "dotnet|exec|<|<<|--depsfile|/var/task/A.deps.json|\
             --runtimeconfig|/var/task/A.runtimeconfig.json|>|>>|\
             /var/runtime/Amazon.Lambda.RuntimeSupport.dll|A::T::M",
        ),
        (NATIVE, config, "Native|<|<<|>|>>"),
        ("<folder>/Native|-x|1", config, "Native|<|<<|>|>>|-x|1"),
    ]);
}

#[test]
fn options_are_removed_with_their_values() {
    edits(&[
        (
            NODE,
            r#"{"options": {"remove": ["--max-http-header-size", "--expose-?c"]}}"#,
            "node|--max-semi-space-size=6|--max-old-space-size=116|/var/runtime/index.mjs",
        ),
        (
            NODE,
            r#"{"options": {"remove": ["--max-http-header-size 8*", "--max-*-space-size=[!6]*"]}}"#,
            "node|--expose-gc|--max-semi-space-size=6|/var/runtime/index.mjs",
        ),
        // A value is no option, and neither is what stands behind the entry.
        (
            NODE,
            r#"{"options": {"remove": ["81920", "--max-http-header-size 9*", "/var/runtime/*"]}}"#,
            "node|--expose-gc|--max-http-header-size|81920|--max-semi-space-size=6|\
             --max-old-space-size=116|\
             /var/runtime/index.mjs",
        ),
        (
            JAVA21,
            r#"{"options": {"remove": ["-XX:*", "-classpath"]}}"#,
            "java|--add-opens=java.base/java.io=ALL-UNNAMED|\
             com.amazonaws.services.lambda.runtime.api.client.AWSLambda|pkg.Class::method",
        ),
        (
            DOTNET,
            r#"{"options": {"remove": ["--depsfile *"]}}"#,
            "dotnet|exec|--runtimeconfig|/var/task/A.runtimeconfig.json|\
             /var/runtime/Amazon.Lambda.RuntimeSupport.dll|A::T::M",
        ),
        ("<folder>/ruby|-W0|a.rb|-W0", r#"{"options": {"remove": ["-W*"]}}"#, "ruby|a.rb|-W0"),
        // An unknown program has no options that could be removed.
        ("<folder>/Native|-x", r#"{"options": {"remove": ["*"]}}"#, "Native|-x"),
    ]);
}

#[test]
fn options_are_replaced_and_their_values_edited() {
    edits(&[
        (
            NODE,
            r#"{"options": {"replace": {"81920": "16384", "--expose-gc": "--no-expose-gc", "--max-semi": "x"}}}"#,
            "node|--no-expose-gc|--max-http-header-size|16384|--max-semi-space-size=6|\
             --max-old-space-size=116|\
             /var/runtime/index.mjs",
        ),
        (
            NODE,
            r#"{"options": {"values": {
                "--max-http-header-size": "1",
                "--max-old-space-size": {"append": "0", "separator": ""},
                "--max-semi-space-size": {"prepend": "1", "separator": ""},
                "--absent": "x"
            }}}"#,
            "node|--expose-gc|--max-http-header-size|1|--max-semi-space-size=16|\
             --max-old-space-size=1160|\
             /var/runtime/index.mjs",
        ),
        (
            JAVA11,
            r#"{"options": {"values": {"-classpath": {"append": "/opt/lib/x.jar", "separator": ":"}}}}"#,
            "java|-XX:MaxHeapSize=222823k|-XX:-TieredCompilation|-javaagent:/var/runtime/x.jar|\
             -classpath|a.jar:b.jar:/opt/lib/x.jar|lambdainternal.AWSLambda",
        ),
        (
            DOTNET,
            r#"{"options": {"values": {"--runtimeconfig": "/opt/r.json", "--depsfile": null}}}"#,
            "dotnet|exec|--runtimeconfig|/opt/r.json|\
             /var/runtime/Amazon.Lambda.RuntimeSupport.dll|A::T::M",
        ),
        // One pass: what was put in is not looked at again.
        (
            "<folder>/ruby|-I|a|-I|b|x.rb|a",
            r#"{"options": {"replace": {"a": "b", "b": "a"}}}"#,
            "ruby|-I|b|-I|a|x.rb|a",
        ),
    ]);
}

#[test]
fn edits_of_one_rule_apply_in_a_fixed_order() {
    let config = r#"{"options": {
        "append": ["-v", "-W0"], "prepend": ["-w", "-W0"], "values": {"-I": {"append": "+", "separator": ""}},
        "replace": {"-W0": "-W1", "x": "y"}, "remove": ["-W1", "-I y"]
    }}"#;
    edits(&[("<folder>/ruby|-W0|-I|x|-W1|a.rb", config, "ruby|-w|-W0|-W1|-I|y+|-v|-W0|a.rb")]);
}

#[test]
fn arguments_with_edits_are_changed() {
    edits(&[
        (
            JAVA_IMAGE,
            r#"{"env": {"_HANDLER": "w.H"}, "arguments": {"replace": {"pkg.H": "${_HANDLER}", "-cp": "no"}}}"#,
            "java|-cp|./*|com.amazonaws.services.lambda.runtime.api.client.AWSLambda|w.H",
        ),
        (
            PYTHON_IMAGE,
            r#"{"arguments": {"prepend": ["a"], "append": ["z"]}}"#,
            "python3|-m|awslambdaric|a|app.handler|z",
        ),
        (
            PYTHON_IMAGE,
            r#"{"arguments": {"remove": ["app.*", "awslambdaric"], "prepend": ["a"], "append": [""]}}"#,
            "python3|-m|awslambdaric|a|",
        ),
        (PYTHON, r#"{"arguments": {"append": ["x"]}}"#, "python3.12|/var/runtime/bootstrap.py|x"),
        (NATIVE, r#"{"arguments": {"append": ["x"]}}"#, "Native|x"),
        ("<folder>/Native|a|b|a", r#"{"arguments": {"remove": ["a"]}}"#, "Native|b"),
        // A key that works out as empty matches nothing, not even an empty argument.
        (
            "<folder>/Native||a",
            r#"{"arguments": {"replace": {"${UNSET}": "x", "": "x"}}}"#,
            "Native||a",
        ),
    ]);
}

#[test]
fn entry_that_is_replaced_keeps_its_form() {
    edits(&[
        (PYTHON, r#"{"entry": "/opt/main.py"}"#, "python3.12|/opt/main.py"),
        (PYTHON_IMAGE, r#"{"entry": "wrapped"}"#, "python3|-m|wrapped|app.handler"),
        ("<folder>/python3|-Im|awslambdaric|h", r#"{"entry": "wrapped"}"#, "python3|-Im|wrapped|h"),
        ("<folder>/python3|-mawslambdaric|h", r#"{"entry": "wrapped"}"#, "python3|-mwrapped|h"),
        (
            "<folder>/java|-Da=b|-jar|a.jar|h",
            r#"{"entry": "/opt/b.jar"}"#,
            "java|-Da=b|-jar|/opt/b.jar|h",
        ),
        (JAVA_IMAGE, r#"{"entry": "Main"}"#, "java|-cp|./*|Main|pkg.H"),
        (
            DOTNET,
            r#"{"entry": "/opt/O.dll"}"#,
            "dotnet|exec|--depsfile|/var/task/A.deps.json|--runtimeconfig|/var/task/A.\
             runtimeconfig.json|/opt/O.dll|A::T::M",
        ),
        (RUBY, r#"{"entry": "1", "rules": [{"entry": "${_HANDLER}"}]}"#, "ruby|app.handler"),
    ]);
}

#[test]
fn entry_that_is_missing_is_not_replaced() {
    let warning =
        "foreword: the command line has no entry that \"x\" could replace (\"entry\" of a rule)\n";
    test(NATIVE, r#"{"entry": "x"}"#).stdout("Native|\n").stderr(warning).run();
}

#[test]
fn program_and_prefix_are_looked_up_in_the_final_path() {
    let tools = |config: &str| {
        let test =
            test(PYTHON_IMAGE, config).script("bin/python3", "#!/bin/sh\necho \"path $*\"\n");
        let again = "#!/bin/sh\necho \"${0##*/} $*\"\nshift \"$1\"\nexec \"$@\"\n";
        test.script("bin/first", again)
            .script("bin/second", again)
            .env("PATH", "<folder>/bin:/usr/bin:/bin")
    };
    for (config, expected) in [
        (r#"{"program": "python3"}"#, "path -m awslambdaric app.handler\n"),
        (
            r#"{"program": "first", "rules": [{"program": "python3"}]}"#,
            "path -m awslambdaric app.handler\n",
        ),
        // The options stay those of the program that foreword received.
        (
            r#"{"program": "/bin/echo", "options": {"append": ["-X"]}}"#,
            "-X -m awslambdaric app.handler\n",
        ),
        (
            r#"{"prefix": ["first", "1"]}"#,
            "first 1 <folder>/python3 -m awslambdaric \
             app.handler\npython3|-m|awslambdaric|app.handler\n",
        ),
        (
            r#"{"prefix": ["first", "1"], "program": "python3", "rules": [{"prefix": ["second", "2", "x"]}]}"#,
            "second 2 x first 1 python3 -m awslambdaric app.handler\nfirst 1 python3 -m \
             awslambdaric app.handler\npath -m awslambdaric app.handler\n",
        ),
    ] {
        tools(config).stdout(expected).run();
    }
    // Both are looked up in the final PATH.
    tools(r#"{"env": {"PATH": "<folder>/bin:/usr/bin:/bin"}, "program": "python3"}"#)
        .env("PATH", "/usr/bin:/bin")
        .stdout("path -m awslambdaric app.handler\n")
        .run();
}

#[test]
fn templates_see_the_environment_of_their_place() {
    let config = r#"{
        "options": {"append": ["-1", "${A} ${B} ${EXPORTED:-none} ${UNSET}|$$|$x"], "remove": ["${A}"]},
        "env": {"B": "${A}-${EXPORTED:-none}", "A": "new"},
        "hooks": {"initialize": [{"name": "x", "command": "echo EXPORTED='${A}'; echo A=exported", "export": "dotenv"}]},
        "arguments": {"append": ["${EXPORTED}"]},
        "entry": "${A}",
        "program": "<folder>/${B:-x}"
    }"#;
    test("<folder>/ruby|a.rb", config)
        .script("old-none", RUNTIME)
        .env("A", "old")
        .env("FOREWORD_LOG", "warn")
        .stdout("old-none|-1|exported old-none ${A} |$|$x|exported|${A}\n")
        .run();
}

#[test]
fn edits_of_unset_empty_and_set_variables_apply() {
    for (edit, unset, empty, set) in [
        (r#""new""#, "new", "new", "new"),
        (r#""""#, "", "", ""),
        ("null", "-", "-", "-"),
        (r#"{"default": "new"}"#, "new", "new", "old"),
        (r#"{"default": ""}"#, "", "", "old"),
        (r#"{"prepend": "new", "separator": ":"}"#, "new", "new", "new:old"),
        (r#"{"append": "new", "separator": ":"}"#, "new", "new", "old:new"),
        (r#"{"append": "new", "separator": ""}"#, "new", "new", "oldnew"),
        (r#"{"append": "${UNSET}", "separator": ":"}"#, "-", "", "old"),
        (r#"{"prepend": "", "separator": ":"}"#, "-", "", "old"),
        (r#"{"append": "${OTHER}", "separator": "${OTHER}"}"#, "1", "1", "old11"),
        (r#""${V:-unset} ${OTHER:-x} ${V:-${OTHER}}""#, "unset 1 1", "unset 1 1", "old 1 old"),
        (
            r#""$$V $V ${OTHER}$ $${OTHER} ${INERT}""#,
            "$V $V 1$ ${OTHER} ${OTHER}",
            "$V $V 1$ ${OTHER} ${OTHER}",
            "$V $V 1$ ${OTHER} ${OTHER}",
        ),
    ] {
        for (state, expected) in [(None, unset), (Some(""), empty), (Some("old"), set)] {
            let config = format!(r#"{{"env": {{"V": {edit}}}}}"#);
            let test = test(NATIVE, &config).script("Native", "#!/bin/sh\necho \"${V--}\"\n");
            let test = test.env("OTHER", "1").env("INERT", "${OTHER}");
            state
                .into_iter()
                .fold(test, |test, value| test.env("V", value))
                .stdout(format!("{expected}\n"))
                .run();
        }
    }
}
