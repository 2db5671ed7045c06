//! What `check` and `plan` say of a rule that is legal and hardly meant.

use crate::support::Test;
use crate::tool_check::warns;
use serde_json::Value;

/// A configuration with one array command, whose words stand as they are given.
fn command(words: &str) -> String {
    format!(r#"{{"hooks": {{"initialize": [{{"name": "n", "command": [{words}]}}]}}}}"#)
}

/// What `plan` warns of.
#[track_caller]
fn planned(config: &str, arguments: &[&str]) -> Vec<String> {
    let test = Test::new().env_remove("LAMBDA_TASK_ROOT").file("foreword.json", config);
    let captured = test.args([&["plan", "--format", "json"], arguments].concat()).capture();
    assert_eq!(
        (captured.status, String::from_utf8_lossy(&captured.stderr)),
        (0, "".into()),
        "{config}"
    );
    let plan: Value = serde_json::from_slice(&captured.stdout).expect("JSON");
    let warnings = plan["warnings"].as_array().expect("an array").iter();
    warnings.map(|warning| warning.as_str().expect("a string").to_owned()).collect()
}

#[track_caller]
fn plan_warns(config: &str, arguments: &[&str], expected: &[&str]) {
    assert_eq!(planned(config, arguments), expected, "{config}");
}

#[test]
fn option_and_value_in_one_string_get_a_hint_to_split() {
    let two = |name: &str, value: &str| {
        format!("an option and its value are two strings: \"{name}\", \"{value}\"")
    };
    let append = |text: &str| format!(r#"{{"options": {{"append": [»"{text}"]}}}}"#);
    let (a, b, c, d) = (
        two("-X", "importtime"),
        two("--require", "/opt/x.js"),
        two("-cp", "a.jar"),
        two("-I", "lib"),
    );
    let (e, f) = (two("--import", "./a.mjs"), two("--additional-deps", "a b"));
    let options = "two options are two strings: \"-Xmx64m\", \"-Xms32m\"";
    let secret = "two options are two strings: \"-Da=…\", \"-Db=…\"";
    let joined = "an option and its value are two strings, or joined by \"=\": \"--stack-size=…\"";
    warns(&[
        (&append("-X importtime"), &[&a]),
        (&append("--require /opt/x.js"), &[&b]),
        (r#"{"options": {"prepend": ["-Da", »"-cp a.jar"]}}"#, &[&c]),
        (&append("-I lib"), &[&d]),
        (&append("--import ./a.mjs"), &[&e]),
        (&append("--additional-deps a b"), &[&f]),
        (&append("-Xmx64m -Xms32m"), &[options]),
        (&append("-Da=1 -Db=2"), &[secret]),
        (&append("--stack-size 900"), &[joined]),
        // They are one word each.
        (
            r#"{"options": {"append": ["-X", "importtime", "-Dgreeting=hello world", "--title=a b"]}}"#,
            &[],
        ),
        (
            r#"{"options": {"append": ["-XX:OnOutOfMemoryError=kill -KILL %p", "-javaagent:/opt/my agent.jar"]}}"#,
            &[],
        ),
        (r#"{"options": {"append": ["-c", "import x -y"], "remove": ["-X importtime"]}}"#, &[]),
    ]);
    let place = "./foreword.json:1:25: ".to_owned();
    plan_warns(
        r#"{"options": {"append": ["-X importtime"]}}"#,
        &["--runtime", "python3.12"],
        &[&(place + &a)],
    );
}

#[test]
fn command_with_arguments_in_one_string_gets_a_hint_to_split() {
    let split = |form: &str| {
        format!(
            "this names one program with a space in its name; write each word as a string: {form}"
        )
    };
    let (all, more, bare) = (
        split(r#""/opt/bin/fetch", "--all""#),
        split(r#""/opt/bin/fetch", "--all", …"#),
        split(r#""python3", "app.py""#),
    );
    let (secret, program, nice) =
        (split(r#""fetch", "…""#), split(r#""python3", "-O""#), split(r#""nice", "-n", …"#));
    let wrapper = split(r#""/opt/w", "--debug""#);
    let variable = "A=… is taken for a part of the program's name; put the variable into \"env\"";
    warns(&[
        (&command(r#"»"/opt/bin/fetch --all""#), &[&all]),
        (&command(r#"»"/opt/bin/fetch --all x", "y""#), &[&more]),
        (&command(r#"»"python3 app.py""#), &[&bare]),
        (&command(r#"»"fetch --token=x""#), &[&secret]),
        (&command(r#"»"A=1 fetch""#), &[variable]),
        (r#"{"program": »"python3 -O"}"#, &[&program]),
        (r#"{"prefix": [»"nice -n 5"]}"#, &[&nice]),
        (r#"{"wrappers": [»"/opt/w --debug"]}"#, &[&wrapper]),
        // A directory's name may hold a space, and a string is the shell's.
        (&command(r#""/opt/My Tools/fetch", "--all x""#), &[]),
        (r#"{"hooks": {"initialize": [{"name": "n", "command": "/opt/bin/fetch --all"}]}}"#, &[]),
    ]);
}

#[test]
fn shell_syntax_in_an_array_gets_a_hint_that_there_is_no_shell() {
    const STRING: &str = "there is no shell; write the command as a string";
    let argument = |word: &str| format!("\"{word}\" is an argument like any other: {STRING}");
    let (pipe, redirect, and) = (argument("|"), argument(">"), argument("&&"));
    let (semicolon, joined, end, error) =
        (argument(";"), argument(">/tmp/x"), argument("a;"), argument("2>&1"));
    let home = format!("\"~/x\" is no home directory: {STRING}");
    let files = format!("\"/tmp/*\" names no files: {STRING}");
    let builtin = |word: &str| format!("\"{word}\" is no program: {STRING}");
    let (cd, source, export) = (builtin("cd"), builtin("source"), builtin("export"));
    warns(&[
        (&command(r#""a", »"|", "b""#), &[&pipe]),
        (&command(r#""a", »">", "b""#), &[&redirect]),
        (&command(r#""a", »"&&", "b""#), &[&and]),
        (&command(r#""a", »";", "b""#), &[&semicolon]),
        (&command(r#""echo", »"a;", "b""#), &[&end]),
        (&command(r#""a", »">/tmp/x", »"2>&1""#), &[&joined, &error]),
        (&command(r#""cat", »"~/x""#), &[&home]),
        (&command(r#""rm", "-rf", "x", »"/tmp/*""#), &[&files]),
        (&command(r#"»"cd", "/tmp""#), &[&cd]),
        (&command(r#"»"source", "x""#), &[&source]),
        (&command(r#"»"export", "A=1""#), &[&export]),
        // These mean something to the program itself.
        (&command(r#""find", "/tmp", "-name", "*.py", "-path", "/tmp/*""#), &[]),
        (&command(r#""/bin/sh", "-c", "cd $TMPDIR && a | b > ~/c; rm /tmp/*""#), &[]),
        (&command(r#""grep", ".a | .b", "a~b", "a;b""#), &[]),
    ]);
}

#[test]
fn variables_and_paths_that_are_not_expanded_get_a_hint() {
    let bare = |name: &str| {
        format!("nothing expands ${name} here; write ${{{name}}}, or $${name} to keep it as it is")
    };
    let (path, home, root) = (bare("PATH"), bare("HOME"), bare("LAMBDA_TASK_ROOT"));
    let percent = "nothing expands %PATH% here; write ${PATH}";
    let run = "nothing runs the command in $(…) or `…` here; let a hook export its output";
    let windows = "this is a path of Windows; a function's paths are like /opt/bin/x";
    let tilde = "nothing expands ~ here, and a function has no home; write the whole path";
    warns(&[
        (r#"{"env": {»"PATH": {"prepend": "$PATH:/opt", "separator": ":"}}}"#, &[&path]),
        (r#"{"options": {"append": ["-X", »"$HOME/x"]}}"#, &[&home]),
        (r#"{"arguments": {"replace": {"a": »"$HOME"}}}"#, &[&home]),
        (r#"{"options": {"values": {"-cp": »{"append": "$HOME", "separator": ":"}}}}"#, &[&home]),
        (r#"{"program": »"$HOME/bin/x"}"#, &[&home]),
        (r#"{"when": {"file": »"$LAMBDA_TASK_ROOT/x"}}"#, &[&root]),
        (&command(r#""ls", »"$HOME""#), &[&home]),
        (r#"{"env": {»"A": {"default": "%PATH%;x"}}}"#, &[percent]),
        (r#"{"env": {»"A": {"default": "$(date)"}}}"#, &[run]),
        (&command(r#""echo", »"`date`""#), &[run]),
        (r#"{"program": »"C:\\app\\x"}"#, &[windows]),
        (r#"{"env": {»"A": {"default": "C:\temp"}}}"#, &[windows]),
        (&command(r#"»"bin\\fetch""#), &[windows]),
        (r#"{"entry": »"~/app.py"}"#, &[tilde]),
        // They are meant as they are.
        (r#"{"env": {"A": {"default": "$$HOME ${HOME} $LATEST $5 100% %2F"}}}"#, &[]),
        (r#"{"env": {"DB_PASSWORD": {"default": "$AB$CD%EFG%"}}}"#, &[]),
        (r#"{"entry": "com.example.Outer$INNER"}"#, &[]),
        (
            r#"{"hooks": {"initialize": [{"name": "n", "command": "echo $HOME `date` %A_B%"}]}}"#,
            &[],
        ),
        (r#"{"options": {"remove": ["a\\b"]}}"#, &[]),
    ]);
    let place = "./foreword.json:1:10: ".to_owned();
    let config = r#"{"env": {"PATH": {"prepend": "$PATH:/opt", "separator": ":"}}}"#;
    plan_warns(config, &["--runtime", "python3.12"], &[&(place + &path)]);
}

#[test]
fn switch_with_the_condition_true_gets_a_hint() {
    let counts = |name: &str| {
        format!(
            "true means not empty: {name}=0 and {name}=false count, too; for a switch write \
             [\"1\", \"true\"]"
        )
    };
    let (profile, debug) = (counts("PROFILE"), counts("MY_DEBUG"));
    let hook = r#"{"hooks": {"initialize": [{"name": "n", "command": "x", "when": {"env": {"MY_DEBUG": »true}}}]}}"#;
    warns(&[
        (r#"{"when": {"env": {"PROFILE": »true}}}"#, &[&profile]),
        (hook, &[&debug]),
        (r#"{"rules": [{"when": {"env": {"PROFILE": »true}}, "entry": "x"}]}"#, &[&profile]),
        (
            r#"{"when": {"env": {"AWS_PROFILE": true, "URL": true, "PROFILER_PATH": true, "DEBUG": false}}}"#,
            &[],
        ),
        (r#"{"when": {"env": {"PROFILE": ["1", "true"]}}}"#, &[]),
    ]);
}

#[test]
fn edit_that_matches_nothing_on_a_known_command_line_gets_a_hint_from_check() {
    let nothing = |name: &str, key: &str, runtime: &str| {
        format!(
            "\"{name}\" in \"{key}\" matches nothing on the command line that Lambda starts \
             {runtime} with"
        )
    };
    let rule = |runtime: &str, edits: &str| {
        format!(r#"{{"when": {{"runtime": "{runtime}"}}, "options": {edits}}}"#)
    };
    let (a, b) = (nothing("-W", "values", "python3.12"), nothing("-u", "remove", "python3.12"));
    let (c, d) = (nothing("a", "replace", "ruby3.4"), nothing("--fx-version", "values", "dotnet8"));
    let e = "\"x\" in \"remove\" matches nothing on the command line that Lambda starts \
             python3.12 with";
    warns(&[
        (&rule("python", r#"{"values": {"-W": »"error"}}"#), &[&a]),
        (&rule("python3.12", r#"{"remove": [»"-u"]}"#), &[&b]),
        (&rule("ruby", r#"{"replace": {"a": »"b"}}"#), &[&c]),
        (&rule("dotnet", r#"{"values": {"--fx-version": »"8"}}"#), &[&d]),
        (r#"{"when": {"runtime": "python"}, "arguments": {"remove": [»"x"]}}"#, &[e]),
        // It matches, may match, or meets what an earlier rule adds.
        (
            &rule("dotnet", r#"{"values": {"--DEPSFILE": "x"}, "remove": ["--runtimeconfig *"]}"#),
            &[],
        ),
        (&rule("java", r#"{"values": {"-cp": "x"}}"#), &[]),
        (&rule("node", r#"{"remove": ["--x"]}"#), &[]),
        (r#"{"options": {"values": {"-W": "error"}}}"#, &[]),
        (
            r#"{"when": {"runtime": "python"}, "options": {"append": ["-W", "x"]}, "rules": [{"options": {"values": {"-W": "error"}}}]}"#,
            &[],
        ),
        (
            r#"{"when": {"runtime": "python"}, "wrappers": ["/w"], "options": {"remove": ["-u"]}}"#,
            &[],
        ),
    ]);
}

#[test]
fn edit_that_matches_nothing_gets_a_hint_from_plan() {
    let nothing = |place: &str, name: &str, key: &str, more: &str| {
        format!(
            "./foreword.json:{place}: \"{name}\" in \"{key}\" matches nothing on the command \
             line{more}"
        )
    };
    for (config, runtime, expected) in [
        (r#"{"options": {"remove": ["-x"]}}"#, "java21", Some(nothing("1:25", "-x", "remove", ""))),
        (
            r#"{"options": {"replace": {"-cp a": "b"}}}"#,
            "java21",
            Some(nothing("1:35", "-cp a", "replace", "")),
        ),
        (
            r#"{"options": {"values": {"-Dx": "b"}}}"#,
            "java21",
            Some(nothing("1:32", "-Dx", "values", "")),
        ),
        (
            r#"{"arguments": {"replace": {"x": "b"}}}"#,
            "java21",
            Some(nothing("1:33", "x", "replace", "")),
        ),
        (
            r#"{"options": {"remove": ["--max-old-space-size"]}}"#,
            "nodejs22.x",
            Some(nothing(
                "1:25",
                "--max-old-space-size",
                "remove",
                "; \"--max-old-space-size=*\" would",
            )),
        ),
        (r#"{"options": {"values": {"-cp": "b"}}}"#, "java21", None),
        (r#"{"options": {"replace": {"--class-path": "-cp"}}}"#, "java21", None),
        (r#"{"options": {"remove": ["-cp *"]}}"#, "java21", None),
        (
            r#"{"options": {"append": ["-u"]}, "rules": [{"options": {"remove": ["-u"]}}]}"#,
            "python3.12",
            None,
        ),
    ] {
        assert_eq!(
            planned(config, &["--runtime", runtime]),
            expected.into_iter().collect::<Vec<_>>(),
            "{config}"
        );
    }
}

#[test]
fn edit_of_an_option_by_another_name_applies() {
    let test = |config: &str, line: &[&str], expected: &str| {
        let test = Test::new()
            .config(config)
            .script("java", "#!/bin/sh\necho \"$*\"\n")
            .script("node", "#!/bin/sh\necho \"$*\"\n");
        test.args(line).stdout(format!("{expected}\n")).run();
    };
    let append = r#"{"options": {"values": {"-cp": {"append": "b", "separator": ":"}}}}"#;
    test(append, &["./java", "-classpath", "a", "Main"], "-classpath a:b Main");
    test(
        r#"{"options": {"remove": ["--require=./a"]}}"#,
        &["./node", "-r", "./a", "app.js"],
        "app.js",
    );
    test(
        r#"{"options": {"replace": {"-i": "--x"}}}"#,
        &["./node", "--interactive", "app.js"],
        "--x app.js",
    );
}

#[test]
fn options_after_a_launcher_reach_the_interpreter() {
    let echo = "#!/bin/sh\nexec \"$@\"\n";
    let test = Test::new()
        .script("bin/dumb-init", echo)
        .script("bin/python3", "#!/bin/sh\necho \"python3 $*\"\n");
    let test = test
        .env("PATH", "<folder>/bin:/usr/bin:/bin")
        .config(r#"{"options": {"append": ["-X", "dev"]}}"#);
    test.args(["--", "dumb-init", "env", "A=1", "python3", "-m", "app"])
        .stdout("python3 -X dev -m app\n")
        .run();
}

#[test]
fn options_for_a_program_that_is_no_interpreter_get_a_hint() {
    let config = r#"{"options": {"append": ["-X", "dev"]}}"#;
    let warning = |program: &str| {
        format!(
            "./foreword.json:1:1: \"{program}\" is no interpreter and no launcher of one that \
             foreword knows, so \"options\" stand directly behind it; if they are not its own, \
             write them into \"arguments\" or into a variable that the interpreter reads"
        )
    };
    // Which of them this machine has is not asked here.
    let planned = |config: &str, line: &[&str]| {
        let mut found = planned(config, line);
        found.retain(|warning| !warning.starts_with("there is no program "));
        found
    };
    for (line, program) in [
        (&["--", "npx", "tsx", "app.ts"] as &[&str], Some("npx")),
        (&["--", "uv", "run", "app.py"], Some("uv")),
        (&["--", "/opt/start.sh"], Some("/opt/start.sh")),
        (&["--", "poetry", "run", "serve"], Some("poetry")),
        (&["--", "npx", "node", "app.js"], None),
        (&["--", "uv", "run", "python", "app.py"], None),
        (&["--runtime", "python3.12"], None),
    ] {
        assert_eq!(
            planned(config, line),
            program.map(warning).into_iter().collect::<Vec<_>>(),
            "{line:?}"
        );
    }
    assert_eq!(planned(r#"{"arguments": {"append": ["x"]}}"#, &["--", "npx", "tsx"]), [""; 0]);
}

#[test]
fn edit_that_a_wrapper_undoes_gets_a_hint() {
    let lost = |column: usize, name: &str, wrapper: &str| {
        format!(
            "./foreword.json:1:{column}: this edit of {name} is lost: the wrapper \"{wrapper}\" \
             sets the variable itself; give it to that wrapper, {{\"path\": \"{wrapper}\", \
             \"env\": {{\"{name}\": …}}}}"
        )
    };
    let with = |wrapper: &str, name: &str| {
        format!(r#"{{"wrappers": ["{wrapper}"], "env": {{"{name}": "x"}}}}"#)
    };
    for (wrapper, name, runtime, is_lost) in [
        ("/opt/datadog_wrapper", "JAVA_TOOL_OPTIONS", "java21", true),
        ("/opt/datadog_wrapper", "CORECLR_PROFILER", "dotnet8", true),
        ("/opt/otel-handler", "OTEL_INSTRUMENTATION_AWS_LAMBDA_FLUSH_TIMEOUT", "java21", true),
        ("/opt/otel-instrument", "ORIG_HANDLER", "python3.12", true),
        ("/opt/datadog_wrapper", "JAVA_TOOL_OPTIONS", "python3.12", false),
        ("/opt/otel-handler", "JAVA_TOOL_OPTIONS", "java21", false),
        ("/opt/mine", "JAVA_TOOL_OPTIONS", "java21", false),
    ] {
        let column = 28 + wrapper.len();
        let expected: Vec<_> = is_lost.then(|| lost(column, name, wrapper)).into_iter().collect();
        assert_eq!(
            planned(&with(wrapper, name), &["--runtime", runtime]),
            expected,
            "{wrapper} {name}"
        );
    }
}

#[test]
fn edit_that_a_script_undoes_gets_a_hint() {
    for (line, is_lost) in [
        ("export A=theirs", true),
        ("A='theirs'", true),
        ("export A=\"theirs $A\"", false),
        ("export A=${A:-theirs}", false),
        ("  export A=theirs", false),
        ("export AB=theirs", false),
    ] {
        let config = r#"{"env": {"A": "mine"}, "wrappers": ["./w.sh"]}"#;
        let test = Test::new().env_remove("LAMBDA_TASK_ROOT").file("foreword.json", config);
        let test = test.script("w.sh", format!("#!/bin/sh\n{line}\nexec \"$@\"\n"));
        let shown = test.args(["plan", "--", "/bin/true"]).capture().stdout;
        let shown = String::from_utf8(shown).expect("UTF-8");
        assert_eq!(
            shown.contains("this edit of A is lost: the wrapper \"./w.sh\" sets"),
            is_lost,
            "{line}: {shown}"
        );
    }
}

#[test]
fn description_of_a_rule_is_printed() {
    let config = r#"{
  "description": "what all functions have",
  "rules": [
    {"description": "the agent", "when": {"runtime": "python"}, "options": {"append": ["-u"]}},
    {"description": "not here", "when": {"runtime": "java"}, "entry": "x"}
  ]
}"#;
    let test = Test::new().env_remove("LAMBDA_TASK_ROOT").file("foreword.json", config);
    let captured = test.args(["plan", "--runtime", "python3.12"]).capture();
    let shown = String::from_utf8(captured.stdout).expect("UTF-8");
    assert!(
        shown.contains(
            "  ./foreword.json:1:1  what all functions have\n  ./foreword.json:4:5  the agent\n"
        ),
        "{shown}"
    );
    assert!(shown.contains("rule (not here): the runtime is python3.12, wanted java"), "{shown}");
}

#[test]
fn files_that_look_like_configurations_get_a_hint_that_they_are_not_read() {
    let stray = |path: &str| {
        format!(
            "foreword: warning: {path} is not read: a configuration is JSON, in a file that ends \
             in .json (yq -o json converts YAML and TOML)\n"
        )
    };
    let check = || {
        Test::new().env_remove("LAMBDA_TASK_ROOT").args(["check"]).file("foreword.d/a.json", "{}")
    };
    for name in [
        "foreword.yaml",
        "foreword.yml",
        "foreword.toml",
        "foreword.jsonc",
        "Foreword.YAML",
        "foreword.json.txt",
    ] {
        check().file(name, "").stdout(stray(&format!("./{name}"))).run();
        check()
            .file(name, "")
            .file("foreword.json", "{}")
            .stdout("checked 2 configurations: no problems\n")
            .run();
    }
    for name in ["b.yaml", "b.yml", "b.toml"] {
        check()
            .file(&format!("foreword.d/{name}"), "")
            .stdout(stray(&format!("<folder>/foreword.d/{name}")))
            .run();
    }
    let others = check()
        .file("foreword.d/README.md", "")
        .file("foreword.d/.x.yaml", "")
        .file("serverless.yml", "");
    others.stdout("checked 1 configuration: no problems\n").run();
    let test = Test::new().env_remove("LAMBDA_TASK_ROOT").file("foreword.yml", "").args([
        "plan",
        "--runtime",
        "ruby3.4",
    ]);
    let shown = String::from_utf8(test.capture().stdout).expect("UTF-8");
    assert!(shown.contains("Warnings\n  ./foreword.yml is not read: "), "{shown}");
}
