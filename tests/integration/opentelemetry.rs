//! OpenTelemetry's own wrappers, and foreword with the configuration from layer/examples that takes
//! their place: from whatever environment they start, the runtime gets the same command line and
//! the same environment.

use crate::support::{DUMP, Test, foreword};
use std::collections::BTreeMap;

/// The states of a variable that a wrapper might tell apart.
type States = &'static [Option<&'static str>];
type Matrix = &'static [(&'static str, States)];

/// What a shell makes by itself, whoever starts it.
const SHELL_MADE: [&str; 4] = ["_", "SHLVL", "PWD", "OLDPWD"];

const ATTRIBUTES: (&str, States) = (
    "OTEL_RESOURCE_ATTRIBUTES",
    &[
        None,
        Some(""),
        Some("team=a,stage=b"),
        Some("team=a,service.name=mine"),
        Some("service.name="),
        Some("$HOME ${X} *"),
    ],
);
const PROPAGATORS: (&str, States) = ("OTEL_PROPAGATORS", &[None, Some(""), Some("b3")]);
const FUNCTION: (&str, States) = ("AWS_LAMBDA_FUNCTION_NAME", &[None, Some("orders")]);

#[test]
fn java_configuration_equals_the_layer_s_script() {
    let matrix: Matrix = &[
        ("JAVA_TOOL_OPTIONS", &[None, Some(""), Some("-Dname='a b' $x")]),
        ("OTEL_JAVA_AGENT_FAST_STARTUP_ENABLED", &[None, Some("true"), Some("false")]),
        ("OTEL_INSTRUMENTATION_AWS_LAMBDA_FLUSH_TIMEOUT", &[Some("5")]),
        ("AWS_LAMBDA_FUNCTION_NAME", &[Some("orders")]),
        ATTRIBUTES,
        PROPAGATORS,
    ];
    let java11 = [
        "<folder>/java",
        "-XX:MaxHeapSize=222823k",
        "-XX:+UseSerialGC",
        "-Xshare:on",
        "-XX:SharedArchiveFile=/var/lang/lib/server/runtime.jsa",
        "-javaagent:/var/runtime/x.jar",
        "-XX:-TieredCompilation",
        "-Djava.net.preferIPv4Stack=true",
        "-XX:-TieredCompilation",
        "-classpath",
        "a.jar:b.jar",
        "lambdainternal.AWSLambda",
    ];
    let java17 = [
        "<folder>/java",
        "-XX:MaxHeapSize=445645k",
        "-XX:+UseSerialGC",
        "-XX:+TieredCompilation",
        "-XX:TieredStopAtLevel=1",
        "--add-opens=java.base/java.io=ALL-UNNAMED",
        "-classpath",
        "a.jar:b.jar",
        "com.amazonaws.services.lambda.runtime.api.client.AWSLambda",
        "pkg.Class::method",
    ];
    for command in [&java11[..], &java17[..]] {
        compare("java", matrix, command);
    }
}

#[test]
fn node_configuration_equals_the_layer_s_script() {
    let matrix: Matrix = &[
        ("NODE_OPTIONS", &[None, Some(""), Some("--max-old-space-size=64")]),
        ATTRIBUTES,
        PROPAGATORS,
        FUNCTION,
    ];
    let node22 = [
        "<folder>/node",
        "--expose-gc",
        "--max-http-header-size",
        "81920",
        "--max-semi-space-size=6",
        "--max-old-space-size=116",
        "/var/runtime/index.mjs",
    ];
    compare("node", matrix, &node22);
}

#[test]
fn python_configuration_equals_the_layer_s_script() {
    let matrix: Matrix = &[
        ("PYTHONPATH", &[None, Some(""), Some("/var/task/lib:")]),
        ("LAMBDA_RUNTIME_DIR", &[None, Some("/var/runtime")]),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", &[None, Some("grpc")]),
        ("OTEL_SERVICE_NAME", &[None, Some(""), Some("shop")]),
        ("_HANDLER", &[Some("app.handler")]),
        ("AWS_REGION", &[Some("eu-central-1")]),
        ("AWS_LAMBDA_FUNCTION_VERSION", &[Some("$LATEST")]),
        ("AWS_LAMBDA_LOG_STREAM_NAME", &[Some("2026/01/31/[$LATEST]d1")]),
        ("OTEL_RESOURCE_ATTRIBUTES", &[None, Some(""), Some("team=a")]),
        FUNCTION,
    ];
    compare("python", matrix, &["<folder>/python3", "/var/runtime/bootstrap.py"]);
}

