//! The credentials: the variables that Lambda sets, else the container's endpoint, which is where
//! SnapStart keeps them. Nothing else is asked: no file, no instance metadata.

use super::error::root;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_ssm::config::{Credentials, ProvideCredentials};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use foreword_secrets::{CREDENTIALS_FULL_URI as FULL_URI, CREDENTIALS_RELATIVE_URI};
use std::env;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Loads them once, for all requests.
pub async fn load(
    http_client: SharedHttpClient,
    timeout: Duration,
    deadline: Instant,
) -> Result<Credentials, String> {
    if let (Some(id), Some(key)) =
        (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
    {
        return Ok(Credentials::new(id, key, variable("AWS_SESSION_TOKEN"), None, "environment"));
    }
    if variable(FULL_URI).is_none() && variable(CREDENTIALS_RELATIVE_URI).is_none() {
        return Err(format!(
            "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
             {FULL_URI} (on your own machine: eval \"$(aws configure export-credentials \
             --format env)\")"
        ));
    }
    let config = ProviderConfig::default().with_http_client(http_client);
    let provider = EcsCredentialsProvider::builder().configure(&config).build();
    match timeout_at(deadline, provider.provide_credentials()).await {
        Ok(Ok(credentials)) => Ok(credentials),
        Ok(Err(error)) => Err(format!(
            "unable to get credentials from the container's endpoint: {}",
            root(&error)
        )),
        Err(_) => Err(format!(
            "no credentials from the container's endpoint within {} ms",
            timeout.as_millis()
        )),
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
