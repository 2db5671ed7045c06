//! The note about the secrets that the wrapper will resolve: with what, or what this machine lacks.
//! Resolves nothing itself.

use super::start::RuntimeStart;
use super::wrapper_plan;
use crate::environ::Environ;
use crate::lambda::{ACCESS_KEY_ID, CREDENTIALS_URI, SECRET_ACCESS_KEY, SESSION_TOKEN};
use crate::plan::SecretRequest;
use crate::secrets::{self, PROGRAM};
use foreword_secrets::CREDENTIALS_RELATIVE_URI;

/// The credentials of this shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellCredentials {
    Missing,
    Usable,
    /// Keys of a user instead of a session, behind an endpoint: AWS's SDK for Rust takes none from
    /// there (<https://docs.rs/aws-config/latest/src/aws_config/json_credentials.rs.html>).
    WithoutSession,
}

impl ShellCredentials {
    /// Finds them where the program looks for them, before `credentials` moves them to an endpoint.
    pub fn find(environ: &Environ, snap_start: bool) -> Self {
        let has = |name: &str| environ.non_empty(name).is_some();
        let has_keys = has(ACCESS_KEY_ID) && has(SECRET_ACCESS_KEY);
        match has_keys {
            true if snap_start && !has(SESSION_TOKEN) => Self::WithoutSession,
            true => Self::Usable,
            false if has(CREDENTIALS_URI) || has(CREDENTIALS_RELATIVE_URI) => Self::Usable,
            false => Self::Missing,
        }
    }

    /// Describes what is missing.
    fn problem(self) -> Option<String> {
        match self {
            Self::Usable => None,
            Self::Missing => Some(
                "this shell has no credentials; eval \"$(aws configure export-credentials --format \
                 env)\" sets those of the AWS CLI"
                    .into(),
            ),
            Self::WithoutSession => Some(format!(
                "this shell has no {SESSION_TOKEN}, without which {PROGRAM} takes no keys from an \
                 endpoint, where they are with --snap-start; \"aws sts get-session-token\" gives \
                 keys with one"
            )),
        }
    }
}

/// Returns the note; none when there is nothing to resolve.
pub fn describe(
    start: &RuntimeStart,
    environ: &Environ,
    credentials: ShellCredentials,
    wrapper_of_layer: bool,
) -> Option<String> {
    let wanted = wrapper_plan::read(&start.received_command(), environ, |plan| {
        plan.secrets(environ).ok().map(|request| Wanted::new(&request))
    })??;
    let names = wanted.names()?;
    let way_out = wanted.way_out();
    let problem = missing_program(start, wrapper_of_layer).or_else(|| credentials.problem());
    Some(match problem {
        None => format!("secrets: {names} from AWS, with the credentials of this shell{way_out}"),
        Some(problem) => format!("secrets: {names} cannot be resolved: {problem}{way_out}"),
    })
}

/// The variables without a value, and the prefixes of those that come from paths.
struct Wanted {
    variables: Vec<String>,
    prefixes: Vec<String>,
}

impl Wanted {
    fn new(request: &SecretRequest) -> Self {
        Self {
            variables: request.unset_variables().map(|wanted| wanted.name.clone()).collect(),
            prefixes: request.paths.iter().map(|path| format!("{}*", path.prefix)).collect(),
        }
    }

    fn names(&self) -> Option<String> {
        let names = [&self.variables[..], &self.prefixes].concat();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Returns how to rehearse without AWS, which does ask for a path whatever the variables hold.
    fn way_out(&self) -> String {
        match (&self.variables[..], &self.prefixes[..]) {
            ([first, ..], []) => format!("; --env {first}=VALUE gives a value without AWS"),
            _ => String::new(),
        }
    }
}

/// Describes that the program is missing where the wrapper looks for it.
fn missing_program(start: &RuntimeStart, wrapper_of_layer: bool) -> Option<String> {
    let add_layer = format!("add the layer {PROGRAM} with --layer");
    match start {
        // The bootstrap may lie anywhere, and may be another program.
        RuntimeStart::Bootstrap(..) => None,
        RuntimeStart::Wrapper(_) | RuntimeStart::ForewordBootstrap(_) if wrapper_of_layer => {
            let is_there = secrets::program_of_layer().exists();
            (!is_there).then(|| format!("none of these layers has {PROGRAM}; {add_layer}"))
        }
        RuntimeStart::Wrapper(_) | RuntimeStart::ForewordBootstrap(_) => {
            let program = secrets::program_path().ok().filter(|program| !program.exists())?;
            let program = program.display();
            Some(format!(
                "there is no {program}; install it (cargo install --path secrets), or {add_layer}"
            ))
        }
    }
}
