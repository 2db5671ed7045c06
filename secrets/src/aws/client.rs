//! The SDK's configuration: what it takes from the environment, limits, retries, TLS, proxies.

use super::{credentials, trust};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use std::env;
use std::time::Duration;
use tokio::time::Instant;

/// Clients of both services for every region, with one set of credentials.
#[derive(Debug)]
pub struct Clients {
    config: SdkConfig,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 3;
/// The longest pause before the second attempt, and half of that before the third.
const BACKOFF: Duration = Duration::from_millis(200);

/// The region for what names none.
pub fn default_region() -> Option<String> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"))
}

impl Clients {
    /// Reads the environment and gets the credentials; the error is the cause for every reference.
    pub async fn new(
        regions: &[&str],
        timeout: Duration,
        deadline: Instant,
    ) -> Result<Self, String> {
        let bundle = env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
        let needs_system = regions.iter().any(|region| trust::needs_system_roots(region))
            || has_other_server(env::vars_os().map(|(name, _)| name));
        let trust = trust::store(bundle.as_deref(), needs_system)?;
        let context = TlsContext::builder()
            .with_trust_store(trust)
            .build()
            .map_err(|error| format!("unable to set up TLS: {error}"))?;
        // Credentials come from this machine.
        let direct = http_client(context.clone(), ProxyConfig::disabled());
        let credentials = credentials::load(direct, timeout, deadline).await?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            // So that a server that hangs leaves time for another attempt.
            .operation_attempt_timeout(timeout / ATTEMPTS)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(BACKOFF)
            .with_max_backoff(2 * BACKOFF);
        let config = aws_config::defaults(BehaviorVersion::latest())
            .profile_files(no_profiles())
            .region(Region::new(default_region().unwrap_or_default()))
            .credentials_provider(credentials)
            .http_client(http_client(context, ProxyConfig::from_env()))
            .timeout_config(timeouts)
            .retry_config(retries)
            .load()
            .await;
        Ok(Self { config })
    }

    pub fn ssm(&self, region: &str) -> aws_sdk_ssm::Client {
        let config = aws_sdk_ssm::config::Builder::from(&self.config);
        aws_sdk_ssm::Client::from_conf(config.region(Region::new(region.to_owned())).build())
    }

    pub fn secrets_manager(&self, region: &str) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.config);
        let config = config.region(Region::new(region.to_owned())).build();
        aws_sdk_secretsmanager::Client::from_conf(config)
    }
}

/// The SDK would read `~/.aws/config`. It panics without any file.
fn no_profiles() -> EnvConfigFiles {
    EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, "").build()
}

fn http_client(context: TlsContext, proxy: ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().proxy_config(proxy.clone());
        if let Some(settings) = settings {
            builder.set_connector_settings(Some(settings.clone()));
        }
        builder.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        builder
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context.clone())
            .build()
    })
}

/// True if a variable leads to a server that may have another certificate than AWS's.
fn has_other_server(names: impl IntoIterator<Item = std::ffi::OsString>) -> bool {
    names.into_iter().any(|name| {
        let name = name.to_string_lossy().to_ascii_uppercase();
        name.starts_with("AWS_ENDPOINT_URL") || name == "HTTPS_PROXY" || name == "ALL_PROXY"
    })
}
