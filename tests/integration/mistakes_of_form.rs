//! Configurations that are no JSON, and values of the wrong type: the error says what is wrong, and
//! shows the right form.

use crate::mistakes::{refuses, refuses_each};
use crate::support::Test;

const NO_JSON: &str = "this is not JSON:";

/// Rows of a marked configuration, serde_json's cause, and the way out.
#[track_caller]
fn is_no_json(rows: &[(&str, &str, &str)]) {
    for (marked, cause, way_out) in rows {
        refuses_each(&[(marked, &format!("{NO_JSON} {cause}; {way_out}"))]);
    }
}

#[test]
fn comment_gets_a_hint_that_json_has_none() {
    const WAY_OUT: &str = "JSON has no comments, use \"description\"";
    is_no_json(&[
        ("{»// a\n}", "key must be a string", WAY_OUT),
        ("{»/* a */ \"env\": {}}", "key must be a string", WAY_OUT),
        ("{»# a\n}", "key must be a string", WAY_OUT),
        ("»// a\n{}", "expected value", WAY_OUT),
        ("»# a\n{}", "expected value", WAY_OUT),
        ("{\"env\": {} »// a\n}", "expected `,` or `}`", WAY_OUT),
        ("{\"prefix\": [\"a\", »/* b */ \"c\"]}", "expected value", WAY_OUT),
    ]);
}

#[test]
fn quotes_of_another_kind_get_a_hint_to_json_s() {
    is_no_json(&[
        ("{»'env': {}}", "key must be a string", "put it in double quotes"),
        ("{\"entry\": »'x'}", "expected value", "put it in double quotes"),
        ("{\"entry\": »`x`}", "expected value", "put it in double quotes"),
        ("{»“env”: {}}", "key must be a string", "these are typographic quotes, write \""),
        ("{\"entry\": »“x”}", "expected value", "these are typographic quotes, write \""),
        ("{\"entry\": »„x“}", "expected value", "these are typographic quotes, write \""),
        ("{»env: {}}", "key must be a string", "put the key in double quotes"),
        (
            "{»\u{a0}\"env\": {}}",
            "key must be a string",
            "this character stands outside of quotes, remove it",
        ),
    ]);
}

#[test]
fn words_without_quotes_get_a_hint_to_add_them() {
    const WAY_OUT: &str = "put a string in double quotes (true, false and null are lower case)";
    is_no_json(&[
        ("{\"entry\": »app.py}", "expected value", WAY_OUT),
        ("{\"when\": {\"env\": {\"A\": »True}}}", "expected value", WAY_OUT),
        ("{\"env\": {\"A\": »None}}", "expected value", WAY_OUT),
        ("{\"env\": {\"A\": »undefined}}", "expected value", WAY_OUT),
    ]);
}

#[test]
fn punctuation_that_is_missing_or_extra_is_named() {
    is_no_json(&[
        ("{\"env\": {},»}", "trailing comma", "remove the comma in front of it"),
        ("{\"prefix\": [\"a\",»]}", "trailing comma", "remove the comma in front of it"),
        ("{»,}", "key must be a string", "remove one comma"),
        (
            "{\"env\": {} »\"entry\": \"x\"}",
            "expected `,` or `}`",
            "a comma is missing in front of it",
        ),
        (
            "{\"prefix\": [\"a\" »\"b\"]}",
            "expected `,` or `]`",
            "a comma is missing in front of it",
        ),
        ("{\"prefix\": [\"a\"»}", "expected `,` or `]`", "a ] is missing in front of it"),
        ("{\"prefix\": [{\"a\": 1»]}", "expected `,` or `}`", "a } is missing in front of it"),
        ("{\"entry\" »\"x\"}", "expected `:`", "a colon is missing in front of it"),
        ("{\"entry\" »= \"x\"}", "expected `:`", "write a colon"),
        ("{}»}", "trailing characters", "the object has ended, remove what follows"),
        ("\"env\"»: {}", "trailing characters", "put all of it in braces"),
        (
            "{\"env\": »{",
            "EOF while parsing an object",
            "it ends before all brackets and quotes are closed",
        ),
    ]);
}

