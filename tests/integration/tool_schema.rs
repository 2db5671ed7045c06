//! The schema accepts what `check` accepts and rejects what `check` rejects, according to a real
//! validator: for configurations of every kind, and for each of them with every key and value
//! changed.

use crate::documentation::configurations;
use crate::support::{Test, real_part};
use crate::tool_schema_descriptions::schema;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// Configurations that use every key, small enough to change each of their values in turn.
const VALID: [&str; 31] = [
    r"{}",
    r#"{"$schema": "x", "description": "x", "rules": []}"#,
    r#"{"env": {"A": "text", "B": null, "$schema": "data", "description": "data"}}"#,
    r#"{"env": {"A": {"default": "", "description": "x"}}}"#,
    r#"{"env": {"A": {"prepend": "x", "separator": ""}}}"#,
    r#"{"env": {"A": {"append": "x", "separator": ":", "$schema": "x"}}}"#,
    r#"{"env": {"A": "$ $$ $A ${A} ${B:-x} ${C:-${D:-y}$$} }{ $${ ${E:-${F:-${G:-z}}}"}}"#,
    r#"{"secrets": {"A": "ssm:/a", "B": "secretsmanager:b#k@s", "${": "${R}"},
        "secrets_timeout_ms": 4294967295, "references": true}"#,
    r#"{"secrets": {"A": "bref-ssm:a", "B": "x-crypteia-ssm:/b", "C": "bref-secretsmanager:c",
        "D": "arn:aws:ssm:r:1:parameter/d", "E": "ssm://e/f:3"}, "references": false}"#,
    r#"{"secrets": {"": {"path": "ssm:/"}, "A": {"path": "/${P}/", "description": "x"},
        "B": {"path": "arn:aws:ssm:r:1:parameter/b", "$schema": "x"}}, "secrets_timeout_ms": 1}"#,
    r#"{"options": {"remove": ["-X*", "[a"], "replace": {"${A}": "b"}, "prepend": ["-a"],
        "append": [""], "description": "x"}}"#,
    r#"{"options": {"values": {"-cp": {"append": "x", "separator": ":"}, "": null, "-D": "x"}}}"#,
    r#"{"arguments": {"remove": ["a*"], "replace": {"": "b"}, "prepend": [], "append": ["${A}"]}}"#,
    r#"{"program": "p", "entry": "${E}"}"#,
    r#"{"prefix": ["q", ""]}"#,
    r#"{"wrappers": ["/opt/a", "${W}", {"path": "b/c", "name": "n", "when": {"file": "x"},
        "description": "x"}]}"#,
    r#"{"wrappers": [{"path": "/a", "env": {"A": "1"}, "last": false},
        {"path": "/b", "last": true}]}"#,
    r#"{"hooks": {"initialize": [{"name": "n", "command": ["x", ""], "cwd": "/", "timeout_ms": 1,
        "export": "json"}]}}"#,
    r#"{"hooks": {"initialize": [{"name": "n", "command": "x ${ y", "on_failure": "continue",
        "export": "dotenv"}]}}"#,
    r#"{"hooks": {"before_snapshot": [{"name": "n", "command": "x", "env": {"A": "1"}, "when": {},
        "description": "x"}]}}"#,
    r#"{"hooks": {"after_restore": [{"name": "n", "command": ["x"], "timeout_ms": 4294967295,
        "on_failure": "fail"}]}}"#,
    r#"{"hooks": {"pre_stop": [], "description": "x", "$schema": "x"}}"#,
    r#"{"when": {"runtime": "python", "description": "x"}}"#,
    r#"{"when": {"runtime": ["nodejs2[24].x", "java*", "provided", "${R}"]}}"#,
    r#"{"when": {"initialization": ["on-demand", "provisioned-concurrency", "snap-start",
        "lambda-managed-instances", "something-new"]}}"#,
    r#"{"when": {"architecture": ["x86_64", "arm64"], "file": ["/opt/*.jar", "${F}"]}}"#,
    r#"{"when": {"env": {"A": true, "B": false, "C": "x*", "": ["", "y"], "description": true}}}"#,
    r#"{"when": {"env": {"A": {"matches": ["x"], "ignore_case": true},
        "B": {"matches": "", "$schema": "x"}}}}"#,
    r#"{"when": {"not": {"env": {}}, "any": [{"file": "x"}, {}]}}"#,
    r#"{"rules": [{"when": {"runtime": "java"}, "rules": [{"env": {}}]}]}"#,
    r#"{"when": {"architecture": "arm64", "initialization": "snap-start"}, "hooks": {}}"#,
];

