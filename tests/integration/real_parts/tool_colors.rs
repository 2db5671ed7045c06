//! Colours on a terminal, which Python makes.

use crate::support::{Test, foreword};
use crate::tool_plan::{EVERYTHING, test};

#[test]
fn colors_on_terminals_that_want_them_are_used() {
    let on_a_terminal = |name: &str, value: &str| {
        let program = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
        let test = Test::new().without_foreword().config("[").env("TERM", "xterm").env(name, value);
        let captured =
            test.args(["python3", "-c", program, foreword(), "check", "missing"]).capture();
        assert_eq!(captured.status, 1, "{captured:?}");
        String::from_utf8(captured.stdout).expect("UTF-8")
    };
    let plain = "foreword: error: unable to read missing: no such file or directory\r\n";
    let painted = plain
        .replace("foreword", "\x1b[1mforeword\x1b[0m")
        .replace("error", "\x1b[1m\x1b[31merror\x1b[0m");
    assert_eq!(on_a_terminal("NO_COLOR", ""), painted);
    assert_eq!(on_a_terminal("NO_COLOR", "1"), plain);
    assert_eq!(on_a_terminal("TERM", "dumb"), plain);
    Test::new().args(["check", "missing"]).stdout(plain.replace('\r', "")).status(1).run();
}

#[test]
fn plan_on_terminals_that_want_colors_has_them() {
    let on_a_terminal = |name: &str, value: &str| {
        let program = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
        let test = test()
            .without_foreword()
            .file("foreword.json", EVERYTHING)
            .env("TERM", "xterm")
            .env(name, value);
        let command = ["python3", "-c", program, foreword(), "plan", "--runtime", "python3.12"];
        let captured = test.args(command).capture();
        assert_eq!(captured.status, 0, "{captured:?}");
        String::from_utf8(captured.stdout).expect("UTF-8").replace("\r\n", "\n")
    };
    let plain = include_str!("../tool_plan/everything.txt");
    assert_eq!(on_a_terminal("NO_COLOR", "1"), plain);
    assert_eq!(on_a_terminal("TERM", "dumb"), plain);
    test()
        .file("foreword.json", EVERYTHING)
        .args(["plan", "--runtime", "python3.12"])
        .stdout(plain)
        .run();
    let painted = on_a_terminal("NO_COLOR", "");
    assert!(painted.contains("\x1b[1mCommand line\x1b[0m\n"), "{painted}");
    let mut parts = painted.split("\x1b[");
    let first = parts.next().expect("the beginning").to_owned();
    let unpainted =
        parts.fold(first, |text, part| text + part.split_once('m').expect("a colour's end").1);
    assert_eq!(unpainted, plain);
}
