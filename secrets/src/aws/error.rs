//! What the SDK's errors mean for whoever has to put them right. AWS's own words are passed on only
//! where they are known to quote nothing of the request.

use super::Target;
use aws_sdk_ssm::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// The services, as they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    SystemsManager,
    SecretsManager,
}

impl Service {
    /// Its name in host names, ARNs and actions.
    fn id(self) -> &'static str {
        match self {
            Self::SystemsManager => "ssm",
            Self::SecretsManager => "secretsmanager",
        }
    }
}

/// A service in a region.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    service: Service,
    region: &'a str,
}

impl<'a> Place<'a> {
    pub fn new(service: Service, region: &'a str) -> Self {
        Self { service, region }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.service {
            Service::SystemsManager => "Systems Manager",
            Service::SecretsManager => "Secrets Manager",
        };
        write!(formatter, "{name} in {}", self.region)
    }
}

/// Errors that are those of the credentials or of the clock: each name would have the same.
const OF_ALL: [&str; 9] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// True if AWS refused the request for one of the things that it names.
pub fn is_of_one<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let Some(code) = error.as_service_error().and_then(ProvideErrorMetadata::code) else {
        return false;
    };
    !OF_ALL.contains(&code) && !is_overload(code)
}

/// True if AWS has had too many of these requests.
pub fn is_throttling<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    code.is_some_and(is_throttling_code)
}

/// True for what the SDK has tried three times already.
fn is_overload(code: &str) -> bool {
    is_throttling_code(code)
        || ["InternalServerError", "InternalServiceError", "ServiceUnavailable", "InternalFailure"]
            .contains(&code)
}

/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
fn is_throttling_code(code: &str) -> bool {
    code.contains("Throttl") || code.contains("TooManyRequests") || code == "RequestLimitExceeded"
}

/// Says what was the matter with a target; `action` is what the role has to be allowed for it.
pub fn cause<E, R>(
    error: &SdkError<E, R>,
    place: &Place<'_>,
    action: &str,
    target: &Target,
) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: fmt::Debug,
{
    if let Some(service_error) = error.as_service_error() {
        let message = service_error.message().unwrap_or_default();
        return match service_error.code() {
            Some(code) => refusal(code, message, place, action, target),
            None => strange(place),
        };
    }
    match error {
        SdkError::TimeoutError(_) => unreachable(place, "it does not answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            unreachable(place, "it cannot be connected to in time")
        }
        SdkError::DispatchFailure(failure) => {
            let error: &dyn Error = match failure.as_connector_error() {
                Some(error) => error,
                None => return unreachable(place, "the connection failed"),
            };
            unreachable(place, &root(error))
        }
        SdkError::ResponseError(_) => strange(place),
        _ => format!("unable to ask {place}: {}", DisplayErrorContext(error)),
    }
}

/// The deadline came first.
pub fn no_answer(place: &Place<'_>, timeout: Duration) -> String {
    unreachable(place, &format!("no answer within {} ms", timeout.as_millis()))
}

/// AWS has no such thing.
pub fn missing(code: &str, place: &Place<'_>) -> String {
    let what = match place.service {
        Service::SystemsManager => "parameter, version or label",
        Service::SecretsManager => "secret, version or stage",
    };
    format!("{code}: {place} has no such {what}; create it, or correct the reference")
}

fn strange(place: &Place<'_>) -> String {
    format!("{place} gave an answer that is not AWS's; look for a proxy in between")
}

/// Says what the connection came to, and what is the usual remedy.
fn unreachable(place: &Place<'_>, cause: &str) -> String {
    let Place { service, region } = place;
    let remedy = if cause.contains("certificate") {
        "AWS_CA_BUNDLE names a file with the certificates to trust".to_owned()
    } else if cause.contains("lookup") {
        "correct AWS_REGION, or the endpoint if one is set".to_owned()
    } else {
        let service = service.id();
        format!(
            "a function in a VPC needs a NAT gateway or the endpoint \
             com.amazonaws.{region}.{service}"
        )
    };
    format!("unable to reach {place}: {cause}; {remedy}")
}

