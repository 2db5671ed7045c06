//! Systems Manager's Parameter Store.

use super::error::{self, Place, Service};
use super::{Answer, Sender, Target};
use crate::value::Value;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::Parameter;

/// Gets up to ten parameters in one request. What that does not give is asked for by itself: AWS
/// refuses all when it refuses one, and an answer may be known by another name than the one asked
/// for.
pub async fn get(client: &Client, region: &str, targets: Vec<Target>, sender: &Sender) {
    if let [target] = &targets[..] {
        let answer = get_one(client, region, target).await;
        let _ = sender.send((target.clone(), answer));
        return;
    }
    let place = Place::new(Service::SystemsManager, region);
    let names = targets.iter().map(|target| name(target).to_owned());
    let request = client.get_parameters().set_names(Some(names.collect())).with_decryption(true);
    let (found, invalid) = match request.send().await {
        Ok(output) => {
            (output.parameters.unwrap_or_default(), output.invalid_parameters.unwrap_or_default())
        }
        Err(refusal) if error::is_of_one(&refusal) => Default::default(),
        Err(failure) => {
            for target in targets {
                let cause = error::cause(&failure, &place, "ssm:GetParameters", &target);
                let _ = sender.send((target, Err(cause)));
            }
            return;
        }
    };
    for target in targets {
        let asked = name(&target);
        let mut values = found.iter().filter(|parameter| is_named(parameter, asked));
        // Two would be two versions of one parameter, and the answer did not say which is which.
        let value = values.next().filter(|_| values.next().is_none());
        let answer = match value.and_then(Parameter::value) {
            Some(value) => Ok(vec![(String::new(), Value::from(value))]),
            None if invalid.iter().any(|name| name == asked) => {
                Err(error::missing("ParameterNotFound", &place))
            }
            None => get_one(client, region, &target).await,
        };
        let _ = sender.send((target, answer));
    }
}

/// The same permission as for several.
async fn get_one(client: &Client, region: &str, target: &Target) -> Answer {
    let place = Place::new(Service::SystemsManager, region);
    let request = client.get_parameters().names(name(target)).with_decryption(true);
    let output = request
        .send()
        .await
        .map_err(|failure| error::cause(&failure, &place, "ssm:GetParameters", target))?;
    match output.parameters().first().and_then(Parameter::value) {
        Some(value) => Ok(vec![(String::new(), Value::from(value))]),
        None => Err(error::missing("ParameterNotFound", &place)),
    }
}

/// Gets everything below a path, page by page.
pub async fn below(client: &Client, region: &str, target: &Target) -> Answer {
    let mut pages = client
        .get_parameters_by_path()
        .path(name(target))
        .recursive(true)
        .with_decryption(true)
        .into_paginator()
        .send();
    let place = Place::new(Service::SystemsManager, region);
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page
            .map_err(|failure| error::cause(&failure, &place, "ssm:GetParametersByPath", target))?;
        for parameter in page.parameters() {
            check_account(parameter, target)?;
            if let (Some(name), Some(value)) = (parameter.name(), parameter.value()) {
                found.push((name.to_owned(), Value::from(value)));
            }
        }
    }
    match found.is_empty() {
        true => Err(format!("{place} has no parameter below it; correct the path")),
        false => Ok(found),
    }
}

/// A path has no account for AWS, which looks in that of whoever asks.
fn check_account(parameter: &Parameter, target: &Target) -> Result<(), String> {
    let Target::Path { account: Some(wanted), .. } = target else { return Ok(()) };
    match parameter.arn().and_then(|arn| arn.split(':').nth(4)) {
        Some(own) if own != wanted => Err(format!(
            "AWS reads paths of the function's own account only, which is {own} and not {wanted}; \
             name each parameter by its ARN"
        )),
        _ => Ok(()),
    }
}

fn name(target: &Target) -> &str {
    match target {
        Target::Parameter { name, .. } | Target::Path { path: name, .. } => name,
        Target::Secret { id, .. } => id,
    }
}

/// True if this is what was asked for: by name or ARN, with the version or label behind it.
fn is_named(parameter: &Parameter, asked: &str) -> bool {
    let selector = parameter.selector().unwrap_or_default();
    [parameter.name(), parameter.arn()]
        .into_iter()
        .flatten()
        .any(|name| asked.strip_prefix(name).is_some_and(|rest| rest == selector))
}
