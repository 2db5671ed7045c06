//! What the bootstrap of a managed runtime exports before it executes the wrapper. Those of Python,
//! Node, Ruby and .NET are bash scripts (quoted in public, or published by AWS); Java's is none
//! (?), and nothing of it was seen.

use super::{CERTIFICATES, EMPTY_CERTIFICATES, REGION, Runtime, TASK_ROOT};
use crate::environ::Environ;
use std::ffi::OsStr;

/// Adds it to what the function was given. Python's bootstrap exports nothing of its own: above all
/// no `PYTHONPATH` (see `python_path`).
pub fn add_bootstrap_exports(name: &str, environ: &mut Environ) {
    let runtime = Runtime::from_identifier(name.as_bytes());
    match runtime {
        Runtime::Python | Runtime::Java | Runtime::Provided => {}
        Runtime::Node => node(name, environ),
        Runtime::Ruby => ruby(name, environ),
        Runtime::Dotnet => dotnet(name, environ),
    }
    if !matches!(runtime, Runtime::Java | Runtime::Provided) {
        // What bash makes by itself.
        environ.set("PWD", OsStr::new(TASK_ROOT));
        environ.set("SHLVL", OsStr::new("0"));
    }
}

/// From the script, quoted in public; recorded on the service, January 2026.
fn node(name: &str, environ: &mut Environ) {
    let version: String = name.chars().filter(char::is_ascii_digit).collect();
    let of_layers = format!("/opt/nodejs/node{version}/node_modules:/opt/nodejs/node_modules");
    let modules = format!("{of_layers}:/var/runtime/node_modules:/var/runtime:/var/task");
    set_if_empty(environ, "NODE_PATH", &modules);
    if matches!(name, "nodejs16.x" | "nodejs18.x") && environ.value("NODE_EXTRA_CA_CERTS").is_none()
    {
        let region = environ.lossy(REGION).unwrap_or_default().into_owned();
        let is_elsewhere = region.starts_with("cn-") || region.matches('-').count() == 3;
        let elsewhere = "/etc/pki/tls/certs/ca-bundle.crt";
        let file = if is_elsewhere { elsewhere } else { "/var/runtime/ca-cert.pem" };
        environ.set("NODE_EXTRA_CA_CERTS", OsStr::new(file));
    }
}

/// Recorded on the service, January 2026. `aws_lambda_ric`'s directory may come later, from its own
/// code (?); a `RUBYLIB` of the function's stands in the place of the last one (the script, quoted
/// in public).
fn ruby(name: &str, environ: &mut Environ) {
    let version = format!("{}.0", name.trim_start_matches("ruby"));
    set_if_empty(environ, "GEM_HOME", "/var/runtime");
    let gems = format!("/var/task/vendor/bundle/ruby/{version}:/opt/ruby/gems/{version}");
    set_if_empty(environ, "GEM_PATH", &format!("{gems}:/var/runtime:/var/runtime/ruby/{version}"));
    let last = environ.lossy("RUBYLIB").unwrap_or("/opt/ruby/lib".into()).into_owned();
    let library =
        format!("/var/runtime/gems/aws_lambda_ric-3.1.3/lib:/var/task:/var/runtime/lib:{last}");
    environ.set("RUBYLIB", OsStr::new(&library));
    for (name, again) in [("PATH", "/var/lang/bin"), ("LD_LIBRARY_PATH", "/var/lang/lib")] {
        let before = environ.lossy(name).unwrap_or_default().into_owned();
        environ.set(name, OsStr::new(&format!("{again}:{before}")));
    }
}

/// From AWS's published bootstrap; recorded on the service, January 2026.
fn dotnet(name: &str, environ: &mut Environ) {
    environ.set("LAMBDA_RUNTIME_NAME", OsStr::new(name));
    environ.set("DOTNET_ROOT", OsStr::new("/var/lang/bin"));
    if name == "dotnet8" {
        set_if_empty(environ, CERTIFICATES, EMPTY_CERTIFICATES);
    }
}

fn set_if_empty(environ: &mut Environ, name: &str, value: &str) {
    if environ.non_empty(name).is_none() {
        environ.set(name, OsStr::new(value));
    }
}
