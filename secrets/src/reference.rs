//! References to secrets: reads every spelling, and says for each what to ask which service for.
//! Touches nothing outside itself, so that a configuration can be checked where no AWS is.

use std::fmt;

/// A reference to one value, as written and as understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    text: String,
    /// Where the value is.
    pub source: Source,
}

/// A value in one of the two services. `region` is that of an ARN; without one, the value is in
/// the function's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A parameter of Systems Manager's Parameter Store.
    Parameter {
        /// The name or ARN, with the version or label behind a colon, as `GetParameters` takes it.
        name: String,
        region: Option<String>,
    },
    /// A secret of Secrets Manager, or a field of it.
    Secret { id: String, region: Option<String>, field: Option<String>, version: Version },
}

/// The version of a secret; without either text it is the one staged as `AWSCURRENT`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    pub id: Option<String>,
    pub stage: Option<String>,
}

impl Version {
    /// True for the version that Secrets Manager gives when none is named.
    pub fn is_current(&self) -> bool {
        self.id.is_none() && matches!(self.stage.as_deref(), None | Some("AWSCURRENT"))
    }
}

/// Everything below a path of the Parameter Store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    text: String,
    /// The path as `GetParametersByPath` takes it, without a slash at its end but for `/` itself.
    pub path: String,
    /// The region and the account of an ARN.
    pub region: Option<String>,
    pub account: Option<String>,
}

/// What an ARN says beside its resource.
struct Arn<'a> {
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

/// The prefixes of other tools, and what each stands for. `ssm://` comes before `ssm:`.
const PREFIXES: [(&str, Service); 6] = [
    ("ssm://", Service::SystemsManager),
    ("ssm:", Service::SystemsManager),
    ("secretsmanager:", Service::SecretsManager),
    // https://github.com/brefphp/secrets-loader, and https://github.com/f-lombardo/secrets-loader
    ("bref-ssm:", Service::SystemsManager),
    ("bref-secretsmanager:", Service::SecretsManager),
    // https://github.com/rails-lambda/crypteia
    ("x-crypteia-ssm:", Service::SystemsManager),
];

#[derive(Clone, Copy)]
enum Service {
    SystemsManager,
    SecretsManager,
}

