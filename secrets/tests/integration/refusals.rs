//! What AWS refuses, and what is wrong with a value: each reference is named, with AWS's code and
//! what to do.

use crate::support::Run;

#[test]
fn missing_names_are_all_named() {
    Run::new([
        "OK=ssm:/many/p1",
        "A=ssm:/missing/a",
        "B=ssm:/many/p1:99",
        "C=secretsmanager:missing/c",
        "D=secretsmanager:missing/d",
        "E=secretsmanager:staged@NONE",
    ])
    .run()
    .fails(
        1,
        &[
            "unable to get A from ssm:/missing/a: ParameterNotFound: Systems Manager in us-east-1 \
             has no such parameter, version or label; create it, or correct the reference",
            "unable to get B from ssm:/many/p1:99: ParameterNotFound: Systems Manager in us-east-1 \
             has no such parameter, version or label; create it, or correct the reference",
            "unable to get C from secretsmanager:missing/c: ResourceNotFoundException: Secrets \
             Manager in us-east-1 has no such secret, version or stage; create it, or correct the \
             reference",
            "unable to get D from secretsmanager:missing/d: ResourceNotFoundException: Secrets \
             Manager in us-east-1 has no such secret, version or stage; create it, or correct the \
             reference",
            "unable to get E from secretsmanager:staged@NONE: ResourceNotFoundException: Secrets \
             Manager in us-east-1 has no such secret, version or stage; create it, or correct the \
             reference",
        ],
    );
}

#[test]
fn denied_name_among_others_is_the_one_that_is_named() {
    Run::new([
        "OK=ssm:/many/p1",
        "DENIED=ssm:/denied/x",
        "SECRET=secretsmanager:denied/secret",
        "OTHER=secretsmanager:many/s1",
        "--path",
        "P_=ssm:/denied/",
    ])
    .run()
    .fails(
        1,
        &[
            "unable to get P_* from ssm:/denied/: AccessDeniedException: allow \
             ssm:GetParametersByPath on arn:aws:ssm:us-east-1:123456789012:parameter/denied (no \
             identity-based policy allows the ssm:GetParametersByPath action)",
            "unable to get DENIED from ssm:/denied/x: AccessDeniedException: allow \
             ssm:GetParameters on arn:aws:ssm:us-east-1:123456789012:parameter/denied/x (no \
             identity-based policy allows the ssm:GetParameters action)",
            "unable to get SECRET from secretsmanager:denied/secret: AccessDeniedException: allow \
             secretsmanager:GetSecretValue on \
             arn:aws:secretsmanager:us-east-1:123456789012:secret:denied/secret-?????? (no \
             identity-based policy allows the secretsmanager:GetSecretValue action)",
        ],
    );
}

#[test]
fn role_that_may_nothing() {
    Run::new(["A=ssm:/many/p1:3", "B=secretsmanager:many/s1#x", "--path", "P_=ssm:/pages/"])
        .user("nothing")
        .run()
        .fails(
            1,
            &[
                "unable to get P_* from ssm:/pages/: AccessDeniedException: allow \
                 ssm:GetParametersByPath on arn:aws:ssm:us-east-1:123456789012:parameter/pages",
                "unable to get A from ssm:/many/p1:3: AccessDeniedException: allow \
                 ssm:GetParameters on arn:aws:ssm:us-east-1:123456789012:parameter/many/p1",
                "unable to get B from secretsmanager:many/s1#x: AccessDeniedException: allow \
                 secretsmanager:GetSecretValue on \
                 arn:aws:secretsmanager:us-east-1:123456789012:secret:many/s1-??????",
            ],
        );
}

#[test]
fn role_without_the_permission_for_batches_needs_none() {
    Run::new(["A=secretsmanager:many/s1", "B=secretsmanager:many/s2"])
        .user("no-batch")
        .run()
        .gives(&[("A", "MARKER-secret-1"), ("B", "MARKER-secret-2")]);
}

#[test]
fn key_that_may_not_be_used() {
    Run::new(["A=ssm:/key-denied", "B=secretsmanager:key-denied", "C=ssm:/kms-denied"]).run().fails(
        1,
        &[
            "unable to get A from ssm:/key-denied: AccessDeniedException: the key that it is \
             encrypted with may not be used; allow kms:Decrypt on that key, for the function's \
             role",
            "unable to get B from secretsmanager:key-denied: AccessDeniedException: the key that \
             it is encrypted with may not be used; allow kms:Decrypt on that key, for the \
             function's role",
            "unable to get C from ssm:/kms-denied: AccessDeniedException: allow kms:Decrypt on \
             arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555 (no \
             identity-based policy allows the kms:Decrypt action)",
        ],
    );
}

#[test]
fn values_that_cannot_be_used() {
    Run::new([
        "A=secretsmanager:not-json#x",
        "B=secretsmanager:prod/orders#missing",
        "C=secretsmanager:prod/orders#nothing",
        "D=secretsmanager:holds-nul",
        "E=secretsmanager:binary",
    ])
    .run()
    .fails(
        1,
        &[
            "unable to get A from secretsmanager:not-json#x: the secret is no JSON object, so it \
             has no field \"x\"",
            "unable to get B from secretsmanager:prod/orders#missing: the secret has no field \
             \"missing\"",
            "unable to get C from secretsmanager:prod/orders#nothing: the field \"nothing\" is \
             null",
            "unable to get D from secretsmanager:holds-nul: the value holds a NUL character, which \
             no variable can; encode it",
            "unable to get E from secretsmanager:binary: the secret is binary and not UTF-8; store \
             it as a text",
        ],
    );
}

#[test]
fn wrong_key_and_unknown_key() {
    Run::new(["A=ssm:/many/p1", "B=ssm:/many/p2"])
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .run()
        .fails(
            1,
            &[
                "unable to get A from ssm:/many/p1: InvalidSignatureException: the secret access \
                 key is not that of the access key's id; correct it",
                "unable to get B from ssm:/many/p2: InvalidSignatureException: the secret access \
                 key is not that of the access key's id; correct it",
            ],
        );
    Run::new(["A=ssm:/many/p1"]).env("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN").run().fails(
        1,
        &["unable to get A from ssm:/many/p1: UnrecognizedClientException: AWS does not know these \
           credentials; correct them, or their region"],
    );
}

#[test]
fn expired_token() {
    let outcome = Run::new(["A=ssm:/many/p1", "B=secretsmanager:many/s1"])
        .door("expired")
        .env("AWS_SESSION_TOKEN", "old")
        .run();
    outcome.fails(
        1,
        &[
            "unable to get A from ssm:/many/p1: ExpiredTokenException: the credentials have \
             expired; get new ones",
            "unable to get B from secretsmanager:many/s1: ExpiredTokenException: the credentials \
             have expired; get new ones",
        ],
    );
    outcome.took_between(0, 1500);
}

#[test]
fn clock_that_is_off() {
    let outcome = Run::new(["A=ssm:/many/p1"]).door("late").run();
    outcome.fails_with(&[
        "unable to get A from ssm:/many/p1: InvalidSignatureException: Signature expired: ",
        " is now earlier than ",
        "; set this machine's clock\n",
    ]);
    outcome.took_between(0, 1500);
}