/// Mistakes that only `check` finds, with its messages. A schema sees every key once, does not
/// count nesting, compares no bounds inside a string, measures no distance between words, knows no
/// names of AWS's, and takes 1.0 for an integer.
const BEYOND: [(&str, &str); 10] = [
    (r#"{"env": {"A": "1", "A": "2"}}"#, "is given twice"),
    (r#"{"when": {"file": "[z-a]"}}"#, "runs backwards"),
    (r#"{"options": {"remove": ["[ä]"]}}"#, "holds a character that is not ASCII"),
    (r#"{"when": {"initialization": "snapstart"}}"#, "is no initialization; did you mean"),
    (r#"{"secrets": {"A": "ssm:a/b"}}"#, "a name with / in it begins with /"),
    (r#"{"secrets": {"A": {"path": "ssm:/a b/"}}}"#, "a parameter's name holds no ' '"),
    (r#"{"env": {"A": "${A:-${B:-${C:-${D}}"}}"#, "is not closed"),
    (r#"{"env": {"A": "${A:-${B:-${C:-${1}}}}"}}"#, "begins neither ${NAME} nor"),
    (
        r#"{"hooks": {"initialize": [{"name": "n", "command": "x", "timeout_ms": 1.0}]}}"#,
        "\"timeout_ms\" is 1.0; it takes whole milliseconds",
    ),
    (r"@{}#", "is nested more than 32 deep"),
];

/// Those of them that changed documents have.
const BEYOND_CHANGED: [&str; 2] = ["runs backwards", "is no initialization; did you mean"];

/// Returns the values that replace others, so that each kind of mistake is made everywhere.
fn others() -> Vec<Value> {
    let texts = [
        "provided.al2023",
        "prov*",
        "provided",
        "",
        "x",
        "/x",
        "${",
        "${A",
        "a${}",
        "${A:-${B}",
        "${A:-${B:-}",
        "${1}",
        "[z-a]",
        "\0",
        "a\0",
        "on_demand",
        "ssm:",
        "secretsmanager:x",
    ];
    let mut others: Vec<Value> = texts.into_iter().map(Value::from).collect();
    others.extend([
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(4_294_967_296_u64),
    ]);
    others.extend([
        json!([]),
        json!({}),
        json!([""]),
        json!([null]),
        json!({"x": 1}),
        json!([[]]),
        json!({"": ""}),
    ]);
    others
}

/// The keys that replace others, and that are added.
const KEYS: [&str; 16] = [
    "",
    "x",
    "A=B",
    "a\0",
    "${",
    "when",
    "env",
    "name",
    "path",
    "command",
    "export",
    "default",
    "append",
    "separator",
    "matches",
    "rules",
];

/// Collects a document in all its changed forms.
fn changed(document: &Value, all: &mut Vec<Value>) {
    let mut pointers = Vec::new();
    add_pointers(document, String::new(), &mut pointers);
    let mut put = |pointer: &str, value: Value| {
        let mut copy = document.clone();
        *copy.pointer_mut(pointer).expect("a pointer of the document") = value;
        all.push(copy);
    };
    for pointer in &pointers {
        others().into_iter().for_each(|other| put(pointer, other));
        let Some(Value::Object(members)) = document.pointer(pointer) else { continue };
        for key in KEYS {
            let mut more = members.clone();
            more.insert(key.into(), json!("x"));
            put(pointer, more.into());
        }
        for key in members.keys() {
            let mut fewer = members.clone();
            let value = fewer.remove(key).expect("a member");
            put(pointer, fewer.clone().into());
            for other in KEYS
                .iter()
                .map(std::string::ToString::to_string)
                .chain([format!("{key}s"), key.to_uppercase()])
            {
                let mut renamed = fewer.clone();
                renamed.insert(other, value.clone());
                put(pointer, renamed.into());
            }
        }
    }
}

fn add_pointers(value: &Value, pointer: String, to: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| {
                add_pointers(value, format!("{pointer}/{}", escaped(key)), to);
            });
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| add_pointers(value, format!("{pointer}/{index}"), to));
        }
        _ => {}
    }
    to.push(pointer);
}

/// Returns for each document whether the validator accepts it.
fn accepted_by_schema(documents: &[String]) -> Vec<bool> {
    const VALIDATE: &str = "
import json, sys
from jsonschema import Draft202012Validator
with open(sys.argv[1]) as schema, open(sys.argv[2]) as documents:
    schema, documents = json.load(schema), json.load(documents)
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
json.dump([validator.is_valid(json.loads(document)) for document in documents], sys.stdout)
";
    let test = Test::new()
        .file("schema", schema())
        .file("documents", serde_json::to_vec(documents).expect("JSON"));
    let mut command = Command::new(real_part("python/bin/python"));
    let output = command
        .args(["-c", VALIDATE])
        .args([test.path("schema"), test.path("documents")])
        .output()
        .expect("python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a list of verdicts")
}

/// Returns the errors that `check` finds in each document, except for those about a last wrapper.
fn errors(documents: &[String]) -> Vec<Vec<String>> {
    let mut errors = vec![Vec::new(); documents.len()];
    for (batch, documents) in documents.chunks(40).enumerate() {
        let name = |index: usize| format!("{index}.json");
        let test = documents
            .iter()
            .enumerate()
            .fold(Test::new(), |test, (index, text)| test.file(&name(index), text));
        let files = (0..documents.len()).map(name);
        let captured = test.args(["check".to_owned()].into_iter().chain(files)).capture();
        let output = String::from_utf8(captured.stdout).expect("UTF-8");
        let mut count = 0;
        for line in output.lines() {
            let Some((place, message)) = line.split_once(": error: ") else { continue };
            let index: usize =
                place.split('.').next().and_then(|index| index.parse().ok()).expect("a file");
            count += 1;
            if !message.contains("is \"last\" and never comes back")
                || message.contains("edit \"env\"")
            {
                errors[batch * 40 + index].push(message.to_owned());
            }
        }
        assert_eq!(
            (captured.stderr, captured.status),
            (Vec::new(), i32::from(count > 0)),
            "{output}"
        );
    }
    errors
}

#[test]
fn schema_accepts_and_rejects_what_check_does() {
    let mut documents: Vec<String> = VALID.map(str::to_owned).into();
    documents.extend(configurations());
    let directory =
        fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/layer/examples")).expect("the examples");
    let examples = directory.map(|entry| entry.expect("an entry").path());
    let is_json =
        |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "json");
    documents
        .extend(examples.filter(is_json).map(|path| fs::read_to_string(path).expect("an example")));
    let valid = documents.len();
    let mut mutants = Vec::new();
    for document in VALID {
        changed(&serde_json::from_str(document).expect("JSON"), &mut mutants);
    }
    documents.extend(mutants.iter().map(Value::to_string));

    let accepted = accepted_by_schema(&documents);
    let errors = errors(&documents);
    let mut refused = 0;
    for (index, document) in documents.iter().enumerate() {
        let (accepted, errors) = (accepted[index], &errors[index]);
        let is_beyond =
            |error: &String| BEYOND_CHANGED.iter().any(|message| error.contains(message));
        if index < valid {
            assert!(
                accepted && errors.is_empty(),
                "valid, but schema {accepted}, check {errors:?}: {document}"
            );
        }
        let agree = if accepted { errors.iter().all(is_beyond) } else { !errors.is_empty() };
        assert!(agree, "accepted by the schema: {accepted}; check finds {errors:?}: {document}");
        refused += usize::from(!accepted);
    }
    // Neither accepts or rejects everything.
    assert!(
        refused > 1000 && documents.len() - refused > 500,
        "{refused} of {} refused",
        documents.len()
    );
}

#[test]
fn mistakes_that_only_check_finds_are_documented() {
    let deep =
        |text: &str| text.replace('@', &r#"{"rules": ["#.repeat(33)).replace('#', &"]}".repeat(33));
    let documents = BEYOND.map(|(document, _)| deep(document));
    assert_eq!(accepted_by_schema(&documents), [true; BEYOND.len()]);
    for (errors, (document, message)) in errors(&documents).into_iter().zip(BEYOND) {
        let [error] = &errors[..] else { panic!("{document}: {errors:?}") };
        assert!(error.contains(message), "{document}: {error}");
    }
}
