//! `check --iam`: the smallest IAM policy with which a function may read all secrets that a
//! configuration refers to, whatever its conditions are.

use crate::config::{Rule, SecretSource};
use crate::environ::Environ;
use crate::json;
use foreword_secrets::reference::{Path, Reference, Source};
use std::collections::{BTreeMap, BTreeSet};

/// What stands for a variable inside a reference until the resource is known, where it becomes `*`.
const ANY: &str = "FOREWORDany";

/// A policy document, and what it cannot say.
pub struct Policy {
    /// The document as JSON.
    pub text: String,
    pub notes: Vec<String>,
}

/// The resources of each action.
type Statements = BTreeMap<&'static str, BTreeSet<String>>;

/// Collects the resources of all references.
struct Collector<'e> {
    /// The function's own region, or `*`.
    region: &'e str,
    statements: Statements,
    /// The current secrets of each region, which are asked for in one request.
    current: BTreeMap<String, BTreeSet<String>>,
    notes: Vec<String>,
}

/// Returns the policy for all rules, with the rules in them. A region that no ARN names is that of
/// `AWS_REGION`.
pub fn policy(rules: &[&Rule], environ: &Environ) -> Policy {
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| environ.non_empty(name)?.to_str())
        .unwrap_or("*");
    let mut collector = Collector {
        region,
        statements: Statements::new(),
        current: BTreeMap::new(),
        notes: Vec::new(),
    };
    rules.iter().for_each(|rule| collector.add_rule(rule));
    collector.finish()
}

impl Collector<'_> {
    fn add_rule(&mut self, rule: &Rule) {
        if rule.resolves_references {
            self.note(
                "\"references\" also resolves variables of the function, which no file names: add \
                 what they refer to",
            );
        }
        for secret in &rule.secrets {
            let (SecretSource::Reference(template) | SecretSource::Path(template)) = &secret.source;
            let text = without_variables(template.written());
            let added = match &secret.source {
                SecretSource::Reference(_) => {
                    Reference::parse(&text).map(|reference| self.add(&reference.source))
                }
                SecretSource::Path(_) => Path::parse(&text).map(|path| self.add_path(&path)),
            };
            if added.is_err() {
                let (place, written) = (secret.place, template.written());
                self.note(&format!("{place}: what {written:?} refers to is not in the policy"));
            }
        }
        rule.rules.iter().for_each(|rule| self.add_rule(rule));
    }

    fn add(&mut self, source: &Source) {
        match source {
            Source::Parameter { name, .. } => {
                let resource = self.parameter(name);
                self.put("ssm:GetParameters", resource);
            }
            Source::Secret { id, region, version, .. } => {
                let resource = match id.starts_with("arn:") {
                    true if has_suffix(id) => id.clone(),
                    true => format!("{id}-??????"),
                    false => self.arn("secretsmanager", &format!("secret:{id}-??????")),
                };
                if version.is_current() {
                    let region = region.as_deref().unwrap_or(self.region);
                    self.current.entry(region.to_owned()).or_default().insert(resource.clone());
                }
                self.put("secretsmanager:GetSecretValue", resource);
            }
        }
    }

    fn add_path(&mut self, path: &Path) {
        let Path { path: below, region, .. } = path;
        let text = path.to_string();
        let text = text.strip_prefix("ssm:").unwrap_or(&text);
        let resource = match region {
            Some(_) => text.trim_end_matches('/').to_owned(),
            None => self.parameter(below),
        };
        // Who may read a path may read all levels below it
        // (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html>).
        self.put("ssm:GetParametersByPath", resource);
    }

    /// Returns the resource of a parameter, which has neither a version nor a label.
    fn parameter(&self, name: &str) -> String {
        if let Some(("arn", _)) = name.split_once(':') {
            let parts: Vec<_> = name.splitn(7, ':').take(6).collect();
            return parts.join(":");
        }
        let name = name.split(':').next().unwrap_or(name);
        self.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let (partition, region) = (partition(self.region), self.region);
        format!("arn:{partition}:{service}:{region}:*:{resource}")
    }

    fn put(&mut self, action: &'static str, resource: String) {
        self.statements.entry(action).or_default().insert(resource.replace(ANY, "*"));
    }

    fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|other| other == note) {
            self.notes.push(note.to_owned());
        }
    }

    fn finish(mut self) -> Policy {
        if self.current.values().any(|secrets| secrets.len() > 1) {
            self.put("secretsmanager:BatchGetSecretValue", "*".into());
        }
        let all = || self.statements.values().flatten();
        if all().any(|resource| resource.contains(":*:")) {
            let note = match self.region {
                "*" => {
                    "region and account are \"*\" where no ARN names them: write your own, or \
                        set AWS_REGION"
                }
                _ => "the account is \"*\" where no ARN names it: write your own",
            };
            self.note(note);
        }
        if self.statements.is_empty() {
            self.note("there are no secrets, and IAM takes no policy without a statement");
        } else {
            self.note("values that a key of your own encrypts need kms:Decrypt on that key, too");
        }
        let text = render(&self.statements);
        Policy { text, notes: self.notes }
    }
}

/// Formats a policy with its keys in the order that AWS's documentation has.
fn render(statements: &Statements) -> String {
    let statement = |(action, resources): (&&str, &BTreeSet<String>)| {
        let resources: Vec<_> =
            resources.iter().map(|resource| format!("        {}", json::quote(resource))).collect();
        format!(
            "    {{\n      \"Effect\": \"Allow\",\n      \"Action\": \"{action}\",\n      \
             \"Resource\": [\n{}\n      ]\n    }}",
            resources.join(",\n")
        )
    };
    let statements: Vec<_> = statements.iter().map(statement).collect();
    format!(
        "{{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n{}\n  ]\n}}\n",
        statements.join(",\n")
    )
}

/// Returns the partition of a region ("AWS partitions",
/// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>,
/// and `partitions.json` of AWS's SDKs).
fn partition(region: &str) -> &'static str {
    const PREFIXES: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let known = PREFIXES.iter().find(|(prefix, _)| region.starts_with(prefix));
    known.map_or("aws", |(_, partition)| partition)
}

/// Reports whether a secret's ARN ends in the hyphen and six characters that Secrets Manager adds
/// to its name (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html>).
fn has_suffix(arn: &str) -> bool {
    arn.rsplit_once('-').is_some_and(|(_, suffix)| {
        suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Replaces every `${…}` of a template by [`ANY`], and `$$` by `$`.
fn without_variables(template: &str) -> String {
    let (mut text, mut rest) = (String::new(), template);
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if rest.starts_with('{') {
            let mut depth = 0_usize;
            let end = rest.char_indices().find(|(index, character)| {
                match character {
                    '{' if *index == 0 || rest[..*index].ends_with('$') => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                depth == 0
            });
            text.push_str(ANY);
            rest = end.map_or("", |(index, _)| &rest[index + 1..]);
        } else {
            text.push('$');
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_template_become_one_wildcard_each() {
        for (template, expected) in [
            ("ssm:/a", "ssm:/a"),
            ("ssm:/${A}/b", "ssm:/*/b"),
            ("ssm:/${A:-x${B:-}y}/b${C}", "ssm:/*/b*"),
            ("secretsmanager:a#$$k$", "secretsmanager:a#$k$"),
        ] {
            assert_eq!(without_variables(template).replace(ANY, "*"), expected);
        }
    }
}
