//! What the user under whom foreword runs has no right to: to execute the program, to read a
//! configuration.

use crate::support::Test;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

/// The modes of files, and what is said.
#[track_caller]
fn refuses(modes: &[(&str, u32)], cause: &str, status: i32) {
    let test = modes.iter().fold(Test::new(), |test, (name, _)| test.file(name, "#!/bin/sh\n"));
    for (name, mode) in modes {
        set_permissions(test.path(name), Permissions::from_mode(*mode)).expect("a mode");
    }
    test.args(["./runtime"]).stderr(format!("foreword: {cause}\n")).status(status).run();
}

/// Its run bit is for a group to which neither the owner nor nobody belongs by right.
#[test]
fn program_executable_by_another_group_only_is_named() {
    refuses(
        &[("runtime", 0o610)],
        "unable to execute \"./runtime\": this user may not execute it (chmod a+rx)",
        126,
    );
}

#[test]
fn configuration_without_read_permission_is_refused() {
    for name in ["foreword.json", "foreword.d/a.json"] {
        let cause = format!("unable to read <folder>/{name}: permission denied");
        refuses(&[("runtime", 0o755), (name, 0)], &cause, 125);
    }
}
