//! Decides what `foreword-secrets` is asked for: the references of all rules that apply, for
//! variables that have no value yet. The module `secrets` asks.

use super::Plan;
use crate::config::{Invalid, Place, Secret, SecretSource};
use crate::environ::Environ;
use crate::template::Template;
use foreword_secrets::reference::{Path, Reference};
use std::ffi::OsStr;
use std::time::Duration;

/// The request for `foreword-secrets`.
#[derive(Default)]
pub struct SecretRequest<'p> {
    /// The variables to set, each once.
    pub variables: Vec<WantedVariable<'p>>,
    /// The paths of the Parameter Store, each with the prefix of its variables.
    pub paths: Vec<WantedPath<'p>>,
    /// The limit that the configuration names for all of it.
    pub timeout: Option<Duration>,
}

/// A variable, and the reference to its value.
pub struct WantedVariable<'p> {
    pub name: String,
    /// The reference with its variables expanded; whether it can be read is not known of a variable
    /// that is kept.
    pub reference: String,
    /// `None` for a variable whose own value is the reference.
    pub place: Option<Place<'p>>,
    /// True if the variable has a value already, which it keeps.
    pub is_kept: bool,
}

/// A path, below which each parameter becomes a variable.
pub struct WantedPath<'p> {
    pub prefix: &'p str,
    pub path: String,
    #[cfg(feature = "tool")]
    pub place: Place<'p>,
}

impl SecretRequest<'_> {
    /// Tells whether there is nothing to ask for.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.unset_variables().next().is_none()
    }

    /// Returns the variables that have no value yet.
    pub fn unset_variables(&self) -> impl Iterator<Item = &WantedVariable<'_>> {
        self.variables.iter().filter(|variable| !variable.is_kept)
    }
}

impl<'p> Plan<'p> {
    /// Collects the references of the rules that apply. `environ` is the environment that Lambda
    /// handed over.
    ///
    /// # Errors
    /// With all references that cannot be read once their variables are expanded, and all variables
    /// whose own values are such references.
    pub fn secrets(&self, environ: &Environ) -> Result<SecretRequest<'p>, Invalid> {
        let (mut request, mut problems) = (SecretRequest::default(), Vec::new());
        if self.rules.iter().any(|rule| rule.resolves_references) {
            for (name, value) in environ.variables() {
                let Some(text) = value.to_str().filter(|text| Reference::is_meant_by(text)) else {
                    continue;
                };
                if let Err(cause) = Reference::parse(text) {
                    let cause = without_quotes_of(text, &cause);
                    problems.push(format!("unable to read the reference in {name}: {cause}"));
                }
                let (name, reference) = (name.to_owned(), text.to_owned());
                request.put(WantedVariable { name, reference, place: None, is_kept: false });
            }
        }
        for rule in &self.rules {
            for secret in &rule.secrets {
                if let Err(cause) = request.add(secret, environ) {
                    problems.push(format!("{}: {cause}", secret.place));
                }
            }
            request.timeout = rule.secrets_timeout.or(request.timeout);
        }
        match problems.is_empty() {
            true => Ok(request),
            false => Err(Invalid::new(problems.join("; "))),
        }
    }
}

impl<'p> SecretRequest<'p> {
    /// Adds a secret.
    ///
    /// # Errors
    /// With the reason why its reference cannot be read.
    fn add(&mut self, secret: &Secret<'p>, environ: &Environ) -> Result<(), String> {
        let Secret { name, place, source } = secret;
        match source {
            SecretSource::Reference(template) => {
                let reference = template.expand(environ);
                let value = environ.non_empty(name);
                let is_kept = value.is_some_and(|value| value != reference);
                let own = self.variables.iter().find(|variable| variable.name == *name);
                // The reference that the variable itself holds is resolved in the place of this
                // one.
                if is_kept && own.is_some_and(|own| own.place.is_none()) {
                    return Ok(());
                }
                if !is_kept {
                    check(template, &reference, |text| Reference::parse(text).map(drop))?;
                }
                self.put(WantedVariable {
                    name: (*name).to_owned(),
                    reference: reference.to_string_lossy().into_owned(),
                    place: Some(*place),
                    is_kept,
                });
            }
            SecretSource::Path(template) => {
                let path = template.expand(environ);
                check(template, &path, |text| Path::parse(text).map(drop))?;
                self.paths.push(WantedPath {
                    prefix: name,
                    path: path.to_string_lossy().into_owned(),
                    #[cfg(feature = "tool")]
                    place: *place,
                });
            }
        }
        Ok(())
    }

