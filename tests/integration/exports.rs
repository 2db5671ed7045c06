//! What a hook exports becomes edits of the environment, literally, or nothing at all; its values
//! are shown nowhere.

use crate::support::{Reaction, RuntimeApi, Test};
use serde_json::{Value, json};

/// A hook that exports the file `exported` of the test's directory.
fn exporting(format: &str) -> Value {
    json!({"name": "x", "command": ["/bin/cat", "exported"], "export": format})
}

/// A run whose runtime prints these variables, each behind its name, or nothing for one that is
/// unset.
fn printing(names: &[&str]) -> Test {
    let print = |name: &&str| format!("printf '%s\\n' \"${{{name}+{name}=${name}}}\"\n");
    let test = Test::new().env("FOREWORD_LOG", "warn").args(["./runtime"]);
    test.script("runtime", format!("#!/bin/sh\n{}", names.iter().map(print).collect::<String>()))
}

#[test]
fn json_export_reaches_the_runtime_unchanged() {
    let exported = r#"
        {"PLAIN": "x y", "EMPTY": "", "SHELL_LIKE": "$HOME ${HOME} $$ `id` $(id) \\ '\"' * ~",
         "LINES": "one\ntwo", "ESCAPED": "\u00e9\ud83d\ude00", "INTEGER": 12345678901234567890123,
         "FRACTION": 1.50, "EXPONENT": -1E+3, "YES": true, "NO": false, "a.b-c": "odd name"}
    "#;
    printing(&[
        "PLAIN",
        "EMPTY",
        "SHELL_LIKE",
        "LINES",
        "ESCAPED",
        "INTEGER",
        "FRACTION",
        "EXPONENT",
        "YES",
        "NO",
    ])
    .hooks(json!([exporting("json"), {"name": "odd", "command": ["/usr/bin/printenv", "a.b-c"]}]))
    .env("HOME", "/wrong")
    .file("exported", exported)
    .stdout(
        "odd name\nPLAIN=x y\nEMPTY=\nSHELL_LIKE=$HOME ${HOME} $$ `id` $(id) \\ '\"' * \
         ~\nLINES=one\ntwo\nESCAPED=é😀\nINTEGER=12345678901234567890123\nFRACTION=1.50\n\
         EXPONENT=-1E+3\nYES=true\nNO=false\n",
    )
    .run();
}

#[test]
fn dotenv_export_reaches_the_runtime_as_its_writer_means_it() {
    let exported =
        b"# comment\n\nPLAIN=x y # comment\nexport EXPORTED='$HOME `id`'\nBARE=$HOME ${HOME}\r\n\
        DOUBLE=\"one\ntwo\\t\\\"${HOME}\"\nEQUALS=a=b\nEMPTY=\nBYTES=\xff\xfe\n";
    printing(&["PLAIN", "EXPORTED", "BARE", "DOUBLE", "EQUALS", "EMPTY", "BYTES"])
        .hooks(json!([exporting("dotenv")]))
        .env("HOME", "/wrong")
        .file("exported", exported)
        .stdout(
            b"PLAIN=x y\nEXPORTED=$HOME `id`\nBARE=$HOME ${HOME}\n\
             DOUBLE=one\ntwo\t\"${HOME}\nEQUALS=a=b\nEMPTY=\n\
              BYTES=\xff\xfe\n",
        )
        .run();
}

