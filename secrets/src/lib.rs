//! What foreword and its helper `foreword-secrets` share: how references to secrets are written. The
//! library has no dependencies; everything that speaks to AWS is in the program, behind the feature
//! `aws`.
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
//! in the order of the configuration, then a `NAME=REFERENCE` for each variable, where of several
//! rules that name one the last counts (a name given twice is wrong use). Under `references: true`
//! these are the variables for whose value [`reference::Reference::is_meant_by`] is true. It gets the
//! environment that Lambda handed over: region, credentials, endpoints, proxies and certificates
//! come from there, and so does what `--keep-existing` compares with: a variable that is not empty
//! and holds anything but the reference given for it is left out. Standard input is not read. It
//! starts no process, needs no directory, and reads no file but those that `AWS_CA_BUNDLE` and
//! `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` name, and where [the system's certificates are
//! needed](https://docs.rs/rustls-native-certs), those.
//!
//! **What comes back.** Status 0: standard output is one JSON object of strings with a line end, as a
//! hook with `"export": "json"` prints it, and nothing is on standard error. It may be `{}`, when
//! every variable has a value: that is no failure. A variable by itself wins over one from a path,
//! and a later path over an earlier one never silently: two parameters of one name fail. No value
//! holds NUL.
//!
//! **When it fails.** Nothing is on standard output, and each line of standard error is one failure
//! behind `foreword-secrets: `, UTF-8 without control characters and without any value:
//!
//! ```text
//! foreword-secrets: unable to get DB_PASSWORD from ssm:/prod/x: ParameterNotFound: Systems Manager …
//! foreword-secrets: unable to get APP_* from ssm:/prod/app/: AccessDeniedException: allow …
//! ```
//!
//! | status | meaning | the wrapper |
//! |---|---|---|
//! | 1 | references could not be resolved, or the output not written | `Runtime.ForewordSecretFailed`, 125; the message is the lines without their beginnings, joined by `; ` |
//! | 2 | wrong use, such as a malformed reference: nothing was asked | `Runtime.ForewordConfigInvalid`, 125; `check` has found it before |
//! | a signal, or another status | a defect, or the wrapper's own limit | `Runtime.ForewordSecretFailed`, 125 |
//!
//! It ends by itself when `--timeout-ms` is over (3000 unless given), which is for all requests and
//! the credentials together; a wrapper that wants a limit of its own adds half a second. It is one
//! process, so that a signal to it is enough.
//!
//! **When it is not there**: it lies beside foreword, as `/opt/bin/foreword-secrets`, in the layer
//! `foreword-secrets-x86_64.zip` or `-arm64.zip`, which is what to say.

pub mod reference;
