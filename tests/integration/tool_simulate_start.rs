//! What `foreword simulate` starts, and where it looks: the clients of runtimes, images, OS-only
//! runtimes, layers' packages, and hooks that nobody would run on Lambda.

use crate::support::timeline::{timeless, with_python};
use crate::support::{Test, foreword, real_part};
use crate::tool_simulate::{outside, python, says, simulated};
use serde_json::json;
use std::fs::{self, read};
use std::path::Path;

const HANDLER: &str = "def handler(event, context):\n    return 1\n";

/// A runtime with nothing but what every machine has.
const RUNTIME: &str = r#"#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
echo "started as ${0##*/} with $#"
while :; do
    id=$(curl -sS --noproxy '*' -o /dev/null -D - "$api/next" | tr -d '\r' | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p')
    curl -sS --noproxy '*' -o /dev/null -d 1 "$api/$id/response"
done
"#;

fn simulate(options: &[&str]) -> Test {
    let test = with_python(Test::new()).args([&["simulate"], options].concat());
    test.env("PYTHONDONTWRITEBYTECODE", "1")
}

#[track_caller]
fn has(output: &str, lines: &[&str]) {
    for line in lines {
        assert!(output.contains(line), "{line:?} is not in\n{output}");
    }
}

/// What is said after wrong use.
#[track_caller]
fn refused(test: &Test) -> String {
    let captured = test.capture();
    let said = String::from_utf8_lossy(&captured.stderr).into_owned();
    assert_eq!((captured.status, captured.stdout.len()), (2, 0), "{said}");
    said
}

fn with_prestop(test: Test) -> Test {
    test.script("prestop/bin/foreword", read(foreword()).expect("foreword"))
        .linked("prestop/extensions/foreword", Path::new("../bin/foreword"))
}

#[test]
fn pre_stop_hooks_without_their_layer_fail_the_simulation() {
    let hooks = json!({"hooks": {"pre_stop": [says("flush")]}}).to_string();
    let problem = "  pre_stop hooks do not run: none of these layers has foreword's extension; \
                   add the layer foreword-prestop with --layer\n";
    let with_foreword =
        |test: Test| test.script("layer/bin/foreword", read(foreword()).expect("foreword"));
    for with_layer in
        [&with_foreword as &dyn Fn(Test) -> Test, &|test: Test| test.file("layer/lib/x", "")]
    {
        let test = with_layer(python(&["--layer", "layer"]).file("app.py", HANDLER)).config(&hooks);
        let output = simulated(test, 1);
        has(&output, &[problem, "not all went well\n"]);
        assert!(!output.contains("the command of flush"), "{output}");
    }
    let output = simulated(
        with_prestop(python(&["--layer", "prestop"]).file("app.py", HANDLER)).config(&hooks),
        0,
    );
    has(&output, &["    │ the command of flush\n", "all went well\n"]);
    // Without layers, foreword that simulates stands for both.
    let output = simulated(python(&[]).file("app.py", HANDLER).config(&hooks), 0);
    has(&output, &["    │ the command of flush\n"]);
}

#[test]
fn pre_stop_hooks_that_do_not_apply_need_no_layer() {
    let hook = json!({"name": "flush", "command": "true", "when": {"runtime": "java"}});
    let hooks = json!({"hooks": {"pre_stop": [hook]}}).to_string();
    let test = python(&["--layer", "layer"])
        .file("app.py", HANDLER)
        .file("layer/lib/x", "")
        .config(&hooks);
    has(&simulated(test, 0), &["all went well\n"]);
}

#[test]
fn snapshot_hooks_that_a_wrapper_prevents_fail_the_simulation() {
    let wrapper = "#!/bin/sh\nexec python3 -m awslambdaric app.handler\n";
    let hooks =
        json!({"wrappers": ["<folder>/wrapper"], "hooks": {"after_restore": [says("reseed")]}})
            .to_string();
    let test =
        python(&["--snap-start"]).file("app.py", HANDLER).script("wrapper", wrapper).config(&hooks);
    let output = simulated(test, 1);
    has(
        &output,
        &["  hook \"reseed\" (after_restore) did not run, or did not end\n", "not all went well\n"],
    );
}

#[test]
fn hooks_with_a_bootstrap_without_foreword_fail_the_simulation() {
    let hooks = json!({"hooks": {"initialize": [says("secrets")]}}).to_string();
    let test =
        simulate(&["--runtime", "provided.al2023"]).script("bootstrap", RUNTIME).config(&hooks);
    let output = simulated(test, 1);
    has(
        &output,
        &[
            "/bootstrap itself, and no wrapper: foreword takes part only if that starts it\n",
            "    │ started as bootstrap with 0\n",
            "  hook \"secrets\" (initialize) did not run, or did not end\n",
        ],
    );
}

#[test]
fn os_only_runtime_starts_the_bootstrap_of_the_code_or_the_handler() {
    let hooks =
        json!({"hooks": {"initialize": [{"name": "once", "command": "echo ran"}]}}).to_string();
    let ran = |output: &str| output.matches("    │ ran\n").count();
    // The bootstrap alone.
    let output =
        simulated(simulate(&["--runtime", "provided.al2023"]).script("bootstrap", RUNTIME), 0);
    has(&output, &["    │ started as bootstrap with 0\n", "all went well\n"]);
    // The handler, by the layer's bootstrap, which is foreword.
    let options = ["--runtime", "provided.al2023", "--env", "_HANDLER=app"];
    let output = simulated(simulate(&options).script("app", RUNTIME).config(&hooks), 0);
    has(&output, &["    │ started as app with 0\n"]);
    assert_eq!(ran(&output), 1, "{output}");
    // A bootstrap that is foreword.
    let test = simulate(&options)
        .script("app", RUNTIME)
        .script("bootstrap", read(foreword()).expect("foreword"));
    let output = simulated(test.config(&hooks), 0);
    has(&output, &["    │ started as app with 0\n"]);
    assert_eq!(ran(&output), 1, "{output}");
    // A bootstrap that starts foreword.
    let start = format!("#!/bin/sh\nexec {} -- ./app\n", foreword());
    let options = ["--runtime", "provided.al2023", "--", "./bootstrap"];
    for options in [&options[..2], &options] {
        let test =
            simulate(options).script("app", RUNTIME).script("bootstrap", &start).config(&hooks);
        let output = simulated(test, 0);
        has(&output, &["    │ started as app with 0\n"]);
        assert_eq!(ran(&output), 1, "{output}");
    }
}

#[test]
fn os_only_runtime_without_a_program_says_what_to_name() {
    let said = refused(&simulate(&["--runtime", "provided.al2"]));
    let expected = "has no bootstrap, and _HANDLER, which names the function's executable, is not \
                    set; add --env _HANDLER=NAME, or name the program: foreword simulate \
                    --runtime provided.al2 -- ./NAME\n";
    assert!(
        said.starts_with("error: there is nothing to start: ") && said.ends_with(expected),
        "{said}"
    );
}

#[test]
fn runtime_without_a_program_starts_its_installed_client() {
    let output = simulated(simulate(&["--runtime", "python3.12"]).file("app.py", HANDLER), 0);
    has(
        &output,
        &[
            "  the runtime's client on this machine: python3 -m awslambdaric app.handler\n",
            "  answer  1\n",
        ],
    );
    let other = "def main(event, context):\n    return 2\n";
    let options = ["--runtime", "python3.12", "--env", "_HANDLER=other.main"];
    let output = simulated(simulate(&options).file("other.py", other), 0);
    has(&output, &["python3 -m awslambdaric other.main\n", "  answer  2\n"]);

    let modules = real_part("node/node_modules").display().to_string();
    let handler = "exports.handler = async () => 3;\n";
    let test =
        simulate(&["--runtime", "nodejs22.x"]).file("index.js", handler).env("NODE_PATH", &modules);
    has(&simulated(test, 0), &["aws-lambda-ric/bin/index.mjs index.handler\n", "  answer  3\n"]);
}

#[test]
fn runtime_without_a_client_names_the_command_line_to_type() {
    let bare = |name: &str| {
        let test = Test::new().args(["simulate", "--runtime", name]).env("PATH", "/usr/bin:/bin");
        refused(&test)
    };
    for (name, cause, command) in [
        (
            "nodejs22.x",
            "there is no aws-lambda-ric",
            "foreword simulate --runtime nodejs22.x -- npx aws-lambda-ric index.handler",
        ),
        (
            "ruby3.4",
            "there is no aws_lambda_ric in PATH",
            "foreword simulate --runtime ruby3.4 -- aws_lambda_ric app.handler",
        ),
        (
            "java21",
            "no jar of aws-lambda-java-runtime-interface-client",
            "AWSLambda app.Handler::handleRequest",
        ),
        (
            "dotnet8",
            "the client of .NET is part of what a function is built to",
            "Amazon.Lambda.RuntimeSupport.dll App::App.Function::Handler",
        ),
    ] {
        let said = bare(name);
        assert!(said.starts_with(&format!("error: unable to start {name}: {cause}")), "{said}");
        assert!(said.trim_end().ends_with(command), "{said}");
    }
}

#[test]
fn packages_of_layers_are_found_where_the_managed_runtime_finds_them() {
    let handler = "import os, generic, special\ndef handler(event, context):\n    return \
                   [generic.x, special.x, os.environ.get('PYTHONPATH')]\n";
    let hooks =
        json!({"hooks": {"initialize": [{"name": "a", "command": "echo [${PYTHONPATH-unset}]"}]}})
            .to_string();
    for command in [&[][..], &["--", "python3", "-m", "awslambdaric", "app.handler"]] {
        let options = [&["--runtime", "python3.12", "--layer", "layer"], command].concat();
        let test = simulate(&options).file("app.py", handler).config(&hooks);
        let test = test
            .file("layer/python/generic.py", "x = 'of python'\n")
            .file("layer/python/lib/python3.12/site-packages/special.py", "x = 'of its version'\n");
        has(
            &simulated(test, 0),
            &[
                "  packages of layers: /opt/python/lib/python3.12/site-packages and /opt/python, \
                 as the bootstrap of python3.12 adds them while PYTHONPATH is unset\n",
                "    │ [unset]\n",
                "  answer  [\"of python\", \"of its version\", \"/var/runtime\"]\n",
            ],
        );
    }
}

/// As on Lambda, whose bootstrap adds nothing then.
#[test]
fn packages_of_layers_are_lost_with_an_edit_of_pythonpath() {
    let handler = "def handler(event, context):\n    import generic\n";
    let config =
        json!({"env": {"PYTHONPATH": {"prepend": "/opt/tool", "separator": ":"}}}).to_string();
    let test = simulate(&["--runtime", "python3.12", "--layer", "layer"])
        .file("app.py", handler)
        .config(&config);
    let output = simulated(test.file("layer/python/generic.py", ""), 1);
    has(&output, &["\"errorType\":\"ModuleNotFoundError\""]);
    let config =
        json!({"env": {"PYTHONPATH": {"prepend": "/opt/python", "separator": ":"}}}).to_string();
    let test = simulate(&["--runtime", "python3.12", "--layer", "layer"])
        .file("app.py", handler)
        .config(&config);
    simulated(test.file("layer/python/generic.py", ""), 0);
}

#[test]
fn modules_of_layers_are_found_where_nodes_runtime_finds_them() {
    let handler = "const [a, b] = [require('generic'), require('special')];\nexports.handler = \
                   async () => [a, b];\n";
    let client = real_part("node/node_modules/aws-lambda-ric/bin/index.mjs").display().to_string();
    let options =
        ["--runtime", "nodejs22.x", "--layer", "layer", "--", "node", &client, "index.handler"];
    let test = simulate(&options).file("index.js", handler);
    let test = test
        .file("layer/nodejs/node_modules/generic/index.js", "module.exports = 1;\n")
        .file("layer/nodejs/node22/node_modules/special/index.js", "module.exports = 2;\n");
    has(
        &simulated(test, 0),
        &[
            "  packages of layers: \
             NODE_PATH=/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:/var/runtime/\
             node_modules:/var/runtime:",
            "  answer  [1,2]\n",
        ],
    );
}

#[test]
fn gems_and_libraries_of_layers_are_found_where_rubys_runtime_finds_them() {
    let script = "#!/bin/sh\nruby -e 'require \"mine\"; puts \
                  Gem.path.include?(\"/opt/ruby/gems/3.4.0\")'\nexec ./runtime\n";
    let test = simulate(&["--runtime", "ruby3.4", "--layer", "layer", "--", "./start"])
        .script("start", script);
    let test =
        test.script("runtime", RUNTIME).file("layer/ruby/lib/mine.rb", "puts 'of the layer'\n");
    let output = simulated(test, 0);
    has(
        &output,
        &["/opt/ruby/gems/3.4.0; packages of layers: RUBYLIB=", "    │ of the layer\n    │ true\n"],
    );
}

#[test]
fn variables_in_the_form_of_plan_are_taken() {
    let handler = "import os\ndef handler(event, context):\n    return [os.environ.get(n) for n \
                   in ('A', 'B', 'C', 'MINE')]\n";
    let options = ["--env", "A=1", "--env", "MINE", "--env-file", "variables", "--env", "C=last"];
    let test =
        python(&options).file("app.py", handler).file("variables", "# of a file\nB=2\nC=first\n");
    has(&simulated(test.env("MINE", "own"), 0), &["  answer  [\"1\", \"2\", \"last\", \"own\"]\n"]);
    let said = refused(&python(&["--env", "=x"]));
    assert_eq!(
        said,
        "error: invalid value '=x' for '--env <NAME=VALUE>': the name of the variable is missing\n\
         \nFor more information, try '--help'.\n"
    );
    let said = refused(&python(&["--env-file", "nowhere"]));
    assert_eq!(said, "error: unable to read nowhere: no such file or directory\n");
    // A condition sees them, and so does a hook.
    let hooks =
        json!({"when": {"env": {"A": "1"}}, "hooks": {"initialize": [says("a")]}}).to_string();
    let test = python(&["--env", "A=1"]).file("app.py", HANDLER).config(&hooks);
    has(&simulated(test, 0), &["    │ the command of a\n"]);
}

#[test]
fn code_directory_as_an_argument_or_a_variable_is_used() {
    let configuration =
        json!({"hooks": {"initialize": [{"name": "where", "command": "pwd"}]}}).to_string();
    let expression = "import os\ndef handler(event, context):\n    return \
                      os.environ['LAMBDA_TASK_ROOT'] == os.getcwd()\n";
    let start = ["--", "python3", "-m", "awslambdaric", "app.handler"];
    let by_option = format!("--env=LAMBDA_TASK_ROOT={}", "code");
    for (options, in_shell) in
        [(&["code"][..], ""), (&[&by_option], ""), (&[], "code"), (&["code"], "elsewhere")]
    {
        let test = simulate(&[options, &start].concat()).env("LAMBDA_TASK_ROOT", in_shell);
        let test = test.file("code/app.py", expression).file("code/foreword.json", &configuration);
        let directory = test.path("code").display().to_string();
        let output = simulated(test, 0);
        has(
            &output,
            &[
                &format!("  configuration: {directory}/foreword.json\n"),
                &format!("    │ {directory}\n"),
                "  answer  true\n",
            ],
        );
    }
}

#[test]
fn configuration_that_is_read_is_named() {
    let outside = outside();
    fs::write(outside.path().join("own.json"), "{}").expect("unable to write");
    let own = outside.path().join("own.json").display().to_string();
    let named = |test: Test| {
        let output = simulated(test.file("app.py", HANDLER), 0);
        let first = output.lines().next().expect("a line").to_owned();
        first.strip_prefix("  configuration: ").unwrap_or_else(|| panic!("{output}")).to_owned()
    };
    let test = python(&[]);
    let directory = test.path("").display().to_string();
    let directory = directory.trim_end_matches('/').to_owned();
    assert_eq!(
        named(test),
        format!(
            "none in {directory}/foreword.d and {directory}/foreword.json, and FOREWORD_CONFIG is not \
             set"
        )
    );
    let test = python(&[])
        .file("foreword.json", "{}")
        .file("foreword.d/a.json", "{}")
        .env("FOREWORD_CONFIG", &own);
    let directory = test.path("").display().to_string();
    assert_eq!(
        named(test),
        format!("{directory}foreword.d/a.json, {directory}foreword.json, {own}")
    );
    assert_eq!(named(python(&[]).config("{}")), "FOREWORD_CONFIG");
    // Beside the code, wherever this is.
    let test = python(&[]).file("conf/own.json", "{}").env("FOREWORD_CONFIG", "conf/own.json");
    assert_eq!(named(test), "conf/own.json");
    assert_eq!(
        named(python(&[]).config("{}").env("FOREWORD_DISABLED", "1")),
        "none is read, FOREWORD_DISABLED is set"
    );
}

#[test]
fn entrypoint_as_the_dockerfile_has_it_is_taken() {
    let hooks =
        json!({"hooks": {"initialize": [{"name": "once", "command": "echo ran"}]}}).to_string();
    let command = ["python3", "-m", "awslambdaric", "app.handler"];
    let array = r#"["/opt/bin/foreword", "--"]"#;
    for (front, dropped) in [
        (&["foreword", "--"][..], "foreword --"),
        (&["/opt/bin/foreword", "--"], "/opt/bin/foreword --"),
        (&["tini", "--", "foreword", "--"], "tini -- foreword --"),
        (
            &["/usr/bin/dumb-init", "/opt/bin/foreword", "--"],
            "/usr/bin/dumb-init /opt/bin/foreword --",
        ),
        (&[array], "/opt/bin/foreword --"),
    ] {
        let test =
            simulate(&[&["--"], front, &command].concat()).file("app.py", HANDLER).config(&hooks);
        let output = simulated(test, 0);
        has(
            &output,
            &[&format!("  {dropped} is left out: it starts foreword itself\n"), "  answer  1\n"],
        );
        assert_eq!(output.matches("    │ ran\n").count(), 1, "{output}");
    }
}

#[test]
fn layers_after_one_option_are_all_taken() {
    let hooks = json!({"hooks": {"initialize": [{"name": "a", "command": ["mine"]}]}}).to_string();
    let test = python(&["--layer", "a", "b"]).file("app.py", HANDLER).config(&hooks);
    let test = test
        .script("a/bin/mine", "#!/bin/sh\necho hidden\n")
        .script("b/bin/mine", "#!/bin/sh\necho shown\n");
    let output = timeless(simulated(test, 0).as_bytes());
    has(&output, &["    │ shown\n"]);
}

#[test]
fn real_functions_of_os_only_runtimes_start_as_bootstrap_and_as_handler() {
    let hooks = json!({"hooks": {"initialize": [says("once")]}}).to_string();
    for client in ["rust/release/client", "go/client"] {
        let program = read(real_part(client)).expect("a client");
        let options = ["--runtime", "provided.al2023", "--event", r#"{"key":"value"}"#];
        // foreword has no part in what Lambda starts by itself.
        let test = simulate(&options).script("bootstrap", &program).env("CLIENT_LOG", "/tmp/log");
        has(&simulated(test, 0), &["  answer  {\"key\":\"value\"}\n"]);
        let test = simulate(&[&options[..], &["--env", "_HANDLER=client"]].concat())
            .script("client", &program);
        let output = simulated(test.env("CLIENT_LOG", "/tmp/log").config(&hooks), 0);
        has(&output, &["    │ the command of once\n", "  answer  {\"key\":\"value\"}\n"]);
    }
}

#[test]
fn java_without_a_program_starts_the_client_in_lib() {
    let options = [
        "--runtime",
        "java21",
        "--env",
        "_HANDLER=client.Function::handleRequest",
        "--event",
        r#"{"key":"value"}"#,
    ];
    let test =
        simulate(&[&options[..], &["--timeout", "20"]].concat()).env("CLIENT_LOG", "/tmp/log");
    let test = test
        .linked("lib", &real_part("java/lib"))
        .linked("target/classes", &real_part("java/classes"));
    let output = simulated(test, 0);
    has(
        &output,
        &[
            "com.amazonaws.services.lambda.runtime.api.client.AWSLambda \
             client.Function::handleRequest\n",
            "  answer  {",
        ],
    );
}
