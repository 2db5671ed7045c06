//! What `foreword plan --runtime` says Lambda starts each managed runtime with, against what is
//! known of it from elsewhere. The expectations are written out here, each with its evidence;
//! nothing of them comes from the source.

use crate::support::Test;
use serde_json::Value;

const SNAPSHOTS: &str = "recorded by localstack's AWS-validated snapshots, 2026-01";
const BOOTSTRAP: &str = "AWS's published bootstrap";
const SCRIPT: &str = "the bootstrap's script, quoted in public";
const DOCUMENTED: &str = "AWS's documentation";
const DUMPS: &str = "dumps of processes, published in 2023 and 2024";
const INFERRED: &str = "inferred";

/// The plan of a runtime.
#[track_caller]
fn plan(runtime: &str, more: &[&str]) -> Value {
    planned(Test::new(), runtime, more)
}

#[track_caller]
fn planned(test: Test, runtime: &str, more: &[&str]) -> Value {
    let arguments = [&["plan", "--format", "json", "--runtime", runtime], more].concat();
    let captured = test.env_remove("LAMBDA_TASK_ROOT").args(arguments).capture();
    assert_eq!(
        (captured.status, String::from_utf8_lossy(&captured.stderr)),
        (0, "".into()),
        "{runtime} {more:?}"
    );
    serde_json::from_slice(&captured.stdout).expect("JSON")
}

fn line(plan: &Value) -> String {
    let words = plan["received"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|word| word.as_str().expect("text"));
    words.collect::<Vec<_>>().join(" ")
}

