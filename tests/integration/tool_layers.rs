//! What `foreword check --layer` finds in layers, and in a configuration that uses them. Every
//! layer is tested as a directory and as a zip: one that this test makes, and with real parts also
//! one that Python makes.

use crate::support::Test;
use crate::support::zip::zip;
use std::fs;
use std::os::unix::fs::symlink;

/// A script that works everywhere.
const SCRIPT: &str = "#!/bin/sh\nexec \"$@\"\n";

/// What follows the name of a layer's directory, of the zip that this test makes, and of Python's.
const FORMS: &[&str] =
    if cfg!(feature = "real-parts") { &["", ".rust.zip", ".zip"] } else { &["", ".rust.zip"] };

/// Zips the directories of layers beside them as people do, with modes and symlinks.
#[cfg(feature = "real-parts")]
pub const ZIP: &str = "
import os, sys, zipfile
for layer in sys.argv[1:]:
    with zipfile.ZipFile(layer + '.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        for directory, directories, names in sorted(os.walk(layer)):
            links = [name for name in directories if os.path.islink(os.path.join(directory, name))]
            for path in (os.path.join(directory, name) for name in sorted(names + links)):
                if os.path.islink(path):
                    entry = zipfile.ZipInfo(os.path.relpath(path, layer))
                    entry.create_system, entry.external_attr = 3, 0o120777 << 16
                    archive.writestr(entry, os.readlink(path))
                else:
                    archive.write(path, os.path.relpath(path, layer))
";

/// Layers in the directories `a` and `b` of a test, and a configuration in `foreword.json`.
pub struct Layers {
    test: Test,
    names: Vec<&'static str>,
}

impl Layers {
    pub fn new(config: &str) -> Self {
        let test = Test::new()
            .env_remove("FOREWORD_DROPIN_DIR")
            .file("foreword.json", config)
            .file("a/lib/x", "")
            .file("b/lib/y", "");
        Self { test, names: vec!["a"] }
    }

    fn both(self) -> Self {
        Self { names: vec!["a", "b"], ..self }
    }

    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        Self { test: self.test.file(name, content), ..self }
    }

    pub fn script(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        Self { test: self.test.script(name, content), ..self }
    }

    pub fn link(self, name: &str, target: &str) -> Self {
        fs::create_dir_all(self.test.path(name).parent().expect("a directory"))
            .expect("a directory");
        symlink(target, self.test.path(name)).expect("a link");
        self
    }

    /// Expects these lines, in which a layer is `@a` or `@b`, and exit status 1 if one of them is
    /// an error.
    #[track_caller]
    pub fn finds(self, expected: &[&str]) {
        let paths = self.names.iter().map(|name| self.test.path(name));
        paths.clone().for_each(|path| zip(&path, &path.with_extension("rust.zip")));
        #[cfg(feature = "real-parts")]
        {
            let zipped = std::process::Command::new("python3")
                .args(["-c", ZIP])
                .args(paths)
                .status()
                .expect("python3");
            assert!(zipped.success());
        }
        let mut test = self.test;
        for suffix in FORMS {
            let layers = self.names.iter().map(|name| format!("{name}{suffix}"));
            let arguments =
                ["check", "foreword.json", "--layer"].map(str::to_owned).into_iter().chain(layers);
            test = test.args(arguments);
            let captured = test.capture();
            let output = String::from_utf8(captured.stdout).expect("UTF-8");
            let mut found: Vec<_> = output.lines().filter(|line| !line.starts_with(' ')).collect();
            let clean = found.pop_if(|line| line.starts_with("checked "));
            let named = |line: &&str| {
                line.replace("@a", &format!("a{suffix}")).replace("@b", &format!("b{suffix}"))
            };
            assert_eq!(found, expected.iter().map(named).collect::<Vec<_>>(), "{suffix:?}");
            assert_eq!(clean.is_some(), expected.is_empty(), "{suffix:?}");
            let has_errors = expected.iter().any(|line| line.contains(": error: "));
            assert_eq!((captured.stderr, captured.status), (Vec::new(), i32::from(has_errors)));
        }
    }
}

