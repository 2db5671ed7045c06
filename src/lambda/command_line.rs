//! The command line that the bootstrap of a runtime executes, and hands a wrapper. Sizes follow the
//! function's memory; file names that carry versions change with time.

use super::{ARCHITECTURE, HANDLER, MEMORY_SIZE, Runtime, TASK_ROOT, TASK_ROOT_VARIABLE};
use crate::environ::Environ;
use std::ffi::{OsStr, OsString};

/// What is executed, given the environment that the bootstrap was started with; `is_there` tells of
/// the function's files. An OS-only runtime starts foreword as `/opt/bootstrap`, and foreword the
/// function's executable.
pub fn bootstrap_command_line(
    name: &str,
    environ: &Environ,
    is_there: &dyn Fn(&str) -> bool,
) -> Vec<OsString> {
    let handler = environ.value(HANDLER).unwrap_or_default();
    match Runtime::from_identifier(name.as_bytes()) {
        // The script, quoted in public for 3.10 and 3.11; recorded in stack traces of 3.13.
        Runtime::Python => words(&format!("/var/lang/bin/{name} /var/runtime/bootstrap.py")),
        Runtime::Node => node(name, environ),
        Runtime::Java => java(name, environ, handler),
        // The script, quoted in public for 2.7; stack traces of 3.x.
        Runtime::Ruby => words("/var/lang/bin/ruby /var/runtime/index.rb"),
        Runtime::Dotnet => dotnet(environ, handler, is_there),
        Runtime::Provided => {
            let mut program = environ.value(TASK_ROOT_VARIABLE).unwrap_or_default().to_owned();
            program.push("/");
            program.push(handler);
            vec![program]
        }
    }
}

/// What of a runtime's command line nobody saw in public, in words; nothing, where all of it was
/// seen.
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

/// The function's memory in MB.
fn memory(environ: &Environ) -> u64 {
    environ.lossy(MEMORY_SIZE).and_then(|size| size.parse().ok()).unwrap_or(128)
}

/// 16 and 18: the script, quoted in public. 20 to 24: the like (?), and what AWS's documentation
/// says of `require` and of the detection of modules; 24 leaves out a size that `NODE_OPTIONS` has
/// (the script, quoted in public).
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

/// java17: recorded on the service, 2023 and 2024. java8.al2 and 11: the script, quoted in public,
/// without its values (?). java21 and 25: main class and handler as in java17 (?), and the options,
/// which nobody saw, too (?).
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

/// From AWS's published bootstrap. A handler with `:` is a method, and one without is an assembly
/// or an executable. That a lone `*.deps.json` names the assembly where the handler's first part
/// has none is left out: it needs the function's files.
fn dotnet(environ: &Environ, handler: &OsStr, is_there: &dyn Fn(&str) -> bool) -> Vec<OsString> {
    let text = handler.to_string_lossy();
    let root = environ.lossy(TASK_ROOT_VARIABLE).unwrap_or(TASK_ROOT.into());
    let Some((first, _)) = text.split_once(':') else {
        let executable = format!("{root}/{text}");
        let assembly =
            if text.ends_with(".dll") { executable.clone() } else { format!("{executable}.dll") };
        return match is_there(&executable) && !is_there(&assembly) {
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

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::CommandLine;
    use crate::lambda::{MANAGED_RUNTIMES, check_runtime, initial_environ};

    #[test]
    fn every_runtime_has_a_command_line_that_foreword_understands() {
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
