//! The packages of layers for a runtime client that runs here: on Lambda, the bootstrap of a
//! managed runtime tells the interpreter where they are
//! (<https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html>, and the bootstraps of the
//! runtimes).

use super::start::RuntimeStart;
use crate::environ::Environ;
use crate::lambda::Runtime;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The work of the bootstrap of Python's runtime before it starts the client. An empty PYTHONPATH
/// counts as set.
const BOOTSTRAP: &str = r#"import os
import site
import sys

sys.path.pop(0)
root = os.environ["LAMBDA_TASK_ROOT"]
directories = ["/opt/python/lib/<runtime>/site-packages", "/opt/python"]
is_set = "PYTHONPATH" in os.environ
if not is_set:
    sys.path[:0] = directories
sys.path.insert(0, root)
for directory in [root] + ([] if is_set else directories):
    site.addsitedir(directory)
if not is_set:
    os.environ["PYTHONPATH"] = os.environ["LAMBDA_RUNTIME_DIR"]

from awslambdaric.__main__ import main

main(sys.argv)
"#;

/// Adds the packages of layers to the search paths of the runtime; returns a note. `directory`
/// makes a directory of this simulation's own.
///
/// # Errors
/// When the file that stands for the bootstrap cannot be written.
pub fn add_layer_packages(
    name: &str,
    start: &mut RuntimeStart,
    environ: &mut Environ,
    root: &Path,
    directory: impl FnOnce() -> io::Result<PathBuf>,
) -> io::Result<Option<String>> {
    let RuntimeStart::Wrapper(words) = start else { return Ok(None) };
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let root = root.display();
    Ok(match Runtime::from_identifier(name.as_bytes()) {
        Runtime::Python => {
            let Some(at) =
                words.windows(2).position(|pair| pair[0] == "-m" && pair[1] == "awslambdaric")
            else {
                return Ok(None);
            };
            let script = directory()?.join("bootstrap.py");
            fs::write(&script, BOOTSTRAP.replace("<runtime>", name))?;
            words.splice(at..at + 2, [script.into_os_string()]);
            Some(format!(
                "packages of layers: /opt/python/lib/{name}/site-packages and /opt/python, as the \
                 bootstrap of {name} adds them while PYTHONPATH is unset"
            ))
        }
        Runtime::Node => set_search_path(environ, "NODE_PATH", || {
            let layers = format!("/opt/nodejs/node{digits}/node_modules:/opt/nodejs/node_modules");
            format!("{layers}:/var/runtime/node_modules:/var/runtime:{root}")
        }),
        Runtime::Ruby => {
            let version = format!("{}.0", name.trim_start_matches("ruby"));
            let gems = set_search_path(environ, "GEM_PATH", || {
                format!("{root}/vendor/bundle/ruby/{version}:/opt/ruby/gems/{version}")
            });
            let libraries = set_search_path(environ, "RUBYLIB", || format!("{root}:/opt/ruby/lib"));
            match (gems, libraries) {
                (Some(gems), Some(libraries)) => Some(format!("{gems}; {libraries}")),
                (gems, libraries) => gems.or(libraries),
            }
        }
        Runtime::Java => append_class_path(words),
        Runtime::Dotnet | Runtime::Provided => None,
    })
}

/// Sets a variable that is unset or empty, as the bootstrap does before it starts the wrapper.
fn set_search_path(
    environ: &mut Environ,
    name: &str,
    value: impl FnOnce() -> String,
) -> Option<String> {
    if environ.non_empty(name).is_some() {
        return Some(format!("packages of layers: only those that {name} names, which is set"));
    }
    let value = value();
    environ.set(name, OsStr::new(&value));
    Some(format!("packages of layers: {name}={value}"))
}

/// Appends the layers' jars to the function's class path.
fn append_class_path(words: &mut [OsString]) -> Option<String> {
    let at = words.iter().position(|word| {
        ["-cp", "-classpath", "--class-path"].iter().any(|option| word == option)
    })?;
    let class_path = words.get_mut(at + 1)?;
    class_path.push(":/opt/java/lib/*");
    Some("packages of layers: /opt/java/lib/*.jar, behind the class path".into())
}