/// Returns a configuration with a hook that runs a program of a layer, at 1:57.
fn hook(program: &str) -> String {
    format!(r#"{{"hooks": {{"initialize": [{{"name": "fetch", "command": ["{program}"]}}]}}}}"#)
}

const BY_HOOK: &str = "(foreword.json:1:57 runs it)";

/// Returns a program of this machine that needs a dynamic loader, with another machine in its
/// header if one is given.
fn program(machine: Option<u8>) -> Vec<u8> {
    let mut program = fs::read("/bin/true").expect("a program");
    if let Some(machine) = machine {
        program[18] = machine;
    }
    program
}

pub const X86_64: u8 = 62;
pub const ARM64: u8 = 183;

/// Returns a program that needs no loader, because its table of segments is empty.
pub fn static_program(machine: u8) -> Vec<u8> {
    let mut program = program(Some(machine));
    program[56..58].fill(0);
    program
}

const DYNAMIC: &str = "this program is linked dynamically: it needs the libraries of the \
                       function's image, as new as those it was built with; link it statically to \
                       run everywhere";

#[test]
fn layers_without_problems_give_no_findings() {
    let config = r#"{
        "wrappers": ["/opt/wrapper"], "prefix": ["/opt/bin/link"], "program": "/var/lang/bin/python3.12",
        "hooks": {"initialize": [{"name": "a", "command": "/opt/tools/x --all | cat"}], "pre_stop": [{"name": "b", "command": "y"}]}
    }"#;
    Layers::new(config)
        .script("a/wrapper", "#!/usr/bin/env bash\n")
        .script("a/bin/real", "#!/var/lang/bin/python3.12\n")
        .link("a/bin/link", "../bin/./real")
        .link("a/bin/other", "/opt/bin/link")
        .script("a/tools-1.2/x", "#! /opt/bin/other -x\n")
        .link("a/tools", "./tools-1.2")
        .script("a/extensions/foreword-prestop", SCRIPT)
        .file("a/bin/notes.txt", "no program")
        .file("a/lib/library.so", program(None))
        .file("a/bin/library.so.1", program(None))
        .finds(&[]);
}

#[test]
fn program_without_execute_permission_is_an_error() {
    let message = "the file has no execute permission; chmod a+rx it before it is zipped, and zip \
                   it where modes are kept";
    let named = format!("@a/bin/fetch: error: {message} {BY_HOOK}");
    Layers::new(&hook("/opt/bin/fetch")).file("a/bin/fetch", SCRIPT).finds(&[&named]);
    Layers::new("{}")
        .file("a/bin/fetch", SCRIPT)
        .finds(&[&format!("@a/bin/fetch: warning: {message}")]);
    Layers::new("{}")
        .file("a/wrapper", SCRIPT)
        .finds(&[&format!("@a/wrapper: warning: {message}")]);
    let by_lambda =
        format!("@a/extensions/x: error: {message} (Lambda runs everything in extensions)");
    Layers::new("{}").file("a/extensions/x", SCRIPT).finds(&[&by_lambda]);
}

#[test]
fn windows_line_endings_are_an_error() {
    let message = "error: the #! line ends in a carriage return, so that nothing can execute the \
                   file; save it with Unix line endings (sed -i 's/\\r$//')";
    for line in ["#!/bin/bash", "#!/usr/bin/env bash"] {
        let column = line.len() + 1;
        let layers = || {
            Layers::new(&hook("/opt/bin/fetch"))
                .script("a/bin/fetch", format!("{line}\r\nexit\r\n"))
        };
        layers().finds(&[&format!("@a/bin/fetch:1:{column}: {message} {BY_HOOK}")]);
        let unknown = Layers::new("{}").script("a/wrapper", format!("{line}\r\n"));
        unknown.finds(&[&format!("@a/wrapper:1:{column}: {message}")]);
    }
}

