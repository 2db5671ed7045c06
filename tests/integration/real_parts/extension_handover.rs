//! What another user's program in the same network namespace gets from the extension and the
//! wrapper, and gives to them.

use crate::extension_handover::{LEFT, LIMIT, both, starts};
use crate::support::extension::lambda;
use crate::support::lambda::Lambda;
use crate::support::{Test, wait_until};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// What a program of another user would need to take part.
const OTHER: &str = "
import socket, sys
other = socket.socket(socket.AF_UNIX)
name = '\\0foreword/' + sys.argv[2]
if sys.argv[1] == 'connect':
    other.connect(name)
    try:
        other.sendall(b'r\\0\\0' + b'0ONLY=other\\0' b'\\0' + b'0ONLY=other\\0' b'\\0')
        other.shutdown(socket.SHUT_WR)
        print(other.recv(1))
    except (BrokenPipeError, ConnectionResetError):
        print(b'')
else:
    other.bind(name)
    other.listen()
    open('listens', 'w')
    print(other.accept()[0].recv(1))
";

/// Somebody else in the same network namespace: nothing is taken from them, and nothing is told to
/// them. Where the name of the socket is theirs, it is a file in a directory that is there no
/// longer when the extension has ended.
#[test]
fn handover_between_users_is_refused() {
    if fs::metadata("/proc/self").expect("this process").uid() != 0 {
        return;
    }
    let config = json!({"hooks": {"pre_stop": [{"name": "a", "command": "echo $ONLY"}]}});
    let other = |lambda: &Lambda, what: &str| {
        let test = Test::new().of_another_user().file("other.py", OTHER).without_foreword();
        test.args(["python3", "other.py", what, lambda.address()]).stdout("b''\n")
    };
    let lambda = lambda();
    let (extension, wrapper) = both(&lambda, &config);
    let run = extension.waits(&lambda);
    starts(wrapper.env("ONLY", "told"));
    other(&lambda, "connect").run();
    lambda.shutdown("spindown", LEFT);
    run.ends("told\n", "");

    let lambda = crate::support::extension::lambda();
    let squatter = other(&lambda, "listen").start();
    assert!(wait_until(LIMIT, || squatter.finished.directory.path("listens").exists()));
    let (extension, wrapper) = both(&lambda, &config);
    let tmp = extension.path("tmp");
    let found =
        || fs::read_dir(&tmp).expect("a directory").flatten().map(|entry| entry.file_name());
    let is_ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with(".foreword-");
    let run = extension.waits(&lambda);
    let directory = tmp.join(found().find(is_ours).expect("a directory"));
    assert_eq!(fs::metadata(&directory).expect("a directory").mode() & 0o777, 0o700);
    starts(wrapper.env("ONLY", "told"));
    squatter.ends("b''\n", "");
    lambda.shutdown("spindown", LEFT);
    run.ends("told\n", "");
    assert_eq!(found().find(is_ours), None);
}
