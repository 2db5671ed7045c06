//! What `foreword plan` says, for people and for programs, and what it takes for the start of a
//! function. That it is what the runtime receives is in `tool_plan_generated`.

use crate::support::{DUMP, Test};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A test that sees nothing of the machine's but the directory.
pub fn test() -> Test {
    Test::new().env_remove("LAMBDA_TASK_ROOT")
}

/// The plan for programs.
#[track_caller]
fn plan(test: Test, arguments: &[&str]) -> Value {
    let captured = test.args([&["plan", "--format", "json"], arguments].concat()).capture();
    assert_eq!(
        (captured.status, String::from_utf8_lossy(&captured.stderr)),
        (0, "".into()),
        "{arguments:?}"
    );
    serde_json::from_slice(&captured.stdout).expect("JSON")
}

/// The value that a variable has for the runtime.
#[track_caller]
fn variable(plan: &Value, name: &str) -> Option<String> {
    let entries = plan["environment"]["entries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry.as_str().expect("text"));
    entries
        .filter_map(|entry| entry.split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
}

fn words(list: &Value) -> String {
    let words = list.as_array().expect("a list").iter().map(|word| word.as_str().expect("text"));
    words.collect::<Vec<_>>().join(" ")
}

/// Every kind of thing that a plan can have.
pub const EVERYTHING: &str = r#"{
  "env": {"_HANDLER": {"prepend": "wrapper", "separator": "."}, "TZ": {"default": "UTC"}, "LANG": null, "DB_PASSWORD": "hunter22"},
  "options": {"append": ["-X", "importtime", "${UNSET}"]},
  "arguments": {"append": ["${BYTES}"]},
  "wrappers": ["/opt/datadog_wrapper", {"path": "/opt/otel-handler", "name": "otel", "when": {"env": {"OTEL": true}}}],
  "hooks": {
    "initialize": [
      {"name": "secrets", "command": ["/opt/bin/fetch", "${DB_PASSWORD}"], "export": "json", "timeout_ms": 3000},
      {"name": "warm", "command": "cat ${x}", "cwd": "/tmp", "env": {"A": "1"}, "on_failure": "continue"}
    ],
    "before_snapshot": [{"name": "first", "command": "a"}, {"name": "second", "command": "b", "timeout_ms": 200000}],
    "after_restore": [{"name": "reseed", "command": ["/opt/bin/reseed"], "timeout_ms": 2000}],
    "pre_stop": [{"name": "flush", "command": ["/opt/bin/flush"]}]
  },
  "rules": [{"when": {"runtime": "java"}, "options": {"prepend": ["-javaagent:/opt/agent.jar"]}}]
}
"#;

#[test]
fn plan_in_json_is_stable() {
    let test = test()
        .file("foreword.json", EVERYTHING)
        .env_remove("FOREWORD_DROPIN_DIR")
        .env("BYTES", OsStr::from_bytes(b"\xff"));
    let arguments = [
        "--runtime",
        "python3.12",
        "--env",
        "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start",
        "--env",
        "BYTES",
    ];
    let arguments = [&["plan", "--format", "json"], &arguments[..]].concat();
    test.args(arguments).stdout(include_str!("tool_plan/everything.json")).run();
}

#[test]
fn plan_starts_nothing() {
    let config = r#"{"hooks": {"initialize": [{"name": "a", "command": ">started"}]}, "wrappers": ["./wrapper"]}"#;
    let start = "#!/bin/sh\n>started\n";
    for format in ["text", "json"] {
        let test = test().script("wrapper", start).script("program", start).config(config);
        let test = test.args(["plan", "--format", format, "--", "./program"]);
        assert_eq!(test.capture().status, 0);
        assert!(!test.path("started").exists());
    }
}

#[test]
fn plan_with_a_runtime_has_lambda_s_command_line_and_environment() {
    for (runtime, line) in [
        ("python3.12", "/var/lang/bin/python3.12 /var/runtime/bootstrap.py"),
        ("ruby3.4", "/var/lang/bin/ruby /var/runtime/index.rb"),
        (
            "nodejs22.x",
            "/var/lang/bin/node --expose-gc --max-http-header-size 81920 --max-semi-space-size=6 \
             --max-old-space-size=116 --no-experimental-require-module \
             --no-experimental-detect-module /var/runtime/index.mjs",
        ),
        ("provided.al2023", "/var/task/app"),
    ] {
        let plan = plan(test(), &["--runtime", runtime]);
        assert_eq!(words(&plan["received"]), line);
        assert_eq!(plan["command_line"]["words"], plan["received"], "nothing is configured");
        let declared = (runtime != "provided.al2023").then(|| format!("AWS_Lambda_{runtime}"));
        assert_eq!(variable(&plan, "AWS_EXECUTION_ENV"), declared);
        assert_eq!(variable(&plan, "LAMBDA_TASK_ROOT").as_deref(), Some("/var/task"));
        assert_eq!(variable(&plan, "HOME"), None, "the service has none");
    }
    let handler = ["--env", "_HANDLER=A::T::M"];
    let java = plan(test(), &[&["--runtime", "java21"], &handler[..]].concat());
    assert!(words(&java["received"]).ends_with(".api.client.AWSLambda A::T::M"));
    let image = ["--runtime", "python3.12", "--", "python3", "-m", "awslambdaric", "app.handler"];
    assert_eq!(words(&plan(test(), &image)["received"]), "python3 -m awslambdaric app.handler");
    // What this shell has is not the function's, but for what is foreword's.
    let plan = plan(test().env("OWN", "1").config("{}"), &["--runtime", "python3.12"]);
    assert_eq!(
        (variable(&plan, "OWN"), variable(&plan, "FOREWORD_CONFIG").as_deref()),
        (None, Some("[redacted]"))
    );
    assert_eq!(plan["sources"], json!(["FOREWORD_CONFIG"]));
}

#[test]
fn plan_without_a_runtime_has_the_shell_s_environment() {
    let plan = plan(
        test().env("OWN", "1").config(r#"{"env": {"OWN": {"append": "2", "separator": ""}}}"#),
        &["--", "x", "y"],
    );
    assert_eq!(
        (variable(&plan, "OWN").as_deref(), words(&plan["received"])),
        (Some("12"), "x y".into())
    );
    assert_eq!(plan["runtime"], "x");
}

#[test]
fn variables_in_the_form_of_docker_run_are_taken() {
    let file = "\u{feff}# a comment\n\n  A=1=2\r\nB= \"x\" # y\nOWN\nMISSING\nC=\n#D=1";
    let test = || test().env("OWN", "own").file("file", file).file("wrong", "A=1\n\nB C=2\n");
    let planned = plan(
        test(),
        &[
            "--runtime",
            "python3.12",
            "--env",
            "C=3",
            "--env-file",
            "file",
            "--env",
            "A=4",
            "--env",
            "A=5",
        ],
    );
    for (name, value) in [
        ("A", Some("5")),
        ("B", Some(" \"x\" # y")),
        ("OWN", Some("own")),
        ("MISSING", None),
        ("C", Some("3")),
    ] {
        assert_eq!(variable(&planned, name).as_deref(), value, "{name}");
    }
    for (arguments, problem) in [
        (
            &["--env-file", "missing"] as &[&str],
            "unable to read missing: no such file or directory",
        ),
        (&["--env-file", "wrong"], "wrong:3: the name \"B C\" holds white space"),
        (
            &["--env", "=1"],
            "invalid value '=1' for '--env <NAME=VALUE>': the name of the variable is missing",
        ),
        (&[], "there is no program; name it behind --, or a runtime with --runtime"),
        (
            &["--runtime", "python"],
            "Lambda has no runtime \"python\"; name one as Lambda does, such as python3.12, \
             nodejs22.x, java21, ruby3.4, dotnet8 or provided.al2023",
        ),
    ] {
        let captured = test().args([&["plan"], arguments].concat()).capture();
        let stderr = String::from_utf8(captured.stderr).expect("UTF-8");
        assert_eq!(
            (captured.status, stderr.lines().next()),
            (2, Some(&*format!("error: {problem}"))),
            "{arguments:?}"
        );
    }
    for arguments in [&["--format", "xml", "--", "x"] as &[&str], &["x"], &["--runtimes", "x"]] {
        assert_eq!(
            test().args([&["plan"], arguments].concat()).capture().status,
            2,
            "{arguments:?}"
        );
    }
}

#[test]
fn code_without_a_named_directory_is_found_here() {
    let config = r#"{"rules": [
        {"when": {"file": "here.txt"}, "env": {"RELATIVE": "1"}},
        {"when": {"file": "${LAMBDA_TASK_ROOT}/h*.txt"}, "env": {"ABSOLUTE": "1"}}
    ]}"#;
    let test = || {
        test()
            .file("foreword.json", config)
            .file("here.txt", "")
            .file("code/foreword.json", r#"{"env": {"CODE": "1"}}"#)
    };
    let found = |arguments: &[&str]| {
        let plan = plan(test(), &[&["--runtime", "python3.12"], arguments].concat());
        let has = |name| variable(&plan, name).is_some();
        (
            words(&plan["sources"]),
            plan["task_root"].as_str().map(str::to_owned),
            [has("RELATIVE"), has("ABSOLUTE"), has("CODE")],
        )
    };
    let here = Some(".".to_owned());
    assert_eq!(found(&[]), ("./foreword.json".into(), here.clone(), [true, true, false]));
    let named = found(&["--env", "FOREWORD_CONFIG=/var/task/code/foreword.json"]);
    assert_eq!(
        named,
        ("./foreword.json ./code/foreword.json".into(), here.clone(), [true, true, true])
    );
    let code = found(&["--env", "LAMBDA_TASK_ROOT=code"]);
    assert_eq!(code, ("code/foreword.json".into(), Some("code".into()), [false, false, true]));
    // Exactly these, whatever a function would find.
    let given = found(&["--config", "code/foreword.json", "--env", "FOREWORD_CONFIG=missing"]);
    assert_eq!(given, ("code/foreword.json".into(), here.clone(), [false, false, true]));
    let both = found(&["--config", "code/foreword.json", "--config", "foreword.json"]);
    assert_eq!(both, ("code/foreword.json foreword.json".into(), here, [true, true, true]));
}

#[test]
fn configuration_that_the_wrapper_refuses_has_no_plan() {
    let test = |arguments: &[&str]| {
        test().args([&["plan", "--runtime", "python3.12"], arguments].concat()).status(1)
    };
    let message =
        "foreword: ./foreword.json:1:2: unknown key \"optons\"; did you mean \"options\"?\n";
    test(&[]).file("foreword.json", r#"{"optons": {}}"#).stderr(message).run();
    test(&["--config", "missing"])
        .stderr("foreword: unable to read missing: no such file or directory\n")
        .run();
}

#[test]
fn plan_with_foreword_disabled_has_no_configuration() {
    let planned = plan(
        test().file("foreword.json", "broken"),
        &["--runtime", "ruby3.4", "--env", "FOREWORD_DISABLED=1"],
    );
    assert_eq!((&planned["disabled"], &planned["sources"]), (&json!(true), &json!([])));
    assert_eq!(planned["command_line"]["words"], planned["received"]);
}

#[test]
fn variable_that_is_unset_in_a_template_gives_a_warning() {
    let config = r#"{
  "env": {"A": "${U1}${U2:-x}${AWS_REGION:-${U3}}", "U1": "1", "B": "${U1}", "TZ": {"default": "${U4}"}, "E": "", "F": "${E}"},
  "options": {"append": ["${U5:-${U6}}", "${U6}"], "values": {"-X": "${E}${U7}"}},
  "hooks": {
    "initialize": [
      {"name": "a", "command": ["x", "${U8}", "$${U9}"], "env": {"U9": "${U8}"}},
      {"name": "b", "command": "${U10}", "export": "json"},
      {"name": "c", "command": ["x", "${U9}"], "cwd": "${U11}"}
    ]
  },
  "rules": [{"when": {"runtime": "java"}, "env": {"C": "${U12}"}}]
}"#;
    let plan = plan(test().file("foreword.json", config), &["--runtime", "python3.12"]);
    let warnings = words(&plan["warnings"]).replace(" ./", "\n./");
    assert_eq!(
        warnings,
        "./foreword.json:2:11: ${U1} is unset and counts as empty\n./foreword.json:1:1: ${U7} in \
         \"options\" is unset and counts as empty, unless a hook exports it\n./foreword.json:1:1: \
         ${U6} in \"options\" is unset and counts as empty, unless a hook exports \
         it\n./foreword.json:6:66: ${U8} is unset and counts as empty\n./foreword.json:6:7: ${U8} \
         in \"command\" is unset and counts as empty\n./foreword.json:8:7: ${U9} in \"command\" \
         is unset and counts as empty, unless a hook exports it\n./foreword.json:8:7: ${U11} in \
         \"cwd\" is unset and counts as empty, unless a hook exports it\n./foreword.json:3:69: \
         \"-X\" in \"values\" matches nothing on the command line"
    );
}

#[test]
fn secrets_in_a_plan_are_redacted() {
    let config = r#"{
        "env": {"DB_PASSWORD": {"append": "hidden1", "separator": "hidden2"}, "URL": "x:${DB_PASSWORD}@${API_TOKEN}"},
        "arguments": {"append": ["--token=${API_TOKEN}", "${URL}"]},
        "hooks": {"initialize": [{"name": "a", "command": ["x", "${API_TOKEN}", "hidden5"], "env": {"A_KEY": "hidden5"}}]},
        "rules": [
            {"when": {"env": {"API_TOKEN": "hidden6*"}}, "env": {"OTHER_SECRET": "hidden7"}},
            {"when": {"env": {"COPY": "y"}}, "program": "x"}
        ]
    }"#;
    for format in ["text", "json"] {
        let test = test()
            .config(config)
            .env("DB_PASSWORD", "hidden3")
            .env("API_TOKEN", "hidden4")
            .env("COPY", "hidden4!");
        let captured = test.args(["plan", "--format", format, "--", "./x", "hidden3"]).capture();
        let output = String::from_utf8(captured.stdout).expect("UTF-8");
        assert_eq!(captured.status, 0, "{output}");
        assert!(!output.contains("hidden"), "{output}");
    }
}