impl Reference {
    /// Parses a reference; the error says what is wrong with it and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let source = source(text)?;
        Ok(Self { text: text.to_owned(), source })
    }

    /// True if a variable with this value is meant to be resolved: the value begins as a reference
    /// does. Parsing it may still fail.
    pub fn is_meant_by(value: &str) -> bool {
        PREFIXES.iter().any(|(prefix, _)| value.starts_with(prefix))
            || Arn::parse(value).is_ok_and(|arn| match arn.service {
                "ssm" => arn.resource.starts_with("parameter/"),
                "secretsmanager" => arn.resource.starts_with("secret:"),
                _ => false,
            })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Path {
    /// Parses the reference to a path: `ssm:/prod/app/`, or the ARN of one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let reference = text.strip_prefix("ssm:").unwrap_or(text);
        let arn = reference.starts_with("arn:").then(|| Arn::parse(reference)).transpose()?;
        let path = match &arn {
            Some(arn) if arn.service == "ssm" => {
                arn.resource.strip_prefix("parameter").unwrap_or_default()
            }
            // As for a parameter, ssm:// is /.
            None if text.starts_with("ssm://") => {
                let path = reference.trim_start_matches('/');
                &reference[reference.len() - path.len() - 1..]
            }
            None if text.starts_with("ssm:") => reference,
            _ => return Err("only the Parameter Store has paths; write ssm:/PATH/".to_owned()),
        };
        if !path.starts_with('/') {
            return Err("a path begins with /; write ssm:/PATH/".to_owned());
        }
        let trimmed = path.trim_end_matches('/');
        let path = match trimmed {
            "" => "/",
            path => parameter_name(path).map(|()| path)?,
        };
        let (region, account) = match arn {
            Some(Arn { region, account, .. }) => {
                (Some(region.to_owned()), Some(account.to_owned()))
            }
            None => (None, None),
        };
        Ok(Self { text: text.to_owned(), path: path.to_owned(), region, account })
    }

    /// The variable for a parameter below this path, behind the prefix: in upper case, and with
    /// `_` in the place of what a variable's name cannot hold. `None` if the parameter is not
    /// below.
    pub fn variable(&self, prefix: &str, parameter: &str) -> Option<String> {
        let below = parameter.strip_prefix(self.path.trim_end_matches('/'))?.strip_prefix('/')?;
        let name = below.chars().map(|character| match character.to_ascii_uppercase() {
            upper if upper.is_ascii_alphanumeric() => upper,
            _ => '_',
        });
        Some(prefix.chars().chain(name).collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl<'a> Arn<'a> {
    /// Splits `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
    fn parse(text: &'a str) -> Result<Self, String> {
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().unwrap_or_default();
        let (arn, partition, service, region, account, resource) =
            (part(), part(), part(), part(), part(), part());
        if arn != "arn" || [partition, service, region, account, resource].contains(&"") {
            return Err(
                "the ARN is not whole; write arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE"
                    .to_owned(),
            );
        }
        // The region becomes part of a host name.
        if !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(format!("{region:?} is no region"));
        }
        Ok(Self { service, region, account, resource })
    }
}

fn source(text: &str) -> Result<Source, String> {
    if text.starts_with("arn:") {
        return from_arn(text);
    }
    if text.starts_with("x-crypteia-ssm-path:") {
        return Err("it stands for many variables; write a \"path\" under a prefix".to_owned());
    }
    let Some((prefix, service)) = PREFIXES.iter().find(|(prefix, _)| text.starts_with(prefix))
    else {
        return Err("it is no reference; write ssm:NAME, secretsmanager:ID or an ARN".to_owned());
    };
    let rest = &text[prefix.len()..];
    if rest.starts_with("arn:") {
        let arn = Arn::parse(rest)?;
        let same = match service {
            Service::SystemsManager => arn.service == "ssm",
            Service::SecretsManager => arn.service == "secretsmanager",
        };
        return match same {
            true => from_arn(rest),
            false => Err(format!("the ARN is one of {}, not of {prefix}", arn.service)),
        };
    }
    match service {
        // What ssm-env and its like call prod/name is /prod/name: the service knows no other.
        Service::SystemsManager if *prefix == "ssm://" && rest.contains('/') => {
            parameter(&format!("/{}", rest.trim_start_matches('/')))
        }
        Service::SystemsManager => parameter(rest),
        Service::SecretsManager => {
            let (id, field, version) = secret_parts(rest)?;
            secret_name(id)?;
            Ok(Source::Secret { id: id.to_owned(), region: None, field, version })
        }
    }
}

fn from_arn(arn: &str) -> Result<Source, String> {
    let parsed = Arn::parse(arn)?;
    let region = Some(parsed.region.to_owned());
    match (parsed.service, parsed.resource) {
        ("ssm", resource) => {
            let Some(name) = resource.strip_prefix("parameter/") else {
                return Err(format!("{resource:?} is no parameter; write …:parameter/NAME"));
            };
            let (name, selector) = split_selector(name)?;
            parameter_name(name)?;
            selector.map_or(Ok(()), check_selector)?;
            Ok(Source::Parameter { name: arn.to_owned(), region })
        }
        ("secretsmanager", resource) => {
            let Some(rest) = resource.strip_prefix("secret:") else {
                return Err(format!("{resource:?} is no secret; write …:secret:NAME-SUFFIX"));
            };
            // A field may hold colons behind a #. An @ in front of the # is the name's: for the
            // stage of a whole secret, ARNs have the colons.
            let (name, parts) = rest.split_at(rest.find([':', '#']).unwrap_or(rest.len()));
            let (field, version) = match parts.strip_prefix(':') {
                Some(parts) => ecs_parts(parts)?,
                None => {
                    let (_, field, version) = secret_parts(parts)?;
                    (field, version)
                }
            };
            secret_name(name)?;
            let id = format!("{}{name}", &arn[..arn.len() - rest.len()]);
            Ok(Source::Secret { id, region, field, version })
        }
        (service, _) => {
            Err(format!("{service:?} keeps no secrets; write an ARN of ssm or secretsmanager"))
        }
    }
}

/// What stands behind a secret's ARN in ECS's `valueFrom`: `JSON-KEY:VERSION-STAGE:VERSION-ID`, of
/// which each may be empty or missing.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>
fn ecs_parts(text: &str) -> Result<(Option<String>, Version), String> {
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 3 {
        return Err("too many colons; write ARN:JSON-KEY:VERSION-STAGE:VERSION-ID".to_owned());
    }
    let part =
        |index: usize| parts.get(index).copied().filter(|part| !part.is_empty()).map(str::to_owned);
    Ok((part(0), Version { stage: part(1), id: part(2) }))
}

/// `NAME`, `NAME:VERSION` or `NAME:LABEL`.
fn parameter(text: &str) -> Result<Source, String> {
    let (name, selector) = split_selector(text)?;
    parameter_name(name)?;
    selector.map_or(Ok(()), check_selector)?;
    if name.contains('/') && !name.starts_with('/') {
        return Err(format!("a name with / in it begins with /; write ssm:/{text}"));
    }
    Ok(Source::Parameter { name: text.to_owned(), region: None })
}

fn split_selector(text: &str) -> Result<(&str, Option<&str>), String> {
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((_, selector)) if selector.contains(':') => {
            Err("too many colons; write NAME:VERSION or NAME:LABEL".to_owned())
        }
        Some((name, selector)) => Ok((name, Some(selector))),
    }
}

/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html>
fn parameter_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is empty; write ssm:/NAME".to_owned());
    }
    let strange = |character: &char| {
        !character.is_ascii_alphanumeric() && !matches!(character, '_' | '.' | '-' | '/')
    };
    match name.chars().find(strange) {
        Some('#') => Err("a parameter has no fields; put the JSON into a secret".to_owned()),
        Some(character) => Err(format!("a parameter's name holds no {character:?}")),
        None => Ok(()),
    }
}