/// What the vendor's wrapper takes away, foreword's configuration keeps: `PYTHONPATH` names what
/// other layers have.
#[test]
fn python_configuration_keeps_other_layers_packages_and_needs_no_log_name() {
    let configuration =
        format!("{}/layer/examples/opentelemetry-python.json", env!("CARGO_MANIFEST_DIR"));
    let runtime = "#!/bin/sh\necho \"$PYTHONPATH $OTEL_RESOURCE_ATTRIBUTES\"\n";
    for (version, initialization, instance) in [
        ("3.8", "on-demand", ",faas.instance=stream"),
        ("3.9", "snap-start", ""),
        ("3.13", "provisioned-concurrency", ",faas.instance=stream"),
        ("3.14", "snap-start", ""),
    ] {
        let test =
            Test::new().script("bin/python3", runtime).env("FOREWORD_CONFIG", &configuration);
        let test = test.env("PATH", "<folder>/bin:/usr/bin:/bin");
        let test = test.env("AWS_EXECUTION_ENV", format!("AWS_Lambda_python{version}"));
        let test = test
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", initialization)
            .env("LAMBDA_RUNTIME_DIR", "/var/runtime");
        let test = if instance.is_empty() {
            test
        } else {
            test.env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        };
        let path =
            format!("/var/runtime:/opt/python::/opt/python/lib/python{version}/site-packages");
        let attributes =
            format!("cloud.region=,cloud.provider=aws,faas.name=,faas.version={instance}");
        test.args(["/var/lang/bin/python3"]).stdout(format!("{path} {attributes}\n")).run();
    }
}

#[cfg(feature = "tool")]
#[test]
fn example_configurations_give_no_unexpected_warning() {
    for language in ["java", "node", "python"] {
        let configuration =
            format!("{}/layer/examples/opentelemetry-{language}.json", env!("CARGO_MANIFEST_DIR"));
        let captured = Test::new().args(["check", &configuration]).capture();
        let output = shown(&captured.stdout);
        let warnings: Vec<_> = output.lines().filter(|line| line.contains(": warning: ")).collect();
        // The vendor's own wrapper sets the time whatever the function says.
        let is_expected =
            |line: &&str| line.contains("OTEL_INSTRUMENTATION_AWS_LAMBDA_FLUSH_TIMEOUT");
        assert_eq!((captured.status, warnings.iter().all(is_expected)), (0, true), "{output}");
    }
}

/// Starts the command from every combination of states, once by the wrapper and once by foreword.
#[track_caller]
fn compare(language: &str, matrix: Matrix, command: &[&str]) {
    let root = env!("CARGO_MANIFEST_DIR");
    let script = format!("{root}/tests/fixtures/opentelemetry/{language}.sh");
    let configuration = format!("{root}/layer/examples/opentelemetry-{language}.json");
    // The first program is the runtime's, the second what Python's wrapper looks up.
    let runtime = command[0].trim_start_matches("<folder>/");
    let test = Test::new().script(runtime, DUMP).script("bin/python3", DUMP);
    let path = format!("{}:/usr/bin:/bin", test.path("bin").display());
    let mut test = test.env("PATH", path).env("FOREWORD_CONFIG", configuration).without_foreword();
    let combinations: usize = matrix.iter().map(|(_, states)| states.len()).product();
    for combination in 0..combinations {
        let mut remaining = combination;
        let mut described = Vec::new();
        for (name, states) in matrix {
            let state = states[remaining % states.len()];
            remaining /= states.len();
            described.push((name, state));
            test = match state {
                Some(value) => test.env(name, value),
                None => test.env_remove(name),
            };
        }
        test = test.args([&["/bin/bash", &script], command].concat());
        let wrapped = test.capture();
        test = test.args([&[foreword()], command].concat());
        let foreword = test.capture();
        assert_eq!(
            (wrapped.status, foreword.status, shown(&foreword.stderr)),
            (0, 0, String::new()),
            "{described:?}"
        );
        assert_eq!(Dump::read(&foreword.stdout), Dump::read(&wrapped.stdout), "{described:?}");
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Dump {
    command_line: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl Dump {
    fn read(output: &[u8]) -> Self {
        let output = shown(output);
        let (command_line, environment) = output.split_once("\0\n").expect("a dump has two parts");
        let entries = environment
            .split_terminator('\0')
            .map(|entry| entry.split_once('=').expect("an entry"));
        let environment = entries.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            command_line: command_line.split('\0').map(str::to_owned).collect(),
            environment: environment
                .filter(|(name, _)| !SHELL_MADE.contains(&name.as_str()))
                .collect(),
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a dump of text")
}
