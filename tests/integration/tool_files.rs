//! That `check`, `plan` and `simulate` look at the same files, from whatever directory and however
//! the code is named.

use crate::support::Test;
use serde_json::{Value, json};

const COMMAND: [&str; 4] = ["--", "sh", "-c", "exit 0"];

/// A configuration that its warnings tell apart: `check` names the file of each.
fn marked(name: &str) -> String {
    json!({"env": {name: "1"}}).to_string()
}

/// The files that the three read, by their names alone.
#[track_caller]
fn all_read(test: &dyn Fn(Vec<String>) -> Test, directory: &[&str], expected: &[&str]) {
    let words =
        |words: &[&[&str]]| words.concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();

    let checked = test(words(&[&["check"], directory])).capture();
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    let warnings = checked.lines().filter_map(|line| line.split_once(": warning: "));
    let checked: Vec<_> =
        warnings.map(|(place, _)| name(place.split(':').next().unwrap_or_default())).collect();
    assert_eq!(checked, expected, "check");

    let planned = test(words(&[&["plan", "--format", "json"], directory, &COMMAND])).capture();
    let plan: Value = serde_json::from_slice(&planned.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&planned.stderr)));
    let sources = plan["sources"].as_array().expect("sources");
    let planned: Vec<_> =
        sources.iter().map(|source| name(source.as_str().expect("a name"))).collect();
    assert_eq!(planned, expected, "plan");

    let planned =
        test(words(&[&["plan", "--format", "json", "--runtime", "python3.12"], directory]))
            .capture();
    let plan: Value = serde_json::from_slice(&planned.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&planned.stderr)));
    let sources = plan["sources"].as_array().expect("sources");
    let planned: Vec<_> =
        sources.iter().map(|source| name(source.as_str().expect("a name"))).collect();
    assert_eq!(planned, expected, "plan --runtime");

    let simulated = test(words(&[&["simulate"], directory, &COMMAND])).capture();
    let simulated = String::from_utf8_lossy(&simulated.stdout).into_owned();
    let line = simulated.lines().find_map(|line| line.trim().strip_prefix("configuration: "));
    let line = line.unwrap_or_else(|| panic!("{simulated}"));
    let simulated: Vec<_> = line.split(", ").map(name).collect();
    assert_eq!(simulated, expected, "simulate");
}

fn files(words: Vec<String>) -> Test {
    let test = Test::new().args(words).env_remove("LAMBDA_TASK_ROOT");
    test.file("foreword.json", marked("HERE"))
        .file("code/foreword.json", marked("CODE"))
        .file("code/own.json", marked("OWN"))
        .file("foreword.d/dropin.json", marked("DROPIN"))
}

#[test]
fn code_directory_by_default_is_the_working_directory() {
    all_read(&files, &[], &["dropin.json", "foreword.json"]);
}

#[test]
fn code_directory_as_an_argument_or_in_the_shell_is_used() {
    let without_here = |words: Vec<String>| {
        let test = files(words);
        std::fs::remove_file(test.path("foreword.json")).expect("unable to remove a file");
        test
    };
    let in_shell = |words: Vec<String>| without_here(words).env("LAMBDA_TASK_ROOT", "code");
    all_read(&in_shell, &[], &["dropin.json", "foreword.json"]);
    let absolute =
        |words: Vec<String>| without_here(words).env("LAMBDA_TASK_ROOT", "<folder>/code");
    all_read(&absolute, &[], &["dropin.json", "foreword.json"]);
}

#[test]
fn foreword_config_that_is_relative_is_found_beside_the_code() {
    let relative = |words: Vec<String>| {
        files(words).env("LAMBDA_TASK_ROOT", "code").env("FOREWORD_CONFIG", "own.json")
    };
    all_read(&relative, &[], &["dropin.json", "foreword.json", "own.json"]);
}

#[test]
fn foreword_config_of_the_function_is_found_in_the_local_code() {
    let of_function = |words: Vec<String>| {
        files(words).env("LAMBDA_TASK_ROOT", "code").env("FOREWORD_CONFIG", "/var/task/own.json")
    };
    all_read(&of_function, &[], &["dropin.json", "foreword.json", "own.json"]);
}

#[test]
fn code_directory_as_an_argument_of_plan_is_used() {
    for options in [
        &["--format", "json", "code", "--", "sh"][..],
        &["--format", "json", "--runtime", "python3.12", "code"],
    ] {
        let test = files([&["plan"], options].concat().into_iter().map(str::to_owned).collect());
        let test = test.env("LAMBDA_TASK_ROOT", "elsewhere");
        let plan: Value = serde_json::from_slice(&test.capture().stdout).expect("JSON");
        let directory = test.path("");
        let dropin = directory.join("foreword.d/dropin.json").display().to_string();
        assert_eq!(plan["sources"], json!([dropin, "code/foreword.json"]));
        assert_eq!(plan["task_root"], "code");
    }
    let captured = files(["plan", "foreword.json", "--", "sh"].map(str::to_owned).into()).capture();
    let said = String::from_utf8_lossy(&captured.stderr).into_owned();
    let expected =
        "error: foreword.json is no directory of a function's code; name a program behind --\n";
    assert!(captured.status == 2 && said.starts_with(expected), "{said}");
}

