//! How the runtime is found and executed, and everything that cannot be executed: one line that
//! says why, the status that shells use, and the same words at the Runtime API.

use crate::support::{DIRECTORY, PATH, Reaction, RuntimeApi, Test, foreword};
use serde_json::{Value, json};
use std::fs;

/// This machine, as Lambda calls it.
const THIS: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

/// A machine that this one is not (`e_machine` of the ELF header), and its name.
const FOREIGN: (u8, &str) =
    if cfg!(target_arch = "x86_64") { (183, "arm64") } else { (62, "x86_64") };

/// The longest string that the kernel takes, its NUL not counted (`MAX_ARG_STRLEN`, execve(2)).
const LONGEST: usize = 131_071;

/// The line, the status, and what the caller of the function is told.
#[track_caller]
fn refuses(test: Test, cause: &str, status: i32) {
    let api = RuntimeApi::new(Reaction::Accept);
    let directory = test.path("").display().to_string();
    test.runtime_api(&api).stderr(format!("foreword: {cause}\n")).status(status).run();
    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    assert_eq!(request.path, "/2018-06-01/runtime/init/error");
    assert_eq!(
        request.header("lambda-runtime-function-error-type"),
        Some("Runtime.InvalidEntrypoint")
    );
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let cause = cause.replace(DIRECTORY, directory.trim_end_matches('/'));
    assert_eq!(
        body,
        json!({"errorMessage": cause, "errorType": "Runtime.InvalidEntrypoint", "stackTrace": []})
    );
}

/// The same when `runtime` is named by its path and when it is looked up.
#[track_caller]
fn refuses_both(test: impl Fn() -> Test, cause: &str) {
    refuses(test().args(["./runtime"]), &format!("unable to execute \"./runtime\": {cause}"), 126);
    let test = test().env("PATH", "/nowhere:<folder>").args(["--", "runtime"]);
    refuses(test, &format!("unable to execute \"<folder>/runtime\": {cause}"), 126);
}

/// A 64-bit ELF header that is followed by nothing; `order` is 1 for little-endian machines and 2
/// for big-endian ones.
fn elf_header(order: u8, machine: [u8; 2]) -> Vec<u8> {
    let mut header = [b"\x7fELF\x02".as_slice(), &[order, 1], &[0; 57]].concat();
    header[18..20].copy_from_slice(&machine);
    header
}

/// A dynamic program of this machine whose loader is not there, and that loader's path.
fn without_loader() -> (Vec<u8>, String) {
    let mut program = fs::read("/bin/true").expect("a program");
    let name =
        program.windows(9).position(|window| window == b"/ld-linux").expect("a dynamic program")
            + 1;
    program[name..name + 2].copy_from_slice(b"no");
    let start = program[..name].iter().rposition(|byte| *byte == 0).expect("a NUL") + 1;
    let end = name + program[name..].iter().position(|byte| *byte == 0).expect("a NUL");
    let loader = String::from_utf8(program[start..end].to_vec()).expect("a path");
    (program, loader)
}

