//! The start of the runtime: through foreword, as a managed runtime's bootstrap and an image's
//! ENTRYPOINT do, or as the bootstrap of an OS-only runtime. Without a program it finds the
//! runtime's client on this machine.

use crate::cli::function::image;
use crate::cli::options::FunctionOptions;
use crate::config;
use crate::environ::Environ;
use crate::lambda::{FOREWORD, HANDLER, LAYER_BOOTSTRAP, Runtime};
use crate::process;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The file name that Lambda looks for in the code of an OS-only runtime, and in its layers.
const BOOTSTRAP: &str = "bootstrap";

/// The class of Java's runtime client.
const JAVA_CLIENT: &str = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda";
const JAVA_CLIENT_JAR: &str = "aws-lambda-java-runtime-interface-client";

pub enum RuntimeStart {
    /// foreword is started with this command line.
    Wrapper(Vec<OsString>),
    /// Lambda starts this file; foreword takes part only if the file is foreword, or starts it.
    Bootstrap(PathBuf, Vec<OsString>),
    /// foreword is the bootstrap, and executes the handler.
    ForewordBootstrap(OsString),
}

impl RuntimeStart {
    /// Returns the command line that foreword receives, as far as it takes part.
    pub fn received_command(&self) -> Vec<OsString> {
        match self {
            Self::Wrapper(words) => words.clone(),
            Self::Bootstrap(path, words) => [&[path.clone().into_os_string()][..], words].concat(),
            Self::ForewordBootstrap(handler) => vec![handler.clone()],
        }
    }

    /// Finds out how the runtime of a function in this directory is started; returns notes about it
    /// as well.
    ///
    /// # Errors
    /// When there is nothing to start; says what to name.
    pub fn resolve(
        options: &FunctionOptions,
        environ: &mut Environ,
        root: &Path,
        has_layers: bool,
    ) -> Result<(Self, Vec<String>), String> {
        let (words, note) = image::without_foreword(&options.command);
        let mut notes: Vec<_> = note.into_iter().collect();
        let is_os_only =
            options.runtime.as_deref().is_some_and(|name| name.starts_with("provided"));
        if let Some((program, arguments)) = words.split_first() {
            if let ([_, .., handler], None) = (&words[..], environ.non_empty(HANDLER)) {
                environ.set(HANDLER, handler);
            }
            let path = root.join(program);
            let is_bootstrap =
                is_os_only && path == root.join(BOOTSTRAP) && program.as_bytes().contains(&b'/');
            // A second foreword would run every initialize hook twice.
            if is_bootstrap || (path.is_file() && process::is_this_program(&path)) {
                return Ok((Self::bootstrap(path, arguments.to_vec(), &mut notes), notes));
            }
            return Ok((Self::Wrapper(words), notes));
        }
        let Some(name) = &options.runtime else {
            return Err(
                "unable to start a function: there is no program; name it behind --, or a \
                 runtime with --runtime"
                    .into(),
            );
        };
        if is_os_only {
            return Self::os_only(name, environ, root, has_layers, notes);
        }
        let words = client(name, environ, root)?;
        let shown = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        notes.push(format!("the runtime's client on this machine: {shown}"));
        Ok((Self::Wrapper(words), notes))
    }

    /// Chooses the bootstrap as Lambda does: that of the code, else that of a layer.
    fn os_only(
        name: &str,
        environ: &Environ,
        root: &Path,
        has_layers: bool,
        mut notes: Vec<String>,
    ) -> Result<(Self, Vec<String>), String> {
        let of_code = root.join(BOOTSTRAP);
        if of_code.is_file() {
            return Ok((Self::bootstrap(of_code, Vec::new(), &mut notes), notes));
        }
        let of_layer = PathBuf::from(LAYER_BOOTSTRAP);
        if has_layers && of_layer.is_file() && !is_foreword(&of_layer) {
            return Ok((Self::bootstrap(of_layer, Vec::new(), &mut notes), notes));
        }
        match config::handler_path(environ) {
            Some(handler) => {
                if has_layers && !of_layer.is_file() {
                    notes.push(format!(
                        "no layer has a {BOOTSTRAP}, which Lambda would start: this foreword \
                         stands for that of the layer foreword-bootstrap"
                    ));
                }
                Ok((Self::ForewordBootstrap(handler), notes))
            }
            None => Err(format!(
                "unable to start the function: {} has no {BOOTSTRAP}, and {HANDLER}, which names \
                 the function's executable, is not set; add --env {HANDLER}=NAME, or name the \
                 program: foreword simulate --runtime {name} -- ./NAME",
                root.display()
            )),
        }
    }

    fn bootstrap(path: PathBuf, arguments: Vec<OsString>, notes: &mut Vec<String>) -> Self {
        if !is_foreword(&path) {
            notes.push(format!(
                "Lambda starts {} itself, and no wrapper: foreword takes part only if that starts \
                 it",
                path.display()
            ));
        }
        Self::Bootstrap(path, arguments)
    }
}

