//! What Lambda starts a function of a runtime with: the runtime's command line and its environment, on a fresh and
//! on-demand environment of 128 MB. Credentials are left out; sizes and file names of the runtime's own change with time.

use crate::condition::Runtime;
use crate::environ::Environ;
use crate::glob::{Case, Glob};
use crate::text::Text;
use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The identifiers that Lambda has, and those that are like them.
const IDENTIFIERS: [&str; 10] = [
    "python3.[0-9]",
    "python3.[0-9][0-9]",
    "nodejs[0-9][0-9].x",
    "java8.al2",
    "java[0-9][0-9]",
    "ruby[0-9].[0-9]",
    "dotnet[0-9]",
    "dotnet[0-9][0-9]",
    "provided.al2",
    "provided.al2023",
];

/// What functions of every runtime find (AWS's documentation, "Defined runtime environment variables").
const COMMON: [&CStr; 19] = [
    c"PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    c"LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    c"LANG=en_US.UTF-8",
    c"TZ=:UTC",
    c"LAMBDA_TASK_ROOT=/var/task",
    c"LAMBDA_RUNTIME_DIR=/var/runtime",
    c"AWS_REGION=us-east-1",
    c"AWS_DEFAULT_REGION=us-east-1",
    c"AWS_LAMBDA_FUNCTION_NAME=my-function",
    c"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
    c"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
    c"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/my-function",
    c"AWS_LAMBDA_LOG_STREAM_NAME=2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
    c"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
    c"AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001",
    c"AWS_LAMBDA_EXEC_WRAPPER=/opt/bin/foreword",
    c"AWS_XRAY_CONTEXT_MISSING=LOG_ERROR",
    c"AWS_XRAY_DAEMON_ADDRESS=169.254.79.129:2000",
    c"_AWS_XRAY_DAEMON_ADDRESS=169.254.79.129",
];

/// # Errors
/// When Lambda has no such runtime.
pub fn known(name: &str) -> Result<(), String> {
    let is_like = |glob: &str| {
        let text = Text::new(glob).expect("a text without variables");
        Glob::new(&text, &Environ::default()).matches(name.as_bytes(), Case::Respected)
    };
    if IDENTIFIERS.iter().any(|glob| is_like(glob)) {
        return Ok(());
    }
    let examples = "python3.12, nodejs22.x, java21, ruby3.4, dotnet8 or provided.al2023";
    Err(format!("Lambda has no runtime {name:?}; name one as Lambda does, such as {examples}"))
}

/// What Lambda's bootstrap gives the process of a runtime, and what of foreword's own variables this shell has.
///
/// # Errors
/// When Lambda has no such runtime.
pub fn environ<'e>(name: &str, own: &Environ<'e>) -> Result<Environ<'e>, String> {
    known(name)?;
    let runtime = Runtime::of_identifier(name.as_bytes());
    let mut environ = Environ::from_entries(COMMON);
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let handler = match runtime {
        Runtime::Python | Runtime::Ruby => "app.handler",
        Runtime::Node => "index.handler",
        Runtime::Java => "app.Handler::handleRequest",
        Runtime::Dotnet => "App::App.Function::Handler",
        Runtime::Provided => "app",
    };
    environ.set("_HANDLER", OsStr::new(handler));
    let language = match runtime {
        Runtime::Python => Some(("PYTHONPATH", "/var/runtime".into())),
        Runtime::Node => {
            let layers = format!("/opt/nodejs/node{digits}/node_modules:/opt/nodejs/node_modules");
            Some(("NODE_PATH", format!("{layers}:/var/runtime/node_modules:/var/runtime:/var/task")))
        }
        Runtime::Ruby => {
            let version = format!("{}.0", name.trim_start_matches("ruby"));
            Some(("GEM_PATH", format!("/var/task/vendor/bundle/ruby/{version}:/opt/ruby/gems/{version}")))
        }
        Runtime::Java | Runtime::Dotnet | Runtime::Provided => None,
    };
    if let Some((name, value)) = language {
        environ.set(name, OsStr::new(&value));
    }
    if runtime != Runtime::Provided {
        environ.set("AWS_EXECUTION_ENV", OsStr::new(&["AWS_Lambda_", name].concat()));
    }
    for entry in own.entries() {
        let bytes = entry.to_bytes();
        let Some(length) = bytes.iter().position(|&byte| byte == b'=') else { continue };
        if let Ok(name) = str::from_utf8(&bytes[..length])
            && name.starts_with("FOREWORD_")
        {
            environ.set(name, OsStr::from_bytes(&bytes[length + 1..]));
        }
    }
    Ok(environ)
}