#[test]
fn conditions_on_files_see_the_code_directory() {
    let configuration =
        json!({"rules": [{"when": {"file": "marker"}, "env": {"A": "1"}}]}).to_string();
    for (options, root) in
        [(&["code"][..], ""), (&[], "code"), (&["--runtime", "python3.12", "code"], "")]
    {
        let words = [&["plan", "--format", "json"], options, &["--", "sh"]].concat();
        let test = Test::new().args(words).env("LAMBDA_TASK_ROOT", root);
        let test = test.file("code/foreword.json", &configuration).file("code/marker", "");
        let plan: Value = serde_json::from_slice(&test.capture().stdout).expect("JSON");
        assert_eq!(plan["skipped"], json!([]), "{options:?}");
    }
}

#[test]
fn plan_of_a_dockerfile_s_entrypoint_omits_foreword_and_says_so() {
    for (front, dropped) in [
        (&["foreword", "--"][..], "foreword --"),
        (&["/opt/bin/foreword", "--"], "/opt/bin/foreword --"),
        (
            &["/sbin/tini", "-g", "--", "/opt/bin/foreword", "--"],
            "/sbin/tini -g -- /opt/bin/foreword --",
        ),
        (&["dumb-init", "foreword", "--"], "dumb-init foreword --"),
    ] {
        let test = Test::new()
            .args([&["plan", "--format", "json", "--"], front, &["sh", "-c", "x"]].concat());
        let plan: Value = serde_json::from_slice(&test.capture().stdout).expect("JSON");
        assert_eq!(plan["received"], json!(["sh", "-c", "x"]));
        assert_eq!(
            plan["warnings"],
            json!([format!("{dropped} is left out: it starts foreword itself")])
        );
    }
}

#[test]
fn plan_of_a_program_outside_path_warns() {
    let warnings = |config: &str, command: &[&str], options: &[&str]| {
        let words = [&["plan", "--format", "json"], options, &["--"], command].concat();
        let plan = Test::new().args(words).config(config).capture();
        let plan: Value = serde_json::from_slice(&plan.stdout).expect("JSON");
        plan["warnings"]
            .as_array()
            .expect("warnings")
            .iter()
            .map(|one| one.as_str().expect("a text").to_owned())
            .collect::<Vec<_>>()
    };
    let missing = |program: &str, path: &str| {
        vec![format!(
            "there is no program \"{program}\" in PATH ({path}): the start ends with status 127"
        )]
    };
    let path = crate::support::PATH;
    assert_eq!(warnings("{}", &["no-such-program"], &[]), missing("no-such-program", path));
    assert_eq!(warnings("{}", &["sh"], &[]), Vec::<String>::new());
    // What counts is the PATH that is left, and the program that stands first.
    assert_eq!(
        warnings(r#"{"env": {"PATH": "/nowhere"}}"#, &["sh"], &[]),
        missing("sh", "/nowhere")
    );
    assert_eq!(
        warnings(r#"{"prefix": ["no-such-prefix"]}"#, &["sh"], &[]),
        missing("no-such-prefix", path)
    );
    assert_eq!(
        warnings(r#"{"program": "no-such-program"}"#, &["sh"], &[]),
        missing("no-such-program", path)
    );
    // Of Lambda's PATH this machine knows nothing.
    assert_eq!(
        warnings("{}", &["no-such-program"], &["--runtime", "python3.12"]),
        Vec::<String>::new()
    );
}

#[test]
fn plan_of_an_os_only_runtime_with_a_bootstrap_warns() {
    let warnings = |name: &str, runtime: &str| {
        let test = Test::new().args(["plan", "--format", "json", "--runtime", runtime, "code"]);
        let plan = test.script(name, "#!/bin/sh\n").file("code/foreword.json", "{}").capture();
        let plan: Value = serde_json::from_slice(&plan.stdout).expect("JSON");
        plan["warnings"].clone()
    };
    let warning = "code/bootstrap: Lambda starts this file in the place of foreword, unless it \
                   starts foreword itself; give it another name, and let Handler name it";
    assert_eq!(warnings("code/bootstrap", "provided.al2023"), json!([warning]));
    assert_eq!(warnings("code/app", "provided.al2023"), json!([]));
    assert_eq!(warnings("code/bootstrap", "python3.12"), json!([]));
}
