//! What the page of patterns says, with the commands and configurations that it shows.

use crate::support::client::{INVOCATION_NEXT, RESTORE_NEXT};
use crate::support::lambda::{Lambda, Settings};
use crate::support::{Test, foreword};
use std::fs;
use std::net::TcpListener;

const PAGE: &str = include_str!("../../docs/patterns.md");

/// The first block of a language behind a heading.
fn block(heading: &str, language: &str) -> String {
    let section = PAGE.split(&format!("\n## {heading}\n")).nth(1).expect("a section");
    let block = section.split(&format!("```{language}\n")).nth(1).expect("a block");
    block.split("```").next().unwrap_or_default().to_owned()
}

#[test]
fn runtime_with_a_waiting_hook_starts_when_the_port_accepts() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let config = block("Wait for another extension", "json").replace("127.0.0.1:4318", &address);
    let line = "foreword: hook \"collector is up\" (initialize) succeeded after N ms\n";
    Test::new().config(&config).args(["/bin/true"]).stderr(line).run();
    drop(listener);
    let config = config.replace("2000", "50");
    let captured = Test::new().config(&config).args(["/bin/true"]).capture();
    let log = String::from_utf8(captured.stderr).expect("text");
    assert!(log.contains(&format!("nothing accepts connections at {address}")), "{log}");
    assert_eq!(captured.status, 0, "the runtime is started all the same");
}

#[test]
fn handler_after_a_restore_finds_values_in_a_file() {
    let lambda = Lambda::new(Settings::default());
    let config = block("Values for the handler after a restore", "json");
    let config = config
        .replace("/opt/bin/fetch", "echo fetched")
        .replace("/tmp/credentials.json", "./credentials.json");
    let runtime =
        Test::new().snap_start(&lambda).config(&config).env("FOREWORD_LOG", "warn").play();
    assert!(!runtime.path("credentials.json").exists());
    let client = runtime.asking(RESTORE_NEXT);
    lambda.snapshot().unwrap();
    lambda.restore().unwrap();
    let mut client = runtime.is_restored(client);
    client.request(INVOCATION_NEXT, "");
    let file = runtime.path("credentials.json");
    assert_eq!(fs::read_to_string(&file).expect("a file"), "fetched\n");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file).expect("a file").permissions())
            & 0o777,
        0o600
    );
    runtime.end("");
}

#[test]
fn extension_started_by_foreword_sees_exports_of_hooks() {
    let script = block("Secrets for another extension", "sh");
    let config = r#"{"hooks": {"initialize": [{"name": "secrets", "command": "echo API_KEY=hunter2", "export": "dotenv"}]}}"#;
    let test = Test::new()
        .over("opt", "/opt")
        .script("opt/bin/foreword", fs::read(foreword()).expect("foreword"));
    let test =
        test.script("opt/extensions/vendor", script).file("opt/vendor/foreword.json", config);
    let test = test.script("opt/vendor/extension", "#!/bin/sh\necho $API_KEY $LAMBDA_TASK_ROOT\n");
    // The function's own configuration is none of its business.
    let test = test.file("foreword.json", "{").env("FOREWORD_LOG", "warn");
    test.without_foreword().args(["/opt/extensions/vendor"]).stdout("hunter2 /opt/vendor\n").run();
}