fn refusal(code: &str, message: &str, place: &Place<'_>, action: &str, target: &Target) -> String {
    // AWS's message goes on with the request that should have been signed, and its token.
    let first_line = message.lines().next().unwrap_or_default();
    match code {
        "ParameterNotFound" | "ParameterVersionNotFound" | "ResourceNotFoundException" => {
            missing(code, place)
        }
        "AccessDeniedException" | "AccessDenied" => {
            format!("{code}: {}", denial(first_line, place, action, target))
        }
        "ExpiredToken" | "ExpiredTokenException" => {
            format!("{code}: the credentials have expired; get new ones")
        }
        "UnrecognizedClientException" | "InvalidClientTokenId" => {
            format!("{code}: AWS does not know these credentials; correct them, or their region")
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "RequestExpired"
            if first_line.contains("expired") || first_line.contains("not yet current") =>
        {
            format!("{code}: {first_line}; set this machine's clock")
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => {
            format!("{code}: the secret access key is not that of the access key's id; correct it")
        }
        _ if is_throttling_code(code) => format!(
            "{code}: {place} refused three attempts; ask for a higher rate, or for less at once"
        ),
        _ if is_overload(code) => format!("{code}: {place} failed three times; try again later"),
        _ if first_line.is_empty() => format!("{code} from {place}"),
        _ => format!("{code} from {place}: {first_line}"),
    }
}

/// Says what to allow, on what.
fn denial(message: &str, place: &Place<'_>, action: &str, target: &Target) -> String {
    let refused = word_after(message, "not authorized to perform: ");
    // Both services have words of their own for a key, without its name.
    if refused.is_none() && (message.contains("customer master key") || message.contains("KMS")) {
        return "the key that it is encrypted with may not be used; allow kms:Decrypt on that key, \
                for the function's role"
            .to_owned();
    }
    let action = refused.unwrap_or(action);
    // Secrets Manager says a secret's name, and others all of a service.
    let said = word_after(message, " on resource: ")
        .filter(|resource| resource.starts_with("arn:") && !resource.ends_with(":*"));
    let resource = said.map_or_else(|| resource(message, place, target), str::to_owned);
    let reason = message.split_once(" because ").map(|(_, reason)| reason);
    let reason = reason.or_else(|| message.find("with an explicit deny").map(|at| &message[at..]));
    match reason {
        Some(reason) => {
            let end = reason.find(" (Service: ").unwrap_or(reason.len());
            format!("allow {action} on {resource} ({})", &reason[..end])
        }
        None => format!("allow {action} on {resource}"),
    }
}

fn word_after<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(before)?;
    rest.split_whitespace().next()
}

/// The ARN that AWS did not say. The account is that of whoever asked.
fn resource(message: &str, place: &Place<'_>, target: &Target) -> String {
    let mut user = word_after(message, "User: ").unwrap_or_default().split(':');
    let partition = user.nth(1).unwrap_or("aws");
    let account = user.nth(2).unwrap_or("*");
    let Place { service, region } = place;
    let (name, kind, suffix) = match target {
        Target::Parameter { name, .. } => {
            // The version or the label is no part of the resource.
            let colon = if name.starts_with("arn:") { 5 } else { 0 };
            let end = name.match_indices(':').nth(colon).map(|(at, _)| at);
            (&name[..end.unwrap_or(name.len())], "parameter", "")
        }
        Target::Path { path, .. } => (path.as_str(), "parameter", ""),
        Target::Secret { id, .. } => (id.as_str(), "secret:", "-??????"),
    };
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    let slash = if kind == "parameter" && !name.starts_with('/') { "/" } else { "" };
    format!("arn:{partition}:{}:{region}:{account}:{kind}{slash}{name}{suffix}", service.id())
}

/// The innermost cause, which is the one that says something.
pub fn root(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_to_allow_has_neither_version_nor_label() {
        let place = Place::new(Service::SystemsManager, "eu-west-1");
        let message = "User: arn:aws:sts::1:assumed-role/r/f is not authorized";
        let arn = "arn:aws:ssm:us-east-1:2:parameter/a/b";
        for (name, expected) in [
            ("/a/b", "arn:aws:ssm:eu-west-1:1:parameter/a/b"),
            ("/a/b:3", "arn:aws:ssm:eu-west-1:1:parameter/a/b"),
            ("a:label", "arn:aws:ssm:eu-west-1:1:parameter/a"),
            (arn, arn),
            (&format!("{arn}:3"), arn),
        ] {
            let target = Target::Parameter { region: None, name: name.to_owned() };
            assert_eq!(resource(message, &place, &target), expected, "{name}");
        }
    }
}
