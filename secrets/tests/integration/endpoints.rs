//! Which host is asked: the partitions, FIPS, dual stack, the variables for endpoints and proxies.
//! The proxy leads every host to the plain door, whose certificate has their names.

use crate::support::{Run, server};

/// Runs behind the proxy and returns the hosts that it was asked for.
fn hosts(variables: &[(&str, &str)], arguments: &[&str]) -> Vec<String> {
    let proxy = format!("http://127.0.0.1:{}", server().port("/proxy"));
    let mut run = Run::new(arguments.iter().copied())
        .without("AWS_ENDPOINT_URL")
        .env("HTTPS_PROXY", &proxy)
        .env("NO_PROXY", "localhost");
    for (name, value) in variables {
        run = run.env(name, value);
    }
    let before = server().requests("proxy", "").len();
    let outcome = run.run();
    // moto answered, though the parameter and the user are not in most of these.
    let refused = ["ParameterNotFound", "UnrecognizedClientException"];
    let answered = refused.iter().any(|code| outcome.stderr.contains(code));
    assert!(outcome.status == Some(0) || answered, "{outcome:?}");
    let log = server().requests("proxy", "");
    log[before..].iter().map(|entry| entry["host"].as_str().expect("a host").to_owned()).collect()
}

/// One test, because all see the same log.
#[test]
fn hosts_of_partitions_fips_and_dual_stack() {
    let parameter = "A=ssm:/many/p1";
    let secret = "A=secretsmanager:many/s1";
    for (region, expected) in [
        ("us-east-1", "ssm.us-east-1.amazonaws.com:443"),
        ("eu-west-1", "ssm.eu-west-1.amazonaws.com:443"),
        ("us-gov-west-1", "ssm.us-gov-west-1.amazonaws.com:443"),
        ("cn-north-1", "ssm.cn-north-1.amazonaws.com.cn:443"),
        ("us-iso-east-1", "ssm.us-iso-east-1.c2s.ic.gov:443"),
    ] {
        assert_eq!(hosts(&[("AWS_REGION", region)], &[parameter]), [expected]);
    }
    let fips = ("AWS_USE_FIPS_ENDPOINT", "true");
    let dual = ("AWS_USE_DUALSTACK_ENDPOINT", "true");
    assert_eq!(hosts(&[fips], &[parameter]), ["ssm-fips.us-east-1.amazonaws.com:443"]);
    assert_eq!(hosts(&[fips], &[secret]), ["secretsmanager-fips.us-east-1.amazonaws.com:443"]);
    assert_eq!(hosts(&[dual], &[parameter]), ["ssm.us-east-1.api.aws:443"]);
    // Its usual host has both kinds of addresses.
    assert_eq!(hosts(&[dual], &[secret]), ["secretsmanager.us-east-1.amazonaws.com:443"]);
    // An ARN's region wins over the variable.
    assert_eq!(
        hosts(&[], &["A=arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/x"]),
        ["ssm.us-gov-west-1.amazonaws.com:443"]
    );
    // One endpoint is not the proxy's.
    let door = server().door("plain");
    let own = ("AWS_ENDPOINT_URL_SSM", door.as_str());
    assert_eq!(
        hosts(&[own], &[parameter, "B=secretsmanager:many/s1"]),
        ["secretsmanager.us-east-1.amazonaws.com:443"]
    );
}

#[test]
fn endpoint_of_a_service_wins_over_that_of_all() {
    let door = server().door("plain");
    Run::new(["A=ssm:/many/p1", "B=secretsmanager:many/s1"])
        .env("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
        .env("AWS_ENDPOINT_URL_SSM", &door)
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &door)
        .run()
        .gives(&[("A", "MARKER-1"), ("B", "MARKER-secret-1")]);
}