fn variable<'p>(plan: &'p Value, name: &str) -> Option<&'p str> {
    let entries = plan["environment"]["entries"].as_array().expect("a list").iter();
    let mut pairs = entries.filter_map(|entry| entry.as_str().expect("text").split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// This machine in the words of Java's client.
const MACHINE: &str = if cfg!(target_arch = "aarch64") { "aarch_64" } else { "x86_64" };

const NODE: &str = "/var/lang/bin/node --expose-gc --max-http-header-size 81920 \
                    --max-semi-space-size=6 --max-old-space-size=116";

fn old_java() -> String {
    "/var/lang/bin/java -XX:MaxHeapSize=111412k -XX:MaxMetaspaceSize=13107k \
     -XX:ReservedCodeCacheSize=6553k -XX:+UseSerialGC -Xshare:on \
     -XX:SharedArchiveFile=/var/lang/lib/server/runtime.jsa \
     -javaagent:/var/runtime/lib/Log4jHotPatch.jar=log4jFixerVerbose=false -XX:-TieredCompilation \
     -Djava.net.preferIPv4Stack=true -classpath CLASSPATH lambdainternal.AWSLambda"
        .into()
}

fn new_java() -> String {
    format!(
        "/var/lang/bin/java -XX:MaxHeapSize=111412k \
         -javaagent:/var/runtime/lib/Log4jHotPatch.jar=log4jFixerVerbose=false -XX:+UseSerialGC \
         -Xshare:on -XX:SharedArchiveFile=/var/lang/lib/server/runtime.jsa -XX:+TieredCompilation \
         -XX:TieredStopAtLevel=1 --add-opens=java.base/java.io=ALL-UNNAMED \
         -Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac -XX:+ErrorFileToStderr \
         -Dcom.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI=/var/\
         runtime/lib/jni/libaws-lambda-jni.linux-{MACHINE}.so -classpath CLASSPATH \
         com.amazonaws.services.lambda.runtime.api.client.AWSLambda app.Handler::handleRequest"
    )
}

/// The names of the jars carry versions, which change with time.
fn without_class_path(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    if let Some(at) = words.iter().position(|word| *word == "-classpath") {
        assert!(
            words[at + 1]
                .split(':')
                .all(|jar| jar.starts_with("/var/runtime/lib/aws-lambda-java-")),
            "{line}"
        );
        words[at + 1] = "CLASSPATH";
    }
    words.join(" ")
}

#[test]
fn every_managed_runtime_has_the_command_line_that_lambda_gives_it() {
    let python = |version: &str| format!("/var/lang/bin/python{version} /var/runtime/bootstrap.py");
    let node = |more: &str| format!("{NODE}{more} /var/runtime/index.mjs");
    let ruby = || "/var/lang/bin/ruby /var/runtime/index.rb".to_owned();
    let dotnet = || {
        "/var/lang/bin/dotnet exec --depsfile /var/task/App.deps.json --runtimeconfig \
         /var/task/App.runtimeconfig.json /var/runtime/Amazon.Lambda.RuntimeSupport.dll \
         App::App.Function::Handler"
            .to_owned()
    };
    let (no_require, no_detect) =
        (" --no-experimental-require-module", " --no-experimental-detect-module");
    let rows = [
        ("python3.8", INFERRED, python("3.8")),
        ("python3.9", INFERRED, python("3.9")),
        ("python3.10", SCRIPT, python("3.10")),
        ("python3.11", SCRIPT, python("3.11")),
        ("python3.12", INFERRED, python("3.12")),
        ("python3.13", SNAPSHOTS, python("3.13")),
        ("python3.14", INFERRED, python("3.14")),
        ("nodejs16.x", SCRIPT, node("")),
        ("nodejs18.x", SCRIPT, node("")),
        ("nodejs20.x", DOCUMENTED, node(no_require)),
        ("nodejs22.x", DOCUMENTED, node(&[no_require, no_detect].concat())),
        ("nodejs24.x", INFERRED, node("")),
        ("java8.al2", SCRIPT, old_java()),
        ("java11", SCRIPT, old_java()),
        ("java17", DUMPS, new_java()),
        ("java21", INFERRED, new_java()),
        ("java25", INFERRED, new_java()),
        ("ruby3.2", INFERRED, ruby()),
        ("ruby3.3", INFERRED, ruby()),
        ("ruby3.4", INFERRED, ruby()),
        ("ruby4.0", INFERRED, ruby()),
        ("dotnet6", BOOTSTRAP, dotnet()),
        ("dotnet8", BOOTSTRAP, dotnet()),
        ("dotnet10", BOOTSTRAP, dotnet()),
        ("provided.al2", DOCUMENTED, "/var/task/app".into()),
        ("provided.al2023", DOCUMENTED, "/var/task/app".into()),
    ];
    for (runtime, evidence, expected) in rows {
        let plan = plan(runtime, &[]);
        assert_eq!(without_class_path(&line(&plan)), expected, "{runtime}, {evidence}");
        let is_named = !runtime.starts_with("provided");
        let declared = is_named.then(|| format!("AWS_Lambda_{runtime}"));
        assert_eq!(variable(&plan, "AWS_EXECUTION_ENV"), declared.as_deref(), "{runtime}");
        // What nobody saw is said to be so.
        let is_doubtful = matches!(
            runtime,
            "nodejs20.x"
                | "nodejs22.x"
                | "nodejs24.x"
                | "java8.al2"
                | "java11"
                | "java21"
                | "java25"
        );
        let note = format!("what {runtime} is really started with: ");
        let notes = plan["notes"].as_array().expect("a list");
        assert_eq!(
            notes.iter().any(|found| found.as_str().is_some_and(|found| found.starts_with(&note))),
            is_doubtful
        );
    }
}

/// Nothing stands for a variable that is unset.
type Variables<'t> = &'t [(&'t str, Option<&'t str>)];

const PATH: &str = "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin";
const LIBRARIES: &str = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/\
                         var/task/lib:/opt/lib";

#[test]
fn every_managed_runtime_has_the_variables_that_lambda_gives_it() {
    let common: Variables = &[
        ("LANG", Some("en_US.UTF-8")),
        ("TZ", Some(":UTC")),
        ("LAMBDA_TASK_ROOT", Some("/var/task")),
        ("LAMBDA_RUNTIME_DIR", Some("/var/runtime")),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", Some("on-demand")),
        ("AWS_XRAY_CONTEXT_MISSING", Some("LOG_ERROR")),
        ("_AWS_XRAY_DAEMON_PORT", Some("2000")),
        ("AWS_ACCESS_KEY_ID", Some("[redacted]")),
        ("AWS_SECRET_ACCESS_KEY", Some("[redacted]")),
        ("AWS_SESSION_TOKEN", Some("[redacted]")),
        ("AWS_LAMBDA_METADATA_TOKEN", Some("[redacted]")),
        ("AWS_LAMBDA_LOG_FORMAT", None),
        ("AWS_LAMBDA_MAX_CONCURRENCY", None),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", None),
        ("PYTHONPATH", None),
        ("HOME", None),
        ("USER", None),
        ("_", None),
    ];
    let elsewhere: Variables = &[
        ("AWS_LAMBDA_RUNTIME_API", Some("169.254.100.1:9001")),
        ("AWS_XRAY_DAEMON_ADDRESS", Some("169.254.100.1:2000")),
        ("_AWS_XRAY_DAEMON_ADDRESS", Some("169.254.100.1")),
    ];
    let language: Variables = &[("PATH", Some(PATH)), ("LD_LIBRARY_PATH", Some(LIBRARIES))];
    let bash: Variables = &[("PWD", Some("/var/task")), ("SHLVL", Some("0"))];
    let no_bash: Variables = &[("PWD", None), ("SHLVL", None)];
    let log: Variables = &[("_LAMBDA_TELEMETRY_LOG_FD", Some("62"))];
    let no_log: Variables = &[("_LAMBDA_TELEMETRY_LOG_FD", None)];
    let new_node: Variables =
        &[("NODE_EXTRA_CA_CERTS", None), ("GEM_PATH", None), ("DOTNET_ROOT", None)];
    let old_node: Variables = &[("NODE_EXTRA_CA_CERTS", Some("/var/runtime/ca-cert.pem"))];
    let old_java: Variables =
        &[("AWS_ACCESS_KEY", Some("[redacted]")), ("AWS_SECRET_KEY", Some("[redacted]"))];
    let no_old_keys: Variables = &[("AWS_ACCESS_KEY", None), ("AWS_SECRET_KEY", None)];
    let ruby_path = format!("/var/lang/bin:{PATH}");
    let ruby_libraries = format!("/var/lang/lib:{LIBRARIES}");
    let ruby: Variables = &[
        ("GEM_HOME", Some("/var/runtime")),
        (
            "RUBYLIB",
            Some(
                "/var/runtime/gems/aws_lambda_ric-3.1.3/lib:/var/task:/var/runtime/lib:/opt/ruby/\
                 lib",
            ),
        ),
        ("PATH", Some(&ruby_path)),
        ("LD_LIBRARY_PATH", Some(&ruby_libraries)),
    ];
    let certificates: Variables = &[("SSL_CERT_FILE", Some("/var/runtime/empty-certificates.crt"))];
    let no_certificates: Variables = &[("SSL_CERT_FILE", None)];
    let al2: Variables = &[
        ("PATH", Some("/usr/local/bin:/usr/bin/:/bin:/opt/bin")),
        (
            "LD_LIBRARY_PATH",
            Some(
                "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
            ),
        ),
        ("AWS_LAMBDA_RUNTIME_API", Some("127.0.0.1:9001")),
        ("AWS_XRAY_DAEMON_ADDRESS", Some("169.254.79.129:2000")),
        ("_AWS_XRAY_DAEMON_ADDRESS", Some("169.254.79.129")),
    ];
    let dotnet = |name: &'static str| {
        [("LAMBDA_RUNTIME_NAME", Some(name)), ("DOTNET_ROOT", Some("/var/lang/bin"))]
    };
    let modules = |version: &str| {
        format!(
            "/opt/nodejs/node{version}/node_modules:/opt/nodejs/node_modules:/var/runtime/\
             node_modules:/var/runtime:/var/task"
        )
    };
    let gems = |version: &str| {
        format!(
            "/var/task/vendor/bundle/ruby/{version}:/opt/ruby/gems/{version}:/var/runtime:/var/\
             runtime/ruby/{version}"
        )
    };

    let mut rows: Vec<(String, &str, Vec<Variables>)> = Vec::new();
    for minor in 8..=14 {
        let all = vec![common, elsewhere, language, bash, log, no_old_keys, no_certificates];
        rows.push((format!("python3.{minor}"), SNAPSHOTS, all));
    }
    for version in [16, 18, 20, 22, 24] {
        let certificates = if version < 20 { old_node } else { new_node };
        let all = vec![
            common,
            elsewhere,
            language,
            bash,
            log,
            no_old_keys,
            no_certificates,
            certificates,
        ];
        rows.push((format!("nodejs{version}.x"), SNAPSHOTS, all));
    }
    for name in ["java8.al2", "java11"] {
        rows.push((
            name.into(),
            SNAPSHOTS,
            vec![common, elsewhere, language, no_bash, no_log, old_java],
        ));
    }
    for name in ["java17", "java21", "java25"] {
        rows.push((
            name.into(),
            SNAPSHOTS,
            vec![common, elsewhere, language, no_bash, log, no_old_keys],
        ));
    }
    for name in ["ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0"] {
        rows.push((name.into(), SNAPSHOTS, vec![common, elsewhere, bash, log, ruby, no_old_keys]));
    }
    let of_dotnet = [dotnet("dotnet6"), dotnet("dotnet8"), dotnet("dotnet10")];
    for (at, name) in ["dotnet6", "dotnet8", "dotnet10"].into_iter().enumerate() {
        let certificates = if name == "dotnet8" { certificates } else { no_certificates };
        let all: Vec<Variables> =
            vec![common, elsewhere, language, bash, log, &of_dotnet[at], certificates];
        rows.push((name.into(), SNAPSHOTS, all));
    }
    rows.push(("provided.al2".into(), SNAPSHOTS, vec![common, no_bash, no_log, al2]));
    rows.push((
        "provided.al2023".into(),
        SNAPSHOTS,
        vec![common, elsewhere, language, no_bash, no_log],
    ));

    for (runtime, evidence, groups) in rows {
        let plan = plan(&runtime, &[]);
        for (name, value) in groups.into_iter().flatten() {
            assert_eq!(variable(&plan, name), *value, "{name} of {runtime}, {evidence}");
        }
        if let Some(version) =
            runtime.strip_prefix("nodejs").and_then(|rest| rest.strip_suffix(".x"))
        {
            assert_eq!(
                variable(&plan, "NODE_PATH"),
                Some(&*modules(version)),
                "{runtime}, {SCRIPT}"
            );
        }
        if let Some(version) = runtime.strip_prefix("ruby") {
            assert_eq!(
                variable(&plan, "GEM_PATH"),
                Some(&*gems(&format!("{version}.0"))),
                "{runtime}, {evidence}"
            );
        }
    }
}

