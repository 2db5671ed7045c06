//! The relay as a process: where it belongs, what it holds open, and that the runtime is as it
//! would be without it.

use crate::support::client::{RESTORE_NEXT, status_of};
use crate::support::lambda::{Lambda, Settings};
use crate::support::process::{Stat, children, descriptors};
use crate::support::snap_start::waiting;
use crate::support::{Gate, LIMIT, Played, Test, wait_until};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;

/// A run that has inherited descriptors 7 and 9, with hooks that wait in either phase.
fn inheriting(lambda: &Lambda) -> (Played, [Gate; 2]) {
    let hook = |phase: &str| json!([waiting("hook", phase)]);
    let setup = "exec \"$@\" 7<given 9>>order";
    let test = Test::new()
        .snap_start(lambda)
        .snapshot_hooks(hook("before"), hook("after"))
        .file("given", "")
        .within(["/bin/bash", "-c", setup, "setup"]);
    let gates = ["before", "after"].map(|name| Gate::new(&test.path(name)));
    (test.play(), gates)
}

/// The runtime has become what it stays, and has loaded what it needs for that.
fn wait_for_sleep(runtime: &Played) {
    let (pid, name) = (runtime.pid(), format!("/proc/{}/comm", runtime.pid()));
    let is_asleep = || fs::read_to_string(&name).is_ok_and(|name| name == "sleep\n");
    assert!(
        wait_until(LIMIT, || is_asleep() && Stat::of(pid).is_some_and(|stat| stat.state == 'S'))
    );
}

fn named(list: &[(i32, &str)], runtime: &Played) -> BTreeMap<i32, String> {
    list.iter()
        .map(|(descriptor, name)| {
            let name = if name.starts_with('/') { (*name).into() } else { runtime.path(name) };
            (*descriptor, name.to_str().expect("text").to_owned())
        })
        .collect()
}

/// Standard streams and all that was inherited for the runtime; for the relay, standard output and
/// error and what it opens itself; for a hook, its context and these two.
#[test]
fn file_descriptors_of_relay_hooks_and_runtime_are_separate() {
    let lambda = Lambda::new(Settings::default());
    let (runtime, mut gates) = inheriting(&lambda);
    wait_for_sleep(&runtime);
    let streams = [(1, ".stdout"), (2, ".stderr")];
    let own =
        named(&[&[(0, ".stdin")], &streams[..], &[(7, "given"), (9, "order")]].concat(), &runtime);
    assert_eq!(descriptors(runtime.pid()), own);

    let relay = runtime.relay();
    let is_clean = || {
        let is_own = |what: &String| {
            ["socket:[", "anon_inode:", "pipe:["].iter().any(|kind| what.starts_with(kind))
        };
        // While it starts a hook it may have a pipe to it.
        wait_until(LIMIT, || descriptors(relay).range(3..).all(|(_, what)| is_own(what)));
        let mut found = descriptors(relay);
        let foreign = found.split_off(&3).into_values().filter(|what| !is_own(what));
        assert_eq!(foreign.collect::<Vec<_>>(), [""; 0]);
        assert_eq!(found, named(&[&[(0, "/dev/null")], &streams[..]].concat(), &runtime));
    };
    is_clean();
    let client = runtime.asking(RESTORE_NEXT);
    for (gate, (phase, order)) in
        gates.iter_mut().zip([("before", "hook before\n"), ("after", "hook before\nhook after\n")])
    {
        runtime.wait_for_order(order);
        is_clean();
        let hook = children(relay);
        let [hook] = hook[..] else { panic!("{hook:?}") };
        // While it waits, the shell has the gate as its standard input, and its context elsewhere
        // until then.
        let waits = || descriptors(hook).get(&0).is_some_and(|input| input.ends_with(phase));
        assert!(wait_until(LIMIT, waits), "{:?}", descriptors(hook));
        let mut found = descriptors(hook);
        let input = found.remove(&0);
        found.retain(|_, what| Some(&*what) != input.as_ref());
        let inner: Vec<_> = found.keys().copied().filter(|descriptor| *descriptor >= 10).collect();
        assert!(inner.len() <= 1, "{found:?}");
        found.retain(|descriptor, _| *descriptor < 10);
        // Its standard error is passed on.
        assert!(found.remove(&2).is_some_and(|what| what.starts_with("pipe:[")));
        assert_eq!(found, named(&streams[..1], &runtime));
        gate.open();
        if phase == "before" {
            lambda.snapshot().unwrap();
            is_clean();
            lambda.restore().unwrap();
        }
    }
    let client = runtime.is_restored(client);
    drop(client);
    assert_eq!(descriptors(runtime.pid()), own);
    is_clean();
    runtime.end("");
}

