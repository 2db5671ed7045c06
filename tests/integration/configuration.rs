//! Where the configuration comes from, in which order the sources apply, and which rules of it do.

use crate::support::Test;
use std::fs;
use std::os::unix::fs::symlink;

/// Prints what the sources appended to `LOG`, in their order.
const RUNTIME: &str = "#!/bin/sh\necho \"$LOG\"\n";

fn test() -> Test {
    Test::new().script("runtime", RUNTIME).args(["./runtime"])
}

/// A configuration that leaves its name.
fn named(name: &str) -> String {
    format!(r#"{{"env": {{"LOG": {{"append": "{name}", "separator": " "}}}}}}"#)
}

#[test]
fn configuration_without_any_source_changes_nothing() {
    test().env_remove("FOREWORD_DROPIN_DIR").env_remove("LAMBDA_TASK_ROOT").stdout("\n").run();
}

#[test]
fn sources_of_every_kind_apply_in_order() {
    test()
        .config(&named("inline"))
        .file("foreword.json", named("task"))
        .file("foreword.d/a.json", named("a"))
        .stdout("a task inline\n")
        .run();
}

#[test]
fn drop_ins_apply_in_order_of_file_names() {
    // Made in another order than that of their names.
    let names = ["b", "9", "10", "Z", "a", "a-b", "aa", "é"];
    let files = names
        .iter()
        .fold(test(), |test, name| test.file(&format!("foreword.d/{name}.json"), named(name)));
    let ignored = [".hidden.json", "c.txt", "c.json.bak", "json", "c.JSON", ".json", "deep/c.json"];
    let files = ignored
        .iter()
        .fold(files, |test, name| test.file(&format!("foreword.d/{name}"), "not even JSON"));
    files.stdout("10 9 Z a-b a aa b é\n").run();
}

#[test]
fn drop_in_directory_may_be_another_or_missing() {
    let files = || test().file("foreword.d/a.json", named("a")).file("other/b.json", named("b"));
    files().env("FOREWORD_DROPIN_DIR", "<folder>/other").stdout("b\n").run();
    files().env("FOREWORD_DROPIN_DIR", "other").stdout("b\n").run();
    files().env("FOREWORD_DROPIN_DIR", "<folder>/missing").stdout("\n").run();
}

#[test]
fn foreword_config_as_a_path_or_inline_is_read() {
    let inline = named("inline");
    for (value, expected) in [
        ("<folder>/named.json".into(), "task named"),
        ("named.json".into(), "task named"),
        (inline.clone(), "task inline"),
        (format!(" \t\r\n {inline}"), "task inline"),
        (String::new(), "task"),
        (" \t\r\n".into(), "task"),
    ] {
        let files = test().file("foreword.json", named("task")).file("named.json", named("named"));
        files.env("FOREWORD_CONFIG", &value).stdout(format!("{expected}\n")).run();
    }
}

#[test]
fn named_file_that_is_missing_is_refused() {
    test()
        .env("FOREWORD_CONFIG", "<folder>/missing.json")
        .stderr(
            "foreword: FOREWORD_CONFIG names \"<folder>/missing.json\", and there is no such \
             file\n",
        )
        .status(125)
        .run();
}

#[test]
fn inline_json_in_quotes_is_not_read_as_a_path() {
    let message = "foreword: FOREWORD_CONFIG is neither the path of a file nor a JSON object, \
                   which begins with {; remove the quotes around it\n";
    test().env("FOREWORD_CONFIG", "'{\"env\": {}}'").stderr(message).status(125).run();
}

/// As editors on Windows save it.
#[test]
fn byte_order_mark_before_json_is_skipped() {
    test().file("foreword.json", format!("\u{feff}{}", named("task"))).stdout("task\n").run();
    let message = "foreword: <folder>/foreword.json:1:1: expected an object, found an array; \
                   write {\"NAME\": …}\n";
    test().file("foreword.json", "\u{feff}[]").stderr(message).status(125).run();
}

#[test]
fn file_that_is_reached_twice_is_loaded_once() {
    let task = || test().file("foreword.json", named("task"));
    for name in ["<folder>/foreword.json", "foreword.json", "<folder>/.//foreword.json"] {
        task().env("FOREWORD_CONFIG", name).stdout("task\n").run();
    }
    let linked = task().env("FOREWORD_CONFIG", "<folder>/link.json");
    symlink("foreword.json", linked.path("link.json")).unwrap();
    linked.stdout("task\n").run();

    let linked = task().env("FOREWORD_CONFIG", "<folder>/link.json");
    fs::hard_link(linked.path("foreword.json"), linked.path("link.json")).unwrap();
    linked.stdout("task\n").run();

    // It counts where it came first.
    let linked = task().file("foreword.d/b.json", named("b"));
    symlink("../foreword.json", linked.path("foreword.d/a.json")).unwrap();
    linked.stdout("task b\n").run();

    // Another file of the same content is another file.
    let copied = task().file("copy.json", named("task")).env("FOREWORD_CONFIG", "copy.json");
    copied.stdout("task task\n").run();
}

#[test]
fn later_sources_come_after_earlier_ones() {
    test()
        .script("python3", "#!/bin/sh\nIFS='|'; echo \"$*|$FIRST|$LAST|$GONE\"\n")
        .file(
            "foreword.d/a.json",
            r#"{
                "env": {"FIRST": {"default": "a"}, "LAST": "a", "GONE": "a"},
                "options": {"prepend": ["-1"], "append": ["-a"]}
            }"#,
        )
        .file(
            "foreword.json",
            r#"{
                "env": {"FIRST": {"default": "task"}, "LAST": "task", "GONE": null},
                "options": {"prepend": ["-2"], "append": ["-b"]}
            }"#,
        )
        .args(["./python3", "app.py"])
        .stdout("-2|-1|-a|-b|app.py|a|task|\n")
        .run();
}

