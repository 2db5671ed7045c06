//! What references give: each spelling, each kind of value, and in how few requests.

use crate::support::{Run, server};
use std::collections::BTreeMap;

/// `P1=ssm:/many/p1` and so on.
fn many(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("P{number}=ssm:/many/p{number}")).collect()
}

/// The operations that came through a door so far, with the number of things that each names.
fn operations(door: &str) -> Vec<(String, usize)> {
    let count = |entry: &serde_json::Value| {
        let operation = entry["operation"].as_str().expect("an operation").to_owned();
        (operation, entry["identifiers"].as_array().expect("a list").len())
    };
    let mut operations: Vec<_> = server().requests(door, "").iter().map(count).collect();
    operations.sort();
    operations
}

#[test]
fn parameters_come_in_tens() {
    let mut expected_sizes = Vec::new();
    for (count, sizes) in
        [(1, vec![1]), (10, vec![10]), (11, vec![10, 1]), (45, vec![10, 10, 10, 10, 5])]
    {
        let arguments = many(count);
        let expected: Vec<(String, String)> =
            (1..=count).map(|number| (format!("P{number}"), format!("MARKER-{number}"))).collect();
        let expected: Vec<(&str, &str)> =
            expected.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let arguments = arguments.iter().map(String::as_str);
        Run::new(arguments).door("tens").patient().run().gives(&expected);
        expected_sizes.extend(sizes.into_iter().map(|size| ("GetParameters".to_owned(), size)));
        expected_sizes.sort();
        assert_eq!(operations("tens"), expected_sizes);
    }
}

#[test]
fn parameter_of_two_variables_is_asked_for_once() {
    Run::new(["A=ssm:/many/p2", "B=ssm:/many/p2", "C=bref-ssm:/many/p2"])
        .door("twice")
        .patient()
        .run()
        .gives(&[("A", "MARKER-2"), ("B", "MARKER-2"), ("C", "MARKER-2")]);
    assert_eq!(operations("twice"), [("GetParameters".to_owned(), 1)]);
}

#[test]
fn path_of_three_pages_gives_all_below_it() {
    let mut expected: BTreeMap<String, String> = (1..=25)
        .map(|number| (format!("APP_P_{number}"), format!("MARKER-page-{number}")))
        .collect();
    expected.insert("APP_DEEPER_KEY".to_owned(), "MARKER-deeper".to_owned());
    let expected: Vec<(&str, &str)> =
        expected.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for (path, requests) in [("ssm:/pages/", 3), ("ssm:/pages", 6)] {
        Run::new(["--path", &format!("APP_={path}")])
            .door("pages")
            .patient()
            .run()
            .gives(&expected);
        assert_eq!(operations("pages").len(), requests);
    }
}

#[test]
fn path_without_a_prefix_and_a_variable_of_its_own() {
    Run::new(["--path", "=ssm:/versions/", "X=ssm:/many/p1", "Y=ssm:/many/p2"])
        .run()
        .gives(&[("X", "MARKER-1"), ("Y", "MARKER-2")]);
}

#[test]
fn path_whose_names_are_one_variable_fails() {
    Run::new(["--path", "=ssm:/clash/"]).run().fails_with(&[
        "/clash/a-b",
        "/clash/a.b",
        "would both be A_B",
        "ssm:/clash/",
    ]);
}

#[test]
fn names_below_a_path_that_something_else_decides_do_not_clash() {
    Run::new(["--path", "=ssm:/clash/", "A_B=ssm:/many/p1"]).run().gives(&[("A_B", "MARKER-1")]);
    Run::new(["--path", "=ssm:/clash/", "--keep-existing"]).env("A_B", "mine").run().gives(&[]);
    // The later of two paths replaces what the earlier one gave.
    Run::new(["--path", "=ssm:/versions/", "--path", "=ssm:/overlay/"])
        .run()
        .gives(&[("X", "MARKER-overlay")]);
}

#[test]
fn path_of_another_account_is_refused() {
    let path = "arn:aws:ssm:us-east-1:999999999999:parameter/versions";
    Run::new(["--path", &format!("P_={path}/")]).run().fails(
        1,
        &[&format!(
            "unable to get P_* from {path}/: AWS reads paths of the function's own account only, \
             which is 123456789012 and not 999999999999; name each parameter by its ARN"
        )],
    );
    let path = "arn:aws:ssm:us-east-1:123456789012:parameter/versions/";
    Run::new(["--path", &format!("P_={path}")]).run().gives(&[("P_X", "MARKER-version-2")]);
}

#[test]
fn path_without_parameters_fails() {
    Run::new(["--path", "APP_=ssm:/nothing/here/"]).run().fails(
        1,
        &["unable to get APP_* from ssm:/nothing/here/: Systems Manager in us-east-1 has no \
           parameter below it; correct the path"],
    );
}

#[test]
fn version_and_label_of_a_parameter() {
    Run::new([
        "LAST=ssm:/versions/x",
        "FIRST=ssm:/versions/x:1",
        "SECOND=ssm:/versions/x:2",
        "STABLE=ssm:/versions/x:stable",
    ])
    .run()
    .gives(&[
        ("LAST", "MARKER-version-2"),
        ("FIRST", "MARKER-version-1"),
        ("SECOND", "MARKER-version-2"),
        ("STABLE", "MARKER-version-1"),
    ]);
}

#[test]
fn spellings_of_other_tools() {
    Run::new([
        "A=ssm:///many/p1",
        "B=ssm://many/p1",
        "C=ssm://plain.name",
        "D=x-crypteia-ssm:/many/p1",
        "E=bref-ssm:/many/p1",
        "F=bref-secretsmanager:many/s1",
        "G=ssm:arn:aws:ssm:us-east-1:123456789012:parameter/many/p2",
    ])
    .run()
    .gives(&[
        ("A", "MARKER-1"),
        ("B", "MARKER-1"),
        ("C", "MARKER-plain"),
        ("D", "MARKER-1"),
        ("E", "MARKER-1"),
        ("F", "MARKER-secret-1"),
        ("G", "MARKER-2"),
    ]);
}

