//! The command line that the bootstrap of a runtime executes, or passes to the exec wrapper. Sizes depend
//! on the function's memory. File names with versions change with time.

use super::{ARCHITECTURE, HANDLER, MEMORY_SIZE, Runtime, TASK_ROOT, TASK_ROOT_VARIABLE};
use crate::environ::Environ;
use std::ffi::{OsStr, OsString};

/// Returns the command line of a runtime, for the environment that Lambda gives its bootstrap. `exists` tells
/// whether the function's code has a file. On an OS-only runtime, it is the function's executable,
/// which foreword executes as `/opt/bootstrap`.
pub fn bootstrap_command_line(
    name: &str,
    environ: &Environ,
    exists: &dyn Fn(&str) -> bool,
) -> Vec<OsString> {
    let handler = environ.value(HANDLER).unwrap_or_default();
    match Runtime::from_identifier(name.as_bytes()) {
        // The script, quoted in public for 3.10 and 3.11; recorded in stack traces of 3.13.
        Runtime::Python => words(&format!("/var/lang/bin/{name} /var/runtime/bootstrap.py")),
        Runtime::Node => node(name, environ),
        Runtime::Java => java(name, environ, handler),
        // The script, quoted in public for 2.7; stack traces of 3.x.
        Runtime::Ruby => words("/var/lang/bin/ruby /var/runtime/index.rb"),
        Runtime::Dotnet => dotnet(environ, handler, exists),
        Runtime::Provided => {
            let mut program = environ.value(TASK_ROOT_VARIABLE).unwrap_or_default().to_owned();
            program.push("/");
            program.push(handler);
            vec![program]
        }
    }
}

/// Describes the part of a runtime's command line that is inferred because it was never seen in public.
pub fn inferred_parts(name: &str) -> Option<&'static str> {
    match name {
        "nodejs20.x" | "nodejs22.x" => {
            Some("its options stand here as nodejs18.x has them, with those that AWS documents")
        }
        "nodejs24.x" => Some(
            "its options stand here as nodejs18.x has them, and its sizes follow a rule of their \
             own",
        ),
        "java8.al2" | "java11" => {
            Some("the values of its sizes and the files of its class path are not known")
        }
        "java21" | "java25" => Some("its options stand here as java17 has them"),
        _ => None,
    }
}

/// Returns the function's memory in MB.
fn memory(environ: &Environ) -> u64 {
    environ.lossy(MEMORY_SIZE).and_then(|size| size.parse().ok()).unwrap_or(128)
}

/// Sources: for 16 and 18, the script, quoted in public. For 20 to 24, the same options (?), and those that
/// "Building Lambda functions with Node.js" documents for `require` and the detection of modules
/// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html>). 24 leaves out a size that
/// `NODE_OPTIONS` has (the script, quoted in public).
fn node(name: &str, environ: &Environ) -> Vec<OsString> {
    let memory = memory(environ);
    let young = memory / 10;
    let given = environ.lossy("NODE_OPTIONS").unwrap_or_default();
    let has = |option: &str| {
        let is = |word: &str| {
            word.split('=').next().is_some_and(|name| name.replace('_', "-") == option)
        };
        given.split_ascii_whitespace().any(is)
    };
    let mut line = String::from("/var/lang/bin/node --expose-gc --max-http-header-size 81920");
    for (option, size) in
        [("--max-semi-space-size", young / 2), ("--max-old-space-size", memory - young)]
    {
        if name != "nodejs24.x" || !has(option) {
            line += &format!(" {option}={size}");
        }
    }
    if matches!(name, "nodejs20.x" | "nodejs22.x") && !has("--experimental-require-module") {
        line += " --no-experimental-require-module";
    }
    if name == "nodejs22.x" && !has("--experimental-detect-module") {
        line += " --no-experimental-detect-module";
    }
    words(&(line + " /var/runtime/index.mjs"))
}