/// What the runtime's bootstrap executes, and hands a wrapper. An OS-only runtime starts foreword as `/opt/bootstrap`.
pub fn command_line(name: &str, environ: &Environ) -> Vec<OsString> {
    const JVM: &str = "/var/lang/bin/java -XX:MaxHeapSize=111412k -XX:+UseSerialGC -Xshare:on \
                       -XX:SharedArchiveFile=/var/lang/lib/server/runtime.jsa";
    const JARS: &str = "-classpath /var/runtime/lib/aws-lambda-java-core.jar";
    let handler = environ.value("_HANDLER").unwrap_or_default();
    let (line, has_handler) = match Runtime::of_identifier(name.as_bytes()) {
        Runtime::Python => (format!("/var/lang/bin/{name} /var/runtime/bootstrap.py"), false),
        Runtime::Node => {
            let sizes = "--max-http-header-size 81920 --max-semi-space-size=6 --max-old-space-size=116";
            (format!("/var/lang/bin/node --expose-gc {sizes} /var/runtime/index.mjs"), false)
        }
        Runtime::Java if matches!(name, "java8.al2" | "java11") => {
            let options = "-XX:-TieredCompilation -Djava.net.preferIPv4Stack=true";
            let jars = format!("{JARS}:/var/runtime/lib/aws-lambda-java-runtime.jar");
            (format!("{JVM} {options} {jars} lambdainternal.AWSLambda"), false)
        }
        Runtime::Java => {
            let options = "-XX:+TieredCompilation -XX:TieredStopAtLevel=1 --add-opens=java.base/java.io=ALL-UNNAMED";
            let jars = format!("{JARS}:/var/runtime/lib/aws-lambda-java-runtime-interface-client.jar");
            let main = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda";
            (format!("{JVM} {options} -Djava.net.preferIPv4Stack=true {jars} {main}"), true)
        }
        Runtime::Ruby => ("/var/lang/bin/ruby /var/runtime/index.rb".into(), false),
        Runtime::Dotnet => {
            let handler = handler.to_string_lossy();
            let assembly = handler.split("::").next().unwrap_or_default();
            let files = ["depsfile", "runtimeconfig"].map(|option| {
                let kind = if option == "depsfile" { "deps" } else { option };
                format!("--{option} /var/task/{assembly}.{kind}.json")
            });
            let main = "/var/runtime/Amazon.Lambda.RuntimeSupport.dll";
            (format!("/var/lang/bin/dotnet exec {} {main}", files.join(" ")), true)
        }
        Runtime::Provided => {
            let mut program = environ.value("LAMBDA_TASK_ROOT").unwrap_or_default().to_owned();
            program.push("/");
            program.push(handler);
            return vec![program];
        }
    };
    let words = line.split(' ').map(OsString::from);
    words.chain(has_handler.then(|| handler.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::CommandLine;

    #[test]
    fn every_runtime_has_an_environment_and_a_command_line_that_foreword_understands() {
        for (name, program, entry) in [
            ("python3.8", "/var/lang/bin/python3.8", Some("/var/runtime/bootstrap.py")),
            ("python3.12", "/var/lang/bin/python3.12", Some("/var/runtime/bootstrap.py")),
            ("nodejs22.x", "/var/lang/bin/node", Some("/var/runtime/index.mjs")),
            ("java8.al2", "/var/lang/bin/java", Some("lambdainternal.AWSLambda")),
            ("java11", "/var/lang/bin/java", Some("lambdainternal.AWSLambda")),
            ("java21", "/var/lang/bin/java", Some("com.amazonaws.services.lambda.runtime.api.client.AWSLambda")),
            ("ruby3.4", "/var/lang/bin/ruby", Some("/var/runtime/index.rb")),
            ("dotnet8", "/var/lang/bin/dotnet", Some("/var/runtime/Amazon.Lambda.RuntimeSupport.dll")),
            ("provided.al2023", "/var/task/app", None),
        ] {
            let environ = environ(name, &Environ::default()).unwrap_or_else(|error| panic!("{error}"));
            let mut words = command_line(name, &environ);
            let arguments = words.split_off(1);
            assert_eq!(words[0], program);
            let line = CommandLine::parse(words.remove(0), arguments, |_| unreachable!("no argument file"));
            assert_eq!(line.entry(), entry.map(OsStr::new), "{name}");
        }
        for unknown in ["python", "python3", "node22", "nodejs22", "java", "go1.x", ""] {
            assert!(environ(unknown, &Environ::default()).is_err(), "{unknown}");
        }
    }

    #[test]
    fn the_handler_is_an_argument_where_the_runtime_has_it_there() {
        let mut environ = environ("dotnet8", &Environ::default()).unwrap_or_else(|error| panic!("{error}"));
        environ.set("_HANDLER", OsStr::new("A::T::M"));
        let line = command_line("dotnet8", &environ);
        let expected = "/var/lang/bin/dotnet exec --depsfile /var/task/A.deps.json --runtimeconfig \
                        /var/task/A.runtimeconfig.json /var/runtime/Amazon.Lambda.RuntimeSupport.dll A::T::M";
        assert_eq!(line.join(OsStr::new(" ")), expected);
        assert_eq!(command_line("java21", &environ).last().expect("words"), "A::T::M");
        assert_eq!(command_line("java11", &environ).last().expect("words"), "lambdainternal.AWSLambda");
    }
}