#[test]
fn arn_says_the_region() {
    let secret = server().text("/arns/far");
    Run::new([
        "NEAR=ssm:/many/p1",
        "FAR=arn:aws:ssm:eu-west-1:123456789012:parameter/far/x",
        &format!("SECRET={secret}"),
        "--path",
        "P_=arn:aws:ssm:eu-west-1:123456789012:parameter/far/",
    ])
    .run()
    .gives(&[
        ("NEAR", "MARKER-1"),
        ("FAR", "MARKER-far"),
        ("SECRET", "MARKER-far-secret"),
        ("P_X", "MARKER-far"),
    ]);
}

#[test]
fn fields_of_a_secret() {
    let arn = server().text("/arns/orders");
    let reference = "secretsmanager:prod/orders";
    let arguments = [
        format!("PASSWORD={reference}#password"),
        format!("PORT={reference}#port"),
        format!("PRECISE={reference}#precise"),
        format!("ON={reference}#on"),
        format!("NESTED={reference}#nested"),
        format!("AT={reference}#user@host@AWSCURRENT"),
        format!("ECS={arn}:password::"),
        format!("ECS_STAGE={arn}:password:AWSCURRENT:"),
        format!("OURS={arn}#password"),
    ];
    Run::new(arguments.iter().map(String::as_str)).door("fields").patient().run().gives(&[
        ("PASSWORD", "MARKER-field"),
        ("PORT", "5432"),
        ("PRECISE", "1.50"),
        ("ON", "true"),
        ("NESTED", "{\"inner\": [\"MARKER-inner\", 1]}"),
        ("AT", "MARKER-at"),
        ("ECS", "MARKER-field"),
        ("ECS_STAGE", "MARKER-field"),
        ("OURS", "MARKER-field"),
    ]);
    // Nine variables of one secret, which has a name and an ARN, each with and without the stage.
    assert_eq!(operations("fields"), [("BatchGetSecretValue".to_owned(), 4)]);
}

#[test]
fn secrets_come_in_twenties() {
    let arguments: Vec<String> =
        (1..=25).map(|number| format!("S{number}=secretsmanager:many/s{number}")).collect();
    let expected: Vec<(String, String)> =
        (1..=25).map(|number| (format!("S{number}"), format!("MARKER-secret-{number}"))).collect();
    let expected: Vec<(&str, &str)> =
        expected.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Run::new(arguments.iter().map(String::as_str))
        .door("twenties")
        .patient()
        .run()
        .gives(&expected);
    let batch = |size| ("BatchGetSecretValue".to_owned(), size);
    assert_eq!(operations("twenties"), [batch(5), batch(20)]);
}

#[test]
fn stage_and_version_of_a_secret() {
    let (arn, version) = (server().text("/arns/staged"), server().text("/arns/version"));
    let arguments = [
        "NEW=secretsmanager:staged".to_owned(),
        "CURRENT=secretsmanager:staged@AWSCURRENT".to_owned(),
        "OLD=secretsmanager:staged@AWSPREVIOUS".to_owned(),
        format!("ID=secretsmanager:staged@{version}"),
        format!("ECS={arn}::AWSPREVIOUS:"),
        format!("ECS_ID={arn}:::{version}"),
        "AT=secretsmanager:team@corp/db".to_owned(),
    ];
    Run::new(arguments.iter().map(String::as_str)).run().gives(&[
        ("NEW", "MARKER-new"),
        ("CURRENT", "MARKER-new"),
        ("OLD", "MARKER-old"),
        ("ID", "MARKER-new"),
        ("ECS", "MARKER-old"),
        ("ECS_ID", "MARKER-new"),
        ("AT", "MARKER-at-name"),
    ]);
}

#[test]
fn values_are_as_they_are() {
    let awkward = server().fact("/awkward").as_object().expect("an object");
    let arguments: Vec<String> =
        awkward.keys().map(|name| format!("{name}=ssm:/awkward/{name}")).collect();
    let expected: Vec<(&str, &str)> = awkward
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().expect("a text")))
        .collect();
    Run::new(arguments.iter().map(String::as_str)).run().gives(&expected);

    let large = format!("MARKER{}", "x".repeat(65530));
    Run::new(["EVERY=secretsmanager:every", "LARGE=secretsmanager:large"])
        .run()
        .gives(&[("EVERY", server().text("/every")), ("LARGE", &large)]);
    Run::new(["TEXT=secretsmanager:binary-text"]).run().gives(&[("TEXT", "MARKER-é")]);
}

#[test]
fn variable_that_has_a_value_keeps_it() {
    Run::new(["A=ssm:/many/p1", "B=ssm:/many/p2", "C=ssm:/many/p3", "--keep-existing"])
        .env("A", "local")
        .env("B", "ssm:/many/p2")
        .env("C", "")
        .run()
        .gives(&[("B", "MARKER-2"), ("C", "MARKER-3")]);
    Run::new(["X=ssm:/missing", "--path", "P_=ssm:/pages/deeper", "--keep-existing"])
        .env("X", "local")
        .env("P_KEY", "local")
        .run()
        .gives(&[]);
    // Where all have one, nobody is asked.
    Run::bare(["A=ssm:/many/p1", "--keep-existing"]).env("A", "local").run().gives(&[]);
    Run::new(["A=ssm:/many/p1"]).env("A", "local").run().gives(&[("A", "MARKER-1")]);
}
