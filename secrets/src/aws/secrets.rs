//! Secrets Manager.

use super::error::{self, Place, Service};
use super::{Answer, Sender, Target};
use crate::value::Value;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::primitives::Blob;
use foreword_secrets::reference::Version;

/// Gets the current versions of up to twenty secrets in one request. What that does not give, for
/// whatever reason, is asked for by itself: the role may lack the permission for the one request
/// alone, AWS allows a hundred times as many requests for one secret, and the error is then that of
/// the secret.
pub async fn get_all(client: &Client, region: &str, targets: Vec<Target>, sender: &Sender) {
    let ids: Vec<String> = targets.iter().map(|target| parts(target).0.to_owned()).collect();
    let mut rest = targets;
    let mut pages =
        client.batch_get_secret_value().set_secret_id_list(Some(ids)).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(refusal) if error::is_of_one(&refusal) || error::is_throttling(&refusal) => break,
            Err(failure) => {
                let place = Place::new(Service::SecretsManager, region);
                let action = "secretsmanager:BatchGetSecretValue";
                for target in rest {
                    let cause = error::cause(&failure, &place, action, &target);
                    let _ = sender.send((target, Err(cause)));
                }
                return;
            }
        };
        for secret in page.secret_values() {
            let names = [secret.arn(), secret.name()];
            let is_it = |target: &Target| {
                names.into_iter().flatten().any(|name| is_named(name, parts(target).0))
            };
            let answer = text(secret.secret_string(), secret.secret_binary());
            // A secret may be asked for by name and by ARN.
            for target in rest.extract_if(.., |target| is_it(target)) {
                let _ = sender.send((target, answer.clone()));
            }
        }
    }
    for target in rest {
        let answer = get(client, region, &target).await;
        let _ = sender.send((target, answer));
    }
}

/// Gets one version of one secret.
pub async fn get(client: &Client, region: &str, target: &Target) -> Answer {
    let (id, version) = parts(target);
    let request = client
        .get_secret_value()
        .secret_id(id)
        .set_version_id(version.id)
        .set_version_stage(version.stage);
    match request.send().await {
        Ok(secret) => text(secret.secret_string(), secret.secret_binary()),
        Err(failure) => {
            let place = Place::new(Service::SecretsManager, region);
            Err(error::cause(&failure, &place, "secretsmanager:GetSecretValue", target))
        }
    }
}

fn parts(target: &Target) -> (&str, Version) {
    match target {
        Target::Secret { id, version, .. } => (id, version.clone()),
        Target::Parameter { name, .. } | Target::Path { path: name, .. } => {
            (name, Version::default())
        }
    }
}

/// True if a secret with this name or ARN is meant. An ARN may be written without the six
/// characters that Secrets Manager appends.
fn is_named(name: &str, asked: &str) -> bool {
    let Some(rest) = name.strip_prefix(asked) else { return false };
    let is_suffix = || rest.len() == 7 && rest.starts_with('-') && asked.starts_with("arn:");
    rest.is_empty() || is_suffix()
}

fn text(string: Option<&str>, binary: Option<&Blob>) -> Answer {
    let text = match (string, binary) {
        (Some(text), _) => text.to_owned(),
        (None, Some(bytes)) => String::from_utf8(bytes.as_ref().to_vec())
            .map_err(|_| "the secret is binary and not UTF-8; store it as a text".to_owned())?,
        (None, None) => return Err("the secret has no value".to_owned()),
    };
    Ok(vec![(String::new(), Value::from(text))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_known_by_name_and_by_both_forms_of_its_arn() {
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf";
        assert!(is_named(arn, arn));
        assert!(is_named(arn, arn.strip_suffix("-AbCdEf").expect("a suffix")));
        assert!(is_named("db", "db"));
        assert!(!is_named("db-AbCdEf", "db"));
        assert!(!is_named(arn, "arn:aws:secretsmanager:us-east-1:123456789012:secret:d"));
    }
}