#[test]
fn sizes_on_the_command_line_follow_the_memory() {
    for (runtime, memory, expected) in [
        ("nodejs18.x", "128", &["--max-semi-space-size=6", "--max-old-space-size=116"][..]),
        ("nodejs18.x", "512", &["--max-semi-space-size=25", "--max-old-space-size=461"]),
        ("nodejs16.x", "1024", &["--max-semi-space-size=51", "--max-old-space-size=922"]),
        ("java17", "128", &["-XX:MaxHeapSize=111412k"]),
        ("java17", "256", &["-XX:MaxHeapSize=222823k"]),
        ("java11", "512", &["-XX:MaxHeapSize=445645k"]),
        ("java21", "1536", &["-XX:MaxHeapSize=1336935k"]),
    ] {
        let memory = format!("AWS_LAMBDA_FUNCTION_MEMORY_SIZE={memory}");
        let line = line(&plan(runtime, &["--env", &memory]));
        assert!(
            expected.iter().all(|option| line.split(' ').any(|word| word == *option)),
            "{runtime} {memory}: {line}"
        );
    }
}

#[test]
fn options_that_the_function_overrides_are_not_on_the_command_line() {
    for (runtime, given, gone) in [
        ("nodejs20.x", "--experimental-require-module", "--no-experimental-require-module"),
        ("nodejs22.x", "--experimental-require-module", "--no-experimental-require-module"),
        ("nodejs22.x", "--experimental_detect_module", "--no-experimental-detect-module"),
        ("nodejs24.x", "--max-old-space-size=64", "--max-old-space-size="),
        ("nodejs24.x", "--max_semi_space_size=1", "--max-semi-space-size="),
    ] {
        let has = |plan: &Value| line(plan).split(' ').any(|word| word.starts_with(gone));
        assert!(has(&plan(runtime, &[])), "{runtime} {gone}");
        assert!(
            !has(&plan(runtime, &["--env", &format!("NODE_OPTIONS={given}")])),
            "{runtime} {given}"
        );
        // What foreword says comes too late for that.
        let late = Test::new().config(&format!(r#"{{"env": {{"NODE_OPTIONS": "{given}"}}}}"#));
        assert!(has(&planned(late, runtime, &[])), "{runtime} {given}");
    }
}

#[test]
fn dotnet_handler_may_be_an_assembly_or_a_method() {
    let method = |assembly: &str, handler: &str| {
        format!(
            "/var/lang/bin/dotnet exec --depsfile /var/task/{assembly}.deps.json --runtimeconfig \
             /var/task/{assembly}.runtimeconfig.json \
             /var/runtime/Amazon.Lambda.RuntimeSupport.dll {handler}"
        )
    };
    let main = "LAMBDA_DOTNET_MAIN_ASSEMBLY";
    for (given, file, expected) in [
        (vec!["_HANDLER=A::T::M".to_owned()], "other", method("A", "A::T::M")),
        (vec!["_HANDLER=A::T::M".into(), format!("{main}=B")], "other", method("B", "A::T::M")),
        (vec!["_HANDLER=A::T::M".into(), format!("{main}=B.dll")], "other", method("B", "A::T::M")),
        (
            vec!["_HANDLER=App".into()],
            "App.dll",
            "/var/lang/bin/dotnet exec /var/task/App.dll".into(),
        ),
        (
            vec!["_HANDLER=App.dll".into()],
            "App.dll",
            "/var/lang/bin/dotnet exec /var/task/App.dll".into(),
        ),
        (vec!["_HANDLER=App".into()], "App", "/var/task/App".into()),
    ] {
        let more: Vec<&str> = given.iter().flat_map(|entry| ["--env", entry]).collect();
        for runtime in ["dotnet6", "dotnet8", "dotnet10"] {
            assert_eq!(
                line(&planned(Test::new().file(file, ""), runtime, &more)),
                expected,
                "{given:?} {file}"
            );
        }
    }
}

#[test]
fn environment_of_a_plan_follows_the_initialization() {
    const KEYS: [&str; 5] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ACCESS_KEY",
        "AWS_SECRET_KEY",
    ];
    const LOG: [&str; 2] = ["AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"];
    const CONTAINER: [&str; 2] =
        ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];
    const CONCURRENCY: [&str; 1] = ["AWS_LAMBDA_MAX_CONCURRENCY"];
    for runtime in ["java11", "java21", "python3.12", "dotnet8"] {
        for (initialization, has_keys, has_log, is_concurrent) in [
            ("on-demand", true, true, false),
            ("provisioned-concurrency", true, true, false),
            ("snap-start", false, false, false),
            ("lambda-managed-instances", false, true, true),
        ] {
            let plan = plan(
                runtime,
                &["--env", &format!("AWS_LAMBDA_INITIALIZATION_TYPE={initialization}")],
            );
            assert_eq!(variable(&plan, "AWS_LAMBDA_INITIALIZATION_TYPE"), Some(initialization));
            let has = |names: &[&str]| names.iter().any(|name| variable(&plan, name).is_some());
            let found = (has(&KEYS), has(&LOG), has(&CONTAINER), has(&CONCURRENCY));
            assert_eq!(
                found,
                (has_keys, has_log, !has_keys, is_concurrent),
                "{runtime} {initialization}"
            );
        }
    }
    // What is said of a start by hand is so.
    let given = [
        "--env",
        "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start",
        "--env",
        "AWS_LAMBDA_LOG_GROUP_NAME=mine",
    ];
    assert_eq!(variable(&plan("java21", &given), "AWS_LAMBDA_LOG_GROUP_NAME"), Some("mine"));
}

