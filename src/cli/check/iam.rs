//! The IAM policy that lets a function resolve the secrets of its configuration, and not more.
//! Decides from the configuration alone; asks AWS nothing.

use crate::config::{Rule, SecretSource};
use crate::environ::Environ;
use crate::json;
use crate::lambda::variables::{DEFAULT_REGION, REGION};
use crate::template::Template;
use foreword_secrets::reference::{Path, Reference, Source};
use std::collections::{BTreeMap, BTreeSet};

/// The actions that `foreword-secrets` needs. Secrets Manager has one request for several secrets,
/// which has to be allowed beside that for each
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html>).
const GET_PARAMETERS: &str = "ssm:GetParameters";
const GET_BY_PATH: &str = "ssm:GetParametersByPath";
const GET_SECRET: &str = "secretsmanager:GetSecretValue";
const GET_SECRETS: &str = "secretsmanager:BatchGetSecretValue";

/// Any text in a resource.
const ANY: &str = "*";

/// The end that Secrets Manager gives the names in ARNs
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html>).
const ANY_SUFFIX: &str = "-??????";

/// The partitions of regions, by the beginnings of their names
/// (<https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>).
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

/// A policy, and what it does not know.
pub struct Policy {
    /// The region of what names none.
    region: Option<String>,
    /// The resources of each action.
    resources: BTreeMap<&'static str, BTreeSet<String>>,
    /// The secrets that one request may ask for together, by their regions.
    together: BTreeMap<String, BTreeSet<String>>,
    /// True if something names no account, and no region.
    has_other_account: bool,
    /// True if a reference has variables.
    has_variables: bool,
    /// True if variables of the function are references, too.
    has_references: bool,
    /// The places of references of which nothing is known.
    unknown: Vec<String>,
}

