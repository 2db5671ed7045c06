//! The note about the secrets that the wrapper will resolve: with what, or what this machine lacks.
//! Resolves nothing itself.

use super::start::RuntimeStart;
use super::wrapper_plan;
use crate::environ::Environ;
use crate::lambda::{ACCESS_KEY_ID, CREDENTIALS_URI, SECRET_ACCESS_KEY};
use crate::plan::SecretRequest;
use crate::secrets::{self, PROGRAM};

/// The other variable that leads to an endpoint for credentials
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
const CREDENTIALS_PATH: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";

/// Returns the note; none when there is nothing to resolve.
pub fn describe(start: &RuntimeStart, environ: &Environ, wrapper_of_layer: bool) -> Option<String> {
    let wanted = wrapper_plan::read(&start.received_command(), environ, |plan| {
        plan.secrets(environ).ok().map(|request| Wanted::new(&request))
    })??;
    let names = wanted.names()?;
    let way_out = wanted.way_out();
    let lacking = missing_program(start, wrapper_of_layer)
        .or_else(|| (!has_credentials(environ)).then(missing_credentials));
    Some(match lacking {
        None => {
            format!("secrets: {names} from AWS, with the credentials of this shell{way_out}")
        }
        Some(lacking) => format!("secrets: {names} cannot be resolved: {lacking}{way_out}"),
    })
}

/// The variables without a value, and the prefixes of those that come from paths.
struct Wanted {
    variables: Vec<String>,
    prefixes: Vec<String>,
}

impl Wanted {
    fn new(request: &SecretRequest) -> Self {
        let wanted = request.variables.iter().filter(|variable| !variable.is_kept);
        Self {
            variables: wanted.map(|variable| variable.name.clone()).collect(),
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

/// Reports whether the environment has credentials where the program looks for them.
fn has_credentials(environ: &Environ) -> bool {
    let has = |name: &&str| environ.non_empty(name).is_some();
    [ACCESS_KEY_ID, SECRET_ACCESS_KEY].iter().all(has)
        || [CREDENTIALS_URI, CREDENTIALS_PATH].iter().any(has)
}

fn missing_credentials() -> String {
    "this shell has no credentials; eval \"$(aws configure export-credentials --format env)\" \
     sets those of the AWS CLI"
        .into()
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