#[test]
fn backslash_or_line_break_in_a_string_gets_its_escape() {
    const BACKSLASH: &str = "write a backslash as \\\\ (paths in a function have /)";
    is_no_json(&[
        ("{\"program\": \"\\»opt\"}", "invalid escape", BACKSLASH),
        ("{\"program\": \"C:\\»app\\x\"}", "invalid escape", BACKSLASH),
        ("{\"options\": {\"remove\": [\"a\\»*\"]}}", "invalid escape", BACKSLASH),
    ]);
    let broken = Test::new().file("foreword.json", "{\"entry\": \"a\nb\"}");
    let cause = "control character (\\u0000-\\u001F) found while parsing a string";
    refuses(
        broken,
        &format!(
            "<folder>/foreword.json:1:13: {NO_JSON} {cause}; write a line break as \\n, a tab as \
             \\t"
        ),
    );
}

#[test]
fn language_other_than_json_is_named() {
    const YAML: &str = "it looks like YAML, and has to be JSON (yq -o json converts it)";
    const TOML: &str = "it looks like TOML, and has to be JSON (yq -o json converts it)";
    for (text, way_out) in [
        ("env:\n  A: 1\n", YAML),
        ("# mine\n---\nenv: {A: 1}\n", YAML),
        ("- name: x\n", YAML),
        ("\nhooks:\n  initialize: []\n", YAML),
        ("[env]\nA = \"1\"\n", TOML),
        ("# mine\nentry = \"x\"\n", TOML),
        ("[options.values]\n", TOML),
    ] {
        let directory = Test::new().file("foreword.json", text).args(["/bin/true"]);
        let stderr = String::from_utf8(directory.capture().stderr).expect("UTF-8");
        assert!(stderr.ends_with(&format!("; {way_out}\n")), "{text}: {stderr}");
        let inline = format!(
            "FOREWORD_CONFIG is neither the path of a file nor a JSON object, which begins with \
             {{; {way_out}"
        );
        refuses(Test::new().config(&format!("{text}b: 1\n")), &inline);
    }
    let line = "FOREWORD_CONFIG is neither the path of a file nor a JSON object, which begins \
                with {; "
        .to_owned()
        + YAML;
    refuses(Test::new().config("entry: x.py"), &line);
}

#[test]
fn byte_order_mark_inline_does_not_shift_the_column() {
    Test::new()
        .config("\u{feff}{\"env\": {\"A\": \"1\"}}")
        .args(["/bin/sh", "-c", "echo $A"])
        .stdout("1\n")
        .run();
    Test::new().config("\u{feff} \n{}").args(["/bin/true"]).run();
    refuses(
        Test::new().config("\u{feff}{\"optons\": {}}"),
        "FOREWORD_CONFIG:1:2: unknown key \"optons\"; did you mean \"options\"?",
    );
}

#[test]
fn quotes_around_an_inline_configuration_get_a_hint_to_remove_them() {
    for quoted in ["'{\"env\": {}}'", "\"{\\\"env\\\": {}}\"", "“{}”"] {
        let message = "FOREWORD_CONFIG is neither the path of a file nor a JSON object, which \
                       begins with {; remove the quotes around it";
        refuses(Test::new().config(quoted), message);
    }
}

#[test]
fn windows_path_of_a_configuration_gets_a_hint() {
    for path in
        ["C:\\app\\foreword.json", "C:/Program Files/Git/opt/x.json", "..\\x.json", "d:x.json"]
    {
        let message = format!(
            "FOREWORD_CONFIG names {path:?}, and there is no such file; a function's paths are \
             like /var/task/x.json (MSYS_NO_PATHCONV=1 keeps Git Bash from changing them)"
        );
        refuses(Test::new().config(path), &message);
    }
}