#[test]
fn wrappers_relay_and_extension_are_planned_with_reasons() {
    let around = r#"{"hooks": {"after_restore": [{"name": "a", "command": "x"}]}}"#;
    let stop =
        r#"{"hooks": {"pre_stop": [{"name": "a", "command": "x", "when": {"runtime": "java"}}]}}"#;
    let snap_start = "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start";
    for (config, env, who, needed, why) in [
        ("{}", "A=1", "relay", false, "there are no hooks around a snapshot"),
        (
            around,
            "A=1",
            "relay",
            false,
            "AWS_LAMBDA_INITIALIZATION_TYPE is on-demand, not snap-start",
        ),
        (around, snap_start, "relay", true, "it runs the hooks around the snapshot"),
        ("{}", "A=1", "extension", false, "there are no pre_stop hooks"),
        (stop, "A=1", "extension", false, "no pre_stop hook applies"),
    ] {
        let planned = plan(test().config(config), &["--runtime", "python3.12", "--env", env]);
        assert_eq!(planned[who], json!({"needed": needed, "why": why}));
    }
    let with = |more: &[&str]| {
        let arguments = [&["--runtime", "nodejs22.x", "--env", snap_start], more].concat();
        plan(test().config(around), &arguments)["relay"].clone()
    };
    let concurrent = "AWS_LAMBDA_MAX_CONCURRENCY is set: such an environment is never restored";
    assert_eq!(
        with(&["--env", "AWS_LAMBDA_MAX_CONCURRENCY=2"]),
        json!({"needed": false, "why": concurrent})
    );
    let nowhere = json!({"needed": false, "why": "AWS_LAMBDA_RUNTIME_API is not set"});
    assert_eq!(with(&["--env", "AWS_LAMBDA_RUNTIME_API="]), nowhere);
    let stops = plan(test().config(stop), &["--runtime", "java21"]);
    let why = "it runs the pre_stop hooks; the layer foreword-prestop has it";
    assert_eq!(stops["extension"], json!({"needed": true, "why": why}));
}

