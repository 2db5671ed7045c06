//! What must reach the runtime untouched: the same start with and without foreword, under no
//! configuration, an empty one, and one whose edit and hook have nothing to do with it, has to give
//! the same process.

use crate::support::{Captured, Test, foreword};
use std::fs;

/// `None` stands for no configuration at all.
const CONFIGURATIONS: [Option<&str>; 3] = [
    None,
    Some("{}"),
    Some(
        r#"{
            "env": {"UNRELATED": "1"},
            "hooks": {"initialize": [
                {"name": "quiet", "command": ["/bin/true"]},
                {"name": "exporting", "command": "echo EXPORTED=1", "export": "dotenv"}
            ]}
        }"#,
    ),
];

/// Lines of /proc/self/status that a process hands on to what it executes; the others are its own
/// or change by themselves.
const HANDED_ON: [&str; 20] = [
    "Name",
    "Umask",
    "PPid",
    "TracerPid",
    "Uid",
    "Gid",
    "Groups",
    "Threads",
    "SigPnd",
    "ShdPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
];

/// Starts the runtime from a script that prepares its process, without foreword and with it under
/// every configuration; `read` takes out what has to be equal. Gives what there is without
/// foreword.
#[track_caller]
fn compare<T: PartialEq + std::fmt::Debug>(
    setup: &str,
    runtime: &[&str],
    read: impl Fn(&Test, Captured) -> T,
) -> T {
    compare_under(&CONFIGURATIONS, setup, runtime, read)
}

#[track_caller]
fn compare_under<T: PartialEq + std::fmt::Debug>(
    configurations: &[Option<&str>],
    setup: &str,
    runtime: &[&str],
    read: impl Fn(&Test, Captured) -> T,
) -> T {
    let setup = ["/bin/bash", "-c", setup, "setup"];
    let mut test =
        Test::new().env("FOREWORD_LOG", "warn").without_foreword().args([&setup, runtime].concat());
    let captured = test.capture();
    let alone = read(&test, captured);
    test = test.args([&setup[..], &[foreword(), "--"], runtime].concat());
    for configuration in configurations {
        if let Some(json) = configuration {
            test = test.file("foreword.json", json);
        }
        let captured = test.capture();
        assert_eq!(read(&test, captured), alone, "{setup:?} {configuration:?}");
    }
    alone
}

/// Standard output of a run in which nothing else was said.
#[track_caller]
fn output(captured: Captured) -> String {
    assert_eq!((String::from_utf8_lossy(&captured.stderr).as_ref(), captured.status), ("", 0));
    String::from_utf8(captured.stdout).expect("text")
}

#[test]
fn process_of_the_runtime_is_the_one_that_was_started() {
    // The fields of proc(5): pid, (comm), state, ppid, pgrp, session, tty_nr, tpgid.
    compare("echo $$; exec \"$@\"", &["/bin/cat", "/proc/self/stat"], |_, captured| {
        let output = output(captured);
        let (pid, stat) = output.split_once('\n').expect("two lines");
        let fields: Vec<_> = stat.split(' ').collect();
        let parent = std::process::id().to_string();
        assert_eq!([fields[0], fields[3], fields[4]], [pid, parent.as_str(), pid], "{output}");
        (fields[1].to_owned(), fields[5..8].join(" "))
    });
}

#[test]
fn session_of_its_own_is_unchanged() {
    let setup = "exec setsid --wait bash -c 'echo $$; exec \"$@\"' setup \"$@\"";
    compare(setup, &["/bin/cat", "/proc/self/stat"], |_, captured| {
        let output = output(captured);
        let (pid, stat) = output.split_once('\n').expect("two lines");
        let fields: Vec<_> = stat.split(' ').collect();
        assert_eq!([fields[0], fields[4], fields[5]], [pid, pid, pid], "{output}");
    });
}

#[test]
fn signal_dispositions_mask_and_pending_signals_are_unchanged() {
    // Signal n is bit n - 1: SIGHUP 1, SIGINT 2, SIGQUIT 3, SIGUSR1 10, SIGPIPE 13, SIGTERM 15,
    // SIGCHLD 17.
    for (setup, expected) in [
        ("exec \"$@\"", [0; 3]),
        (
            "exec env --ignore-signal=PIPE,CHLD --block-signal=USR1 \"$@\"",
            [0, 1 << 9, 1 << 12 | 1 << 16],
        ),
        (
            // What was sent while it is blocked is for the runtime.
            "exec env --block-signal=USR1,TERM,HUP,CHLD /bin/sh -c 'kill -TERM $$; kill -USR1 $$; \
             exec \"$@\"' sh \"$@\"",
            [1 << 14 | 1 << 9, 1 << 0 | 1 << 9 | 1 << 14 | 1 << 16, 0],
        ),
        (
            "exec env --ignore-signal=HUP,INT,QUIT,TERM \"$@\"",
            [0, 0, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14],
        ),
    ] {
        let status = compare(setup, &["/bin/cat", "/proc/self/status"], |_, captured| {
            handed_on(&output(captured))
        });
        assert_eq!(
            ["ShdPnd", "SigBlk", "SigIgn"].map(|key| signals(&status, key)),
            expected,
            "{setup}"
        );
    }
}