#[test]
fn interpreters_that_are_missing_are_an_error() {
    for (line, place, message) in [
        (
            "#!/usr/local/bin/zsh -e",
            "1:3: error",
            "the interpreter \"/usr/local/bin/zsh\" is not in Lambda's runtimes; write one that \
             is, such as /bin/sh, or bring it in a layer",
        ),
        (
            "#!  /usr/bin/python3",
            "1:5: warning",
            "the interpreter \"/usr/bin/python3\" is not in Lambda's runtimes; write /usr/bin/env \
             python3",
        ),
        (
            "#!/opt/bin/lua",
            "1:3: warning",
            "the interpreter \"/opt/bin/lua\" is in none of the layers; add the layer that has it",
        ),
        (
            "#!/usr/bin/env -S lua -x",
            "1:19: warning",
            "Lambda's runtimes have no program \"lua\"; bring it in a layer (bin/lua)",
        ),
        (
            "#!/usr/bin/lua",
            "1:3: warning",
            "the interpreter \"/usr/bin/lua\" is not in Lambda's runtimes; write one that is, \
             such as /bin/sh, or bring it in a layer",
        ),
        ("#!", "1:1: error", "the #! line names no interpreter"),
    ] {
        let layers =
            || Layers::new(&hook("/opt/tools/fetch")).script("a/tools/fetch", format!("{line}\n"));
        layers().finds(&[&format!("@a/tools/fetch:{place}: {message} {BY_HOOK}")]);
        if line.contains("/usr/bin/lua") {
            let advice =
                message.split_once(';').expect("advice").0.to_owned() + "; write /opt/bin/lua";
            let expected = format!("@a/tools/fetch:{place}: {advice} {BY_HOOK}");
            layers().both().script("b/bin/lua", SCRIPT).finds(&[&expected]);
        } else if line.contains("lua") {
            layers().both().script("b/bin/lua", SCRIPT).finds(&[]);
        }
    }
}

#[test]
fn dynamic_binaries_give_a_warning() {
    let layers = Layers::new(&hook("/opt/bin/fetch")).script("a/bin/fetch", program(None));
    layers.finds(&[&format!("@a/bin/fetch: warning: {DYNAMIC} {BY_HOOK}")]);
    let mut other = program(None);
    let loader = other.windows(6).position(|bytes| bytes == b"/ld-li").expect("the loader");
    other[loader..loader + 6].copy_from_slice(b"/ld-mu");
    let found = Layers::new("{}").script("a/bin/fetch", &other);
    let name = if cfg!(target_arch = "aarch64") {
        "/lib/ld-munux-aarch64.so.1"
    } else {
        "/lib64/ld-munux-x86-64.so.2"
    };
    found.finds(&[&format!(
        "@a/bin/fetch: warning: this program needs the loader {name:?}, which no image of \
         Lambda's has; link it statically"
    )]);
}