#[test]
fn hooks_and_wrappers_receive_what_is_planned() {
    let config = r#"{
        "env": {"A": "1"},
        "options": {"append": ["-X", "dev"]},
        "wrappers": ["<folder>/${A}/wrapper", "./other"],
        "hooks": {"initialize": [
            {"name": "h", "command": ["./hook", "${A}", "${B}", ""], "cwd": "in", "env": {"A": "2", "B": "${A}", "GONE": null}}
        ]}
    }"#;
    let wrapper =
        |name: &str| format!("#!/bin/sh\necho \"{name} $AWS_LAMBDA_EXEC_WRAPPER\"\nexec \"$@\"\n");
    let test = Test::new().config(config).env("GONE", "1").env("FOREWORD_LOG", "warn");
    let test = test.script("1/wrapper", wrapper("first")).script("other", wrapper("second"));
    let hook = "#!/bin/sh\necho \"hook $* $# ${PWD##*/} A=$A B=$B GONE=${GONE-unset}\" >&2\n";
    let test = test.script("in/hook", hook).script("python3", DUMP);
    let directory = test.path("").display().to_string();
    let directory = directory.trim_end_matches('/').to_owned();
    let test = test.args(["plan", "--format", "json", "--", "./python3", "a.py"]);
    let planned: Value = serde_json::from_slice(&test.capture().stdout).expect("JSON");
    let planned_hook = &planned["phases"][0]["hooks"][0];
    let env: Vec<_> = planned_hook["env"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|edit| (&edit["name"], &edit["after"]))
        .collect();
    assert_eq!(planned_hook["command"], json!(["./hook", "2", "2", ""]));
    let expected =
        [(&json!("A"), &json!("2")), (&json!("B"), &json!("2")), (&json!("GONE"), &Value::Null)];
    assert_eq!((&planned_hook["cwd"], &env[..]), (&json!("in"), &expected[..]));
    let paths: Vec<_> = planned["wrappers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|wrapper| wrapper["path"].clone())
        .collect();
    assert_eq!(paths, [json!(format!("{directory}/1/wrapper")), json!("./other")]);
    assert_eq!(words(&planned["command_line"]["words"]), "./python3 -X dev a.py");

    let ran = test.args(["./python3", "a.py"]).capture();
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "hook 2 2  3 in A=2 B=2 GONE=unset\n");
    let wrappers = format!("first {directory}/1/wrapper\nsecond ./other\n");
    let line = ran.stdout.strip_prefix(wrappers.as_bytes()).expect("what the wrappers print");
    assert!(line.starts_with(b"/bin/sh\0./python3\0-X\0dev\0a.py\0\n"), "{}", line.escape_ascii());
}

