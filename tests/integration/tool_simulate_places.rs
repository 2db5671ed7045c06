//! Where `foreword simulate` takes place: extensions, layers under /opt, and the mark of an
//! environment that was restored, which belongs to one simulation alone.

use crate::support::timeline::timeless;
use crate::support::{Test, foreword};
use crate::tool_simulate::{python, says, simulated, tells};
use serde_json::json;
use std::fs::{self, Permissions, read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

const HANDLER: &str = "def handler(event, context):\n    return 1\n";

/// Where foreword keeps the mark.
const KEPT: &str = "/tmp/.foreword";

/// No mounts can be made in here.
const WITHOUT_MOUNTS: [&str; 6] = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    "echo 0 >/proc/sys/user/max_mnt_namespaces; exec \"$@\"",
];

fn after_restore() -> String {
    json!({"hooks": {"after_restore": [says("a")]}}).to_string()
}

const RESTORED: &str = "\
init (at most 130 s)
  runtime         loads, its own hooks N ms of 130 s
  init            in all               N ms of 130 s
snapshot
restore (at most 10 s)
    │ the command of a
  after_restore   a                    N ms of 8 s
  runtime         its own hooks        N ms of 10 s
  restore         in all               N ms of 10 s
invocation 1 (at most 3 s)
  event   {}
  answer  1
  invocation      in all               N ms of 3 s
shutdown
all went well
";

/// Of these hooks none has a layer; the extension is foreword's own.
#[test]
fn pre_stop_hooks_without_layers_run_by_foreword_itself() {
    let exports =
        json!({"name": "exports", "command": "echo EXPORTED=of-the-hook", "export": "dotenv"});
    let reason = r#"sed 's/.*"shutdown_reason":"\([a-z]*\)".*/\1/'; echo "$EXPORTED""#;
    let hooks = json!({"initialize": [exports], "pre_stop": [says("one"), {"name": "two",
        "command": reason}]});
    let test = python(&[]).file("app.py", HANDLER).config(&json!({"hooks": hooks}).to_string());
    tells(
        test,
        0,
        "\
init (at most 10 s)
  extensions: foreword
  initialize      exports              N ms of 10 s  exported 1 variable
  runtime         loads                N ms of 10 s
  init            in all               N ms of 10 s
invocation 1 (at most 3 s)
  event   {}
  answer  1
  invocation      in all               N ms of 3 s
shutdown (at most 2 s)
    │ spindown
    │ of-the-hook
  pre_stop        two                  N ms of 2 s
    │ the command of one
  pre_stop        one                  N ms of 2 s
  shutdown        in all               N ms of 2 s
all went well
",
    );
}

/// A layer as it is deployed, with a drop-in, a wrapper of the chain, and another extension; as
/// directory and as zip.
#[test]
fn layers_as_directory_and_zip_are_laid_under_opt() {
    let drop_in = json!({
        "wrappers": ["/opt/wrapper"],
        "hooks": {"pre_stop": [{"name": "bye", "command": "ls /opt/bin; touch /opt/bin/x 2>&1 || \
         echo refused"}]},
    });
    let extension = r#"#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension
id=$(curl -sS --noproxy '*' -o /dev/null -D - -H "Lambda-Extension-Name: $(basename "$0")" -d '{"events":["SHUTDOWN"]}' "$api/register" |
    tr -d '\r' | sed -n 's/^[Ll]ambda-[Ee]xtension-[Ii]dentifier: *//p')
curl -sS --noproxy '*' -o /dev/null -H "Lambda-Extension-Identifier: $id" "$api/event/next"
"#;
    let expected = "\
init (at most 10 s)
  extensions: foreword, other
    │ the wrapper of the layer
  runtime         loads                N ms of 10 s
  init            in all               N ms of 10 s
invocation 1 (at most 3 s)
  event   {}
  answer  1
  invocation      in all               N ms of 3 s
shutdown (at most 2 s)
    │ foreword
    │ touch: cannot touch '/opt/bin/x': Read-only file system
    │ refused
  pre_stop        bye                  N ms of 2 s
  shutdown        in all               N ms of 2 s
all went well
";
    for layer in ["layer", "layer.zip"] {
        let test =
            python(&["--layer", layer]).env_remove("FOREWORD_DROPIN_DIR").file("app.py", HANDLER);
        let test = test
            .script("layer/bin/foreword", read(foreword()).expect("foreword"))
            .script("layer/wrapper", "#!/bin/sh\necho the wrapper of the layer\nexec \"$@\"\n")
            .script("layer/extensions/other", extension)
            .linked("layer/extensions/foreword", Path::new("../bin/foreword"))
            .file("layer/foreword.d/a.json", drop_in.to_string());
        let zip = ["-c", crate::tool_layers::ZIP, "layer"];
        let zipped =
            Command::new("python3").args(zip).current_dir(test.path("")).status().expect("python3");
        assert!(zipped.success());
        tells(test, 0, expected);
    }
}