/// Sources: for java17, recorded on the service, 2023 and 2024. For java8.al2 and 11, the script, quoted in
/// public, without its values (?). For java21 and 25, main class, handler and options are those of
/// java17 (?).
fn java(name: &str, environ: &Environ, handler: &OsStr) -> Vec<OsString> {
    const LIBRARY: &str = "/var/runtime/lib";
    let kilobytes = memory(environ) * 1024;
    let heap = format!("/var/lang/bin/java -XX:MaxHeapSize={}k", (kilobytes * 85).div_ceil(100));
    let agent = format!("-javaagent:{LIBRARY}/Log4jHotPatch.jar=log4jFixerVerbose=false");
    if matches!(name, "java8.al2" | "java11") {
        // (?) A tenth and a twentieth of the memory.
        let sizes = format!(
            "-XX:MaxMetaspaceSize={}k -XX:ReservedCodeCacheSize={}k",
            kilobytes / 10,
            kilobytes / 20
        );
        let options =
            "-XX:+UseSerialGC -Xshare:on -XX:SharedArchiveFile=/var/lang/lib/server/runtime.jsa";
        let last = "-XX:-TieredCompilation -Djava.net.preferIPv4Stack=true";
        let jars = ["core-1.2.0", "runtime-0.2.0", "serialization-0.2.0"]
            .map(|jar| format!("{LIBRARY}/aws-lambda-java-{jar}.jar"));
        let entry = format!("-classpath {} lambdainternal.AWSLambda", jars.join(":"));
        return words(&format!("{heap} {sizes} {options} {agent} {last} {entry}"));
    }
    let machine = if ARCHITECTURE == "arm64" { "aarch_64" } else { "x86_64" };
    let client = "com.amazonaws.services.lambda.runtime.api.client";
    let options = format!(
        "-XX:+UseSerialGC -Xshare:on -XX:SharedArchiveFile=/var/lang/lib/server/runtime.jsa \
         -XX:+TieredCompilation -XX:TieredStopAtLevel=1 --add-opens=java.base/java.io=ALL-UNNAMED \
         -Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac -XX:+ErrorFileToStderr \
         -D{client}.runtimeapi.NativeClient.JNI={LIBRARY}/jni/libaws-lambda-jni.linux-{machine}.so"
    );
    // The names carry versions.
    let jars = ["core-1.2.3", "runtime-interface-client-2.5.0", "serialization-1.1.5"]
        .map(|jar| format!("{LIBRARY}/aws-lambda-java-{jar}.jar"));
    let mut line = words(&format!(
        "{heap} {agent} {options} -classpath {} {client}.AWSLambda",
        jars.join(":")
    ));
    line.push(handler.to_owned());
    line
}

/// Source: `Libraries/src/Amazon.Lambda.RuntimeSupport/bootstrap.sh` of
/// <https://github.com/aws/aws-lambda-dotnet>. A handler with `:` names a method, and one without an
/// assembly or an executable. Not implemented: where the handler's first part names no assembly, the
/// script takes the one of a single `*.deps.json`, which needs the function's files.
fn dotnet(environ: &Environ, handler: &OsStr, exists: &dyn Fn(&str) -> bool) -> Vec<OsString> {
    let text = handler.to_string_lossy();
    let root = environ.lossy(TASK_ROOT_VARIABLE).unwrap_or(TASK_ROOT.into());
    let Some((first, _)) = text.split_once(':') else {
        let executable = format!("{root}/{text}");
        let assembly =
            if text.ends_with(".dll") { executable.clone() } else { format!("{executable}.dll") };
        return match exists(&executable) && !exists(&assembly) {
            true => vec![executable.into()],
            false => {
                words("/var/lang/bin/dotnet exec").into_iter().chain([assembly.into()]).collect()
            }
        };
    };
    let main = environ.lossy("LAMBDA_DOTNET_MAIN_ASSEMBLY");
    let assembly = main.as_deref().map_or(first, |main| main.strip_suffix(".dll").unwrap_or(main));
    let files = [("depsfile", "deps"), ("runtimeconfig", "runtimeconfig")];
    let options = files
        .map(|(option, kind)| [format!("--{option}"), format!("{root}/{assembly}.{kind}.json")]);
    let mut line = words("/var/lang/bin/dotnet exec");
    line.extend(options.into_iter().flatten().map(OsString::from));
    line.push("/var/runtime/Amazon.Lambda.RuntimeSupport.dll".into());
    line.push(handler.to_owned());
    line
}

/// Splits a command line into words.
fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::CommandLine;
    use crate::lambda::{MANAGED_RUNTIMES, check_runtime, initial_environ};

    #[test]
    fn command_line_of_every_managed_runtime_has_an_entry() {
        for name in MANAGED_RUNTIMES {
            let environ = initial_environ(name, None).unwrap_or_else(|error| panic!("{error}"));
            let mut words = bootstrap_command_line(name, &environ, &|_| false);
            let arguments = words.split_off(1);
            let line = CommandLine::parse(words.remove(0), arguments, |_| {
                unreachable!("no argument file")
            });
            assert!(line.entry().is_some(), "{name}");
        }
        for unknown in ["python", "python3", "node22", "nodejs22", "java", "go1.x", ""] {
            assert!(check_runtime(unknown).is_err(), "{unknown}");
        }
    }
}