/// A version is a number; a label has letters, digits, `.`, `-` and `_`.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-labels.html>
fn check_selector(text: &str) -> Result<(), String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    match text {
        "" => Err("nothing stands behind the colon; write NAME:VERSION or NAME:LABEL".to_owned()),
        _ if !text.bytes().all(known) => Err(format!("{text:?} is no version and no label")),
        _ => Ok(()),
    }
}

/// `ID`, `ID#KEY`, `ID@STAGE`, `ID#KEY@STAGE`. A secret's name and a field's may hold `@`: the last
/// one is the stage's.
fn secret_parts(text: &str) -> Result<(&str, Option<String>, Version), String> {
    let (id, field) = match text.split_once('#') {
        None => (text, None),
        Some((_, "")) => return Err("nothing stands behind #; write ID#KEY".to_owned()),
        Some((id, field)) => (id, Some(field)),
    };
    let split = |text| match str::rsplit_once(text, '@') {
        // A stage cannot hold a slash here, so that team@corp/db is a name.
        Some((before, stage)) if !stage.contains('/') => (before, Some(stage)),
        _ => (text, None),
    };
    let (field, stage) = field.map_or((None, None), |field| {
        let (field, stage) = split(field);
        (Some(field), stage)
    });
    let (id, stage) = if stage.is_some() { (id, stage) } else { split(id) };
    if stage == Some("") {
        return Err("nothing stands behind @; write ID@STAGE".to_owned());
    }
    if field == Some("") {
        return Err("nothing stands between # and @; write ID#KEY@STAGE".to_owned());
    }
    let version = match stage {
        Some(text) if is_uuid(text) => Version { id: Some(text.to_owned()), stage: None },
        stage => Version { id: None, stage: stage.map(str::to_owned) },
    };
    Ok((id, field.map(str::to_owned), version))
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>
fn secret_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is empty; write secretsmanager:ID".to_owned());
    }
    let strange = |character: &char| {
        !character.is_ascii_alphanumeric()
            && !matches!(character, '/' | '_' | '+' | '=' | '.' | '@' | '-' | '!')
    };
    match name.chars().find(strange) {
        Some(':') => Err("a colon stands in it; write ID#KEY@STAGE, or an ARN".to_owned()),
        Some(character) => Err(format!("a secret's name holds no {character:?}")),
        None => Ok(()),
    }
}

