//! What the relay's hooks find in their environment, around a function that asks with curl.

use crate::chain_secrets::{check, test};
use crate::support::Test;
use crate::support::lambda::{Lambda, Settings};
use serde_json::json;

#[test]
fn hooks_of_the_relay_after_a_chain_find_no_value_of_another_variable() {
    let lambda = Lambda::new(Settings::default());
    let test = test(json!(["${WRAPPERS}/one", "./two"])).runtime_api(&lambda);
    let test = test.script("bin/client", include_bytes!("../../clients/shell/bootstrap.sh"));
    let test =
        test.env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start").env("CLIENT_LOG", "<folder>/log");
    let mut extension = Test::new();
    let run = test.beside(&mut extension).start();
    lambda.snapshot().unwrap();
    lambda.restore().unwrap();
    lambda.ready().unwrap();
    run.terminate();
    check(&run.finished, &["export", "one", "two", "before", "after", "runtime"], &["one", "two"]);
}
