//! What a hook exports becomes edits of the environment, literally, or nothing at all; its values are shown nowhere.

use crate::support::{Reaction, RuntimeApi, Test};
use serde_json::{Value, json};

/// A hook that exports the file `exported` of the test's folder.
fn exporting(format: &str) -> Value {
    json!({"name": "x", "command": ["/bin/cat", "exported"], "export": format})
}

/// A run whose runtime prints these variables, each behind its name, or nothing for one that is unset.
fn printing(names: &[&str]) -> Test {
    let print = |name: &&str| format!("printf '%s\\n' \"${{{name}+{name}=${name}}}\"\n");
    let test = Test::new().env("FOREWORD_LOG", "warn").args(["./runtime"]);
    test.script("runtime", format!("#!/bin/sh\n{}", names.iter().map(print).collect::<String>()))
}

#[test]
fn json_reaches_the_runtime_as_it_was_written() {
    let exported = r#"
        {"PLAIN": "x y", "EMPTY": "", "SHELL_LIKE": "$HOME ${HOME} $$ `id` $(id) \\ '\"' * ~",
         "LINES": "one\ntwo", "ESCAPED": "\u00e9\ud83d\ude00", "INTEGER": 12345678901234567890123,
         "FRACTION": 1.50, "EXPONENT": -1E+3, "YES": true, "NO": false, "a.b-c": "odd name"}
    "#;
    printing(&["PLAIN", "EMPTY", "SHELL_LIKE", "LINES", "ESCAPED", "INTEGER", "FRACTION", "EXPONENT", "YES", "NO"])
        .hooks(json!([exporting("json"), {"name": "odd", "command": ["/usr/bin/printenv", "a.b-c"]}]))
        .env("HOME", "/wrong")
        .file("exported", exported)
        .stdout(
            "odd name\nPLAIN=x y\nEMPTY=\nSHELL_LIKE=$HOME ${HOME} $$ `id` $(id) \\ '\"' * ~\n\
             LINES=one\ntwo\nESCAPED=é😀\nINTEGER=12345678901234567890123\n\
             FRACTION=1.50\nEXPONENT=-1E+3\nYES=true\nNO=false\n",
        )
        .run();
}

#[test]
fn dotenv_reaches_the_runtime_as_dotenv_files_have_it() {
    let exported = b"# comment\n\nPLAIN=x y # comment\nexport EXPORTED='$HOME `id`'\nBARE=$HOME ${HOME}\r\n\
        DOUBLE=\"one\ntwo\\t\\\"${HOME}\"\nEQUALS=a=b\nEMPTY=\nBYTES=\xff\xfe\n";
    printing(&["PLAIN", "EXPORTED", "BARE", "DOUBLE", "EQUALS", "EMPTY", "BYTES"])
        .hooks(json!([exporting("dotenv")]))
        .env("HOME", "/wrong")
        .file("exported", exported)
        .stdout(
            b"PLAIN=x y\nEXPORTED=$HOME `id`\nBARE=$HOME ${HOME}\nDOUBLE=one\ntwo\t\"${HOME}\nEQUALS=a=b\nEMPTY=\n\
              BYTES=\xff\xfe\n",
        )
        .run();
}

#[test]
fn nothing_to_export_is_fine() {
    for (format, exported) in [("json", "{}"), ("json", " {}\n"), ("dotenv", ""), ("dotenv", "# nothing\n")] {
        printing(&["A"]).hooks(json!([exporting(format)])).file("exported", exported).stdout("\n").run();
    }
}

