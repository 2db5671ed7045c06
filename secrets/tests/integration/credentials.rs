//! Where credentials come from.

use crate::support::{Run, server};

const REFERENCE: &str = "A=ssm:/many/p1";

fn uri() -> String {
    format!("http://127.0.0.1:{}/credentials", server().port("/control"))
}

/// Without the variables that Lambda sets for functions without SnapStart.
fn contained() -> Run {
    Run::bare([REFERENCE, "B=secretsmanager:many/s1"])
        .door("plain")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri())
}

#[test]
fn container_endpoint_with_a_token_that_changes() {
    let both = [("A", "MARKER-1"), ("B", "MARKER-secret-1")];
    contained().env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "first-token").run().gives(&both);
    server().control("POST", "/token", "second-token");
    contained()
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "first-token")
        .run()
        .fails_with_each(2, "unable to get credentials from the container's endpoint: ");
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("token");
    std::fs::write(&file, "second-token").expect("the token");
    let file = file.to_str().expect("a text");
    contained().env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file).run().gives(&both);
    server().control("POST", "/token", "third-token");
    std::fs::write(file, "third-token").expect("the token");
    contained().env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file).run().gives(&both);
}

#[test]
fn variables_win_over_the_container_endpoint() {
    Run::new([REFERENCE])
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/")
        .run()
        .gives(&[("A", "MARKER-1")]);
}

#[test]
fn container_endpoint_that_is_not_there() {
    let outcome = Run::bare([REFERENCE])
        .door("plain")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/")
        .run();
    outcome.fails_with(&[
        "unable to get A from ssm:/many/p1: ",
        "credentials from the container's endpoint",
    ]);
    outcome.took_between(0, 4000);
}

#[test]
fn container_endpoint_on_another_machine_is_refused() {
    Run::bare([REFERENCE])
        .door("plain")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/")
        .run()
        .fails_with(&["unable to get credentials from the container's endpoint: "]);
}

#[test]
fn no_credentials_at_all() {
    let outcome = Run::bare([REFERENCE, "B=ssm:/x"]).door("plain").run();
    let cause = "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                 AWS_CONTAINER_CREDENTIALS_FULL_URI (on your own machine: eval \"$(aws configure \
                 export-credentials --format env)\")";
    outcome.fails(
        1,
        &[
            &format!("unable to get A from ssm:/many/p1: {cause}"),
            &format!("unable to get B from ssm:/x: {cause}"),
        ],
    );
    outcome.took_between(0, 1000);
}

#[test]
fn no_region() {
    let cause = "the region is not known; set AWS_REGION, or write an ARN";
    Run::new([REFERENCE])
        .without("AWS_REGION")
        .run()
        .fails(1, &[&format!("unable to get A from ssm:/many/p1: {cause}")]);
    Run::new([REFERENCE])
        .without("AWS_REGION")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .run()
        .gives(&[("A", "MARKER-1")]);
    Run::new(["A=arn:aws:ssm:us-east-1:123456789012:parameter/many/p1"])
        .without("AWS_REGION")
        .run()
        .gives(&[("A", "MARKER-1")]);
}
