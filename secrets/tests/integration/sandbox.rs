//! In Lambda's sandbox, where the program has no `prctl`, no home and nothing to write but `/tmp`.

use crate::support::{Run, program, server};
use std::path::Path;
use std::process::Command;

/// What nobody knows Lambda to let pass, but for `eventfd2`: the SDK's event loop needs it, as do
/// those of Node and Go, which Lambda runs.
const REFUSED: [&str; 6] = [
    "pidfd_open",
    "pidfd_send_signal",
    "close_range",
    "memfd_create",
    "signalfd4",
    "restart_syscall",
];

/// Where the machine lets nobody make a sandbox, there is nothing to test, unless it is required.
fn launcher() -> Option<&'static str> {
    let launcher = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/sandbox");
    let works = Command::new(launcher).args(["--", "/bin/true"]).output().expect("a shell");
    if !works.status.success() {
        assert!(std::env::var("FOREWORD_TEST_SANDBOX").as_deref() != Ok("required"), "{works:?}");
        return None;
    }
    Some(launcher)
}

#[test]
fn works_in_lambdas_sandbox() {
    let Some(launcher) = launcher() else { return };
    let layer = tempfile::tempdir().expect("a directory");
    std::fs::copy(program(), layer.path().join("foreword-secrets")).expect("the program");
    let open = |path: &Path| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, permissions).expect("a mode");
    };
    let certificates = Path::new(server().text("/folder"));
    open(layer.path());
    open(certificates);
    let mut words = vec!["--opt", layer.path().to_str().expect("a text")];
    words.extend(["--show", certificates.to_str().expect("a text")]);
    words.extend(REFUSED.iter().flat_map(|call| ["--refuse", call]));
    words.extend(["--", "/opt/foreword-secrets", "A=ssm:/many/p1", "B=secretsmanager:many/s1"]);
    Run::of(launcher, words)
        .user("all")
        .door("plain")
        .env("PATH", "/usr/bin:/bin")
        .run()
        .gives(&[("A", "MARKER-1"), ("B", "MARKER-secret-1")]);
}
