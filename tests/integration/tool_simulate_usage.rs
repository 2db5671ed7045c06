//! What `foreword simulate` says where nothing of the function runs.

use crate::support::Test;
use crate::support::timeline::timeless;

#[test]
fn usage_error_gets_a_suggestion() {
    for (arguments, message) in [
        (&["--event", "{", "--", "x"][..], "error: the event \"{\" is no JSON: "),
        (
            &["--event", "@nowhere", "--", "x"],
            "error: unable to read the event \"nowhere\": no such file or directory\n",
        ),
        (
            &["--restores", "2", "--", "x"],
            "error: the following required arguments were not provided:\n  --snap-start\n",
        ),
        (&["--timeout", "0", "--", "x"], "error: invalid value '0' for '--timeout <S>'"),
        (&["--memory", "1", "--", "x"], "error: invalid value '1' for '--memory <MB>'"),
        (&["--format", "xml", "--", "x"], "error: invalid value 'xml' for '--format <FORMAT>'"),
        (
            &["--formt", "json", "--", "x"],
            "error: unexpected argument '--formt' found\n\n  tip: a similar argument exists: \
             '--format'\n",
        ),
        (
            &["--format", "jsn", "--", "x"],
            "error: invalid value 'jsn' for '--format <FORMAT>'\n  [possible values: text, \
             json]\n\n  tip: a similar value exists: 'json'\n",
        ),
        (&["--runtime", "python", "--", "x"], "error: Lambda has no runtime \"python\"; "),
        (&["x"], "error: x is no directory of a function's code; name a program behind --"),
        (&[], "error: there is no program; name it behind --, or a runtime with --runtime"),
    ] {
        let captured = Test::new().args([&["simulate"], arguments].concat()).capture();
        let stderr = String::from_utf8_lossy(&captured.stderr).into_owned();
        assert!(stderr.starts_with(message), "{arguments:?}: {stderr}");
        assert_eq!((captured.status, captured.stdout), (2, Vec::new()), "{arguments:?}");
    }
}

#[test]
fn runtime_that_is_missing_is_reported() {
    let run = Test::new().args(["simulate", "--snap-start", "--", "/nowhere"]).start();
    let captured = run.finish();
    let expected = "\
init (at most 130 s)
  foreword: unable to execute \"/nowhere\": no such file
  the runtime reported an error of the init: Runtime.InvalidEntrypoint
  publishing the version fails with \
                    {\"errorType\":\"Runtime.InvalidEntrypoint\",\"errorMessage\":\"unable to \
                    execute \\\"/nowhere\\\": no such file\",…}
  init            in all               N ms of 130 s
shutdown
not all went well
";
    assert_eq!(
        (timeless(&captured.stdout).as_str(), captured.stderr, captured.status),
        (expected, Vec::new(), 1)
    );
    assert!(run.finished.is_alone());
}

#[test]
fn layers_that_cannot_be_mounted_are_refused() {
    let said = |test: Test| {
        let captured = test.capture();
        assert_eq!((captured.status, captured.stdout), (1, Vec::new()));
        String::from_utf8(captured.stderr).expect("UTF-8")
    };
    let with_layer =
        |layer: &str| Test::new().args(["simulate", "--layer", layer, "--", "/bin/true"]);
    assert_eq!(
        said(with_layer("nowhere")),
        "foreword: unable to simulate: unable to read the layer nowhere: no such file or \
         directory\n"
    );
    // No mounts can be made in here.
    let without_mounts = "echo 0 >/proc/sys/user/max_mnt_namespaces; exec \"$@\"";
    let within = ["unshare", "--user", "--map-root-user", "sh", "-c", without_mounts, "sh"];
    let refused = said(with_layer("layer").script("layer/bin/x", "").within(within));
    let (cause, way_out) = refused.split_once("; ").expect("a way out");
    assert!(
        cause.starts_with("foreword: unable to simulate: unable to lay the layers under /opt: "),
        "{refused}"
    );
    assert_eq!(way_out, "mounts of one's own need root or user namespaces, and a folder /opt\n");
}
