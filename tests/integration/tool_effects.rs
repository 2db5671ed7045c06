//! Edits that do something else on Lambda than they seem to: `check` and `plan` say so, with the
//! edit that does what was meant.

use crate::support::Test;
use serde_json::Value;

/// What `check` warns of, without what it says of values that are hidden.
#[track_caller]
fn checked(config: &str) -> Vec<String> {
    let captured = Test::new().file("a.json", config).args(["check", "a.json"]).capture();
    assert_eq!((captured.status, captured.stderr), (0, Vec::new()), "{config}");
    let output = String::from_utf8(captured.stdout).expect("UTF-8");
    let lines = output
        .lines()
        .filter(|line| line.starts_with("a.json:") && !line.contains("this hides whatever value"));
    lines.map(|line| line.replace(": warning: ", ": ")).collect()
}

/// What `plan` warns of.
#[track_caller]
fn planned(config: &str, arguments: &[&str]) -> Vec<String> {
    let all = [&["plan", "--format", "json", "--config", "a.json"], arguments].concat();
    let captured =
        Test::new().env_remove("LAMBDA_TASK_ROOT").file("a.json", config).args(all).capture();
    assert_eq!(
        (captured.status, String::from_utf8_lossy(&captured.stderr)),
        (0, "".into()),
        "{config}"
    );
    let plan: Value = serde_json::from_slice(&captured.stdout).expect("JSON");
    serde_json::from_value(plan["warnings"].clone()).expect("texts")
}

fn runtime(name: &str) -> [&str; 2] {
    ["--runtime", name]
}

const REST: &str = "/opt/python/lib/python3.12/site-packages:/opt/python:/var/lang/lib/python3.12/\
                    site-packages:/var/runtime";