fn handed_on(status: &str) -> Vec<String> {
    let is_handed_on =
        |line: &&str| HANDED_ON.contains(&line.split(':').next().unwrap_or_default());
    status.lines().filter(is_handed_on).map(str::to_owned).collect()
}

/// A set of signals, without those from 32 on: the C library keeps them to itself, and who started
/// the tests decides.
fn signals(status: &[String], key: &str) -> u32 {
    let set = status.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t"));
    let set = u64::from_str_radix(set.unwrap_or_else(|| panic!("no {key} in {status:?}")), 16);
    set.expect("a set in hexadecimal") as u32 & !(1 << 31)
}

/// Nobody else gives the program its name: no script in between, and no path that it was found in.
#[test]
fn argv_0_is_the_program_as_written() {
    for program in ["cat", "/bin/cat", "/usr//bin/./cat"] {
        let line = compare("exec \"$@\"", &[program, "/proc/self/cmdline"], |_, captured| {
            output(captured)
        });
        assert_eq!(line, format!("{program}\0/proc/self/cmdline\0"));
    }
}

/// `nohup foreword …`: the hook ends only when foreword has taken the signal, or was never meant
/// to.
#[test]
fn signal_that_was_ignored_at_the_start_ends_no_hook() {
    let hook = r#"{"name": "x", "command": "kill -HUP $PPID; while grep -q '^ShdPnd:.*1$' /proc/$PPID/status; do :; done"}"#;
    Test::new()
        .without_foreword()
        .config(&format!(r#"{{"hooks": {{"initialize": [{hook}]}}}}"#))
        .args(["env", "--ignore-signal=HUP", foreword(), "/bin/echo", "started"])
        .stdout("started\n")
        .stderr("foreword: hook \"x\" (initialize) succeeded after N ms\n")
        .run();
}

#[test]
fn limits_umask_scheduling_and_working_directory_are_unchanged() {
    let setup = "mkdir -p deep; cd deep; umask 027; ulimit -n 77; ulimit -c 0; ulimit -Ss 4096; \
                 cpu=$(taskset --cpu-list --pid $$); exec nice -n 5 chrt --batch 0 taskset \
                 --cpu-list ${cpu##*[-, ]} \"$@\"";
    let files = [
        "status",
        "limits",
        "stat",
        "oom_score_adj",
        "personality",
        "coredump_filter",
        "cgroup",
        "timerslack_ns",
    ];
    let read = |file: &str| {
        compare(setup, &["/bin/cat", &format!("/proc/self/{file}")], |_, captured| {
            let output = output(captured);
            match file {
                "status" => output
                    .lines()
                    .filter(|line| line.starts_with("Cpus_") || line.starts_with("Umask"))
                    .collect(),
                // priority, nice, num_threads; rt_priority and policy.
                "stat" => [17, 18, 19, 39, 40]
                    .map(|field| output.split(' ').nth(field).unwrap_or_default())
                    .join(" "),
                _ => output,
            }
        })
    };
    let found = files.map(read);
    assert!(found[0].starts_with("Umask:\t0027"), "{}", found[0]);
    assert!(found[1].contains("Max open files            77                   77"), "{}", found[1]);
    assert!(found[2].ends_with(" 1 0 3"), "no SCHED_BATCH: {}", found[2]);
    compare(setup, &["/bin/readlink", "/proc/self/cwd"], |test, captured| {
        assert_eq!(output(captured), format!("{}\n", test.path("deep").display()));
    });
}

/// Lists the shell's own descriptors and where they lead to, on a descriptor that the set-up
/// opened.
const DESCRIPTORS: &str =
    "( cd /proc/$$/fd && for fd in *; do echo \"$fd $(readlink $fd)\"; done ) >&9; : end";

#[test]
fn file_descriptors_that_are_inherited_are_the_only_ones() {
    for (setup, expected) in [
        ("", "0 .stdin\n1 .stdout\n2 .stderr\n9 listing\n"),
        ("3<lines 62>>log", "0 .stdin\n1 .stdout\n2 .stderr\n3 lines\n62 log\n9 listing\n"),
        ("0<&-", "1 .stdout\n2 .stderr\n9 listing\n"),
        ("1>&-", "0 .stdin\n2 .stderr\n9 listing\n"),
        ("2>&-", "0 .stdin\n1 .stdout\n9 listing\n"),
        ("0<&- 1>&- 2>&- 3<lines", "3 lines\n9 listing\n"),
    ] {
        // What whoever started the tests left open stays out of it.
        let others = "for fd in /proc/$$/fd/*; do fd=${fd##*/}; if ((fd > 2)); then eval \"exec \
                      $fd>&-\"; fi; done";
        let setup = format!("{others}; echo line > lines; exec \"$@\" 9>listing {setup}");
        compare(&setup, &["/bin/sh", "-c", DESCRIPTORS], |test, captured| {
            assert_eq!(output(captured), "", "{setup}");
            let listing = fs::read_to_string(test.path("listing")).expect("a listing");
            let directory = test.path("").display().to_string();
            assert_eq!(listing.replace(&directory, ""), expected, "{setup}");
        });
    }
}

#[test]
fn file_descriptor_keeps_its_number_and_flags() {
    let setup = "printf 'one\\ntwo\\n' > lines; exec 3<lines 62>>log; read -r _ <&3; exec \"$@\"";
    let info = compare(
        setup,
        &["/bin/cat", "/proc/self/fdinfo/3", "/proc/self/fdinfo/62"],
        |_, captured| {
            let output = output(captured);
            let is_of_the_file =
                |line: &&str| !line.starts_with("ino:") && !line.starts_with("mnt_id:");
            output.lines().filter(is_of_the_file).map(str::to_owned).collect::<Vec<_>>()
        },
    );
    assert_eq!(info[0], "pos:\t4");
}

/// What these hand on untouched reaches the runtime as if they alone had been there.
#[test]
fn process_state_after_other_wrappers_is_unchanged() {
    let wrappers = [Some(r#"{"wrappers": ["/usr/bin/env", "/usr/bin/env"]}"#)];
    let setup = "umask 027; ulimit -n 77; exec 62>>log; exec env --ignore-signal=PIPE,CHLD \
                 --block-signal=USR1 nice -n 5 \"$@\"";
    for file in [
        "limits",
        "oom_score_adj",
        "personality",
        "coredump_filter",
        "cgroup",
        "timerslack_ns",
        "cmdline",
    ] {
        let runtime = ["/bin/cat", &format!("/proc/self/{file}")];
        compare_under(&wrappers, setup, &runtime, |_, captured| output(captured));
    }
    compare_under(&wrappers, setup, &["cat", "/proc/self/status"], |_, captured| {
        handed_on(&output(captured))
    });
    compare_under(&wrappers, setup, &["/bin/ls", "/proc/self/fd"], |_, captured| output(captured));
    compare_under(
        &wrappers,
        "echo $$; exec \"$@\"",
        &["/bin/cat", "/proc/self/stat"],
        |_, captured| {
            let output = output(captured);
            let (pid, stat) = output.split_once('\n').expect("two lines");
            assert!(stat.starts_with(&format!("{pid} (cat) ")), "{output}");
        },
    );
}

#[test]
fn standard_streams_and_exit_status_are_the_runtime_s() {
    for (script, expected) in
        [("cat; echo out; echo error >&2; exit 3", 3), ("cat; kill -KILL $$", 128 + 9)]
    {
        let captured =
            compare("exec \"$@\" <<<in", &["/bin/sh", "-c", script], |_, captured| captured);
        assert_eq!(captured.status, expected, "{script}");
    }
}

#[test]
fn pipe_that_is_closed_ends_the_runtime() {
    let setup = "\"$@\" | head -n 1; echo ${PIPESTATUS[0]}";
    let ended = compare(setup, &["/usr/bin/yes"], |_, captured| output(captured));
    assert_eq!(ended, "y\n141\n");
}

/// What foreword says may go nowhere: that ends nothing, and what is done about it is put back.
#[test]
fn log_without_a_reader_changes_nothing() {
    let config =
        r#"{"env": {"A": "1"}, "hooks": {"initialize": [{"name": "x", "command": "true"}]}}"#;
    let gone = "mkfifo pipe; exec 3<>pipe 2>pipe 3>&-; exec \"$@\"";
    for setup in ["exec \"$@\"", gone, "exec \"$@\" 2>&-"] {
        let start = |first: &[&str]| {
            let command =
                [&["/bin/bash", "-c", setup, "setup"], first, &["/bin/cat", "/proc/self/status"]]
                    .concat();
            let test = Test::new()
                .without_foreword()
                .file("foreword.json", config)
                .env("FOREWORD_LOG", "debug");
            test.args(command).capture()
        };
        let (alone, with) = (start(&[]), start(&[foreword()]));
        let status =
            |captured: Captured| handed_on(&String::from_utf8(captured.stdout).expect("text"));
        assert_eq!((with.status, status(with)), (0, status(alone)), "{setup}");
    }
}