#[test]
fn edits_of_a_rule_apply_before_those_of_its_inner_rules() {
    let append = |name: &str, rules: &str| {
        format!(
            r#"{{"rules": [{rules}], "env": {{"LOG": {{"append": "{name}", "separator": " "}}}}}}"#
        )
    };
    let inner = [append("1.1", ""), append("1.2", "")].join(", ");
    let outer = [append("1", &inner), append("2", "")].join(", ");
    test().config(&append("0", &outer)).stdout("0 1 1.1 1.2 2\n").run();
}

#[test]
fn condition_of_a_file_or_outer_rule_covers_everything_inside() {
    let never = r#""when": {"env": {"NEVER": true}}"#;
    let skipped = format!(
        r#"{{{never}, "env": {{"LOG": "skipped"}}, "rules": [{{"env": {{"LOG": "inner"}}}}]}}"#
    );
    test().file("foreword.json", &skipped).config(&named("inline")).stdout("inline\n").run();
    test().config(&format!(r#"{{"rules": [{skipped}]}}"#)).stdout("\n").run();
}

#[test]
fn conditions_see_the_environment_of_lambda_without_edits() {
    let config = r#"{
        "env": {"GIVEN": null, "MADE": "1"},
        "rules": [
            {"when": {"env": {"GIVEN": true}}, "env": {"LOG": {"append": "given", "separator": " "}}},
            {"when": {"env": {"MADE": true}}, "env": {"LOG": {"append": "made", "separator": " "}}},
            {"when": {"file": "made"}, "env": {"LOG": {"append": "file", "separator": " "}}}
        ],
        "hooks": {"initialize": [{"name": "x", "command": ">made"}]}
    }"#;
    test().env("GIVEN", "1").env("FOREWORD_LOG", "warn").config(config).stdout("given\n").run();
}

/// Which of the two it is depends on the foreword that is tested; what it calls this machine,
/// `programs` tests.
#[test]
fn architecture_of_another_machine_does_not_match() {
    let rules = ["x86_64", "arm64"].map(|name| {
        let edit = named(name);
        format!(r#"{{"when": {{"architecture": "{name}"}}, "rules": [{edit}]}}"#)
    });
    let captured = test().config(&format!(r#"{{"rules": [{}]}}"#, rules.join(", "))).capture();
    let output = String::from_utf8(captured.stdout).expect("text");
    assert!(["x86_64\n", "arm64\n"].contains(&output.as_str()), "{output}");
}

#[test]
fn runtime_behind_a_launcher_meets_its_condition() {
    let config = r#"{"when": {"runtime": "python"}, "env": {"LOG": "holds"}}"#;
    for command in ["env python3", "env A=1 nice -n 0 python3", "timeout 5 python3"] {
        let test = Test::new().config(config).script("bin/python3", "#!/bin/sh\necho \"$LOG\"\n");
        let command = ["--"].into_iter().chain(command.split(' '));
        test.env("PATH", "<folder>/bin:/usr/bin:/bin").args(command).stdout("holds\n").run();
    }
}

#[test]
fn runtime_that_a_variable_names_meets_its_condition() {
    for (value, expected) in
        [("python", "holds"), ("python3.*", ""), ("python3.12", "holds"), ("java", ""), ("", "")]
    {
        let config = r#"{"when": {"runtime": "${KIND}"}, "env": {"LOG": "holds"}}"#;
        let test = test()
            .config(config)
            .env("KIND", value)
            .env("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12");
        test.stdout(format!("{expected}\n")).run();
    }
}

/// It says so for an image of one's own, and some of AWS's base images.
#[test]
fn execution_environment_without_a_runtime_leaves_it_to_the_program() {
    for (declared, program, condition, expected) in [
        ("AWS_Lambda_Image", "python3", "python", "holds"),
        ("AWS_Lambda_Image", "python3", "provided", ""),
        ("AWS_Lambda_Image", "python3", "Image*", ""),
        ("AWS_Lambda_Image", "node", "node", "holds"),
        ("AWS_Lambda_Image", "app", "provided", "holds"),
        ("AWS_Lambda_", "ruby3.3", "ruby3.[0-9]", "holds"),
        ("AWS_ECS_FARGATE", "java", "java", "holds"),
        ("", "dotnet", "dotnet", "holds"),
        ("AWS_Lambda_java21", "python3", "java", "holds"),
    ] {
        let config =
            format!(r#"{{"when": {{"runtime": "{condition}"}}, "env": {{"LOG": "holds"}}}}"#);
        let test = Test::new()
            .script(program, "#!/bin/sh\necho \"$LOG\"\n")
            .args([format!("./{program}")]);
        let test = test.config(&config).env("AWS_EXECUTION_ENV", declared);
        test.stdout(format!("{expected}\n")).run();
    }
}

#[test]
fn initialization_of_managed_instances_meets_its_condition() {
    for (value, expected) in
        [("lambda-managed-instances", "holds"), ("on-demand", ""), ("snap-start", "")]
    {
        let config =
            r#"{"when": {"initialization": "lambda-managed-instances"}, "env": {"LOG": "holds"}}"#;
        let test = test().config(config).env("AWS_LAMBDA_INITIALIZATION_TYPE", value);
        test.stdout(format!("{expected}\n")).run();
    }
}

#[test]
fn files_that_exist_meet_their_condition() {
    for (file, expected) in [
        (r#""agent.jar""#, true),
        (r#""<folder>/agent.jar""#, true),
        (r#""missing.jar""#, false),
        (r#""lib""#, true),
        (r#""lib/""#, true),
        (r#""agent.jar/""#, false),
        (r#""*.jar""#, true),
        (r#""<folder>/*.jar""#, true),
        (r#""agent.ja?""#, true),
        (r#""agent.jar?""#, false),
        (r#""[a-b]gent.jar""#, true),
        (r#""[!a]gent.jar""#, false),
        // A wildcard stays inside one segment of the path.
        (r#""*.txt""#, false),
        (r#""*/*.txt""#, true),
        (r#""lib*deep.txt""#, false),
        (r#""lib?deep.txt""#, false),
        (r#""lib[/]deep.txt""#, false),
        (r#""*/deep/*/x""#, true),
        (r#""*/../agent.jar""#, true),
        // It skips a leading dot, which has to be written.
        (r#""*hidden""#, false),
        (r#""?hidden""#, false),
        (r#""[.]hidden""#, false),
        (r#"".h*""#, true),
        (r#""*/inside""#, false),
        (r#"".*/inside""#, true),
        // What a variable holds is no wildcard; neither is what is not closed.
        (r#""${GLOB}.jar""#, false),
        (r#""${NAME}.j*""#, true),
        (r#""open[1""#, true),
        // All of a list.
        (r#"["agent.jar", "lib/deep.txt"]"#, true),
        (r#"["agent.jar", "missing"]"#, false),
        (r#""link""#, true),
        (r#""dangling""#, false),
        (r#""dang*""#, false),
    ] {
        let test = [
            "agent.jar",
            "lib/deep.txt",
            "lib/deep/er/x",
            ".hidden",
            ".directory/inside",
            "open[1",
        ]
        .iter()
        .fold(test(), |test, name| test.file(name, ""));
        symlink("agent.jar", test.path("link")).unwrap();
        symlink("nowhere", test.path("dangling")).unwrap();
        let config = format!(r#"{{"when": {{"file": {file}}}, "env": {{"LOG": "holds"}}}}"#);
        let test = test.env("GLOB", "*").env("NAME", "agent").config(&config);
        test.stdout(if expected { "holds\n" } else { "\n" }).run();
    }
}

#[test]
fn relative_files_from_any_working_directory_are_found_in_the_task_root() {
    let config = r#"{"when": {"file": "agent.jar"}, "env": {"LOG": "holds"}}"#;
    let in_other = || test().env("LAMBDA_TASK_ROOT", "<folder>/task").config(config);
    in_other().file("agent.jar", "").stdout("\n").run();
    in_other().file("task/agent.jar", "").stdout("holds\n").run();
}
