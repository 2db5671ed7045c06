//! Wrong use: nothing is asked for, and every mistake is named.

use crate::support::Run;

#[test]
fn malformed_references_are_all_named_and_none_is_quoted() {
    Run::bare([
        "A=hunter2",
        "B=ssm:prod/x",
        "C=secretsmanager:x#",
        "nothing",
        "=ssm:/x",
        "D=ssm:/x",
        "D=ssm:/y",
        "--path",
        "P_=secretsmanager:x",
        "--path",
        "hunter3",
    ])
    .run()
    .fails(
        2,
        &[
            "unable to read the reference for A: it is no reference; write ssm:NAME, \
             secretsmanager:ID or an ARN",
            "unable to read the reference for B: a name with / in it begins with /; write \
             ssm:/prod/x",
            "unable to read the reference for C: nothing stands behind #; write ID#KEY",
            "an argument has no =; write NAME=REFERENCE",
            "unable to set \"\": the name is empty",
            "unable to set \"D\": it is given twice",
            "unable to read the path for \"P_\": only the Parameter Store has paths; write \
             ssm:/PATH/",
            "--path has no =; write PREFIX=ssm:/PATH/",
        ],
    );
}

#[test]
fn wrong_options() {
    for arguments in [
        vec![],
        vec!["--unknown"],
        vec!["A=ssm:/x", "--format", "yaml"],
        vec!["A=ssm:/x", "--timeout-ms", "0"],
        vec!["A=ssm:/x", "--file"],
    ] {
        let outcome = Run::bare(arguments.iter().copied()).run();
        assert_eq!(outcome.status, Some(2), "{arguments:?}: {outcome:?}");
    }
    Run::bare(["A-B=ssm:/x", "--format", "dotenv"]).run().fails(
        2,
        &["unable to set \"A-B\": dotenv has names of letters, digits and _ only; use --format \
           json"],
    );
}

#[test]
fn help_and_version() {
    let outcome = Run::bare(["--help"]).run();
    assert_eq!(outcome.status, Some(0));
    for word in ["--path", "--format", "--file", "--keep-existing", "--timeout-ms", "Exit status"] {
        assert!(outcome.stdout.contains(word), "{word}: {}", outcome.stdout);
    }
    let outcome = Run::bare(["--version"]).run();
    assert_eq!(outcome.stdout, format!("foreword-secrets {}\n", env!("CARGO_PKG_VERSION")));
}