/// How tools write the same value, each in its own way; the first two escape what no shell needs
/// escaped.
#[test]
fn dotenv_export_with_escapes_is_unescaped() {
    for (exported, value) in [
        (&br#"A="bang\!mark""#[..], "bang!mark"),
        (br#"A="back\`tick \$5 \\ \"q\" one\ntwo""#, "back`tick $5 \\ \"q\" one\ntwo"),
        (br"export A='it'\''s'", "it's"),
        (b"declare -x A=\"a \\$b\"\ndeclare -x OLDPWD\n", "a $b"),
        (br"A=two\ words", "two words"),
        (b"\xef\xbb\xbfA='of Windows'\r\n", "of Windows"),
        (b"B=b\0A=\"as it is\" # $HOME\n'\0", "\"as it is\" # $HOME\n'"),
    ] {
        printing(&["A"])
            .hooks(json!([exporting("dotenv")]))
            .file("exported", exported)
            .stdout(format!("A={value}\n"))
            .run();
    }
}

/// All that `env -0` prints arrives: it is the way out for values that lines cannot hold.
#[test]
fn nul_separated_export_is_taken_whole() {
    let command = "A='one\n\"two\" $HOME' B=\"it's\" exec env -u AWS_LAMBDA_RUNTIME_API -0";
    let hook = json!({"name": "x", "command": command, "export": "dotenv"});
    printing(&["A", "B"]).hooks(json!([hook])).stdout("A=one\n\"two\" $HOME\nB=it's\n").run();
}

#[test]
fn json_export_with_a_byte_order_mark_is_read() {
    let exported = b"\xef\xbb\xbf{\"A\": \"1\"}\r\n";
    printing(&["A"])
        .hooks(json!([exporting("json")]))
        .file("exported", exported)
        .stdout("A=1\n")
        .run();
}

#[test]
fn empty_object_as_export_succeeds() {
    for exported in ["{}", " {}\n", "\u{feff}{}"] {
        let test = printing(&["A"])
            .hooks(json!([exporting("json")]))
            .file("exported", exported)
            .stdout("\n");
        test.env("FOREWORD_LOG", "info")
            .stderr(
                "foreword: hook \"x\" (initialize) succeeded after N ms, exported 0 variables\n",
            )
            .run();
    }
}

/// A line that a failed export gives; the way out stands behind the cause.
fn nothing(cause: &str) -> String {
    format!(
        "foreword: hook \"x\" (initialize) exported nothing: {cause}; let the command fail when \
         it gets nothing (a pipeline succeeds with its last part), or where that is right print \
         {{}} with \"export\": \"json\""
    )
}

#[test]
fn pipeline_whose_first_part_fails_exports_nothing_and_fails() {
    for format in ["json", "dotenv"] {
        let hook = json!({"name": "x", "command": "sh -c 'exit 22' | cat", "export": format});
        let line = nothing("its output is empty");
        let test = |hook: Value| printing(&["A"]).hooks(json!([hook]));
        test(hook.clone()).stderr(format!("{line}\n")).status(125).run();
        let mut lenient = hook;
        lenient["on_failure"] = json!("continue");
        test(lenient).stdout("\n").stderr(format!("{line} (on_failure: continue)\n")).run();
    }
}

#[test]
fn export_without_a_variable_fails() {
    let (empty, none) = ("its output is empty", "there is no NAME=VALUE line in its output");
    for (format, exported, cause) in [
        ("json", "", empty),
        ("json", " \r\n\t", empty),
        ("json", "\u{feff}", empty),
        ("dotenv", "", empty),
        ("dotenv", "\n \r\n", empty),
        ("dotenv", "\u{feff}\n", empty),
        ("dotenv", "# the server said no\n\n", none),
        ("dotenv", "export A\ndeclare -x OLDPWD\n", none),
    ] {
        let test = printing(&["A"]).hooks(json!([exporting(format)])).file("exported", exported);
        test.stderr(nothing(cause) + "\n").status(125).run();
    }
}

#[test]
fn hook_that_exports_logs_the_number_of_variables() {
    for (format, exported, told, count) in [
        ("dotenv", "A=1\n", "1 variable", 1),
        ("dotenv", "A=1\nB=2\nC=3\n", "3 variables", 3),
        ("dotenv", "A=1\nB=2\nA=3\n", "2 variables", 2),
        ("dotenv", "A=1\0B=2\0", "2 variables", 2),
        ("json", "{\"A\": 1, \"B\": true}", "2 variables", 2),
        ("json", "{}", "0 variables", 0),
    ] {
        let test = || {
            let test = Test::new().hooks(json!([exporting(format)])).file("exported", exported);
            test.env("FOREWORD_LOG", "info").args(["/bin/true"])
        };
        let message = format!("hook \"x\" (initialize) succeeded after N ms, exported {told}");
        test().stderr(format!("foreword: {message}\n")).run();
        let message = json!(message);
        let line = format!(
            "{{\"timestamp\":\"T\",\"level\":\"INFO\",\"message\":{message},\"phase\":\"\
             initialize\",\"hook\":\"x\",\"outcome\":\"success\",\"durationMs\":N,\"exported\":\
             {count}}}\n"
        );
        test().env("AWS_LAMBDA_LOG_FORMAT", "JSON").stderr(line).run();
    }
}

/// Edits come first, then hooks, whose exports overwrite, then the command line.
#[test]
fn exports_overwrite_edits_and_are_visible_to_later_steps() {
    let config = json!({
        "env": {"A": "edited", "B": "of ${A}"},
        "options": {"append": ["${A} ${B} ${C}"]},
        "prefix": ["${PREFIX}"],
        "hooks": {"initialize": [
            exporting("dotenv"),
            {"name": "later", "command": "echo \"C=$C, then $A\"", "env": {"A": "${A}!"},
                "export": "dotenv"},
            {"name": "conditional", "command": ["/bin/echo", "never"],
                "when": {"env": {"A": "exported"}}},
        ]},
    });
    Test::new()
        .config(&config.to_string())
        .env("FOREWORD_LOG", "warn")
        .file("exported", "A=exported\nC=$A\nPREFIX=<folder>/prefix\nPREFIX=./prefix\n")
        .script("prefix", "#!/bin/sh\necho \"prefix $A $C\"\nexec \"$@\"\n")
        .args(["/bin/echo", "given"])
        .stdout("prefix exported $A, then exported!\nexported of edited $A, then exported! given\n")
        .run();
}

/// The path of programs is a variable like others.
#[test]
fn exported_path_is_searched_for_the_runtime() {
    let hooks =
        json!([{"name": "x", "command": ["/bin/echo", "PATH=bin:/bin"], "export": "dotenv"}]);
    let test =
        Test::new().hooks(hooks).script("bin/echo", "#!/bin/sh\n/bin/echo of the export \"$@\"\n");
    test.args(["--", "echo", "x"]).stdout("of the export x\n").run();
}

#[test]
fn export_that_cannot_be_parsed_fails_without_its_values() {
    let (object, text) =
        ("print one JSON object and nothing else", "print it as a text, or leave it out");
    let (kind, rename) = ("not a text, number or boolean", "print another name");
    let lines = "print NAME=VALUE lines and nothing else";
    let name = "the name before \"=\" may hold letters, digits, \"_\", \".\" and \"-\" alone";
    let refused = |format: &str, exported: &[u8], cause: &str| {
        let line =
            format!("foreword: hook \"x\" (initialize) exported something unreadable: {cause}");
        let test = || printing(&["A"]).file("exported", exported);
        test().hooks(json!([exporting(format)])).stderr(format!("{line}\n")).status(125).run();
        // Nothing of it is used either.
        let mut lenient = exporting(format);
        lenient["on_failure"] = json!("continue");
        test()
            .hooks(json!([lenient]))
            .stdout("\n")
            .stderr(format!("{line} (on_failure: continue)\n"))
            .run();
    };
    for (exported, cause) in [
        (
            &b"{\"A\": \"hidden\""[..],
            format!("line 1: this is not JSON: EOF while parsing an object; {object}"),
        ),
        (b"{\n\"A\": hidden}", format!("line 2: this is not JSON: expected value; {object}")),
        (
            b"{\"A\": \"1\"}\n{\"B\": \"hidden\"}",
            format!("line 2: this is not JSON: trailing characters; {object}"),
        ),
        (b"hidden\n{\"A\": \"1\"}", format!("line 1: this is not JSON: expected value; {object}")),
        (b"{\"A\": \"1\"}\0", format!("line 1: this is not JSON: trailing characters; {object}")),
        (b"{\"A\": \"1\",}", format!("line 1: this is not JSON: trailing comma; {object}")),
        (
            b"[\"hidden\"]",
            "expected one JSON object, found an array; print {\"NAME\": \"value\"}".into(),
        ),
        (
            b"\"hidden\"",
            "expected one JSON object, found a string; print {\"NAME\": \"value\"}".into(),
        ),
        (b"null", "expected one JSON object, found null; print {\"NAME\": \"value\"}".into()),
        (
            b"{\"A\": {\"B\": \"hidden\"}}",
            format!("the value of \"A\" is an object, {kind}; {text}"),
        ),
        (b"{\"A\": [\"hidden\"]}", format!("the value of \"A\" is an array, {kind}; {text}")),
        (b"{\"A\": null}", format!("the value of \"A\" is null, {kind}; {text}")),
        (
            b"{\"A\": \"hidden\", \"\\u0041\": \"2\"}",
            "\"A\" stands twice in the object; print every name once".into(),
        ),
        (
            b"{\"\": \"hidden\"}",
            format!("the name \"\" cannot be that of a variable: it is empty; {rename}"),
        ),
        (
            b"{\"A=B\": \"hidden\"}",
            format!("the name \"A=B\" cannot be that of a variable: it holds \"=\"; {rename}"),
        ),
        (
            b"{\"A\\u0000\": \"hidden\"}",
            format!(
                "the name \"A\\0\" cannot be that of a variable: it holds a NUL character; \
                 {rename}"
            ),
        ),
        (
            b"{\"A\": \"hid\\u0000den\"}",
            "the value of \"A\" holds a NUL character; print it encoded, such as in base64".into(),
        ),
        (b"{\"A\": \"hidden\xff\"}", "the output is not UTF-8; print JSON as UTF-8".into()),
        (b"\xff\xfe{\0}\0", "the output is not UTF-8; print JSON as UTF-8".into()),
    ] {
        refused("json", exported, &cause);
    }
    for (exported, cause) in [
        (&b"A=1\nhidden\n"[..], format!("line 2: there is no \"=\"; {lines}")),
        (b"A B=hidden\n", format!("line 1: {name}; {lines}")),
        (b"A+=hidden\n", format!("line 1: {name}; {lines}")),
        (b"A\0=hidden\n", format!("line 1: {name}; {lines}")),
        (b"A\xff=hidden\n", format!("line 1: {name}; {lines}")),
        (b"=hidden\n", format!("line 1: there is no name before \"=\"; {lines}")),
        (
            b"A=hid\0den\n",
            "the value of \"A\" holds a NUL character; print it encoded, such as in base64".into(),
        ),
        (b"A=1\0hidden\0", format!("entry 2 before a NUL: there is no \"=\"; {lines}")),
        (
            b"A='hidden\n",
            "line 1: a quote is not closed; close it, or write one inside of double quotes as \\\""
                .into(),
        ),
        (
            b"A=1\n\nB=\"hidden\" x\n",
            "line 3: something stands behind the closing quote; put the whole value into quotes, \
             and a blank before a comment"
                .into(),
        ),
        (
            b"B=$(cat hidden)\n",
            "line 1: \"$(\" or \"`\" outside single quotes would run a command in a shell, and \
             nothing is run here; put the value into single quotes, or a backslash before it in \
             double quotes"
                .into(),
        ),
        (
            b"B=$'hidden'\n",
            "line 1: only a shell understands $'…' and $\"…\"; print with env -0, or write \\n in \
             double quotes"
                .into(),
        ),
    ] {
        refused("dotenv", exported, &cause);
    }
}

#[test]
fn export_of_a_hook_that_failed_is_discarded() {
    for (command, limit, what) in [
        ("cat exported; exit 3", 10_000, "exited with status 3 after N ms"),
        ("cat exported; kill -KILL $$", 10_000, "was killed by SIGKILL after N ms"),
        ("cat exported; exec sleep 1000", 200, "timed out after N ms (timeout_ms)"),
        (
            "trap 'exit 0' TERM; cat exported; sleep 1000 & wait",
            200,
            "timed out after N ms (timeout_ms)",
        ),
    ] {
        let hook = json!({"name": "x", "command": command, "timeout_ms": limit, "export": "json",
            "on_failure": "continue"});
        let line = format!("foreword: hook \"x\" (initialize) {what} (on_failure: continue)\n");
        printing(&["A"])
            .hooks(json!([hook]))
            .file("exported", r#"{"A": "1"}"#)
            .stdout("\n")
            .stderr(line)
            .run();
    }
}

/// What must not appear anywhere: the value in every form in which a message might quote it.
const SECRET: &str = "hid\"den";
const QUOTED: [&str; 2] = ["hid\"den", "hid\\\"den"];

/// Configurations that put what was exported as `OPAQUE` wherever a message might take it from, and
/// how each ends.
fn tempting() -> [(Value, i32); 7] {
    let hook = exporting("json");
    let with = |key: &str, value: Value| json!({"hooks": {"initialize": [hook]}, key: value});
    let after = |hook: Value| json!({"hooks": {"initialize": [exporting("json"), hook]}});
    let in_cwd = json!({"name": "y", "command": ["/bin/true"], "cwd": "/nowhere/${OPAQUE}"});
    let in_command = json!({"name": "y", "command": ["/nowhere/${OPAQUE}"]});
    let in_path =
        json!({"name": "y", "command": ["nosuch"], "env": {"PATH": "/nowhere/${OPAQUE}"}});
    [
        (
            with(
                "options",
                json!({"append": ["--option=${OPAQUE}", "${COPY}"], "remove": ["${OPAQUE}"]}),
            ),
            0,
        ),
        (with("arguments", json!({"append": ["${OPAQUE}"], "replace": {"given": "${OPAQUE}"}})), 0),
        (with("program", json!("/nowhere/${OPAQUE}")), 127),
        (with("prefix", json!(["${OPAQUE}"])), 127),
        (after(in_cwd), 125),
        (after(in_command), 125),
        (after(in_path), 125),
    ]
}

#[test]
fn exported_value_is_redacted_everywhere() {
    for (config, status) in tempting() {
        for (level, format) in ["off", "error", "warn", "info", "debug", "trace"]
            .iter()
            .flat_map(|level| [(level, "Text"), (level, "JSON")])
        {
            let api = RuntimeApi::new(Reaction::Accept);
            let captured = Test::new()
                .config(&config.to_string())
                .env("FOREWORD_LOG", level)
                .env("AWS_LAMBDA_LOG_FORMAT", format)
                .runtime_api(&api)
                .file("exported", json!({"OPAQUE": SECRET, "COPY": SECRET}).to_string())
                .args(["/bin/true", "given"])
                .capture();
            let stderr = String::from_utf8(captured.stderr).expect("text");
            assert_eq!(captured.status, status, "{config} {stderr}");
            assert_eq!(
                stderr.is_empty(),
                *level == "off" || (status == 0 && ["error", "warn"].contains(level)),
                "{stderr}"
            );
            let said = stderr
                + &api.requests().iter().map(|request| request.body.as_str()).collect::<String>();
            assert!(
                !QUOTED.iter().any(|secret| said.contains(secret)),
                "{config} at {level} in {format}: {said}"
            );
        }
    }
}

/// A name that is not found is reported with the PATH in which it was looked for.
#[test]
fn exported_path_in_a_lookup_error_is_redacted() {
    let hooks = json!([{"name": "x", "command": ["/bin/echo", "PATH=/hidden:/nowhere"],
        "export": "dotenv"}]);
    let captured = Test::new().hooks(hooks).args(["--", "nosuch"]).capture();
    let stderr = String::from_utf8(captured.stderr).expect("text");
    assert_eq!(captured.status, 127, "{stderr}");
    assert!(stderr.starts_with("foreword: unable to find \"nosuch\" in PATH"), "{stderr}");
    assert!(!stderr.contains("hidden"), "{stderr}");
}