/// What the relay opens must not become what the runtime or a hook takes for its standard output.
#[test]
fn standard_streams_that_are_closed_stay_closed() {
    let lambda = Lambda::new(Settings::default());
    let speak = |phase: &str| {
        let command =
            format!("echo said; echo cried >&2; echo hook {phase} >>order; read -r go <{phase}");
        json!([{"name": phase, "command": command}])
    };
    let test = Test::new()
        .snap_start(&lambda)
        .snapshot_hooks(speak("before"), speak("after"))
        .within(["/bin/bash", "-c", "exec \"$@\" <&- >&- 2>&-", "setup"]);
    let mut gates = ["before", "after"].map(|name| Gate::new(&test.path(name)));
    let runtime = test.play();
    wait_for_sleep(&runtime);
    assert_eq!(descriptors(runtime.pid()), BTreeMap::new());
    let relay = runtime.relay();
    let client = runtime.asking(RESTORE_NEXT);
    for (gate, order) in gates.iter_mut().zip(["hook before\n", "hook before\nhook after\n"]) {
        runtime.wait_for_order(order);
        let foreign =
            |what: &String| what.starts_with("socket:") || what.starts_with("anon_inode:");
        assert!(
            !descriptors(relay).range(..3).any(|(_, what)| foreign(what)),
            "{:?}",
            descriptors(relay)
        );
        gate.open();
        if order == "hook before\n" {
            lambda.restore().unwrap();
        }
    }
    let mut client = runtime.is_restored(client);
    assert_eq!(status_of(&client.ask("GET /other", "")), 404);
    runtime.end("");
}

#[test]
fn runtime_with_a_relay_keeps_its_process_id_and_has_no_child() {
    let lambda = Lambda::new(Settings::default());
    let (runtime, mut gates) = inheriting(&lambda);
    wait_for_sleep(&runtime);
    let this = nix::unistd::getpid();
    let known = Stat::of(runtime.pid()).expect("a runtime");
    assert_eq!((known.parent, known.group), (this, runtime.pid()));
    let is_childless = || assert_eq!(children(runtime.pid()), []);
    is_childless();
    let relay = runtime.relay();
    let stat = Stat::of(relay).expect("a relay");
    assert_eq!((stat.group, stat.session), (known.group, known.session));
    assert!(stat.parent != runtime.pid() && stat.parent != this);
    let client = runtime.asking(RESTORE_NEXT);
    runtime.wait_for_order("hook before\n");
    is_childless();
    gates[0].open();
    lambda.snapshot().unwrap();
    // Neither has the relay one that it did not bury.
    assert_eq!(children(relay), []);
    lambda.restore().unwrap();
    runtime.wait_for_order("hook before\nhook after\n");
    is_childless();
    gates[1].open();
    runtime.is_restored(client);
    assert_eq!(children(relay), []);
    is_childless();
    let found = Stat::of(runtime.pid()).expect("a runtime");
    assert_eq!(
        (found.parent, found.group, found.session),
        (known.parent, known.group, known.session)
    );
    runtime.end("");
}

/// The relay's own matters stay its own. The runtime is no shell, which would tidy up.
#[test]
fn signal_dispositions_mask_and_limits_equal_those_without_a_relay() {
    let parent = ["/usr/bin/env", "--ignore-signal=CHLD,PIPE,USR2", "--block-signal=USR1,INT,TERM"];
    let lines = |test: Test| {
        let lambda = Lambda::new(Settings::default());
        let test =
            test.snap_start(&lambda).snapshot_hooks(json!([waiting("hook", "before")]), json!([]));
        let captured = test
            .within(parent)
            .args(["/bin/cat", "/proc/self/status", "/proc/self/limits"])
            .capture();
        assert_eq!((captured.stderr.as_slice(), captured.status), (&b""[..], 0));
        let text = String::from_utf8(captured.stdout).expect("text");
        let names = ["Sig", "Shd", "Umask", "Threads", "NoNewPrivs", "Cap", "Max"];
        let is_kept = |line: &&str| {
            names.iter().any(|name| line.starts_with(name)) && !line.starts_with("SigQ")
        };
        text.lines().filter(is_kept).map(str::to_owned).collect::<Vec<_>>()
    };
    let found = lines(Test::new());
    // INT, USR1 and TERM; and that they are blocked is seen at all.
    assert!(found.contains(&"SigBlk:\t0000000000004202".to_owned()), "{found:?}");
    assert_eq!(found, lines(Test::new().without_foreword()));
}