#[test]
fn variables_of_the_function_win_over_defaults_of_the_bootstrap() {
    let ruby = "/var/runtime/gems/aws_lambda_ric-3.1.3/lib:/var/task:/var/runtime/lib:/mine";
    for (runtime, given, name, expected) in [
        ("nodejs22.x", "NODE_PATH=/mine", "NODE_PATH", Some("/mine")),
        ("nodejs18.x", "NODE_EXTRA_CA_CERTS=", "NODE_EXTRA_CA_CERTS", Some("")),
        (
            "nodejs18.x",
            "AWS_REGION=cn-north-1",
            "NODE_EXTRA_CA_CERTS",
            Some("/etc/pki/tls/certs/ca-bundle.crt"),
        ),
        (
            "nodejs16.x",
            "AWS_REGION=us-gov-west-1",
            "NODE_EXTRA_CA_CERTS",
            Some("/etc/pki/tls/certs/ca-bundle.crt"),
        ),
        (
            "nodejs16.x",
            "AWS_REGION=eu-west-1",
            "NODE_EXTRA_CA_CERTS",
            Some("/var/runtime/ca-cert.pem"),
        ),
        ("ruby3.4", "GEM_PATH=/mine", "GEM_PATH", Some("/mine")),
        ("ruby3.4", "GEM_HOME=", "GEM_HOME", Some("/var/runtime")),
        ("ruby4.0", "RUBYLIB=/mine", "RUBYLIB", Some(ruby)),
        ("dotnet8", "SSL_CERT_FILE=/mine", "SSL_CERT_FILE", Some("/mine")),
        ("dotnet8", "SSL_CERT_FILE=", "SSL_CERT_FILE", Some("/var/runtime/empty-certificates.crt")),
        ("python3.12", "PYTHONPATH=/mine", "PYTHONPATH", Some("/mine")),
        ("java21", "JAVA_TOOL_OPTIONS=-Da=b", "JAVA_TOOL_OPTIONS", Some("-Da=b")),
    ] {
        assert_eq!(
            variable(&plan(runtime, &["--env", given]), name),
            expected,
            "{runtime} {given}"
        );
    }
}

