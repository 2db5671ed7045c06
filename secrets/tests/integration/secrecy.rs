//! Where values go, and where they do not.

use crate::support::{MARKER, Run, server};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn file_is_its_owners_alone() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("secrets.json");
    let text = path.to_str().expect("a text");
    // The second time there is one already, which anybody may read.
    for _ in 0..2 {
        let outcome = Run::new(["A=ssm:/many/p1", "--file", text]).run();
        assert_eq!((outcome.status, &*outcome.stdout, &*outcome.stderr), (Some(0), "", ""));
        assert_eq!(fs::read_to_string(&path).expect("the file"), "{\"A\":\"MARKER-1\"}\n");
        assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("its mode");
        assert_eq!(fs::read_dir(&folder).expect("the directory").count(), 1);
    }
    // A link is replaced, and what it leads to is left alone.
    let other = folder.path().join("other");
    fs::write(&other, "untouched").expect("a file");
    fs::remove_file(&path).expect("the file");
    symlink(&other, &path).expect("a link");
    Run::new(["A=ssm:/many/p1", "--file", text]).run();
    assert_eq!(fs::read_to_string(&other).expect("the other file"), "untouched");
    assert!(fs::read_to_string(&path).expect("the file").contains("MARKER-1"));
}

#[test]
fn file_of_a_failure_is_left_as_it_was() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("secrets.json");
    fs::write(&path, "old").expect("a file");
    let text = path.to_str().expect("a text");
    Run::new(["A=ssm:/many/p1", "B=ssm:/missing", "--file", text])
        .run()
        .fails_with(&["unable to get B"]);
    assert_eq!(fs::read_to_string(&path).expect("the file"), "old");
    assert_eq!(fs::read_dir(&folder).expect("the directory").count(), 1);

    Run::new(["A=ssm:/many/p1", "--file", "/nonexistent/secrets.json"]).run().fails(
        1,
        &["unable to write \"/nonexistent/secrets.json\": No such file or directory (os error 2)"],
    );
    Run::new(["A=ssm:/many/p1", "--file", folder.path().to_str().expect("a text")])
        .run()
        .fails_with(&["unable to write "]);
    assert_eq!(fs::read_dir(&folder).expect("the directory").count(), 1);
}

#[test]
fn dotenv_is_read_alike_by_a_shell_and_by_python() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("secrets.env");
    let text = path.to_str().expect("a text");
    let names = ["shell", "spaces", "equals", "lines"];
    let arguments: Vec<String> = names
        .iter()
        .map(|name| format!("{}=ssm:/awkward/{name}", name.to_uppercase()))
        .chain(["--format", "dotenv", "--file", text].map(str::to_owned))
        .collect();
    let outcome = Run::new(arguments.iter().map(String::as_str)).run();
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));

    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/real-parts/moto/bin/python");
    let script = "import dotenv, json, sys; \
                  print(json.dumps(dotenv.dotenv_values(sys.argv[1], interpolate=False)))";
    let python = Command::new(python).args(["-c", script, text]).output().expect("python");
    let read: serde_json::Value = serde_json::from_slice(&python.stdout).expect("JSON");
    for name in names {
        let expected = server().fact(&format!("/awkward/{name}"));
        let variable = name.to_uppercase();
        // It does not read \$ in double quotes, which a value needs that has a single quote, too.
        if name != "shell" {
            assert_eq!(&read[&variable], expected, "{name}");
        }
        // A shell does not read \r.
        if name == "lines" {
            continue;
        }
        let script = format!(". {text}; printf %s \"${variable}\"");
        let shell = Command::new("/bin/sh").args(["-c", &script]).output().expect("a shell");
        assert_eq!(String::from_utf8_lossy(&shell.stdout), expected.as_str().expect("a text"));
    }
    assert!(!Path::new("/tmp/pwned").exists());
}

/// While one answer is there and the next one hangs, nothing of it is to be seen from outside.
#[test]
fn process_shows_no_value_to_others() {
    let mut child = Run::new(["A=ssm:/many/p9", "B=secretsmanager:many/s9"])
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &server().door("hang-process"))
        .start();
    let deadline = Instant::now() + Duration::from_secs(10);
    while server().requests("hang-process", "many/s9").is_empty()
        || server().requests("plain", "/many/p9").is_empty()
    {
        assert!(Instant::now() < deadline, "no request");
        std::thread::yield_now();
    }
    let folder = format!("/proc/{}", child.id());
    let mut seen = 0;
    for file in ["cmdline", "environ", "comm", "status", "limits"] {
        // As nobody may read the memory, so some of these.
        if let Ok(bytes) = fs::read(format!("{folder}/{file}")) {
            seen += 1;
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(MARKER), "{file}: {text}");
            if file == "limits" {
                let core = text.lines().find(|line| line.starts_with("Max core")).expect("core");
                assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
            }
        }
    }
    assert!(seen >= 4, "{seen}");
    // It has written nothing yet either.
    for descriptor in fs::read_dir(format!("{folder}/fd")).expect("its descriptors") {
        let target = fs::read_link(descriptor.expect("one").path()).unwrap_or_default();
        let target = target.to_string_lossy().into_owned();
        assert!(!target.starts_with('/') || target.starts_with("/dev/"), "{target}");
    }
    child.kill().expect("its end");
    let output = child.wait_with_output().expect("its end");
    assert_eq!((output.stdout.len(), output.stderr.len()), (0, 0));
}

/// The variables by which Rust's programs, and the SDK's, are made to say more.
#[test]
fn no_variable_makes_it_talk() {
    for name in ["RUST_LOG", "FOREWORD_LOG", "AWS_LAMBDA_LOG_LEVEL"] {
        Run::new(["A=ssm:/many/p1"])
            .env(name, "trace")
            .env("RUST_BACKTRACE", "full")
            .run()
            .gives(&[("A", "MARKER-1")]);
    }
}
