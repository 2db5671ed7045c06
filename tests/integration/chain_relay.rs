//! Hooks around a snapshot behind a wrapper chain: the relay belongs to the process that becomes
//! the runtime, and stands in front of the address that the wrappers left.

use crate::support::lambda::{Lambda, Settings};
use crate::support::{PATH, Test, foreword};
use serde_json::json;

/// Gives the start a `/tmp` of its own with nothing but the test's directory: what is there tells of
/// restores.
const OWN_TMP: &str = "set -e; dir=$LAMBDA_TASK_ROOT; mount --bind \"$dir\" /mnt; mount -t \
                       tmpfs none /tmp; mkdir -p \"$dir\"; mount --bind /mnt \"$dir\"; cd \
                       \"$dir\"; exec \"$@\"";

/// A function's life around a snapshot behind one wrapper; gives what wrapper, hooks and function
/// wrote, without the address that Lambda gave, and foreword's log.
#[track_caller]
fn live(wrapper: &str) -> (String, String) {
    let lambda = Lambda::new(Settings::default());
    let say = |name: &str| {
        let stage = "$(env | grep -c ^FOREWORD_STAGE || true)";
        json!({"name": name, "command": format!("echo {name} $FROM $EXPORTED {stage} \
         $AWS_LAMBDA_RUNTIME_API >>log")})
    };
    let export = json!({"name": "export", "command": "echo EXPORTED=exported", "export": "dotenv"});
    let config = json!({
        "wrappers": ["./local", "./w"],
        "hooks": {"initialize": [export], "before_snapshot": [say("before")],
            "after_restore": [say("after")]}
    });
    let port = lambda.address().rsplit(':').next().expect("a port");
    let local = format!("#!/bin/sh\nexport AWS_LAMBDA_RUNTIME_API=localhost:{port}\nexec \"$@\"\n");
    let client = include_bytes!("../clients/shell/bootstrap.sh");
    let program = "#!/bin/sh\n[ \"$1\" != --version ] || exec echo 3.12\nexec bin/client\n";
    let test = Test::new()
        .script("foreword", std::fs::read(foreword()).expect("foreword"))
        .script("bin/client", client);
    let test = test.script("local", local).script("w", wrapper).script("bin/python3.12", program);
    let test =
        test.config(&config.to_string()).runtime_api(&lambda).env("PATH", PATH).without_foreword();
    let setup = ["unshare", "--map-root-user", "--mount", "/bin/sh", "-c", OWN_TMP, "setup"];
    let test = test.args(setup.iter().chain(&["<folder>/foreword", "bin/python3.12", "x"]));
    let test =
        test.env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start").env("CLIENT_LOG", "<folder>/log");
    let run = test.env("TMPDIR", "<folder>").env("FOREWORD_LOG", "debug").start();

    lambda.snapshot().unwrap();
    lambda.restore().unwrap();
    lambda.ready().unwrap();
    lambda.invoke(r#"{"key":"value"}"#).unwrap();
    lambda.ready().unwrap();
    let captured = run.terminate();
    assert!(run.finished.is_alone());
    let log = String::from_utf8(captured.stderr).expect("UTF-8");
    assert!(log.contains(&format!(", in front of localhost:{port}\n")), "{log}");
    (run.finished.read("log").replace(lambda.address(), "<address>"), log)
}

const EXPECTED: &str = "before w exported 0 <address>\nafter w exported 0 <address>\ninvoke 1\n";

#[test]
fn relay_with_wrappers_starts_after_them() {
    let (written, log) = live("#!/bin/sh\necho w >>log\nFROM=w exec \"$@\"\n");
    assert_eq!(written, ["w\n", EXPECTED].concat());
    assert_eq!(log.matches("the relay listens on").count(), 1, "{log}");
}

/// Whoever asks for the version waits for all that could still answer.
#[test]
fn interpreter_that_prints_its_version_leaves_no_relay() {
    let probing = "#!/bin/bash\necho \"version $(\"$1\" --version)\" >>log\nFROM=w exec \"$@\"\n";
    assert_eq!(live(probing).0, ["version 3.12\n", EXPECTED].concat());
}

/// What ends it is the end of the runtime's process, not of the wrapper's.
#[test]
fn runtime_as_a_wrapper_s_child_has_its_relay() {
    let parent = "#!/bin/bash\nFROM=w \"$@\" &\ntrap 'kill $!' TERM\nwait\n";
    assert_eq!(live(parent).0, EXPECTED);
}
