//! Decides what `foreword-secrets` is asked for: the references of all rules that apply, for
//! variables that have no value yet. The module `secrets` asks.

use super::Plan;
use crate::config::{Invalid, Place, Secret, SecretSource};
use crate::environ::Environ;
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
    pub reference: Reference,
    /// `None` for a variable whose own value is the reference.
    pub place: Option<Place<'p>>,
    /// True if the variable has a value already, which it keeps.
    pub is_kept: bool,
}

/// A path, below which each parameter becomes a variable.
pub struct WantedPath<'p> {
    pub prefix: &'p str,
    pub path: Path,
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
    /// With the first reference that cannot be read once its variables are expanded, and with the
    /// first variable whose own value is such a reference.
    pub fn secrets(&self, environ: &Environ) -> Result<SecretRequest<'p>, Invalid> {
        let mut request = SecretRequest::default();
        if self.rules.iter().any(|rule| rule.resolves_references) {
            for (name, value) in environ.variables() {
                let Some(text) = value.to_str().filter(|text| Reference::is_meant_by(text)) else {
                    continue;
                };
                let reference = Reference::parse(text).map_err(|cause| {
                    let cause = without_quotes_of(text, &cause);
                    let message = format!("unable to read the reference in {name}: {cause}");
                    Invalid::new(message)
                })?;
                let name = name.to_owned();
                request.put(WantedVariable { name, reference, place: None, is_kept: false });
            }
        }
        for rule in &self.rules {
            for secret in &rule.secrets {
                request.add(secret, environ)?;
            }
            request.timeout = rule.secrets_timeout.or(request.timeout);
        }
        Ok(request)
    }
}

impl<'p> SecretRequest<'p> {
    fn add(&mut self, secret: &Secret<'p>, environ: &Environ) -> Result<(), Invalid> {
        let Secret { name, place, source } = secret;
        let refuse = |cause: String| Invalid::new(format!("{place}: {cause}"));
        match source {
            SecretSource::Reference(template) => {
                let text = template.expand(environ);
                let reference = parse(&text, Reference::parse).map_err(refuse)?;
                let value = environ.non_empty(name);
                let is_kept = value.is_some_and(|value| value != reference.to_string().as_str());
                let own = self.variables.iter().find(|variable| variable.name == *name);
                // The reference that the variable itself holds is resolved in the place of this
                // one.
                if is_kept && own.is_some_and(|own| own.place.is_none()) {
                    return Ok(());
                }
                let (name, place) = ((*name).to_owned(), Some(*place));
                self.put(WantedVariable { name, reference, place, is_kept });
            }
            SecretSource::Path(template) => {
                let path = parse(&template.expand(environ), Path::parse).map_err(refuse)?;
                self.paths.push(WantedPath {
                    prefix: name,
                    path,
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

fn parse<T>(text: &OsStr, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
    let text = text.to_str().ok_or("the reference is not UTF-8")?;
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