/// A layer without foreword goes together with the foreword that simulates.
#[test]
fn layer_without_foreword_works() {
    let hooks = json!({"hooks": {"initialize": [{"name": "a", "command": ["a"]}]}});
    let test = python(&["--layer", "a", "b"]).file("app.py", HANDLER).config(&hooks.to_string());
    let test = test
        .script("a/bin/a", "#!/bin/sh\necho hidden\n")
        .script("b/bin/a", "#!/bin/sh\necho of the layer\n");
    let output = timeless(simulated(test, 0).as_bytes());
    assert!(output.contains("    │ of the layer\n"), "{output}");
}

#[test]
fn extension_does_not_receive_the_runtime_s_own_variables() {
    let dumps = "#!/bin/sh\n/usr/bin/tr '\\0' '\\n' </proc/$$/environ\nexit 3\n";
    let test = python(&["--layer", "layer", "--runtime", "python3.12"]).file("app.py", HANDLER);
    let given = [
        "_MINE",
        "AWS_XRAY_DAEMON_ADDRESS",
        "AWS_XRAY_CONTEXT_MISSING",
        "_AWS_XRAY_DAEMON_PORT",
        "MINE",
        "AWS_MINE",
    ];
    let test = given.iter().fold(test, |test, name| test.env(name, "given"));
    let output = timeless(simulated(test.script("layer/extensions/dumps", dumps), 1).as_bytes());
    let has = |name: &str| output.contains(&format!("│ {name}="));
    for name in [
        "_MINE",
        "_HANDLER",
        "_AWS_XRAY_DAEMON_PORT",
        "AWS_XRAY_DAEMON_ADDRESS",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_EXECUTION_ENV",
        "LAMBDA_RUNTIME_DIR",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
    ] {
        assert!(!has(name), "{name}: {output}");
    }
    // The code is not in /var/task here.
    for name in
        ["MINE", "AWS_MINE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "PATH", "LAMBDA_TASK_ROOT"]
    {
        assert!(has(name), "{name}: {output}");
    }
}

#[test]
fn extension_that_fails_fails_the_simulation() {
    let fails = "#!/bin/sh\nexit 3\n";
    let test = python(&["--layer", "layer"])
        .file("app.py", HANDLER)
        .script("layer/extensions/fails", fails);
    let output = timeless(simulated(test, 1).as_bytes());
    for line in [
        "  the extension fails ended: exit status 3\n",
        "  the caller gets {\"errorType\":\"Extension.Crash\",\"errorMessage\":\"RequestId: \
         00000000-0000-4000-8000-000000000001 Error: exit status 3\"}\n",
    ] {
        assert!(output.contains(line), "{output}");
    }
    let says = r#"#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension
id=$(curl -sS --noproxy '*' -o /dev/null -D - -H "Lambda-Extension-Name: says" -d '{"events":[]}' "$api/register" |
    tr -d '\r' | sed -n 's/^[Ll]ambda-[Ee]xtension-[Ii]dentifier: *//p')
curl -sS --noproxy '*' -o /dev/null -H "Lambda-Extension-Identifier: $id" \
    -H 'Lambda-Extension-Function-Error-Type: Extension.Mine' -d '{}' "$api/init/error"
exit 1
"#;
    // A runtime that never comes to its first event cannot be faster.
    let test = python(&["--layer", "layer"]).file("app.py", "import time\ntime.sleep(1000)\n");
    let output = timeless(simulated(test.script("layer/extensions/says", says), 1).as_bytes());
    assert!(output.contains("  the caller gets {\"errorType\":\"Extension.Mine\","), "{output}");
}

#[test]
fn extension_that_ends_during_an_invocation_is_a_crash() {
    let ends = r#"#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension
id=$(curl -sS --noproxy '*' -o /dev/null -D - -H "Lambda-Extension-Name: ends" -d '{"events":[]}' "$api/register" |
    tr -d '\r' | sed -n 's/^[Ll]ambda-[Ee]xtension-[Ii]dentifier: *//p')
curl -sS --noproxy '*' -o /dev/null -H "Lambda-Extension-Identifier: $id" "$api/event/next" &
while ! test -e /tmp/handled; do :; done
"#;
    let handler = "import time\ndef handler(event, context):\n    open('/tmp/handled', \
                   'w').close()\n    time.sleep(1000)\n";
    let test =
        python(&["--layer", "layer"]).file("app.py", handler).script("layer/extensions/ends", ends);
    let output = timeless(simulated(test, 1).as_bytes());
    let error = "  the caller gets {\"errorType\":\"Extension.Crash\",";
    assert!(
        output.contains("  the extension ends ended: exit status 0\n") && output.contains(error),
        "{output}"
    );
}

/// One that is there is neither seen nor touched, and none is left.
#[test]
fn marker_of_a_restored_environment_is_the_simulation_s_own() {
    let test = python(&["--snap-start"]).file("app.py", HANDLER).config(&after_restore());
    let test = test.file("kept/restored", "").over("kept", KEPT);
    let marker = test.path("kept/restored");
    let run = test.start();
    let captured = run.finish();
    assert_eq!((timeless(&captured.stdout), captured.status), (RESTORED.to_owned(), 0));
    assert!(marker.exists());
    fs::remove_file(&marker).expect("the mark");

    let test = python(&["--snap-start"])
        .file("app.py", HANDLER)
        .config(&after_restore())
        .over("kept", KEPT);
    let kept = test.path("kept");
    let run = test.start();
    let captured = run.finish();
    assert_eq!((timeless(&captured.stdout), captured.status), (RESTORED.to_owned(), 0));
    assert_eq!(fs::read_dir(kept).expect("the directory").count(), 0);
}

/// Without mounts, the mark is removed and simulations wait for each other.
#[test]
fn machine_without_mounts_runs_simulations_one_by_one() {
    let test = python(&["--snap-start"]).file("app.py", HANDLER).config(&after_restore());
    let test = test
        .file("kept/restored", "")
        .over("kept", KEPT)
        .within([&WITHOUT_MOUNTS[..], &["sh"]].concat());
    let kept = test.path("kept");
    let run = test.start();
    let captured = run.finish();
    let output = timeless(&captured.stdout);
    let (note, rest) = output.split_once('\n').expect("a note");
    assert!(
        note.starts_with("  this machine lets nobody mount /tmp for one simulation ("),
        "{note}"
    );
    assert!(
        note.ends_with(
            "): /tmp is that of the machine, and the code can be written to; \
             /tmp/.foreword/restored is removed before and after it, and simulations wait for \
             each other"
        ),
        "{note}"
    );
    assert_eq!((rest, captured.status), (RESTORED, 0));
    assert_eq!(fs::read_dir(kept).expect("the directory").count(), 0);
}

#[test]
fn simulations_at_once_do_not_disturb_each_other() {
    for without_mounts in [false, true] {
        let shared = Test::new();
        fs::create_dir(shared.path("kept")).expect("a directory");
        let runs: Vec<_> = (0..4)
            .map(|_| {
                let test = python(&["--snap-start", "--restores", "2"])
                    .file("app.py", HANDLER)
                    .config(&after_restore());
                // What all of them have in the place of the machine's directory.
                let kept = shared.path("kept").display().to_string();
                let mount = "mount --bind \"$0\" /tmp/.foreword && exec \"$@\"";
                let parent =
                    ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, &kept]
                        .map(str::to_owned);
                let inner: Vec<_> =
                    WITHOUT_MOUNTS.iter().copied().chain(["sh"]).map(str::to_owned).collect();
                let inner = if without_mounts { inner } else { Vec::new() };
                test.within([parent.to_vec(), inner].concat()).start()
            })
            .collect();
        for run in runs {
            let captured = run.finish();
            let output = timeless(&captured.stdout);
            assert_eq!(captured.status, 0, "{output}{}", String::from_utf8_lossy(&captured.stderr));
            let environment = |number: usize| {
                let life = RESTORED.strip_suffix("all went well\n").expect("its end");
                format!("environment {number} of 2\n{life}")
            };
            let expected = environment(1) + &environment(2) + "all went well\n";
            assert!(output.ends_with(&expected), "{output}");
            assert!(run.finished.is_alone());
        }
        assert_eq!(fs::read_dir(shared.path("kept")).expect("the directory").count(), 0);
    }
}

