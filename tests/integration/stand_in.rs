//! The path that wrappers take for the interpreter: its name, where it lies, that it can be had
//! where nothing can be written, and that nothing of it is left.

use crate::support::{Test, foreword};
use std::fs;

/// Prints what it was given for the interpreter, and what that is and lies in.
const WRAPPER: &str = "#!/bin/sh\necho \"$1\"\nstat --format '%F %a' \"${1%/*}\"\nexec \"$@\"\n";

/// A start with foreword laid out as under `/opt`.
fn test(program: &str) -> Test {
    let test = Test::new()
        .script("bin/foreword", fs::read(foreword()).expect("foreword"))
        .script("w", WRAPPER);
    let test = test.script(program, "#!/bin/sh\necho \"runtime $*\"\n").without_foreword();
    test.config(r#"{"wrappers": ["./w"]}"#).args(["bin/foreword", &format!("./{program}"), "x"])
}

/// The link that the wrapper was given, and what it lies in; the runtime was started.
#[track_caller]
fn given(test: &Test) -> (String, String) {
    let captured = test.capture();
    assert_eq!((String::from_utf8_lossy(&captured.stderr).as_ref(), captured.status), ("", 0));
    let output = String::from_utf8(captured.stdout).expect("UTF-8");
    let [path, directory, "runtime x"] = output.lines().collect::<Vec<_>>()[..] else {
        panic!("{output}")
    };
    (path.to_owned(), directory.to_owned())
}

#[test]
fn symlink_beside_foreword_is_used_and_stays() {
    for program in ["python3.12", "handler"] {
        let test = test(program);
        let link = test.path(&format!("bin/stand-in/{program}"));
        fs::create_dir(link.parent().expect("a directory")).expect("a new directory");
        std::os::unix::fs::symlink("../foreword", &link).expect("a new link");
        assert_eq!(given(&test).0, link.display().to_string());
        assert!(link.exists());
    }
}

#[test]
fn symlink_beside_foreword_is_found_by_any_path_of_foreword() {
    for executed in
        ["bin/foreword", "<folder>/bin/foreword", "linked/foreword", "<folder>/linked/foreword"]
    {
        let test = test("python3.12").args([executed, "./python3.12", "x"]);
        let link = test.path("bin/stand-in/python3.12");
        for (target, link) in
            [("../foreword", link.clone()), ("../bin/foreword", test.path("linked/foreword"))]
        {
            fs::create_dir(link.parent().expect("a directory")).expect("a new directory");
            std::os::unix::fs::symlink(target, &link).expect("a new link");
        }
        assert_eq!(given(&test).0, link.display().to_string(), "{executed}");
    }
}

#[test]
fn symlink_beside_a_symlink_to_foreword_is_not_used() {
    let other = "#!/bin/sh\necho other\n";
    let test = test("python3.12").args(["<folder>/linked/foreword", "./python3.12", "x"]);
    let test = test
        .script("linked/stand-in/python3.12", other)
        .env("TMPDIR", "<folder>/tmp")
        .file("tmp/x", "");
    std::os::unix::fs::symlink("../bin/foreword", test.path("linked/foreword"))
        .expect("a new link");
    let path = given(&test).0;
    assert!(path.starts_with(&test.path("tmp").display().to_string()), "{path}");
}

#[test]
fn stand_in_of_another_name_is_made_in_its_own_directory_and_removed() {
    for program in ["handler", "a b", "été", "-x"] {
        let test = test(program).env("TMPDIR", "<folder>/tmp").file("tmp/x", "");
        let (path, directory) = given(&test);
        let start = test.path("tmp/foreword-stand-in-").display().to_string();
        assert!(path.starts_with(&start) && path.ends_with(&format!("/{program}")), "{path}");
        assert_eq!(directory, "directory 700");
        assert_eq!(
            fs::read_dir(test.path("tmp")).expect("a directory").count(),
            1,
            "only what was there before"
        );
    }
}

/// Mounts file systems over the directories that could be written, which only the process itself sees.
/// The test's directory is seen as `/mnt`, and cannot be written either.
fn read_only(program: &str, directories: &str) -> Test {
    let setup = format!(
        "set -e; mount --bind \"$LAMBDA_TASK_ROOT\" /mnt; cd /mnt\nfor directory in {directories}; do \
         mount -t tmpfs -o ro none $directory; done\nmount -o remount,bind,ro /mnt; export \
         LAMBDA_TASK_ROOT=/mnt; exec \"$@\""
    );
    let command = [
        "unshare",
        "--map-root-user",
        "--mount",
        "/bin/sh",
        "-c",
        &setup,
        "setup",
        "/mnt/bin/foreword",
    ];
    test(program)
        .on_the_machine()
        .args(command.into_iter().chain([format!("./{program}").as_str(), "x"]))
}

#[test]
fn stand_in_without_a_writable_tmp_is_made_elsewhere() {
    for (directories, place) in
        [("", "/tmp/"), ("/tmp", "/dev/shm/"), ("/tmp /dev/shm", "/var/tmp/")]
    {
        let path = given(&read_only("handler", directories)).0;
        assert!(path.starts_with(place) && path.ends_with("/handler"), "{path}");
        assert!(!fs::exists(&path).expect("a path"), "{path}");
    }
}

#[test]
fn stand_in_without_any_writable_directory_uses_the_symlink_beside_foreword() {
    let test = read_only("python3.12", "/tmp /dev/shm /var/tmp");
    fs::create_dir(test.path("bin/stand-in")).expect("a new directory");
    std::os::unix::fs::symlink("../foreword", test.path("bin/stand-in/python3.12"))
        .expect("a new link");
    assert_eq!(given(&test).0, "/mnt/bin/stand-in/python3.12");
}

#[test]
fn stand_in_without_symlink_or_writable_directory_is_refused() {
    let cause = "foreword: unable to make a link \"handler\" for wrappers to execute in /tmp \
                 (read-only file system), /dev/shm (read-only file system), /var/tmp (read-only \
                 file system); make \"/mnt/bin/stand-in/handler\" a link to foreword beforehand\n";
    read_only("handler", "/tmp /dev/shm /var/tmp").stderr(cause).status(126).run();
}