#[test]
fn pythonpath_without_the_layers_directories_gives_a_warning() {
    let site = "/opt/python/lib/python3.12/site-packages";
    let both = format!("{site} and /opt/python");
    let only = format!("write {:?}", format!("/mine:{REST}"));
    let none = format!("leave PYTHONPATH unset, or write {REST:?}");
    for (edit, missing, way_out) in [
        (r#""/mine""#, both.as_str(), &only),
        (r#"{"default": "/mine"}"#, &both, &only),
        (r#"{"prepend": "/mine", "separator": ":"}"#, &both, &only),
        (r#"{"append": "/mine", "separator": ":"}"#, &both, &only),
        (r#"{"prepend": "/opt/python", "separator": ":"}"#, site, &none),
        (r#""/opt/python/lib/python3.12/site-packages/""#, "/opt/python", &none),
        (
            r#""/opt/python:/opt/python/lib/python3.11/site-packages:/mine""#,
            site,
            &format!(
                "write {:?}",
                format!("/opt/python/lib/python3.11/site-packages:/mine:{REST}")
            ),
        ),
        (r#""""#, &both, &none),
        (r#"{"default": ""}"#, &both, &none),
        (r#""${UNSET:-/var/runtime}""#, &both, &none),
    ] {
        let config =
            format!(r#"{{"when": {{"runtime": "python3.12"}}, "env": {{"PYTHONPATH": {edit}}}}}"#);
        let message = format!(
            "a.json:1:45: with PYTHONPATH set, python3.12 does not find what layers have in \
             {missing}; {way_out}"
        );
        assert_eq!(checked(&config), [message.as_str()], "{edit}");
        assert_eq!(planned(&config, &runtime("python3.12")), [message], "{edit}");
        assert_eq!(planned(&config, &runtime("nodejs22.x")), [] as [&str; 0], "{edit}");
    }
}

#[test]
fn pythonpath_that_takes_nothing_away_gives_no_warning() {
    let whole = format!("\"/mine:{REST}\"");
    let for_java = r#"{"when": {"runtime": "java"}, "env": {"PYTHONPATH": "/mine"}}"#;
    for config in [
        r#"{"env": {"PYTHONPATH": null}}"#.to_owned(),
        r#"{"env": {"PYTHONPATH": {"prepend": "", "separator": ":"}}}"#.into(),
        r#"{"env": {"PYTHONPATH": {"append": "${UNSET:-}", "separator": ":"}}}"#.into(),
        r#"{"env": {"PYTHONPATH": "/mine"}, "rules": [{"when": {"runtime": "python"}, "env": {"PYTHONPATH": null}}]}"#.into(),
        format!(r#"{{"when": {{"runtime": "python3.12"}}, "env": {{"PYTHONPATH": {whole}}}}}"#),
        r#"{"when": {"runtime": "python3.12"}, "env": {"PYTHONPATH": "/opt/python/:/opt/python/lib/python3.12/site-packages"}}"#.into(),
        for_java.into(),
        r#"{"when": {"not": {"runtime": "python"}}, "env": {"PYTHONPATH": "/mine"}}"#.into(),
        r#"{"hooks": {"initialize": [{"name": "n", "command": "x", "env": {"PYTHONPATH": "/mine"}}]}}"#.into(),
    ] {
        assert_eq!(checked(&config), [] as [&str; 0], "{config}");
        assert_eq!(planned(&config, &runtime("python3.12")), [] as [&str; 0], "{config}");
    }
    // An image of one's own has another start.
    let config = r#"{"env": {"PYTHONPATH": "/mine"}}"#;
    let mut found = planned(config, &["--", "python3", "-m", "awslambdaric", "app.handler"]);
    // Whether this machine has it is not asked here.
    found.retain(|warning| !warning.starts_with("there is no program "));
    assert_eq!(found, [] as [&str; 0]);
}

/// Of several versions one is named, and the way out says that each wants a value of its own.
#[test]
fn pythonpath_in_a_wrapper_s_env_gives_a_warning() {
    let wrapper = r#"{"path": "/opt/w", "env": {"PYTHONPATH": "/mine"}}"#;
    let config = format!(
        r#"{{"rules": [{{"when": {{"runtime": "python3.12"}}, "wrappers": [{wrapper}]}}]}}"#
    );
    let is_one =
        |found: &[String]| found.iter().filter(|line| line.contains("PYTHONPATH")).count() == 1;
    let (checked, planned) = (checked(&config), planned(&config, &runtime("python3.12")));
    assert!(is_one(&checked) && is_one(&planned), "{checked:?} {planned:?}");
}

#[test]
fn pythonpath_for_several_versions_gives_one_warning() {
    let way_out = "in a rule for each version (\"when\": {\"runtime\": \"python3.14\"})";
    for config in [
        r#"{"env": {"PYTHONPATH": "/mine"}}"#,
        r#"{"when": {"runtime": "python3.1[34]"}, "env": {"PYTHONPATH": "/mine"}}"#,
        // Where nobody can tell whether it applies, it may.
        r#"{"when": {"runtime": "${KIND}"}, "env": {"PYTHONPATH": {"default": "/mine"}}}"#,
        r#"{"when": {"runtime": "python", "env": {"A": "${B}"}}, "env": {"PYTHONPATH": {"default": "/mine"}}}"#,
    ] {
        let found = checked(config);
        assert!(matches!(&found[..], [one] if one.ends_with(way_out)), "{config}: {found:?}");
    }
    let each = r#"{"rules": [
        {"when": {"runtime": "python3.13"}, "env": {"PYTHONPATH": "/opt/python/lib/python3.13/site-packages:/opt/python"}},
        {"when": {"runtime": "python3.14"}, "env": {"PYTHONPATH": "/opt/python/lib/python3.13/site-packages:/opt/python"}}
    ]}"#;
    let found = checked(each);
    assert!(
        matches!(&found[..], [one] if one.starts_with("a.json:3:53: with PYTHONPATH set, python3.\
         14 ")),
        "{found:?}"
    );
}

#[test]
fn option_in_a_variable_that_the_command_line_overrides_gives_a_warning() {
    let node = |value: &str, size: &str| {
        format!(
            "--{value} in NODE_OPTIONS has no effect on nodejs22.x: --{size} on its command line \
             wins; write \"options\": "
        )
    };
    let java = |option: &str, winner: &str| {
        format!(
            "{option} in JAVA_TOOL_OPTIONS has no effect on java17: {winner} on its command line \
             wins; write \"options\": "
        )
    };
    let heap = "-XX:MaxHeapSize=111412k";
    for (name, variable, value, expected) in [
        (
            "nodejs22.x",
            "NODE_OPTIONS",
            "--max-old-space-size=64",
            node("max-old-space-size=64", "max-old-space-size 116")
                + r#"{"values": {"--max-old-space-size": "64"}}"#,
        ),
        (
            "nodejs22.x",
            "NODE_OPTIONS",
            "--import /a.mjs --max-semi-space-size=1",
            node("max-semi-space-size=1", "max-semi-space-size 6")
                + r#"{"values": {"--max-semi-space-size": "1"}}"#,
        ),
        (
            "nodejs22.x",
            "NODE_OPTIONS",
            "--experimental-require-module",
            node("experimental-require-module", "no-experimental-require-module")
                + r#"{"remove": ["--no-experimental-require-module"]}"#,
        ),
        (
            "nodejs22.x",
            "NODE_OPTIONS",
            "--experimental-detect-module",
            node("experimental-detect-module", "no-experimental-detect-module")
                + r#"{"remove": ["--no-experimental-detect-module"]}"#,
        ),
        (
            "java17",
            "JAVA_TOOL_OPTIONS",
            "-Xmx64m",
            java("-Xmx64m", heap) + r#"{"append": ["-Xmx64m"]}"#,
        ),
        (
            "java17",
            "JAVA_TOOL_OPTIONS",
            "-Da=b -XX:MaxRAMPercentage=75",
            java("-XX:MaxRAMPercentage=75", heap) + r#"{"remove": ["-XX:MaxHeapSize=*"]}"#,
        ),
        (
            "java17",
            "JAVA_TOOL_OPTIONS",
            "-XX:TieredStopAtLevel=4",
            java("-XX:TieredStopAtLevel=4", "-XX:TieredStopAtLevel=1")
                + r#"{"append": ["-XX:TieredStopAtLevel=4"]}"#,
        ),
        (
            "java17",
            "JAVA_TOOL_OPTIONS",
            "-Xshare:off",
            java("-Xshare:off", "-Xshare:on") + r#"{"append": ["-Xshare:off"]}"#,
        ),
        (
            "java17",
            "JDK_JAVA_OPTIONS",
            "-Xmx64m",
            java("-Xmx64m", heap).replace("JAVA_TOOL", "JDK_JAVA") + r#"{"append": ["-Xmx64m"]}"#,
        ),
        (
            "java17",
            "JAVA_TOOL_OPTIONS",
            "-XX:+UseG1GC",
            "-XX:+UseG1GC in JAVA_TOOL_OPTIONS ends the start of java17, whose command line has \
             -XX:+UseSerialGC, and there can be one collector; write \"options\": {\"remove\": \
             [\"-XX:+UseSerialGC\"]}, too"
                .into(),
        ),
    ] {
        for edit in [
            format!("{value:?}"),
            format!(r#"{{"append": {value:?}, "separator": " "}}"#),
            format!(r#"{{"default": {value:?}}}"#),
        ] {
            let config = format!(
                "{{\"when\": {{\"runtime\": {name:?}}},\n\"env\": {{{variable:?}: {edit}}}}}"
            );
            let expected = format!("a.json:2:9: {expected}");
            assert_eq!(checked(&config), [expected.as_str()], "{config}");
            assert_eq!(planned(&config, &runtime(name)), [expected.as_str()], "{config}");
        }
    }
}

#[test]
fn option_in_a_variable_with_an_effect_gives_no_warning() {
    for (name, config) in [
        (
            "nodejs22.x",
            r#"{"env": {"NODE_OPTIONS": {"append": "--import /a.mjs", "separator": " "}}}"#,
        ),
        (
            "nodejs18.x",
            r#"{"when": {"runtime": "nodejs18.x"}, "env": {"NODE_OPTIONS": "--experimental-require-module"}}"#,
        ),
        (
            "nodejs22.x",
            r#"{"env": {"NODE_OPTIONS": "--max-old-space-size=64"}, "options": {"remove": ["--max-old-space-size=*"]}}"#,
        ),
        (
            "nodejs22.x",
            r#"{"env": {"NODE_OPTIONS": "--max-old-space-size=64"}, "options": {"values": {"--max-old-space-size": "64"}}}"#,
        ),
        (
            "nodejs22.x",
            r#"{"when": {"runtime": "java"}, "env": {"NODE_OPTIONS": "--max-old-space-size=64"}}"#,
        ),
        ("java17", r#"{"env": {"JAVA_TOOL_OPTIONS": "-javaagent:/a.jar -Da=b"}}"#),
        (
            "java17",
            r#"{"env": {"JAVA_TOOL_OPTIONS": "-XX:+UseG1GC"}, "options": {"remove": ["-XX:+UseSerialGC"]}}"#,
        ),
        (
            "java17",
            r#"{"env": {"JAVA_TOOL_OPTIONS": "-XX:MaxRAMPercentage=9"}, "options": {"remove": ["-XX:MaxHeapSize=*"]}}"#,
        ),
        ("java17", r#"{"env": {"_JAVA_OPTIONS": "-Xmx64m"}}"#),
        (
            "python3.12",
            r#"{"when": {"runtime": "python"}, "env": {"NODE_OPTIONS": "--max-old-space-size=64"}}"#,
        ),
    ] {
        assert_eq!(checked(config), [] as [&str; 0], "{config}");
        assert_eq!(planned(config, &runtime(name)), [] as [&str; 0], "{config}");
    }
    // What the function says itself is not the configuration's doing.
    let added = r#"{"env": {"NODE_OPTIONS": {"append": "--import /a.mjs", "separator": " "}}}"#;
    let own = ["--runtime", "nodejs22.x", "--env", "NODE_OPTIONS=--max-old-space-size=64"];
    assert_eq!(planned(added, &own), [] as [&str; 0]);
}

const SNAP_START: [&str; 4] =
    ["--runtime", "python3.12", "--env", "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start"];

#[test]
fn template_with_a_variable_missing_before_a_snapshot_gives_a_warning() {
    let text = |name: &str, key: &str| {
        let leads = " (AWS_CONTAINER_CREDENTIALS_FULL_URI leads to the keys)";
        let leads = if name.contains("LOG") { "" } else { leads };
        format!(
            "${{{name}}}{key} counts as empty at the init before a snapshot, where Lambda does \
             not set it{leads}; write ${{{name}:-…}}, or a rule with \"not\": \
             {{\"initialization\": \"snap-start\"}}"
        )
    };
    for (config, place, name, key) in [
        (
            r#"{"env": {"A": {"default": "${AWS_LAMBDA_LOG_STREAM_NAME}"}}}"#,
            "1:10",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "",
        ),
        (
            r#"{"env": {"A": {"prepend": "${AWS_LAMBDA_LOG_GROUP_NAME}", "separator": ""}}}"#,
            "1:10",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "",
        ),
        (
            r#"{"options": {"append": ["${AWS_ACCESS_KEY_ID}"]}}"#,
            "1:1",
            "AWS_ACCESS_KEY_ID",
            " in \"options\"",
        ),
        (
            r#"{"arguments": {"append": ["${AWS_SESSION_TOKEN}"]}}"#,
            "1:1",
            "AWS_SESSION_TOKEN",
            " in \"arguments\"",
        ),
        (
            r#"{"when": {"initialization": "snap-start"}, "hooks": {"initialize": [{"name": "n", "command": ["x", "${AWS_SECRET_ACCESS_KEY}"]}]}}"#,
            "1:69",
            "AWS_SECRET_ACCESS_KEY",
            " in \"command\"",
        ),
        (
            r#"{"hooks": {"after_restore": [{"name": "n", "command": "x", "env": {"A": "${AWS_LAMBDA_LOG_STREAM_NAME}"}}]}}"#,
            "1:68",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "",
        ),
        (
            r#"{"prefix": ["x", "${AWS_LAMBDA_LOG_GROUP_NAME}"]}"#,
            "1:1",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            " in \"prefix\"",
        ),
    ] {
        let expected = format!("a.json:{place}: {}", text(name, key));
        assert_eq!(checked(config), [expected.as_str()], "{config}");
        assert_eq!(planned(config, &SNAP_START), [expected.as_str()], "{config}");
        assert_eq!(planned(config, &runtime("python3.12")), [] as [&str; 0], "{config}");
    }
    for config in [
        r#"{"env": {"A": {"default": "${AWS_LAMBDA_LOG_STREAM_NAME:-none}"}}}"#,
        r#"{"when": {"not": {"initialization": "snap-start"}}, "env": {"A": {"default": "${AWS_LAMBDA_LOG_STREAM_NAME}"}}}"#,
        r#"{"when": {"initialization": ["on-demand", "lambda-managed-instances"]}, "options": {"append": ["${AWS_ACCESS_KEY_ID}"]}}"#,
        r#"{"env": {"AWS_LAMBDA_LOG_STREAM_NAME": {"default": "none"}}, "options": {"append": ["${AWS_LAMBDA_LOG_STREAM_NAME}"]}}"#,
        r#"{"env": {"A": {"default": "${AWS_REGION}"}}}"#,
    ] {
        assert_eq!(checked(config), [] as [&str; 0], "{config}");
        assert_eq!(planned(config, &SNAP_START), [] as [&str; 0], "{config}");
    }
}

#[test]
fn condition_on_a_variable_missing_before_a_snapshot_gives_a_warning() {
    let asks = |name: &str, leads: &str| {
        format!(
            "this asks for {name}, which Lambda does not set at the init before a \
             snapshot{leads}, so that it never holds there; ask for \"initialization\", too"
        )
    };
    let leads = " (AWS_CONTAINER_CREDENTIALS_FULL_URI leads to the keys)";
    for (config, place, of_rule, name, leads) in [
        (
            r#"{"when": {"env": {"AWS_ACCESS_KEY_ID": true}}, "env": {"A": {"default": "${AWS_ACCESS_KEY_ID}"}}}"#,
            "1:40",
            "1:1",
            "AWS_ACCESS_KEY_ID",
            leads,
        ),
        (
            r#"{"rules": [{"when": {"env": {"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/*"}}, "program": "x"}]}"#,
            "1:59",
            "1:12",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "",
        ),
        (
            r#"{"when": {"not": {"env": {"AWS_SESSION_TOKEN": false}}}, "program": "x"}"#,
            "1:10",
            "1:1",
            "AWS_SESSION_TOKEN",
            leads,
        ),
        (
            r#"{"hooks": {"initialize": [{"name": "n", "command": "x", "when": {"env": {"AWS_LAMBDA_LOG_STREAM_NAME": true}}}]}}"#,
            "1:104",
            "1:27",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "",
        ),
        (
            r#"{"wrappers": [{"path": "/w", "when": {"any": [{"env": {"AWS_ACCESS_KEY": true}}]}}]}"#,
            "1:38",
            "1:15",
            "AWS_ACCESS_KEY",
            leads,
        ),
    ] {
        assert_eq!(checked(config), [format!("a.json:{place}: {}", asks(name, leads))], "{config}");
        assert_eq!(
            planned(config, &SNAP_START),
            [format!("a.json:{of_rule}: {}", asks(name, leads))],
            "{config}"
        );
        assert_eq!(planned(config, &runtime("java11")), [] as [&str; 0], "{config}");
    }
    for config in [
        r#"{"when": {"env": {"AWS_ACCESS_KEY_ID": false}}, "program": "x"}"#,
        r#"{"when": {"not": {"env": {"AWS_ACCESS_KEY_ID": true}}}, "program": "x"}"#,
        r#"{"when": {"env": {"AWS_ACCESS_KEY_ID": true}, "initialization": "on-demand"}, "program": "x"}"#,
    ] {
        assert_eq!(checked(config), [] as [&str; 0], "{config}");
    }
}