    /// Adds a variable, in the place of an earlier one of this name.
    fn put(&mut self, wanted: WantedVariable<'p>) {
        self.variables.retain(|other| other.name != wanted.name);
        self.variables.push(wanted);
    }
}

/// Redacts what a cause quotes of a variable's own value: what only looks like a reference may be a
/// secret.
fn without_quotes_of(value: &str, cause: &str) -> String {
    let (_, rest) = value.split_once(':').unwrap_or_default();
    let mut quoted = Environ::default();
    quoted.export("whole", OsStr::new(rest));
    for (index, part) in rest.split(':').enumerate() {
        quoted.export(&index.to_string(), OsStr::new(part));
    }
    quoted.redact(OsStr::new(cause))
}

/// Checks a reference whose variables are expanded. An empty variable must not make another
/// spelling or another name of it: `ssm:/${STAGE}/x` would become `ssm://x`, which is `/x`.
fn check(
    template: &Template,
    expanded: &OsStr,
    parse: impl Fn(&str) -> Result<(), String>,
) -> Result<(), String> {
    let (written, text) =
        (template.written(), expanded.to_str().ok_or("the reference is not UTF-8")?);
    if written.starts_with("ssm:") && text.contains("//") && !written.contains("//") {
        return Err(format!(
            "a variable in {written:?} is empty, or has a slash at an end: two slashes would stand \
             together; give it a value, or write ${{NAME:-text}}"
        ));
    }
    parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::{Facts, RuntimeName};
    use crate::config::{Source, decode_rules, parse_sources};
    use std::ffi::{CString, OsString};

    /// Describes what a configuration asks for: `NAME=REFERENCE`, `NAME keeps`, `PREFIX*=PATH`.
    fn wanted(config: &str, environment: &[&str]) -> Result<Vec<String>, String> {
        let sources = [Source { name: "test".into(), text: config.into() }];
        let documents = parse_sources(&sources);
        let rules = decode_rules(&documents).map_err(|invalid| invalid.message)?;
        let entries: Vec<_> =
            environment.iter().map(|entry| CString::new(*entry).expect("an entry")).collect();
        let environ = Environ::from_entries(entries.iter().map(CString::as_c_str));
        let received = [OsString::from("x")];
        let runtime = RuntimeName::from_program(&environ, &received[0]);
        let facts = Facts {
            environ: &environ,
            runtime: &runtime,
            architecture: "x86_64",
            exists: &|_| false,
        };
        let request = Plan::new(&received, &rules, &facts)
            .secrets(&environ)
            .map_err(|invalid| invalid.message)?;
        let variable = |variable: &WantedVariable| match variable.is_kept {
            true => format!("{} keeps", variable.name),
            false => format!("{}={}", variable.name, variable.reference),
        };
        let path = |path: &WantedPath| format!("{}*={}", path.prefix, path.path);
        let variables = request.variables.iter().map(variable);
        Ok(variables.chain(request.paths.iter().map(path)).collect())
    }

    #[test]
    fn references_of_rules_that_apply_are_collected_and_the_last_of_a_name_counts() {
        for (config, environment, expected) in [
            (r#"{"secrets": {"A": "ssm:/a"}}"#, &[] as &[&str], &["A=ssm:/a"] as &[&str]),
            (r#"{"secrets": {"A": "ssm:/${S}/a"}}"#, &["S=prod"], &["A=ssm:/prod/a"]),
            (r#"{"secrets": {"A": "ssm:/a"}}"#, &["A="], &["A=ssm:/a"]),
            (r#"{"secrets": {"A": "ssm:/a"}}"#, &["A=mine"], &["A keeps"]),
            // Whether it could be read does not matter then.
            (r#"{"secrets": {"A": "secretsmanager:${NO}"}}"#, &["A=mine"], &["A keeps"]),
            (r#"{"secrets": {"A": "${R}"}}"#, &["R=ssm://a/b"], &["A=ssm://a/b"]),
            (r#"{"secrets": {"A": "ssm:/a${NO}/b"}}"#, &[], &["A=ssm:/a/b"]),
            (r#"{"secrets": {"A": "ssm:/a"}}"#, &["A=ssm:/a"], &["A=ssm:/a"]),
            (r#"{"secrets": {"A": "ssm:/a"}}"#, &["A=ssm:/b"], &["A keeps"]),
            (r#"{"secrets": {"A": "ssm:/a"}, "references": true}"#, &["A=ssm:/b"], &["A=ssm:/b"]),
            (
                r#"{"references": true}"#,
                &["A=bref-ssm:/a", "B=x", "C=see ssm:/x", "D=ssm://d/e"],
                &["A=bref-ssm:/a", "D=ssm://d/e"],
            ),
            (r#"{"references": false}"#, &["A=ssm:/a"], &[]),
            (
                r#"{"secrets": {"A": "ssm:/a", "B": "ssm:/b"}, "rules": [
                    {"secrets": {"A": "secretsmanager:a#k"}},
                    {"when": {"env": {"NO": true}}, "secrets": {"B": "ssm:/c", "C": "ssm:/c"}}]}"#,
                &[],
                &["B=ssm:/b", "A=secretsmanager:a#k"],
            ),
            (
                r#"{"secrets": {"P_": {"path": "ssm:/${S}/"}, "": {"path": "ssm:/all"}}}"#,
                &["S=prod"],
                &["P_*=ssm:/prod/", "*=ssm:/all"],
            ),
        ] {
            let found = wanted(config, environment).expect(config);
            assert_eq!(found, expected, "{config} {environment:?}");
        }
    }

    #[test]
    fn reference_that_cannot_be_read_is_refused_and_a_variable_s_own_is_not_quoted() {
        for (config, environment, expected) in [
            (
                r#"{"secrets": {"A": "ssm:a/b"}}"#,
                &[] as &[&str],
                "test:1:19: a name with / in it begins with /; write ssm:/a/b",
            ),
            (
                r#"{"secrets": {"A": "${R}"}}"#,
                &["R=hidden"],
                "test:1:14: it is no reference; write ssm:NAME, secretsmanager:ID or an ARN",
            ),
            (
                r#"{"secrets": {"A": "ssm:/${STAGE}/a"}}"#,
                &[],
                "test:1:14: a variable in \"ssm:/${STAGE}/a\" is empty, or has a slash at an end: \
                 two slashes would stand together; give it a value, or write ${NAME:-text}",
            ),
            (
                r#"{"secrets": {"P_": {"path": "ssm:/a/${STAGE}/"}, "B": "${R}"}}"#,
                &["R=hidden"],
                "test:1:14: a variable in \"ssm:/a/${STAGE}/\" is empty, or has a slash at an end: \
                 two slashes would stand together; give it a value, or write ${NAME:-text}; \
                 test:1:50: it is no reference; write ssm:NAME, secretsmanager:ID or an ARN",
            ),
            (
                r#"{"references": true}"#,
                &["A=ssm:hid den"],
                "unable to read the reference in A: a parameter's name holds no ' '",
            ),
            (
                r#"{"references": true}"#,
                &["A=ssm:hidden/word"],
                "unable to read the reference in A: a name with / in it begins with /; write \
                 ssm:/[redacted]",
            ),
            (
                r#"{"references": true}"#,
                &["A=ssm://user:hid%den"],
                "unable to read the reference in A: \"[redacted]\" is no version and no label",
            ),
            (
                r#"{"secrets": {"P_": {"path": "secretsmanager:x"}}}"#,
                &[],
                "test:1:29: only the Parameter Store has paths; write ssm:/PATH/",
            ),
        ] {
            let message = wanted(config, environment).expect_err(config);
            assert_eq!(message, expected, "{config}");
        }
    }
}