/// The form that Secrets Manager gives to the ids of versions.
fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == lengths.len()
        && groups.iter().zip(lengths).all(|(group, length)| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, region: Option<&str>) -> Source {
        Source::Parameter { name: name.to_owned(), region: region.map(str::to_owned) }
    }

    fn secret(id: &str, region: Option<&str>, parts: [Option<&str>; 3]) -> Source {
        let [field, stage, version] = parts.map(|part| part.map(str::to_owned));
        let version = Version { id: version, stage };
        Source::Secret { id: id.to_owned(), region: region.map(str::to_owned), field, version }
    }

    #[test]
    fn parameter_in_every_spelling() {
        let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/prod/x";
        for (text, name, region) in [
            ("ssm:/prod/x", "/prod/x", None),
            ("ssm:plain.name", "plain.name", None),
            ("ssm:/prod/x:3", "/prod/x:3", None),
            ("ssm:/prod/x:stable", "/prod/x:stable", None),
            ("bref-ssm:/prod/x", "/prod/x", None),
            ("x-crypteia-ssm:/prod/x", "/prod/x", None),
            ("ssm:///prod/x", "/prod/x", None),
            ("ssm://prod/x:3", "/prod/x:3", None),
            ("ssm://prod.x", "prod.x", None),
            (arn, arn, Some("eu-west-1")),
            (&format!("ssm:{arn}"), arn, Some("eu-west-1")),
            (&format!("{arn}:3"), &format!("{arn}:3"), Some("eu-west-1")),
        ] {
            let reference = Reference::parse(text).expect(text);
            assert_eq!(reference.source, parameter(name, region), "{text}");
            assert_eq!(reference.to_string(), text);
            assert!(Reference::is_meant_by(text), "{text}");
        }
    }

    #[test]
    fn secret_in_every_spelling() {
        let arn = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:prod/x-AbCdEf";
        let at = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a@b/x-AbCdEf";
        let rds = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:rds!db-1-AbCdEf";
        let cn = Some("cn-north-1");
        let id = "11111111-2222-3333-4444-555555555555";
        let [k, old] = [Some("k"), Some("OLD")];
        for (text, expected) in [
            ("secretsmanager:x", secret("x", None, [None, None, None])),
            ("bref-secretsmanager:/x", secret("/x", None, [None, None, None])),
            ("secretsmanager:x#k", secret("x", None, [k, None, None])),
            ("secretsmanager:x@OLD", secret("x", None, [None, old, None])),
            ("secretsmanager:x#k@OLD", secret("x", None, [k, old, None])),
            ("secretsmanager:x@OLD#k", secret("x", None, [k, old, None])),
            ("secretsmanager:a@b/x#k", secret("a@b/x", None, [k, None, None])),
            ("secretsmanager:a@b@OLD", secret("a@b", None, [None, old, None])),
            ("secretsmanager:a@b#k@OLD", secret("a@b", None, [k, old, None])),
            ("secretsmanager:x#a@b@OLD", secret("x", None, [Some("a@b"), old, None])),
            (&format!("secretsmanager:x@{id}"), secret("x", None, [None, None, Some(id)])),
            (arn, secret(arn, cn, [None, None, None])),
            (&format!("secretsmanager:{arn}"), secret(arn, cn, [None, None, None])),
            (&format!("{arn}:k::"), secret(arn, cn, [k, None, None])),
            (&format!("{arn}:k"), secret(arn, cn, [k, None, None])),
            (&format!("{arn}::OLD:"), secret(arn, cn, [None, old, None])),
            (&format!("{arn}:k:OLD:{id}"), secret(arn, cn, [k, old, Some(id)])),
            (&format!("{arn}#k@OLD"), secret(arn, cn, [k, old, None])),
            (&format!("{arn}#a:b"), secret(arn, cn, [Some("a:b"), None, None])),
            ("secretsmanager:rds!db-1#k", secret("rds!db-1", None, [k, None, None])),
            (&format!("{rds}:k::"), secret(rds, cn, [k, None, None])),
            (at, secret(at, cn, [None, None, None])),
            (&format!("{at}@b#k"), secret(&format!("{at}@b"), cn, [k, None, None])),
            (&format!("{at}:k::"), secret(at, cn, [k, None, None])),
        ] {
            assert_eq!(Reference::parse(text).expect(text).source, expected, "{text}");
            assert!(Reference::is_meant_by(text), "{text}");
        }
    }

    #[test]
    fn malformed_reference_says_how_to_write_it() {
        for (text, cause) in [
            ("", "it is no reference; write ssm:NAME, secretsmanager:ID or an ARN"),
            ("hunter2", "it is no reference; write ssm:NAME, secretsmanager:ID or an ARN"),
            ("ssm:", "the name is empty; write ssm:/NAME"),
            ("ssm:prod/x", "a name with / in it begins with /; write ssm:/prod/x"),
            ("ssm:/x:", "nothing stands behind the colon; write NAME:VERSION or NAME:LABEL"),
            ("ssm:/x:1:2", "too many colons; write NAME:VERSION or NAME:LABEL"),
            ("ssm:/x#k", "a parameter has no fields; put the JSON into a secret"),
            ("ssm:/x y", "a parameter's name holds no ' '"),
            ("secretsmanager:", "the name is empty; write secretsmanager:ID"),
            ("secretsmanager:x#", "nothing stands behind #; write ID#KEY"),
            ("secretsmanager:x@", "nothing stands behind @; write ID@STAGE"),
            ("secretsmanager:x#@OLD", "nothing stands between # and @; write ID#KEY@STAGE"),
            ("secretsmanager:x:k", "a colon stands in it; write ID#KEY@STAGE, or an ARN"),
            (
                "arn:aws:ssm:us-east-1",
                "the ARN is not whole; write arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE",
            ),
            (
                "arn:aws:s3:us-east-1:1:bucket",
                "\"s3\" keeps no secrets; write an ARN of ssm or secretsmanager",
            ),
            ("arn:aws:ssm:evil.example/:1:parameter/x", "\"evil.example/\" is no region"),
            (
                "secretsmanager:arn:aws:ssm:us-east-1:1:parameter/x",
                "the ARN is one of ssm, not of secretsmanager:",
            ),
            (
                "arn:aws:secretsmanager:us-east-1:1:secret:x:1:2:3:4",
                "too many colons; write ARN:JSON-KEY:VERSION-STAGE:VERSION-ID",
            ),
            (
                "x-crypteia-ssm-path:/x",
                "it stands for many variables; write a \"path\" under a prefix",
            ),
        ] {
            assert_eq!(Reference::parse(text).expect_err(text), cause, "{text}");
        }
        for value in ["hunter2", "", "arn:aws:s3:us-east-1:1:bucket", "https://ssm:x"] {
            assert!(!Reference::is_meant_by(value), "{value}");
        }
    }

    #[test]
    fn no_text_is_too_odd() {
        let parts = [
            "arn:",
            "ssm:",
            "secretsmanager:",
            "secret:",
            "parameter/",
            "é",
            "#",
            "@",
            ":",
            "a",
            "/",
        ];
        for first in parts {
            for second in parts {
                for third in parts {
                    let tail = format!("{first}{second}{third}");
                    for head in ["", "arn:aws:ssm:r:1:", "arn:aws:secretsmanager:r:1:secret:"] {
                        let text = format!("{head}{tail}");
                        let _ = (Reference::parse(&text), Path::parse(&text));
                    }
                }
            }
        }
    }

    #[test]
    fn path_names_variables() {
        let path = Path::parse("ssm:/prod/app/").expect("a path");
        assert_eq!((path.path.as_str(), path.region.as_deref()), ("/prod/app", None));
        assert_eq!(
            path.variable("APP_", "/prod/app/db-pass/x.y").as_deref(),
            Some("APP_DB_PASS_X_Y")
        );
        assert_eq!(path.variable("", "/prod/app/DB_URL").as_deref(), Some("DB_URL"));
        assert_eq!(path.variable("", "/prod/application"), None);
        let root = Path::parse("ssm:/").expect("the root");
        assert_eq!((root.path.as_str(), root.variable("", "/x")), ("/", Some("X".to_owned())));
        let far = Path::parse("arn:aws:ssm:eu-west-1:1:parameter/prod/").expect("an ARN");
        assert_eq!((far.path.as_str(), far.region.as_deref()), ("/prod", Some("eu-west-1")));
        assert_eq!(far.account.as_deref(), Some("1"));
        for text in ["ssm://prod/app", "ssm:///prod/app/", "ssm:/prod/app"] {
            assert_eq!(Path::parse(text).expect(text).path, "/prod/app", "{text}");
        }
        for text in ["ssm:prod", "secretsmanager:x", "/prod", "ssm:/pr od/"] {
            Path::parse(text).expect_err(text);
        }
    }
}
