//! The secrets of the plan: which variable gets what, and nothing of any value.

use crate::environ::Environ;
use crate::plan::{SecretRequest, WantedVariable};
use crate::secrets::DEFAULT_TIMEOUT;
use std::ffi::OsStr;

/// The request of the start for `foreword-secrets`.
pub struct SecretsOverview {
    pub variables: Vec<SecretOverview>,
    pub paths: Vec<SecretOverview>,
    pub timeout_ms: u64,
    /// False if all variables have a value, so that nothing is asked for.
    pub is_needed: bool,
}

/// A reference, and the variable that gets its value, or the prefix of those that a path becomes.
pub struct SecretOverview {
    pub name: String,
    pub reference: String,
    /// `None` for a variable whose own value is the reference.
    pub place: Option<String>,
    /// True if the variable has a value already, which it keeps.
    pub is_kept: bool,
}

impl SecretsOverview {
    /// Returns `None` when there is no reference.
    pub fn new(request: &SecretRequest, environ: &Environ) -> Option<Self> {
        let SecretRequest { variables, paths, timeout } = request;
        if variables.is_empty() && paths.is_empty() {
            return None;
        }
        let reference = |text: &str| environ.redact(OsStr::new(text));
        let of_variable = |variable: &WantedVariable| SecretOverview {
            name: variable.name.clone(),
            reference: reference(&variable.reference),
            place: variable.place.map(|place| place.to_string()),
            is_kept: variable.is_kept,
        };
        Some(Self {
            variables: variables.iter().map(of_variable).collect(),
            paths: paths
                .iter()
                .map(|path| SecretOverview {
                    name: path.prefix.to_owned(),
                    reference: reference(&path.path),
                    place: Some(path.place.to_string()),
                    is_kept: false,
                })
                .collect(),
            timeout_ms: timeout.unwrap_or(DEFAULT_TIMEOUT).as_millis() as u64,
            is_needed: !request.is_empty(),
        })
    }
}

/// Sets the variables that secrets will set, so that edits see them, as secrets of unknown value.
pub fn put_placeholders(request: &SecretRequest, environ: &mut Environ) {
    for variable in request.unset_variables() {
        let placeholder = format!("<value of {}>", variable.reference);
        environ.export(&variable.name, OsStr::new(&placeholder));
    }
}
