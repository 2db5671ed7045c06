//! What networks and servers do: what is tried again, what is not, and how long it takes.

use crate::support::{Outcome, Run, server};

const REFERENCE: &str = "A=ssm:/many/p1";

fn through(door: &str) -> Outcome {
    Run::new([REFERENCE]).door(door).run()
}

fn attempts(door: &str) -> usize {
    server().requests(door, "").len()
}

#[test]
fn one_throttling_is_survived() {
    let outcome = through("throttle-once");
    outcome.gives(&[("A", "MARKER-1")]);
    outcome.took_between(0, 1500);
    assert_eq!(attempts("throttle-once"), 2);
}

#[test]
fn throttling_without_end() {
    let outcome = through("throttle");
    outcome.fails(
        1,
        &["unable to get A from ssm:/many/p1: ThrottlingException: Systems Manager in us-east-1 \
           refused three attempts; ask for a higher rate, or for less at once"],
    );
    outcome.took_between(0, 2500);
    assert_eq!(attempts("throttle"), 3);
}

#[test]
fn throttling_of_batches_alone_is_survived() {
    Run::new(["A=secretsmanager:many/s1", "B=secretsmanager:many/s2"])
        .door("throttle-batches")
        .run()
        .gives(&[("A", "MARKER-secret-1"), ("B", "MARKER-secret-2")]);
}

#[test]
fn server_that_is_unavailable_once_and_for_ever() {
    through("unavailable-once").gives(&[("A", "MARKER-1")]);
    assert_eq!(attempts("unavailable-once"), 2);
    through("unavailable").fails(
        1,
        &["unable to get A from ssm:/many/p1: ServiceUnavailable: Systems Manager in us-east-1 \
           failed three times; try again later"],
    );
    assert_eq!(attempts("unavailable"), 3);
    through("internal").fails(
        1,
        &["unable to get A from ssm:/many/p1: InternalServerError: Systems Manager in us-east-1 \
           failed three times; try again later"],
    );
    assert_eq!(attempts("internal"), 3);
}

#[test]
fn refusal_is_not_tried_again() {
    let outcome = through("clock");
    outcome.fails_with(&["InvalidSignatureException"]);
    assert_eq!(attempts("clock"), 1);
}

#[test]
fn server_that_hangs() {
    let outcome = through("hang");
    outcome.fails_with(&[
        "unable to get A from ssm:/many/p1: unable to reach Systems Manager in us-east-1: ",
    ]);
    outcome.took_between(2900, 4000);
    assert_eq!(attempts("hang"), 3);
}

#[test]
fn server_that_hangs_once_leaves_time_for_another_attempt() {
    let outcome = through("hang-once");
    outcome.gives(&[("A", "MARKER-1")]);
    outcome.took_between(1000, 2500);
}

#[test]
fn limit_is_the_users() {
    let outcome = Run::new([REFERENCE, "--timeout-ms", "300"]).door("hang-long").run();
    outcome.fails_with(&["unable to reach Systems Manager in us-east-1"]);
    outcome.took_between(250, 1000);
}

#[test]
fn server_that_does_not_accept_connections() {
    let outcome = through("never-accepts");
    outcome.fails_with(&[
        "unable to reach Systems Manager in us-east-1: ",
        "; a function in a VPC needs a NAT gateway or the endpoint com.amazonaws.us-east-1.ssm\n",
    ]);
    outcome.took_between(2900, 4000);
}

#[test]
fn server_that_does_not_answer_the_handshake() {
    let outcome = through("no-tls");
    outcome.fails_with(&["unable to reach Systems Manager in us-east-1: "]);
    outcome.took_between(2900, 4000);
}

#[test]
fn server_that_resets_once_and_for_ever() {
    through("reset-once").gives(&[("A", "MARKER-1")]);
    let outcome = through("reset");
    outcome.fails_with(&["unable to reach Systems Manager in us-east-1: "]);
    outcome.took_between(0, 2500);
    assert_eq!(attempts("reset"), 3);
}

#[test]
fn server_that_dribbles() {
    let outcome = through("dribble");
    outcome.fails_with(&["unable to reach Systems Manager in us-east-1: "]);
    outcome.took_between(2900, 4000);
}

#[test]
fn answer_that_is_cut_off() {
    through("cut").fails_with(&["unable to get A from ssm:/many/p1: "]);
}

#[test]
fn answer_of_somebody_else() {
    through("page").fails(
        1,
        &["unable to get A from ssm:/many/p1: Systems Manager in us-east-1 gave an answer that is \
           not AWS's; look for a proxy in between"],
    );
}

#[test]
fn nobody_listens() {
    let outcome = Run::new([REFERENCE]).env("AWS_ENDPOINT_URL", "https://127.0.0.1:1").run();
    outcome.fails_with(&["unable to reach Systems Manager in us-east-1: ", "refused"]);
    outcome.took_between(0, 2500);
}

#[test]
fn host_that_has_no_address() {
    Run::new([REFERENCE]).env("AWS_ENDPOINT_URL", "https://no-such-host.invalid").run().fails_with(
        &[
            "unable to reach Systems Manager in us-east-1: failed to lookup address information",
            "; correct AWS_REGION, or the endpoint if one is set\n",
        ],
    );
}

#[test]
fn certificate_of_an_unknown_authority() {
    let outcome = Run::new([REFERENCE]).without("AWS_CA_BUNDLE").run();
    outcome.fails(
        1,
        &["unable to get A from ssm:/many/p1: unable to reach Systems Manager in us-east-1: \
           invalid peer certificate: UnknownIssuer; AWS_CA_BUNDLE names a file with the \
           certificates to trust"],
    );
}

#[test]
fn bundle_that_cannot_be_read() {
    for (path, cause) in [
        ("/nonexistent", "No such file or directory"),
        ("/etc/hostname", "there are none"),
        ("/dev/null", "there are none"),
    ] {
        Run::new([REFERENCE]).env("AWS_CA_BUNDLE", path).run().fails_with(&[
            "unable to read the certificates in ",
            path,
            "(AWS_CA_BUNDLE): ",
            cause,
        ]);
    }
}
