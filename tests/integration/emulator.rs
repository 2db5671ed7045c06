//! Whole functions: AWS's runtime clients for Python and Node, started through foreword under AWS's
//! emulator, as managed runtimes start them and as the `ENTRYPOINT` of an own image does.

use crate::support::{Answer, Emulator, PATH, Test, foreword, real_part};
use serde_json::json;
use std::path::PathBuf;

/// What puts the runtime's command line together.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// Lambda's own bootstrap, which gives it to the program that `AWS_LAMBDA_EXEC_WRAPPER` names.
    Managed,
    /// The image's `ENTRYPOINT`, where the wrapper stands in front of it.
    Image,
}

#[derive(Clone, Copy, Debug)]
enum Client {
    Python,
    Node,
}

use Client::{Node, Python};

const EVERY_START: [(Client, Start); 4] = [
    (Python, Start::Managed),
    (Python, Start::Image),
    (Node, Start::Managed),
    (Node, Start::Image),
];

#[test]
fn function_without_configuration_runs_unchanged() {
    for (client, start) in EVERY_START {
        let emulator = function(client, start, foreword()).emulate();
        let answer = emulator.invoke(r#"{"key":"value"}"#);
        assert_eq!(answer.body["event"], json!({"key": "value"}), "{client:?} {start:?}");
        assert_eq!(
            answer.body["command_line"],
            json!(command_line(client, start)[1..]),
            "{client:?} {start:?}"
        );
    }
}

#[test]
fn options_for_python_stand_before_its_entry() {
    for start in [Start::Managed, Start::Image] {
        let test = function(Python, start, foreword());
        let emulator = test.config(r#"{"options": {"append": ["-X", "importtime"]}}"#).emulate();
        let answer = emulator.invoke("{}");
        assert_eq!(answer.body["options"], json!(["importtime"]), "{start:?}: {answer:?}");
        let command_line = command_line(Python, start);
        assert_eq!(
            answer.body["command_line"],
            json!([&["-X", "importtime"], &own(&command_line)[1..]].concat())
        );
        assert!(
            emulator.log().contains("import time: self [us] | cumulative | imported package"),
            "{start:?}"
        );
    }
}

#[test]
fn program_as_a_bare_name_is_found_in_path() {
    let test = function(Python, Start::Image, foreword())
        .config(r#"{"options": {"append": ["-X", "importtime"]}}"#);
    let emulator =
        test.args([foreword(), "python3", "-m", "awslambdaric", "app.handler"]).emulate();
    assert_eq!(emulator.invoke("{}").body["options"], json!(["importtime"]));
    assert!(emulator.log().contains("import time: self [us] | cumulative | imported package"));
}

/// What stands in the layer's example, with what the image would hold in the places that the
/// machine has it in.
#[test]
fn example_of_a_custom_image_runs_a_function() {
    let dockerfile = include_str!("../../layer/examples/Dockerfile");
    let words = |instruction: &str| -> Vec<String> {
        let line = dockerfile
            .lines()
            .find_map(|line| line.strip_prefix(instruction))
            .expect("an instruction");
        serde_json::from_str(line).expect("a list")
    };
    // The client that is tested is the one that the image installs.
    let version = |text: &str, before: &str| {
        let rest = text.split(before).nth(1).unwrap_or_else(|| panic!("no {before}"));
        rest.split(|c: char| c != '.' && !c.is_ascii_digit()).next().unwrap_or_default().to_owned()
    };
    let installed = version(include_str!("../../scripts/real-parts.sh"), "\naws_lambda_ric=");
    assert_eq!(version(dockerfile, "npm install aws-lambda-ric@"), installed);
    let page = include_str!("../../docs/layer.md");
    for line in dockerfile
        .lines()
        .filter(|line| line.starts_with("ENTRYPOINT ") || line.starts_with("CMD "))
    {
        assert!(page.contains(line), "{line}");
    }
    let client = node_client("bin/index.mjs");
    let command = [words("ENTRYPOINT "), words("CMD ")].concat();
    let command: Vec<_> = command
        .iter()
        .map(|word| match word.as_str() {
            "/opt/bin/foreword" => foreword(),
            "node_modules/aws-lambda-ric/bin/index.mjs" => &client,
            other => other,
        })
        .collect();
    assert_eq!(
        command,
        [foreword(), "--", "node", &client, "index.handler"],
        "the program is looked up in PATH"
    );
    let test = function(Node, Start::Image, foreword()).args(command);
    let emulator = test.config(r#"{"options": {"append": ["--no-warnings"]}}"#).emulate();
    assert_eq!(emulator.invoke("{}").body["options"], json!(["--no-warnings"]));
}

#[test]
fn options_for_node_stand_before_its_entry() {
    for start in [Start::Managed, Start::Image] {
        let test = function(Node, start, foreword());
        let emulator = test
            .config(r#"{"options": {"append": ["--stack-trace-limit=7", "--no-warnings"]}}"#)
            .emulate();
        let answer = emulator.invoke("{}");
        let command_line = command_line(Node, start);
        let entry =
            command_line.iter().position(|argument| argument.ends_with(".mjs")).expect("an entry");
        let expected =
            [&own(&command_line)[1..entry], &["--stack-trace-limit=7", "--no-warnings"]].concat();
        assert_eq!(answer.body["options"], json!(expected), "{start:?}: {answer:?}");
    }
}

/// Each inserts an option directly behind what it takes for the interpreter.
#[test]
fn two_wrappers_run_before_the_runtime() {
    for (client, start) in EVERY_START {
        let (one, two, third) = match client {
            Python => ("-Ximporttime", "-Xutf8", "-Xdev"),
            Node => ("--stack-trace-limit=7", "--no-warnings", "--no-deprecation"),
        };
        let wrapper = |option: &str| {
            format!(
                "#!/bin/bash\nexport \"FROM_${{0##*/}}=1\"\nexec \"$1\" {option} \"${{@:2}}\"\n"
            )
        };
        let config =
            json!({"wrappers": ["./one", "./two"], "options": {"append": [third]}}).to_string();
        let test = function(client, start, foreword())
            .script("one", wrapper(one))
            .script("two", wrapper(two));
        let emulator = test.config(&config).env("TMPDIR", "<folder>").emulate();
        let answer = emulator.invoke(r#"{"key":"value"}"#);
        assert_eq!(
            answer.body["event"],
            json!({"key": "value"}),
            "{client:?} {start:?}: {answer:?}"
        );
        let received = command_line(client, start);
        let is_option = |word: &&str| word.starts_with("--") || word.parse::<u32>().is_ok();
        let options: Vec<_> = own(&received)[1..].iter().copied().take_while(is_option).collect();
        let expected =
            [&[two, one], &options[..], &[third], &own(&received)[1 + options.len()..]].concat();
        assert_eq!(answer.body["command_line"], json!(expected), "{client:?} {start:?}");
        let environment = answer.body["environment"].as_object().expect("an environment");
        assert_eq!([&environment["FROM_one"], &environment["FROM_two"]], [&json!("1"); 2]);
        let wrapper =
            environment.get("AWS_LAMBDA_EXEC_WRAPPER").map(|path| path.as_str().expect("text"));
        assert_eq!(
            wrapper,
            matches!(start, Start::Managed).then_some(foreword()),
            "{client:?} {start:?}"
        );
        assert!(
            !environment.keys().any(|name| name.starts_with("FOREWORD_STAGE")),
            "{client:?} {start:?}"
        );
    }
}

#[test]
fn wrapper_that_cannot_be_executed_is_reported_to_the_caller() {
    for (client, start) in EVERY_START {
        let test = function(client, start, foreword())
            .script("one", "#!/bin/sh\nexec \"$@\"\n")
            .file("two", "");
        let test = test.config(r#"{"wrappers": ["./one", "./two"]}"#).env("TMPDIR", "<folder>");
        let message = "wrapper \"two\": unable to execute \"./two\": it has no run bit (chmod +x)";
        fails(&test.emulate(), "Runtime.ForewordWrapperFailed", message, 126);
    }
}

#[test]
fn wrapper_of_aws_s_example_breaks_the_command_line_of_an_image() {
    let managed = function(Python, Start::Managed, "<folder>/importtime").emulate();
    assert_eq!(managed.invoke("{}").body["options"], json!(["importtime"]));
    let image = function(Python, Start::Image, "<folder>/importtime").emulate();
    let answer = image.invoke("{}");
    assert_eq!(
        answer.body["errorMessage"],
        json!("Bad handler '-X': not enough values to unpack (expected 2, got 1)")
    );
}

#[test]
fn variables_that_hooks_export_reach_the_function() {
    for (client, start) in EVERY_START {
        let test = function(client, start, foreword()).config(
            r#"{"hooks": {"initialize": [
                {"name": "secrets", "command": ["./secrets"], "export": "json"},
                {"name": "dotenv", "command": "cat .env", "export": "dotenv"}
            ]}}"#,
        );
        let secrets = r#"{"API_KEY": "k $HOME \"é\"\nline two", "PORT": 8080, "RATE": 1.50, "ON": true, "TWICE": "json"}"#;
        let test = test.script("secrets", format!("#!/bin/sh\ncat <<'END'\n{secrets}\nEND\n"));
        let dotenv = "# comment\nexport REGION=eu\nQUOTED='a $b \"c\"'\nTWICE=dotenv\n";
        let emulator = test.file(".env", dotenv).emulate();
        let answer = emulator.invoke("{}");
        let environment = &answer.body["environment"];
        let found = ["API_KEY", "PORT", "RATE", "ON", "REGION", "QUOTED", "TWICE"]
            .map(|name| &environment[name]);
        let expected =
            ["k $HOME \"é\"\nline two", "8080", "1.50", "true", "eu", "a $b \"c\"", "dotenv"];
        assert_eq!(
            found,
            expected.map(|text| json!(text)).each_ref(),
            "{client:?} {start:?}: {answer:?}"
        );
        for line in [
            r#"foreword: hook "secrets" (initialize) succeeded after N ms, exported 5 variables"#,
            r#"foreword: hook "dotenv" (initialize) succeeded after N ms, exported 3 variables"#,
        ] {
            assert!(emulator.log().contains(line), "{}", emulator.log());
        }
        assert!(
            !emulator.log().contains("line two"),
            "what is exported is not logged:\n{}",
            emulator.log()
        );
    }
}

#[test]
fn hook_that_fails_is_reported_to_the_caller() {
    for (client, start) in EVERY_START {
        let test = function(client, start, foreword());
        let emulator = test
            .config(r#"{"hooks": {"initialize": [{"name": "x", "command": "exit 3"}]}}"#)
            .emulate();
        let message = r#"hook "x" (initialize) exited with status 3 after N ms"#;
        fails(&emulator, "Runtime.ForewordHookFailed", message, 125);
    }
}

#[test]
fn hook_that_times_out_is_reported_to_the_caller() {
    for (client, start) in EVERY_START {
        let config = r#"{"hooks": {"initialize": [{"name": "x", "command": ["sleep", "100"], "timeout_ms": 50}]}}"#;
        let emulator = function(client, start, foreword()).config(config).emulate();
        let answer = emulator.invoke("{}");
        assert_eq!(answer.body["errorType"], json!("Runtime.ForewordHookTimedOut"), "{answer:?}");
        assert!(emulator.log().contains("exit status 124"), "{}", emulator.log());
    }
}

#[test]
fn configuration_with_a_mistake_is_reported_to_the_caller() {
    for (client, start) in EVERY_START {
        let test = function(client, start, foreword());
        let emulator =
            test.file("foreword.json", "{\n  \"option\": {\"append\": [\"-X\"]}\n}\n").emulate();
        let answer = emulator.invoke("{}");
        assert_eq!(answer.body["errorType"], json!("Runtime.ForewordConfigInvalid"), "{answer:?}");
        let message = answer.body["errorMessage"].as_str().expect("a message");
        assert!(message.starts_with("<folder>/foreword.json:2:3: "), "{message}");
        assert!(message.contains("option") && message.contains("options"), "{message}");
        assert!(emulator.log().contains("exit status 125"), "{}", emulator.log());
    }
}

#[test]
fn runtime_that_is_missing_is_reported_to_the_caller() {
    let test = Test::new()
        .args([foreword(), "/var/lang/bin/python3.99", "app.handler"])
        .without_foreword();
    let emulator = test.emulate();
    let answer = emulator.invoke("{}");
    assert_eq!(answer.body["errorType"], json!("Runtime.InvalidEntrypoint"), "{answer:?}");
    let message = answer.body["errorMessage"].as_str().expect("a message");
    assert!(message.contains("/var/lang/bin/python3.99"), "{message}");
    assert!(emulator.log().contains("exit status 127"), "{}", emulator.log());
}

#[track_caller]
fn fails(emulator: &Emulator, error_type: &str, message: &str, status: i32) {
    let Answer { status: http, body } = emulator.invoke("{}");
    assert_eq!(http, 502);
    assert_eq!(body, json!({"errorType": error_type, "errorMessage": message, "stackTrace": []}));
    let log = emulator.log();
    assert!(log.contains(&format!("foreword: {message}\n")), "{log}");
    assert!(log.contains(&format!("exit status {status}")), "{log}");
}

/// A function of this client with this wrapper in front of its runtime.
fn function(client: Client, start: Start, wrapper: &str) -> Test {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lambda");
    let content =
        |name: &str| std::fs::read(format!("{fixtures}/{name}")).expect("unable to read a fixture");
    let mut test = Test::new()
        .script("managed", content("managed.sh"))
        .script("importtime", content("importtime.sh"));
    for name in ["app.py", "bootstrap.py", "index.mjs", "bootstrap.mjs"] {
        test = test.file(name, content(name));
    }
    let programs = [real_part("python/bin"), node_directory()]
        .map(|directory| directory.display().to_string());
    let command_line = command_line(client, start);
    let handler = match client {
        Python => "app.handler",
        Node => "index.handler",
    };
    let test = test
        .env("PATH", format!("{}:{PATH}", programs.join(":")))
        .env("RUNTIME_CLIENT", node_client("dist/index.mjs"))
        .without_foreword();
    match start {
        Start::Managed => test
            .env("AWS_LAMBDA_EXEC_WRAPPER", wrapper)
            .env("MANAGED_RUNTIME", command_line.join("\n"))
            .args(["./managed", handler]),
        Start::Image => test.args([&[wrapper], &own(&command_line)[..]].concat()),
    }
}

/// The runtime's command line, the handler included where it is an argument.
fn command_line(client: Client, start: Start) -> Vec<String> {
    let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let program = match client {
        Python => real_part("python/bin/python3").display().to_string(),
        Node => node_directory().join("node").display().to_string(),
    };
    match (client, start) {
        (Python, Start::Managed) => text(&[&program, "bootstrap.py"]),
        (Python, Start::Image) => text(&[&program, "-m", "awslambdaric", "app.handler"]),
        (Node, Start::Managed) => text(&[
            &program,
            "--expose-gc",
            "--max-http-header-size",
            "81920",
            "--max-semi-space-size=6",
            "--max-old-space-size=116",
            "<folder>/bootstrap.mjs",
        ]),
        (Node, Start::Image) => text(&[&program, &node_client("bin/index.mjs"), "index.handler"]),
    }
}

fn node_client(file: &str) -> String {
    real_part("node/node_modules/aws-lambda-ric").join(file).display().to_string()
}

/// Where the machine's own node is.
fn node_directory() -> PathBuf {
    let path = std::env::var_os("PATH").expect("a PATH");
    std::env::split_paths(&path)
        .find(|directory| directory.join("node").is_file())
        .expect("node in PATH: run scripts/real-parts.sh")
}

fn own(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
