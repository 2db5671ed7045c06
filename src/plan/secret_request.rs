//! Decides what `foreword-secrets` is asked for: the references of all rules that apply, for
//! variables that have no value yet. The module `secrets` asks.

use super::Plan;
use crate::config::{Invalid, Place, Secret, SecretSource};
use crate::environ::Environ;
use foreword_secrets::reference::{Path, Reference};
use std::ffi::OsStr;
use std::time::Duration;

/// What `foreword-secrets` is asked for.
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
        self.paths.is_empty() && self.variables.iter().all(|variable| variable.is_kept)
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
                // What only looks like a reference may be a value, so it is not quoted.
                let reference = Reference::parse(text).map_err(|cause| {
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
                // The reference that the variable itself holds is resolved in the place of this one.
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

fn parse<T>(text: &OsStr, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
    let text = text.to_str().ok_or("the reference is not UTF-8")?;
    parse(text)
}