#[test]
fn binaries_for_another_architecture_are_an_error() {
    let (other, this, other_name, this_name) = match cfg!(target_arch = "aarch64") {
        true => (X86_64, ARM64, "x86_64", "arm64"),
        false => (ARM64, X86_64, "arm64", "x86_64"),
    };
    let config = hook("/opt/bin/fetch");
    let layers = || Layers::new(&config);
    let message = |severity: &str, machine: &str, because: &str| {
        format!(
            "@a/bin/fetch: {severity}: this program is for {machine}, and {because}; build it for \
             that {BY_HOOK}"
        )
    };
    layers().script("a/bin/fetch", static_program(this)).finds(&[]);
    let here = message("warning", other_name, &format!("this machine is {this_name}"));
    layers().script("a/bin/fetch", static_program(other)).finds(&[&here]);
    // The architecture of the foreword beside it counts more.
    let beside = || layers().script("a/bin/foreword", static_program(other));
    beside().script("a/bin/fetch", static_program(other)).finds(&[]);
    let foreword =
        message("error", this_name, &format!("the layers' foreword is for {other_name}"));
    beside().script("a/bin/fetch", static_program(this)).finds(&[&foreword]);
    // The condition counts most.
    let condition = format!(r#""when": {{"architecture": "{this_name}"}}"#);
    let config = config.replace(
        r#""command": ["/opt/bin/fetch"]"#,
        &format!(r#""command": ["/opt/bin/fetch"], {condition}"#),
    );
    let guarded = || Layers::new(&config).script("a/bin/foreword", static_program(other));
    guarded().script("a/bin/fetch", static_program(this)).finds(&[]);
    let wanted = message("error", other_name, &format!("its condition asks for {this_name}"));
    guarded().script("a/bin/fetch", static_program(other)).finds(&[&wanted]);
    let none =
        format!("@a/bin/fetch: error: this program is for no machine that Lambda has {BY_HOOK}");
    layers().script("a/bin/fetch", static_program(8)).finds(&[&none]);
}

#[test]
fn programs_in_no_layer_give_a_warning() {
    let message = |path: &str, place: &str| {
        format!(
            "foreword.json:{place}: warning: \"{path}\" is in none of the layers; add it, or the \
             layer that has it"
        )
    };
    Layers::new(&hook("/opt/bin/fetch")).finds(&[&message("/opt/bin/fetch", "1:57")]);
    Layers::new("{\"wrappers\": [\"/opt/a\",\n {\"path\": \"/opt/b\"}]}")
        .script("a/a", SCRIPT)
        .finds(&[&message("/opt/b", "2:11")]);
    Layers::new(r#"{"program": "/opt/x", "prefix": ["/opt/y", "/opt/z"]}"#)
        .finds(&[&message("/opt/x", "1:13"), &message("/opt/y", "1:34")]);
    // A condition tests for the program, or only the function knows it.
    Layers::new(r#"{"when": {"file": "/opt/x"}, "prefix": ["/opt/x"]}"#).finds(&[]);
    Layers::new(r#"{"prefix": ["/opt/${X}"], "program": "python3"}"#).finds(&[]);
    // A symlink to nothing, or to itself.
    Layers::new(&hook("/opt/bin/fetch"))
        .link("a/bin/fetch", "gone")
        .finds(&[&message("/opt/bin/fetch", "1:57")]);
    Layers::new(&hook("/opt/bin/fetch"))
        .link("a/bin/fetch", "fetch")
        .finds(&[&message("/opt/bin/fetch", "1:57")]);
    Layers::new(&hook("/opt/bin/fetch"))
        .script("a/opt/bin/fetch", SCRIPT)
        .finds(&["foreword.json:1:57: warning: \"/opt/bin/fetch\" is in none of the layers, but \
                  @a/opt/bin/fetch is; a layer's own root comes to lie at /opt"]);
}

#[test]
fn files_that_another_layer_hides_give_a_warning() {
    let message = |path: &str| {
        format!(
            "@a/{path}: warning: the layer @b hides this file: of two with one path, the function \
             sees that of the later layer; rename one, or change the order"
        )
    };
    let wrapper = r#"{"wrappers": ["/opt/wrapper"]}"#;
    let layers = || Layers::new(wrapper).both().script("a/wrapper", SCRIPT);
    layers().script("b/wrapper", "#!/bin/bash\n").finds(&[&message("wrapper")]);
    layers().script("b/wrapper", SCRIPT).finds(&[]);
    let dropins = Layers::new("{}")
        .both()
        .file("a/foreword.d/x.json", "{}")
        .file("b/foreword.d/x.json", "{} ");
    dropins.finds(&[&message("foreword.d/x.json")]);
    Layers::new("{}").both().file("a/python/x.py", "1").file("b/python/x.py", "2").finds(&[]);
    // Only visible files count.
    layers()
        .file("b/wrapper", SCRIPT)
        .finds(&["@b/wrapper: error: the file has no execute permission; chmod a+rx it before \
                  it is zipped, and zip it where modes are kept (foreword.json:1:15 runs it)"]);
}

#[test]
fn extensions_that_conflict_with_hooks_give_a_warning() {
    let snapshot = "{\"hooks\": {\n\"before_snapshot\": [{\"name\": \"a\", \"command\": \"x\"}]}}";
    let adapter = || Layers::new(snapshot).script("a/extensions/lambda-adapter", SCRIPT);
    adapter().finds(&["foreword.json:2:21: error: Lambda Web Adapter \
                       (extensions/lambda-adapter) speaks to the Runtime API in the runtime's \
                       place, past all before_snapshot and after_restore hooks; remove them, \
                       and let the adapter call the application: \
                       AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH and \
                       AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH name paths that it sends a POST to"]);
    adapter().file("foreword.json", "{}").finds(&[]);

    let pre_stop = r#"{"hooks": {"pre_stop": [{"name": "a", "command": "x"}]}}"#;
    Layers::new(pre_stop)
        .finds(&["foreword.json:1:25: warning: no phase will run pre_stop hooks: none of the \
                  layers has foreword's extension; add the layer foreword-prestop"]);

    let datadog = "Datadog's extension starts its Runtime API proxy only where \
                   AWS_LAMBDA_EXEC_WRAPPER is /opt/datadog_wrapper, and with foreword it is not: \
                   its wrapper then sends the runtime to an address where nothing listens; leave \
                   DD_SERVERLESS_APPSEC_ENABLED and DD_EXPERIMENTAL_ENABLE_PROXY unset";
    let extension = |config: &str| {
        Layers::new(config)
            .script("a/extensions/datadog-agent", SCRIPT)
            .script("a/datadog_wrapper", SCRIPT)
    };
    extension(r#"{"wrappers": ["/opt/datadog_wrapper"]}"#)
        .finds(&[&format!("foreword.json:1:15: warning: {datadog}")]);
    extension("{}").finds(&[&format!("@a/extensions/datadog-agent: warning: {datadog}")]);
    Layers::new("{}")
        .script("a/extensions/x", "echo\n")
        .finds(&["@a/extensions/x: error: this is neither a program nor a script with a #! line \
                  (Lambda runs everything in extensions)"]);
}

#[test]
fn drop_ins_of_layers_are_checked() {
    Layers::new("{}")
        .both()
        .file("a/foreword.d/20.json", "{\n \"x\": 1}")
        .file("b/foreword.d/10.json", "{\"env\": {\"A\": 1}}")
        .file("b/foreword.d/.hidden.json", "{")
        .file("b/foreword.d/more/x.json", "{")
        .finds(&[
            "@b/foreword.d/10.json:1:15: error: expected a string, null, or an object with \
             \"default\", \"prepend\" or \"append\", found a number; put it in quotes",
            "@a/foreword.d/20.json:2:2: error: unknown key \"x\"; here go when, secrets, \
             secrets_timeout_ms, references, env, options, arguments, program, prefix, entry, \
             wrappers, hooks, rules",
        ]);
}

#[test]
fn path_that_is_no_layer_is_an_error() {
    let check = |test: Test, message: &str| {
        let expected = format!("foreword: error: unable to read the layer layer: {message}\n");
        test.file("x.json", "{}")
            .args(["check", "x.json", "--layer", "layer"])
            .stdout(expected)
            .status(1)
            .run();
    };
    check(Test::new(), "no such file or directory");
    check(
        Test::new().file("layer", "{}"),
        "it is neither a directory nor a zip; files come before --layer",
    );
    let end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x30\0\0\0\0\0\0\0\0\0";
    check(Test::new().file("layer", end), "the zip is damaged; files come before --layer");
    // A damaged member is reported where it is needed.
    let mut packed = Vec::new();
    let name = b"extensions/x";
    packed.extend_from_slice(
        b"PK\x01\x02\x14\x03\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0\x04\0\0\0\x04\0\0\0\x0c\0\0\0\0\0\0\
          \0\0\0\0\0\xed\x81\0\0\0\0",
    );
    packed.extend_from_slice(name);
    let mut end = end.to_vec();
    end[16] = 0;
    packed.extend_from_slice(&end);
    let test = Test::new()
        .file("layer", packed)
        .file("x.json", "{}")
        .args(["check", "x.json", "--layer", "layer"]);
    let message =
        "unable to read this file: the zip is damaged (Lambda runs everything in extensions)";
    test.stdout(format!("layer/extensions/x: error: {message}\n")).status(1).run();
}

#[test]
fn layer_without_a_function_is_checked_alone() {
    let test =
        || Test::new().script("layer/bin/x", "#!/bin/sh\r\n").args(["check", "--layer", "layer/"]);
    let captured = test().capture();
    assert!(captured.stdout.starts_with(b"layer/bin/x:1:10: error: "), "{captured:?}");
    assert_eq!(captured.status, 1);
}