/// With what the wrappers' own edits make of the environment, and of texts that see it.
#[test]
fn edits_of_wrappers_and_a_last_one_are_planned() {
    let config = r#"{
        "env": {"OPTS": "a"},
        "wrappers": [
            {"path": "./one", "env": {"OPTS": {"append": "b${UNSET}", "separator": " "}, "PATH_OF": "${AWS_LAMBDA_EXEC_WRAPPER}"}},
            "${OPTS:-x}/two"
        ],
        "arguments": {"append": ["${OPTS}"]},
        "hooks": {
            "initialize": [{"name": "i", "command": ["x", "${OPTS}"]}], "pre_stop": [{"name": "p", "command": ["x", "${OPTS}"]}]
        }
    }"#;
    let planned = |config: &str, arguments: &[&str]| {
        let test = test()
            .config(config)
            .args([&["plan"], arguments, &["--", "python3", "app.py"]].concat());
        let captured = test.capture();
        assert_eq!(captured.status, 0, "{}", String::from_utf8_lossy(&captured.stderr));
        String::from_utf8(captured.stdout).expect("UTF-8")
    };
    let json = |config: &str| -> Value {
        serde_json::from_str(&planned(config, &["--format", "json"])).expect("JSON")
    };
    let plan = json(config);
    assert_eq!(plan["wrappers"][0]["env"][0]["after"], json!("a b"));
    assert_eq!(plan["wrappers"][0]["env"][1]["after"], json!("./one"));
    assert_eq!(plan["wrappers"][1]["path"], json!("a b/two"));
    assert_eq!(plan["command_line"]["words"], json!(["python3", "app.py", "a b"]));
    assert_eq!(plan["phases"][0]["hooks"][0]["command"], json!(["x", "a"]));
    assert_eq!(plan["phases"][3]["hooks"][0]["command"], json!(["x", "a b"]));
    let entries = plan["environment"]["entries"].as_array().expect("a list");
    assert!(
        entries.contains(&json!("OPTS=a b"))
            && !entries.iter().any(|entry| entry == "AWS_LAMBDA_EXEC_WRAPPER=./one")
    );
    assert!(plan["warnings"].to_string().contains("${UNSET}"), "{}", plan["warnings"]);
    let text = planned(config, &[]);
    assert!(text.contains("OPTS") && text.contains("wrapper 1  ./one"), "{text}");

    let last = r#"{"wrappers": [{"path": "/opt/bootstrap", "last": true}]}"#;
    assert_eq!(json(last)["wrappers"][0]["last"], json!(true));
    let text = planned(last, &[]);
    assert!(
        text.contains("wrapper 1  /opt/bootstrap  last, never comes back  FOREWORD_CONFIG:1:15\n"),
        "{text}"
    );
    let refused = r#"{"wrappers": [{"path": "/opt/bootstrap", "last": true}], "entry": "x"}"#;
    let captured = test().config(refused).args(["plan", "--", "python3", "app.py"]).capture();
    let message = String::from_utf8(captured.stderr).expect("UTF-8");
    assert!(
        captured.status == 1
            && message.contains("unable to edit \"entry\" (FOREWORD_CONFIG:1:1) behind"),
        "{message}"
    );
}