impl Policy {
    /// Returns the policy for all rules, whatever their conditions.
    pub fn new<'r>(rules: impl IntoIterator<Item = &'r Rule<'r>>, environ: &Environ) -> Self {
        let region = environ.non_empty(REGION).or_else(|| environ.non_empty(DEFAULT_REGION));
        let mut policy = Self {
            region: region.map(|region| region.to_string_lossy().into_owned()),
            resources: BTreeMap::new(),
            together: BTreeMap::new(),
            has_other_account: false,
            has_variables: false,
            has_references: false,
            unknown: Vec::new(),
        };
        rules.into_iter().for_each(|rule| policy.add_rule(rule));
        let anywhere = policy.together.get(ANY).map_or(0, BTreeSet::len);
        let is_batch = |(region, ids): (&String, &BTreeSet<String>)| {
            ids.len() + if region == ANY { 0 } else { anywhere } > 1
        };
        if policy.together.iter().any(is_batch) {
            policy.add(GET_SECRETS, ANY.into());
        }
        policy
    }

    fn add_rule(&mut self, rule: &Rule) {
        self.has_references |= rule.resolves_references;
        for secret in &rule.secrets {
            let is_known = match &secret.source {
                SecretSource::Reference(template) => self.add_reference(template),
                SecretSource::Path(template) => self.add_path(template),
            };
            if !is_known {
                self.unknown.push(secret.place.to_string());
            }
        }
        rule.rules.iter().for_each(|rule| self.add_rule(rule));
    }

    /// Adds what a reference needs; returns false if that cannot be told.
    fn add_reference(&mut self, template: &Template) -> bool {
        let Some(Parsed { parsed, variable }) = self.parse(template, Reference::parse) else {
            return false;
        };
        let shown = |text: &str| text.replace(&variable, ANY);
        match parsed.source {
            Source::Parameter { name, region: Some(_) } => {
                // The version or the label is no part of the resource.
                let parts: Vec<_> = name.splitn(7, ':').take(6).collect();
                self.add(GET_PARAMETERS, shown(&parts.join(":")));
            }
            Source::Parameter { name, region: None } => {
                let name = name.split(':').next().unwrap_or_default().trim_start_matches('/');
                let resource = format!("{}parameter/{}", self.beginning("ssm"), shown(name));
                self.add(GET_PARAMETERS, resource);
            }
            Source::Secret { id, region, version, field: _ } => {
                let id = shown(&id);
                let own = || self.region.clone().unwrap_or(ANY.into());
                let asked_in = region.as_deref().map_or_else(own, shown);
                if version.is_current() {
                    self.together.entry(asked_in).or_default().insert(id.clone());
                }
                let resources = match region {
                    Some(_) => of_secret_arn(id),
                    None => {
                        vec![format!("{}secret:{id}{ANY_SUFFIX}", self.beginning("secretsmanager"))]
                    }
                };
                resources.into_iter().for_each(|resource| self.add(GET_SECRET, resource));
            }
        }
        true
    }

    /// Adds what a path needs. AWS asks for the permission on the path as the request has it, and
    /// includes everything below it
    /// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html>).
    fn add_path(&mut self, template: &Template) -> bool {
        let Some(Parsed { parsed, variable }) = self.parse(template, Path::parse) else {
            return false;
        };
        let text = parsed.to_string();
        let beginning = match parsed.region {
            Some(_) => {
                let arn = text.strip_prefix("ssm:").unwrap_or(&text).split_inclusive(':');
                arn.take(5).collect()
            }
            None => self.beginning("ssm"),
        };
        let path = parsed.path.trim_end_matches('/');
        let path = if path.is_empty() { "/*" } else { path };
        let resource = format!("{beginning}parameter{path}").replace(&variable, ANY);
        self.add(GET_BY_PATH, resource);
        true
    }

    /// Parses a reference with a word in the place of each variable.
    fn parse<T>(
        &mut self,
        template: &Template,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Parsed<T>> {
        let mut variable = "VARIABLE".to_owned();
        while template.written().contains(&variable) {
            variable.push('E');
        }
        let text = template.with_each_reference_as(&variable);
        // Of a name with slashes in it, the first has to be in the variable.
        let with_slash = || text.replacen(&variable, &format!("/{variable}"), 1);
        let parsed = parse(&text).or_else(|_| parse(&with_slash())).ok()?;
        self.has_variables |= !template.is_plain();
        Some(Parsed { parsed, variable })
    }

    /// Returns the ARN of what names none, up to its resource.
    fn beginning(&mut self, service: &str) -> String {
        self.has_other_account = true;
        let region = self.region.as_deref().unwrap_or(ANY);
        let partition = PARTITIONS.iter().find(|(beginning, _)| region.starts_with(beginning));
        let partition = partition.map_or("aws", |(_, partition)| partition);
        format!("arn:{partition}:{service}:{region}:{ANY}:")
    }

    fn add(&mut self, action: &'static str, resource: String) {
        self.resources.entry(action).or_default().insert(resource);
    }

    /// Returns the policy as a JSON document.
    pub fn to_json(&self) -> String {
        let statement = |(action, resources): (&&str, &BTreeSet<String>)| {
            let resources: Vec<_> =
                resources.iter().map(|one| format!("        {}", json::quote(one))).collect();
            format!(
                "\n    {{\n      \"Effect\": \"Allow\",\n      \"Action\": {},\n      \
                 \"Resource\": [\n{}\n      ]\n    }}",
                json::quote(action),
                resources.join(",\n")
            )
        };
        let statements: Vec<_> = self.resources.iter().map(statement).collect();
        let end = if statements.is_empty() { "" } else { "\n  " };
        format!(
            "{{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{}{end}]\n}}\n",
            statements.join(",")
        )
    }

    /// Returns one line about what the policy does not say.
    pub fn note(&self) -> String {
        let mut parts = Vec::new();
        if let (true, Some(region)) = (self.has_other_account, &self.region) {
            parts.push(format!("{region} is this shell's region"));
        }
        let has_no_region = self.has_other_account && self.region.is_none();
        let unknown = [
            ("for the account", self.has_other_account),
            ("for the region, which AWS_REGION can name", has_no_region),
            ("for each ${NAME}", self.has_variables),
        ];
        let unknown = unknown.iter().filter(|(_, is_unknown)| *is_unknown).map(|(what, _)| *what);
        let unknown: Vec<_> = unknown.collect();
        if !unknown.is_empty() {
            parts.push(format!("\"*\" stands {}", unknown.join(", ")));
        }
        if self.resources.is_empty() {
            parts.push("no reference in \"secrets\" needs a permission".to_owned());
        }
        if !self.unknown.is_empty() {
            parts.push(format!("add what the reference at {} means", self.unknown.join(" and ")));
        }
        if self.has_references {
            parts.push("add the references in variables, which \"references\" resolves".to_owned());
        }
        if !self.resources.is_empty() || self.has_references {
            parts.push("add kms:Decrypt for keys that are customer managed".to_owned());
        }
        parts.join("; ")
    }
}

/// A reference, and the word in it that stands for variables.
struct Parsed<T> {
    parsed: T,
    variable: String,
}

/// Returns the resources for an ARN, which may lack the six characters that Secrets Manager
/// appends.
fn of_secret_arn(arn: String) -> Vec<String> {
    let suffix = arn.rsplit_once('-').map_or("", |(_, suffix)| suffix);
    let is_suffix = suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let with_any = format!("{arn}{ANY_SUFFIX}");
    match is_suffix {
        _ if arn.ends_with(ANY) => vec![arn],
        // One in thirty has no capital letter; the end of a name usually has none.
        true if suffix.bytes().any(|byte| byte.is_ascii_uppercase()) => vec![arn],
        true => vec![arn, with_any],
        false => vec![with_any],
    }
}