/// Returns whether a file is foreword, be it this one or that of a layer.
fn is_foreword(path: &Path) -> bool {
    let target = path.canonicalize().unwrap_or_default();
    process::is_this_program(path)
        || target.file_name() == Some(OsStr::new("foreword"))
        || Path::new(FOREWORD).canonicalize().is_ok_and(|wrapper| wrapper == target)
}

/// Returns the command line that starts the client of a managed runtime on this machine.
fn client(name: &str, environ: &mut Environ, root: &Path) -> Result<Vec<OsString>, String> {
    let runtime = Runtime::from_identifier(name.as_bytes());
    let default = match runtime {
        Runtime::Node => "index.handler",
        Runtime::Java => "app.Handler::handleRequest",
        Runtime::Dotnet => "App::App.Function::Handler",
        Runtime::Python | Runtime::Ruby | Runtime::Provided => "app.handler",
    };
    if environ.non_empty(HANDLER).is_none() {
        environ.set(HANDLER, default.as_ref());
    }
    let handler = environ.value(HANDLER).unwrap_or_default().to_owned();
    let (found, what, example) = match runtime {
        Runtime::Python => (
            python(name, environ).map(|python| vec![python, "-m".into(), "awslambdaric".into()]),
            "no python3 in PATH has the module awslambdaric; install it with \"pip install \
             awslambdaric\"",
            "python3 -m awslambdaric",
        ),
        Runtime::Node => (
            node(environ, root),
            "there is no aws-lambda-ric, neither below node_modules nor in PATH; install it with \
             \"npm install aws-lambda-ric\"",
            "npx aws-lambda-ric",
        ),
        Runtime::Ruby => (
            process::is_in_path("aws_lambda_ric".as_ref(), environ)
                .then(|| vec!["aws_lambda_ric".into()]),
            "there is no aws_lambda_ric in PATH; install it with \"gem install aws_lambda_ric\"",
            "aws_lambda_ric",
        ),
        Runtime::Java => (
            java(root),
            "no jar of aws-lambda-java-runtime-interface-client lies beside the code, in lib or \
             in target/dependency",
            "java -cp 'target/classes:target/dependency/*' \
             com.amazonaws.services.lambda.runtime.api.client.AWSLambda",
        ),
        Runtime::Dotnet | Runtime::Provided => (
            None,
            "the client of .NET is part of what a function is built to",
            "dotnet exec --depsfile App.deps.json --runtimeconfig App.runtimeconfig.json \
             Amazon.Lambda.RuntimeSupport.dll",
        ),
    };
    let Some(mut words) = found else {
        let handler = handler.to_string_lossy();
        return Err(format!(
            "unable to start {name}: {what}, or name its command line: foreword simulate \
             --runtime {name} -- {example} {handler}"
        ));
    };
    words.push(handler);
    Ok(words)
}

/// Returns the interpreter in PATH that has the client; that of the runtime's version is preferred.
fn python(name: &str, environ: &Environ) -> Option<OsString> {
    let has_client = |program: &&str| {
        let mut command = Command::new(program);
        command
            .args(["-c", "import awslambdaric"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        for variable in ["PATH", "PYTHONPATH"] {
            match environ.value(variable) {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        process::is_in_path(program.as_ref(), environ)
            && command.status().is_ok_and(|status| status.success())
    };
    [name, "python3", "python"].into_iter().find(has_client).map(OsString::from)
}

fn node(environ: &Environ, root: &Path) -> Option<Vec<OsString>> {
    let modules = environ.value("NODE_PATH").unwrap_or_default().to_owned();
    let modules = std::env::split_paths(&modules).collect::<Vec<_>>();
    let directories = [root.join("node_modules")].into_iter().chain(modules);
    let files = directories.flat_map(|directory| {
        ["bin/index.mjs", "bin/index.js"].map(|file| directory.join("aws-lambda-ric").join(file))
    });
    let of_code = files
        .filter(|file| file.is_file())
        .map(|file| vec!["node".into(), file.into_os_string()])
        .next();
    let in_path = || {
        process::is_in_path("aws-lambda-ric".as_ref(), environ)
            .then(|| vec!["aws-lambda-ric".into()])
    };
    of_code.or_else(in_path)
}

fn java(root: &Path) -> Option<Vec<OsString>> {
    let has_client = |directory: &PathBuf| {
        let listed = std::fs::read_dir(directory).into_iter().flatten().flatten();
        listed
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .any(|name| name.starts_with(JAVA_CLIENT_JAR) && name.ends_with(".jar"))
    };
    let directories = ["", "lib", "target/dependency"].map(|directory| root.join(directory));
    let directory = directories.iter().find(|directory| has_client(directory))?;
    let parts = [root.to_owned(), root.join("target/classes"), directory.join("*")];
    let class_path = std::env::join_paths(parts).ok()?;
    Some(vec!["java".into(), "-cp".into(), class_path, JAVA_CLIENT.into()])
}