#[test]
fn value_of_the_wrong_type_gets_the_right_form() {
    const EDIT: &str =
        "expected a string, null, or an object with \"default\", \"prepend\" or \"append\", found";
    const LIST: &str = "expected an array, found";
    refuses_each(&[
        ("{\"env\": {\"A\": »8080}}", &format!("{EDIT} a number; put it in quotes")),
        ("{\"env\": {\"A\": »true}}", &format!("{EDIT} true or false; put it in quotes")),
        (
            "{\"env\": {\"A\": {\"default\": »1}}}",
            "expected a string, found a number; put it in quotes",
        ),
        (
            "{\"options\": {\"append\": [\"-X\", »1.5]}}",
            "expected a string, found a number; put it in quotes",
        ),
        (
            "{\"prefix\": »\"nice\"}",
            &format!("{LIST} a string; write [\"…\", \"…\"], one string for each word"),
        ),
        ("{\"rules\": »{}}", &format!("{LIST} an object; put it in brackets, [{{…}}]")),
        ("{\"entry\": »[\"a\", \"b\"]}", "expected a string, found an array; write one string"),
        (
            "{\"env\": »[{\"name\": \"A\"}]}",
            "expected an object, found an array; write {\"NAME\": …}",
        ),
        ("{\"options\": »null}", "expected an object, found null; remove the key"),
        (
            "{\"when\": {\"env\": {\"A\": {\"matches\": \"x\", \"ignore_case\": »\"true\"}}}}",
            "expected true or false, found a string; write it without quotes",
        ),
    ]);
}

#[test]
fn hooks_in_the_wrong_form_get_the_right_one() {
    const HOOKS: &str = "; write [{\"name\": …, \"command\": …}]";
    refuses_each(&[
        (
            "{\"hooks\": {\"initialize\": »\"./fetch\"}}",
            &format!("expected an array of hooks, found a string{HOOKS}"),
        ),
        (
            "{\"hooks\": {\"initialize\": »{\"name\": \"n\", \"command\": \"x\"}}}",
            &format!("expected an array of hooks, found an object{HOOKS}"),
        ),
        (
            "{\"hooks\": {\"initialize\": [»\"./fetch\"]}}",
            "expected a hook, found a string; write {\"name\": …, \"command\": …}",
        ),
        (
            "{\"hooks\": {\"initialize\": [»[\"./fetch\"]]}}",
            "expected a hook, found an array; write {\"name\": …, \"command\": …}",
        ),
        (
            "{\"hooks\": »[{\"name\": \"n\", \"command\": \"x\"}]}",
            "expected an object with a phase for each key, found an array; write {\"initialize\": \
             […]}",
        ),
    ]);
}

/// What is missing beside it is there, under another name.
#[test]
fn misspelled_key_is_the_only_mistake_reported() {
    let near = |written: &str, meant: &str| {
        format!("unknown key \"{written}\"; did you mean \"{meant}\"?")
    };
    refuses_each(&[
        ("{\"env\": {\"A\": {»\"defualt\": \"x\"}}}", &near("defualt", "default")),
        (
            "{\"env\": {\"A\": {\"prepend\": \"x\", »\"seperator\": \":\"}}}",
            &near("seperator", "separator"),
        ),
        ("{\"env\": {\"A\": {»\"apend\": \"x\", \"separator\": \":\"}}}", &near("apend", "append")),
        (
            "{\"options\": {\"values\": {\"-cp\": {»\"defualt\": \"x\"}}}}",
            &near("defualt", "default"),
        ),
        ("{\"when\": {\"env\": {\"A\": {»\"matchs\": \"x\"}}}}", &near("matchs", "matches")),
        ("{\"wrappers\": [{»\"pth\": \"/w\"}]}", &near("pth", "path")),
        (
            "{\"hooks\": {\"initialize\": [{»\"nmae\": \"n\", \"command\": \"x\"}]}}",
            &near("nmae", "name"),
        ),
    ]);
    #[cfg(feature = "tool")]
    {
        let captured = Test::new()
            .config("{\"env\": {\"A\": {\"defualt\": \"x\"}}}")
            .args(["check"])
            .capture();
        let output = String::from_utf8(captured.stdout).expect("UTF-8");
        assert_eq!(output.matches(": error: ").count(), 1, "{output}");
    }
}