#[test]
fn hook_of_dotnet8_is_planned_without_the_empty_certificate_file() {
    let config = r#"{"hooks": {"initialize": [{"name": "n", "command": "x"}, {"name": "m", "command": "x", "env": {"SSL_CERT_FILE": "/mine"}}]}}"#;
    let edits = |runtime: &str, at: usize| -> Vec<(String, Value, Value)> {
        let plan = planned(Test::new().config(config), runtime, &[]);
        let edits = plan["phases"][0]["hooks"][at]["env"].as_array().expect("a list").clone();
        let told = |edit: &Value| {
            (
                edit["place"].as_str().expect("a text").into(),
                edit["before"].clone(),
                edit["after"].clone(),
            )
        };
        edits.iter().map(told).collect()
    };
    let unset = (
        "foreword itself".to_owned(),
        Value::from("/var/runtime/empty-certificates.crt"),
        Value::Null,
    );
    let own = |runtime: &str| edits(runtime, 1).pop().map(|(_, before, after)| (before, after));
    assert_eq!(edits("dotnet8", 0), std::slice::from_ref(&unset));
    assert_eq!(
        (edits("dotnet8", 1)[0].clone(), own("dotnet8")),
        (unset, Some((Value::Null, "/mine".into())))
    );
    for runtime in ["dotnet6", "dotnet10", "python3.12", "java21"] {
        assert_eq!(
            (edits(runtime, 0), own(runtime)),
            (Vec::new(), Some((Value::Null, "/mine".into()))),
            "{runtime}"
        );
    }
}
