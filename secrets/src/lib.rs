//! What foreword and its helper `foreword-secrets` share: how references to secrets are written.
//! The library has no dependencies; everything that speaks to AWS is in the program, behind the
//! feature `aws`.
//!
//! # The program
//!
//! ```text
//! foreword-secrets [--keep-existing] [--timeout-ms N] [--format json|dotenv] [--file PATH]
//!                  [--path PREFIX=PATH]... [NAME=REFERENCE]...
//! ```
//!
//! The command line is the whole interface, for the wrapper and for people. References are no
//! secrets, so they may stand in it; values go nowhere but to the output.
//!
//! **Starting it.** The wrapper starts it once, before it edits the environment, as
//! `foreword-secrets --keep-existing --timeout-ms N …`: first a `--path PREFIX=PATH` for each path,
//! then a `NAME=REFERENCE` for each variable. A name given twice is wrong use, so that of several
//! rules that name one the wrapper passes the last. Under `references: true` these are the
//! variables for whose value [`reference::Reference::is_meant_by`] is true. It gets the environment
//! that Lambda handed over: region, credentials, endpoints, proxies and certificates come from
//! there, and so does what `--keep-existing` compares with. A variable that is not empty, and holds
//! anything but the reference given for it, is left out. Standard input is not read. It starts no
//! process, keeps nothing, and reads no file but those of the C library's resolver, the one that
//! `AWS_CA_BUNDLE` or `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` names, and the system's certificates
//! where Amazon's own are not enough.
//!
//! **What comes back.** Status 0: standard output is one JSON object of strings with a line end, as
//! a hook with `"export": "json"` prints it, and nothing is on standard error. It may be `{}`, when
//! every variable has a value: that is no failure. A variable by itself wins over one from a path;
//! of two paths the later one wins, and two parameters below one path that would be one variable
//! are a failure. No value holds NUL.
//! Whatever the names and values hold, they are to be taken literally.
//!
//! **When it fails.** Nothing is on standard output, and each line of standard error is one failure
//! behind `foreword-secrets: `, UTF-8 without control characters and without any value:
//!
//! ```text
//! foreword-secrets: unable to get DB_PASSWORD from ssm:/prod/x: ParameterNotFound: …
//! foreword-secrets: unable to get APP_* from ssm:/prod/app/: AccessDeniedException: allow …
//! ```
//!
//! | status | the wrapper reports |
//! |---|---|
//! | 1 | `Runtime.ForewordSecretFailed`: the lines without their beginnings, joined by `; ` |
//! | 2 | `Runtime.ForewordConfigInvalid`: wrong use, such as a malformed reference |
//! | another, or a signal | `Runtime.ForewordSecretFailed`: a defect, or the wrapper's own limit |
//!
//! It ends by itself when `--timeout-ms` is over (3000 unless given), which is for all requests and
//! the credentials together; a wrapper that wants a limit of its own adds half a second. It is one
//! process, so that a signal to it is enough.
//!
//! **When it is not there**: it lies beside foreword, else as `/opt/bin/foreword-secrets`, in the
//! layer `foreword-secrets-x86_64.zip` or `-arm64.zip`, which is what to say.

pub mod reference;

/// The variables that lead to an endpoint for credentials: its address, and its path on ECS
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
pub const CREDENTIALS_FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
pub const CREDENTIALS_RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