/// Edits come first, then hooks, whose exports overwrite, then the command line.
#[test]
fn exports_overwrite_edits_and_are_seen_by_what_comes_later() {
    let config = json!({
        "env": {"A": "edited", "B": "of ${A}"},
        "options": {"append": ["${A} ${B} ${C}"]},
        "prefix": ["${PREFIX}"],
        "hooks": {"initialize": [
            exporting("dotenv"),
            {"name": "later", "command": "echo \"C=$C, then $A\"", "env": {"A": "${A}!"}, "export": "dotenv"},
            {"name": "conditional", "command": ["/bin/echo", "never"], "when": {"env": {"A": "exported"}}},
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
fn an_exported_path_is_where_the_runtime_is_looked_up() {
    let hooks = json!([{"name": "x", "command": ["/bin/echo", "PATH=bin:/bin"], "export": "dotenv"}]);
    let test = Test::new().hooks(hooks).script("bin/echo", "#!/bin/sh\n/bin/echo of the export \"$@\"\n");
    test.args(["--", "echo", "x"]).stdout("of the export x\n").run();
}

#[test]
fn output_that_cannot_be_read_is_a_failure_that_shows_no_value() {
    for (format, exported, cause) in [
        ("json", &b""[..], "line 1: this is not JSON: EOF while parsing a value"),
        ("json", b"{\"A\": \"hidden\"", "line 1: this is not JSON: EOF while parsing an object"),
        ("json", b"{\n\"A\": hidden}", "line 2: this is not JSON: expected value"),
        ("json", b"{\"A\": \"1\"}\n{\"B\": \"hidden\"}", "line 2: this is not JSON: trailing characters"),
        ("json", b"[\"hidden\"]", "expected one JSON object, found a list"),
        ("json", b"\"hidden\"", "expected one JSON object, found a text"),
        ("json", b"{\"A\": {\"B\": \"hidden\"}}", "the value of \"A\" is an object, not a text, number or boolean"),
        ("json", b"{\"A\": [\"hidden\"]}", "the value of \"A\" is a list, not a text, number or boolean"),
        ("json", b"{\"A\": null}", "the value of \"A\" is null, not a text, number or boolean"),
        ("json", b"{\"\": \"hidden\"}", "the name \"\" cannot be that of a variable: it is empty"),
        ("json", b"{\"A=B\": \"hidden\"}", "the name \"A=B\" cannot be that of a variable: it holds \"=\""),
        (
            "json",
            b"{\"A\\u0000\": \"hidden\"}",
            "the name \"A\\0\" cannot be that of a variable: it holds a NUL character",
        ),
        ("json", b"{\"A\": \"hid\\u0000den\"}", "the value of \"A\" holds a NUL character"),
        ("json", b"{\"A\": \"hidden\xff\"}", "the output is not UTF-8"),
        ("dotenv", b"A=1\nhidden\n", "line 2: there is no \"=\""),
        ("dotenv", b"A='hidden\n", "line 1: a quote is not closed"),
        ("dotenv", b"A=1\n\nB=\"hidden\" x\n", "line 3: something stands behind the closing quote"),
        ("dotenv", b"A B=hidden\n", "line 1: the name before \"=\" holds a space"),
        ("dotenv", b"=hidden\n", "the name \"\" cannot be that of a variable: it is empty"),
        ("dotenv", b"A\0=hidden\n", "the name \"A\\0\" cannot be that of a variable: it holds a NUL character"),
        ("dotenv", b"A=hid\0den\n", "the value of \"A\" holds a NUL character"),
        ("dotenv", b"A\xff=hidden\n", "line 1: the name before \"=\" is not UTF-8"),
    ] {
        let line = format!("foreword: hook \"x\" (initialize) exported something unreadable: {cause}");
        let test = || printing(&["A"]).file("exported", exported);
        test().hooks(json!([exporting(format)])).stderr(format!("{line}\n")).status(125).run();
        // Nothing of it is used either.
        let mut lenient = exporting(format);
        lenient["on_failure"] = json!("continue");
        test().hooks(json!([lenient])).stdout("\n").stderr(format!("{line} (on_failure: continue)\n")).run();
    }
}

#[test]
fn the_output_of_a_hook_that_failed_is_not_used() {
    for (command, limit, what) in [
        ("cat exported; exit 3", 10_000, "exited with status 3 after N ms"),
        ("cat exported; kill -KILL $$", 10_000, "was killed by SIGKILL after N ms"),
        ("cat exported; exec sleep 1000", 200, "timed out after N ms (timeout_ms)"),
        ("trap 'exit 0' TERM; cat exported; sleep 1000 & wait", 200, "timed out after N ms (timeout_ms)"),
    ] {
        let hook =
            json!({"name": "x", "command": command, "timeout_ms": limit, "export": "json", "on_failure": "continue"});
        let line = format!("foreword: hook \"x\" (initialize) {what} (on_failure: continue)\n");
        printing(&["A"]).hooks(json!([hook])).file("exported", r#"{"A": "1"}"#).stdout("\n").stderr(line).run();
    }
}

/// What must not appear anywhere: the value in every form in which a message might quote it.
const SECRET: &str = "hid\"den";
const QUOTED: [&str; 2] = ["hid\"den", "hid\\\"den"];

/// Configurations that put what was exported as `OPAQUE` wherever a message might take it from, and how each ends.
fn tempting() -> [(Value, i32); 7] {
    let hook = exporting("json");
    let with = |key: &str, value: Value| json!({"hooks": {"initialize": [hook]}, key: value});
    let after = |hook: Value| json!({"hooks": {"initialize": [exporting("json"), hook]}});
    let in_cwd = json!({"name": "y", "command": ["/bin/true"], "cwd": "/nowhere/${OPAQUE}"});
    let in_command = json!({"name": "y", "command": ["/nowhere/${OPAQUE}"]});
    let in_path = json!({"name": "y", "command": ["nosuch"], "env": {"PATH": "/nowhere/${OPAQUE}"}});
    [
        (with("options", json!({"append": ["--option=${OPAQUE}", "${COPY}"], "remove": ["${OPAQUE}"]})), 0),
        (with("arguments", json!({"append": ["${OPAQUE}"], "replace": {"given": "${OPAQUE}"}})), 0),
        (with("program", json!("/nowhere/${OPAQUE}")), 127),
        (with("prefix", json!(["${OPAQUE}"])), 127),
        (after(in_cwd), 125),
        (after(in_command), 125),
        (after(in_path), 125),
    ]
}

#[test]
fn an_exported_value_is_never_shown() {
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
            let said = stderr + &api.requests().iter().map(|request| request.body.as_str()).collect::<String>();
            assert!(!QUOTED.iter().any(|secret| said.contains(secret)), "{config} at {level} in {format}: {said}");
        }
    }
}

/// A name that is not found is reported with the PATH in which it was looked for.
#[test]
fn an_exported_path_is_not_shown_when_a_program_is_not_found() {
    let hooks = json!([{"name": "x", "command": ["/bin/echo", "PATH=/hidden:/nowhere"], "export": "dotenv"}]);
    let captured = Test::new().hooks(hooks).args(["--", "nosuch"]).capture();
    let stderr = String::from_utf8(captured.stderr).expect("text");
    assert_eq!(captured.status, 127, "{stderr}");
    assert!(stderr.starts_with("foreword: unable to find \"nosuch\" in PATH"), "{stderr}");
    assert!(!stderr.contains("hidden"), "{stderr}");
}