/// Whoever is not root may mount in a namespace of its own, and stays who it is.
#[test]
fn user_that_is_not_root_may_simulate() {
    let runtime = r#"#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
id -u
cat /opt/lib/x
while :; do
    id=$(curl -sS --noproxy '*' -o /dev/null -D - "$api/next" | tr -d '\r' | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p')
    curl -sS --noproxy '*' -o /dev/null -d 1 "$api/$id/response"
done
"#;
    let test = Test::new()
        .script("foreword", read(foreword()).expect("foreword"))
        .script("runtime", runtime);
    let test = test.file("layer/lib/x", "of the layer\n").config(&after_restore());
    for (name, mode) in [("", 0o755), ("layer", 0o755), ("layer/lib", 0o755)] {
        fs::set_permissions(test.path(name), Permissions::from_mode(mode)).expect("a mode");
    }
    let this = fs::metadata("/proc/self").expect("this process").uid();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let (first, user) = if this == 0 { (&nobody[..], 65534) } else { (&[][..], this) };
    let command =
        ["<folder>/foreword", "simulate", "--snap-start", "--layer", "layer", "--", "./runtime"];
    let test = test.on_the_machine().without_foreword().args([first, &command].concat());
    fs::set_permissions(test.path(""), Permissions::from_mode(0o755)).expect("a mode");
    let found = timeless(simulated(test, 0).as_bytes());
    let warning = "the runtime takes no part in SnapStart; values that must be unique have to be \
                   made anew in after_restore hooks";
    let said = format!("    │ {user}\n    │ of the layer\n  foreword: {warning}\n  runtime");
    assert_eq!(found, RESTORED.replacen("  runtime", &said, 1));
}