#[test]
fn program_that_is_missing_is_named() {
    refuses(
        Test::new().args(["/nowhere/x"]),
        "unable to execute \"/nowhere/x\": no such file",
        127,
    );
    refuses(Test::new().args(["./missing"]), "unable to execute \"./missing\": no such file", 127);
    refuses(
        Test::new().args(["<folder>/missing"]),
        "unable to execute \"<folder>/missing\": no such file",
        127,
    );
    refuses(
        Test::new().args(["--", "nosuch"]),
        &format!("unable to find \"nosuch\" in PATH ({PATH})"),
        127,
    );
    for test in [Test::new().env_remove("PATH"), Test::new().env("PATH", "")] {
        refuses(
            test.args(["--", "nosuch"]),
            "unable to find \"nosuch\": PATH is unset or empty",
            127,
        );
    }
    refuses(Test::new().args(["--", ""]), "unable to execute the program: its name is empty", 127);
    let test = Test::new().config(r#"{"program": "${UNSET}"}"#).args(["/bin/echo"]);
    refuses(test, "unable to execute the program: its name is empty", 127);
}

#[test]
fn program_in_a_path_through_a_file_is_named() {
    let test =
        Test::new().file("plain", "").env("PATH", "<folder>/plain:/nowhere").args(["--", "nosuch"]);
    refuses(test, "unable to find \"nosuch\" in PATH (<folder>/plain:/nowhere)", 127);
}

#[test]
fn file_that_is_no_program_is_named() {
    let (dynamic, loader) = without_loader();
    let needs = format!(
        "it needs the loader {loader:?}, which is not here; link it statically or build it for \
         this system"
    );
    let foreign =
        format!("it is for {}, and this machine is {THIS}; build it for {THIS}", FOREIGN.1);
    let carriage_return = |line: &str| {
        format!(
            "its first line, {line:?}, ends in a carriage return; save it with Unix line ends \
             (sed -i 's/\\r$//')"
        )
    };
    let interpreter =
        |path: &str, what: &str| format!("the interpreter in its first line, {path:?}, {what}");
    for (content, cause) in [
        (&b"#!/bin/sh\r\necho started\r\n"[..], carriage_return("#!/bin/sh")),
        (b"#! /bin/sh\r\n", carriage_return("#! /bin/sh")),
        (b"#!/usr/bin/env bash\r\necho started\r\n", carriage_return("#!/usr/bin/env bash")),
        (b"#!/bin/sh -e\r\necho started\r\n", carriage_return("#!/bin/sh -e")),
        (b"#!/nowhere/sh\n", interpreter("/nowhere/sh", "does not exist; name one that does")),
        (b"#! /nowhere/sh -e\n", interpreter("/nowhere/sh", "does not exist; name one that does")),
        (b"#!plain\n", interpreter("plain", "cannot be executed: permission denied")),
        (b"#!/\n", interpreter("/", "cannot be executed: permission denied")),
        (b"#!./foreign\n", interpreter("./foreign", "cannot be executed: exec format error")),
        (&elf_header(1, [FOREIGN.0, 0]), foreign),
        (
            &elf_header(1, [243, 0]),
            format!("it is for ELF machine 243, and this machine is {THIS}; build it for {THIS}"),
        ),
        (
            b"\x00\x01\x02garbage",
            "it is neither a program nor a script; name a program or a script".to_owned(),
        ),
        (
            b"PK\x03\x04\x14\x00\x00",
            "it is neither a program nor a script; name a program or a script".to_owned(),
        ),
        (&dynamic, needs),
    ] {
        let test = || {
            let test = Test::new().script("runtime", content).file("plain", "#!/bin/sh\n");
            test.script("foreign", elf_header(1, [FOREIGN.0, 0]))
        };
        refuses_both(test, &cause);
    }
}

#[test]
fn program_of_the_other_byte_order_is_named() {
    let test = Test::new().script("runtime", elf_header(2, [0, 22])).args(["./runtime"]);
    refuses(
        test,
        &format!(
            "unable to execute \"./runtime\": it is for ELF machine 22, and this machine is \
             {THIS}; build it for {THIS}"
        ),
        126,
    );
}

#[test]
fn shebang_of_an_unusable_interpreter_is_named() {
    for (line, cause) in [
        ("#!\n", "its first line names no interpreter; let it name one (#!/bin/sh)"),
        ("#! \t\n", "its first line names no interpreter; let it name one (#!/bin/sh)"),
        (
            "#!/bin/true/x\n",
            "the interpreter in its first line, \"/bin/true/x\", cannot be executed: not a \
             directory",
        ),
        (
            "#!./runtime\n",
            "the interpreter in its first line, \"./runtime\", cannot be executed: too many \
             symbolic links encountered",
        ),
    ] {
        refuses_both(|| Test::new().script("runtime", line), cause);
    }
}

/// A file that ended too early is for this machine all the same.
#[test]
fn program_of_this_machine_that_is_damaged_is_named() {
    let start = fs::read("/bin/true").expect("a program")[..64].to_vec();
    let test = Test::new().script("runtime", start).args(["./runtime"]);
    refuses(
        test,
        "unable to execute \"./runtime\": it is a damaged program, perhaps cut off; copy it again",
        126,
    );
}

#[test]
fn program_without_execute_permission_is_named() {
    let test = Test::new().file("runtime", "#!/bin/sh\n").args(["./runtime"]);
    refuses(test, "unable to execute \"./runtime\": it has no run bit (chmod +x)", 126);
    let test = Test::new().file("runtime/file", "").args(["./runtime"]);
    refuses(test, "unable to execute \"./runtime\": it is a folder; name a file in it", 126);
    refuses(
        Test::new().args(["/"]),
        "unable to execute \"/\": it is a folder; name a file in it",
        126,
    );
    refuses(
        Test::new().args(["/bin/true/x"]),
        "unable to execute \"/bin/true/x\": not a directory",
        126,
    );
    let name = "x".repeat(300);
    let test = Test::new().args([format!("./{name}")]);
    refuses(test, &format!("unable to execute \"./{name}\": file name too long"), 126);
}

#[test]
fn program_on_a_noexec_mount_is_named() {
    let setup = "set -e; mount -t tmpfs -o noexec none /mnt; cp runtime /mnt; exec \"$@\"";
    let command = [
        "unshare",
        "--map-root-user",
        "--mount",
        "/bin/sh",
        "-c",
        setup,
        "setup",
        foreword(),
        "/mnt/runtime",
    ];
    let test = Test::new().script("runtime", "#!/bin/sh\n").without_foreword().args(command);
    refuses(
        test,
        "unable to execute \"/mnt/runtime\": its file system is mounted with noexec; put it \
         elsewhere",
        126,
    );
}

#[test]
fn symlink_to_nothing_is_named() {
    let test = Test::new().args(["./link"]);
    std::os::unix::fs::symlink("missing", test.path("link")).expect("a new link");
    refuses(
        test,
        "unable to execute \"./link\": it is a link to \"missing\", which leads nowhere",
        127,
    );
}

#[test]
fn argument_beyond_the_kernel_s_limit_is_named() {
    let test = |config: Value| {
        Test::new().file("foreword.json", config.to_string()).args(["/bin/echo", "given"])
    };
    let limit = format!("and the kernel takes {LONGEST} at most");
    // The limit counts the name and the equals sign.
    let long = |length: usize| json!({"env": {"BIG": "x".repeat(length - "BIG=".len())}});
    test(long(LONGEST)).stdout("given\n").run();
    let cause = format!(
        "unable to execute \"/bin/echo\": the variable BIG has {} bytes, {limit}",
        LONGEST + 1
    );
    refuses(test(long(LONGEST + 1)), &cause, 126);

    let long = |length: usize| json!({"arguments": {"append": ["x".repeat(length)]}});
    let argument = "x".repeat(LONGEST);
    test(long(LONGEST)).stdout(format!("given {argument}\n")).run();
    let cause =
        format!("unable to execute \"/bin/echo\": argument 2 has {} bytes, {limit}", LONGEST + 1);
    refuses(test(long(LONGEST + 1)), &cause, 126);

    // A hook meets the same limit, and foreword's own environment does not.
    let hook = json!({"name": "x", "command": ["/bin/echo"], "env": {"BIG": "x".repeat(LONGEST)}});
    let cause = format!(
        "unable to execute \"/bin/echo\": the variable BIG has {} bytes, {limit}",
        LONGEST + 4
    );
    test(json!({"hooks": {"initialize": [hook]}}))
        .stderr(format!("foreword: hook \"x\" (initialize) could not be started: {cause}\n"))
        .status(125)
        .run();
}

#[test]
fn arguments_together_beyond_the_kernel_s_limit_are_named() {
    // The kernel takes a quarter of the stack's limit, and 6 MiB at most.
    let names = (10..90).map(|number| format!("BIG_{number}")).collect::<Vec<_>>();
    let value = "x".repeat(100_000);
    let env: Value = names.iter().map(|name| (name.clone(), json!(value))).collect();
    let test = Test::new()
        .file("foreword.json", json!({"env": env}).to_string())
        .args(["/bin/echo", "given"]);
    let captured = test.capture();
    let stderr = String::from_utf8(captured.stderr).expect("text");
    assert_eq!((captured.stdout.as_slice(), captured.status), (&b""[..], 126), "{stderr}");
    let (before, total) = stderr
        .split_once("unable to execute \"/bin/echo\": command line and environment together have ")
        .expect(&stderr);
    let (total, after) = total.split_once(' ').expect(&stderr);
    assert_eq!(before, "foreword: ");
    assert!(
        (8_000_000..8_010_000).contains(&total.parse::<usize>().expect("a number")),
        "{stderr}"
    );
    assert_eq!(
        after,
        "bytes, more than the kernel takes; the largest is the variable BIG_89 with 100007\n"
    );
}

#[test]
fn program_as_a_bare_name_is_looked_up_as_by_execvp() {
    let echo = |what: &str| format!("#!/bin/sh\necho {what}\n");
    let test = |path: &str| {
        Test::new()
            .env("PATH", path)
            .file("no-run-bit/tool", echo("wrong"))
            .file("folder/tool/file", "")
            .script("astray/tool", "#!/nowhere/sh\n")
            .script("good/tool", echo("good"))
            .script("tool", echo("here"))
            .script("bad/tool", b"\0")
            .args(["--", "tool"])
    };
    let good = [
        "no-run-bit:good",
        "folder:good",
        "astray:good",
        "/nowhere:no-run-bit/tool:good:bad",
        "good/:astray",
    ];
    for path in good {
        test(path).stdout("good\n").run();
    }
    // An empty element is the working directory.
    for path in ["", ":good", "/nowhere::good", "/nowhere:", "."] {
        test(path).stdout("here\n").run();
    }
    // The first file that may not be executed is the one to tell about.
    let cause = "unable to execute \"no-run-bit/tool\": it has no run bit (chmod +x)";
    refuses(test("/nowhere:no-run-bit:folder"), cause, 126);
    refuses(
        test("folder:/nowhere"),
        "unable to execute \"folder/tool\": it is a folder; name a file in it",
        126,
    );
    // One that is executable and no program ends the search.
    let cause = "unable to execute \"bad/tool\": it is neither a program nor a script; name a \
                 program or a script";
    refuses(test("bad:good"), cause, 126);
}

#[test]
fn program_without_path_is_looked_up_in_the_system_s() {
    Test::new().env_remove("PATH").args(["--", "echo", "found"]).stdout("found\n").run();
}

#[test]
fn program_and_prefix_that_are_missing_are_named_as_written() {
    // The name under which it was started is all that this one looks at.
    let config = json!({"env": {"PATH": "<folder>/final:/bin"}, "program": "${TOOL}"});
    let resolved = |test: &Test, config: &Value| {
        config.to_string().replace(DIRECTORY, &test.path("").display().to_string())
    };
    let test = Test::new().env("TOOL", "cat").args(["./never", "/proc/self/cmdline"]);
    let config = resolved(&test, &config);
    test.config(&config).stdout("cat\0/proc/self/cmdline\0").run();

    let config = json!({
        "env": {"PATH": "<folder>/final:/bin"},
        "prefix": ["inner", "-i"],
        "rules": [{"prefix": ["outer", "${UNSET}"]}],
    });
    let passing = |name: &str| format!("#!/bin/sh\necho {name} $#\nshift\nexec \"$@\"\n");
    let test =
        Test::new().script("final/outer", passing("outer")).script("final/inner", passing("inner"));
    let config = resolved(&test, &config);
    let test = test
        .config(&config)
        .args(["--", "./tool", "1"])
        .script("tool", "#!/bin/sh\necho tool $#\n");
    test.stdout("outer 5\ninner 3\ntool 1\n").run();

    let test = Test::new().config(r#"{"prefix": ["nosuch"]}"#).args(["/bin/echo"]);
    refuses(test, &format!("unable to find \"nosuch\" in PATH ({PATH})"), 127);
    let test = Test::new()
        .config(r#"{"program": "nosuch", "env": {"PATH": "/a:/b"}}"#)
        .args(["/bin/echo"]);
    refuses(test, "unable to find \"nosuch\" in PATH (/a:/b)", 127);
}

/// As for `execvp`, it is a script for the shell that has nothing to say.
#[test]
fn empty_file_is_executed_as_an_empty_script() {
    Test::new().script("runtime", "").args(["./runtime"]).run();
}

/// What is wrong with the program is known only when the hooks have run; it is still one line.
#[test]
fn program_that_cannot_be_executed_after_hooks_is_named() {
    let test = Test::new().hooks(json!([{"name": "x", "command": ["/bin/echo", "hook"]}]));
    refuses(
        test.stdout("hook\n").args(["./missing"]),
        "unable to execute \"./missing\": no such file",
        127,
    );
}
