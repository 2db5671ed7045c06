//! What `foreword check` finds in the programs that a configuration has executed: beside the code,
//! in layers, in the images of runtimes.

use crate::support::Test;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

/// A function's code in the test's directory.
struct Code(Test);

/// A script that works everywhere.
const SCRIPT: &str = "#!/bin/sh\nexec \"$@\"\n";

impl Code {
    /// With this configuration beside it.
    fn new(config: &str) -> Self {
        Self(
            Test::new()
                .on_the_machine()
                .env_remove("FOREWORD_DROPIN_DIR")
                .file("foreword.json", config),
        )
    }

    /// With one hook; its command stands at 1:52, the first word of an array at 1:53.
    fn hook(command: &str) -> Self {
        Self::new(&format!(
            r#"{{"hooks": {{"initialize": [{{"name": "a", "command": {command}}}]}}}}"#
        ))
    }

    /// With one hook for a runtime; places as above.
    fn hook_in(runtime: &str, command: &str) -> Self {
        let when = format!(r#""when": {{"runtime": {runtime}}}"#);
        Self::new(&format!(
            r#"{{"hooks": {{"initialize": [{{"name": "a", "command": {command}, {when}}}]}}}}"#
        ))
    }

    fn file(self, name: &str, mode: u32, content: impl AsRef<[u8]>) -> Self {
        let test = self.0.file(name, content);
        fs::set_permissions(test.path(name), Permissions::from_mode(mode)).expect("a mode");
        Self(test)
    }

    fn directory_mode(self, name: &str, mode: u32) -> Self {
        fs::set_permissions(self.0.path(name), Permissions::from_mode(mode)).expect("a mode");
        self
    }

    fn link(self, name: &str, target: &str) -> Self {
        let path = self.0.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        symlink(target, path).expect("a symlink");
        self
    }

    /// Expects these findings, and nothing else, from `check` with these arguments.
    #[track_caller]
    fn finds_with(self, arguments: &[&str], expected: &[&str]) {
        let test = self.0.args(["check"].iter().chain(arguments));
        let captured = test.capture();
        let output = String::from_utf8(captured.stdout)
            .expect("UTF-8")
            .replace(&*test.path("").to_string_lossy(), "");
        let mut found: Vec<_> = output.lines().filter(|line| !line.starts_with(' ')).collect();
        let clean = found.pop_if(|line| line.starts_with("checked "));
        assert_eq!(found, expected);
        assert_eq!(clean.is_some(), expected.is_empty());
        let has_errors = expected.iter().any(|line| line.contains(": error: "));
        assert_eq!((captured.stderr, captured.status), (Vec::new(), i32::from(has_errors)));
    }

    #[track_caller]
    fn finds(self, expected: &[&str]) {
        self.finds_with(&[], expected);
    }
}

const ARRAY: &str = "foreword.json:1:53";
const STRING: &str = "foreword.json:1:52";

fn no_permission(name: &str, place: &str) -> String {
    format!(
        "{name}: error: the file has no execute permission; chmod a+rx it before it is zipped, \
         and zip it where modes are kept ({place} runs it)"
    )
}

#[test]
fn program_beside_the_code_without_execute_permission_is_an_error() {
    let expected = no_permission("fetch.sh", ARRAY);
    for command in
        ["./fetch.sh", "/var/task/fetch.sh", "${LAMBDA_TASK_ROOT}/fetch.sh", ".//x/../fetch.sh"]
    {
        Code::hook(&format!("[{command:?}]")).file("fetch.sh", 0o644, SCRIPT).finds(&[&expected]);
    }
    let in_string = no_permission("fetch.sh", STRING);
    for command in
        ["./fetch.sh --all", "A=1 exec ./fetch.sh", "true && ./fetch.sh | cat", "! ./fetch.sh"]
    {
        Code::hook(&format!("{command:?}")).file("fetch.sh", 0o644, SCRIPT).finds(&[&in_string]);
    }
    let nested = no_permission("tools/fetch.sh", ARRAY);
    for cwd in ["tools", "./tools", "/var/task/tools", "${LAMBDA_TASK_ROOT}/tools"] {
        let code = Code::hook(&format!(r#"["./fetch.sh"], "cwd": "{cwd}""#));
        code.file("tools/fetch.sh", 0o644, SCRIPT).finds(&[&nested]);
    }
    for (config, place) in [
        (r#"{"program": "./fetch.sh"}"#, "foreword.json:1:13"),
        (r#"{"prefix": ["./fetch.sh"]}"#, "foreword.json:1:13"),
        (r#"{"prefix": ["env", "A=1", "./fetch.sh"]}"#, "foreword.json:1:27"),
        (r#"{"wrappers": ["/var/task/fetch.sh"]}"#, "foreword.json:1:15"),
    ] {
        Code::new(config)
            .file("fetch.sh", 0o644, SCRIPT)
            .finds(&[&no_permission("fetch.sh", place)]);
    }
    // A symlink is what it leads to.
    let linked = Code::hook(r#"["./link"]"#).link("link", "tools/fetch.sh").file(
        "tools/fetch.sh",
        0o644,
        SCRIPT,
    );
    linked.finds(&[&nested]);
}

#[test]
fn program_beside_the_code_that_is_missing_is_a_warning() {
    let missing = |what: &str, word: &str, here: &str, place: &str| {
        format!(
            "{place}: warning: the {what} {word:?} is not beside the code: there is no {here}; \
             add it, or correct the path"
        )
    };
    Code::hook(r#"["./fetch.sh"]"#).finds(&[&missing("program", "./fetch.sh", "fetch.sh", ARRAY)]);
    Code::hook(r#""bin/fetch""#).finds(&[&missing("program", "bin/fetch", "bin/fetch", STRING)]);
    let script = missing("script", "fetch.py", "fetch.py", "foreword.json:1:64");
    Code::hook(r#"["python3", "fetch.py"]"#).finds(&[&script]);
    let dangling = Code::hook(r#"["./fetch.sh"]"#).link("fetch.sh", "gone");
    dangling.finds(&[&missing("program", "./fetch.sh", "gone", ARRAY)]);
    let directory = format!("{ARRAY}: warning: \"./tools\" is a directory; name a file in it");
    Code::hook(r#"["./tools"]"#).file("tools/x", 0o755, SCRIPT).finds(&[&directory]);
}

#[test]
fn symlink_that_leads_to_nothing_that_is_deployed_is_a_warning() {
    let hook = || Code::hook(r#"["./bin/fetch"]"#);
    let circle = |name: &str| {
        format!(
            "{ARRAY}: warning: the symlink {name} leads back to itself, so that nothing can open \
             it; put the file in its place"
        )
    };
    let outside = |name: &str, target: &str| {
        format!(
            "{ARRAY}: warning: the symlink {name} leads to {target:?}, out of the code's \
             directory, to what is not deployed with it; put the file itself in the symlink's \
             place"
        )
    };
    let missing = |here: &str| {
        format!(
            "{ARRAY}: warning: the program \"./bin/fetch\" is not beside the code: there is no \
             {here}; add it, or correct the path"
        )
    };
    hook().link("bin/fetch", "gone").finds(&[&missing("bin/gone")]);
    hook().link("bin/fetch", "/var/task/gone").finds(&[&missing("gone")]);
    hook().link("bin/fetch", "fetch").finds(&[&circle("bin/fetch")]);
    hook().link("bin", "bin").finds(&[&circle("bin")]);
    hook()
        .link("bin/fetch", "../../shared/m.sh")
        .finds(&[&outside("bin/fetch", "../../shared/m.sh")]);
    hook().link("bin/fetch", "/home/me/m.sh").finds(&[&outside("bin/fetch", "/home/me/m.sh")]);
    hook().link("bin", "../tools").finds(&[&outside("bin", "../tools")]);
    // The function has something there, or a condition asks for the file.
    for target in [
        "/usr/bin/env",
        "/tmp/x",
        "/mnt/x",
        "/opt/bin/x",
        "../../../usr/bin/env",
        "../../runtime/x",
    ] {
        hook().link("bin/fetch", target).finds(&[]);
    }
    let guarded = Code::hook(r#"["./fetch"], "when": {"file": "fetch"}"#);
    guarded.link("fetch", "fetch").finds(&[]);
}

#[test]
fn directory_of_a_hook_that_is_missing_is_a_warning() {
    let hook = |cwd: &str| Code::hook(&format!(r#"["true"], "cwd": "{cwd}""#));
    let at = |message: &str| format!("foreword.json:1:69: warning: {message}");
    let missing = |cwd: &str| {
        at(&format!(
            "the directory {cwd:?} is not beside the code: there is no tools; add it, or correct \
             the path"
        ))
    };
    for cwd in ["tools", "./tools/", "/var/task/tools", "${LAMBDA_TASK_ROOT}/tools"] {
        hook(cwd).finds(&[&missing(cwd)]);
        hook(cwd).file("tools/x", 0o644, "").finds(&[]);
    }
    hook("tools")
        .file("tools", 0o644, "")
        .finds(&[&at("\"tools\" is a file (tools); name a directory")]);
    let layers =
        at("the directory \"/opt/x\" is in none of the layers; add it, or the layer that has it");
    hook("/opt/x").file("layer/lib/x", 0o644, "").finds_with(&["--layer", "layer"], &[&layers]);
    hook("/opt/lib").file("layer/lib/x", 0o644, "").finds_with(&["--layer", "layer"], &[]);
    for cwd in [".", "/tmp/x", "${HERE}", "/var/task", "${LAMBDA_TASK_ROOT}", "/opt/x", "/opt"] {
        hook(cwd).finds(&[]);
    }
    Code::hook(r#"["true"], "cwd": "tools", "when": {"file": "tools"}"#).finds(&[]);
}

/// Where a word stands, what it names, and the word.
type Missed<'t> = (&'t str, &'t str, &'t str);

/// Expects that of each command the file is missed that its row names, at these places.
#[track_caller]
fn misses(rows: &[(&str, &[Missed])]) {
    for (command, expected) in rows {
        let expected: Vec<_> = expected
            .iter()
            .map(|(place, what, word)| {
                let here = word.trim_start_matches("./").replace("${LAMBDA_TASK_ROOT}/", "");
                format!(
                    "{place}: warning: the {what} {word:?} is not beside the code: there is no \
                     {here}; add it, or correct the path"
                )
            })
            .collect();
        Code::hook(command).finds(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn program_behind_a_launcher_that_is_missing_is_a_warning() {
    misses(&[
        (r#"["timeout", "5", "./q.sh"]"#, &[("foreword.json:1:69", "program", "./q.sh")]),
        (r#"["nohup", "./m.sh"]"#, &[("foreword.json:1:62", "program", "./m.sh")]),
        (r#"["nice", "-n", "5", "./x"]"#, &[("foreword.json:1:72", "program", "./x")]),
        (r#"["stdbuf", "-oL", "./x"]"#, &[("foreword.json:1:70", "program", "./x")]),
        (r#"["setsid", "./x"]"#, &[("foreword.json:1:63", "program", "./x")]),
        (r#"["timeout", "${T}", "nice", "./x"]"#, &[("foreword.json:1:80", "program", "./x")]),
        (
            r#"["timeout", "5", "python3", "-u", "x.py"]"#,
            &[("foreword.json:1:86", "script", "x.py")],
        ),
        (r#""timeout 5 ./m.sh""#, &[(STRING, "program", "./m.sh")]),
        (r#""A=1 nice -n 5 timeout -k 1 5 ./m.sh | cat""#, &[(STRING, "program", "./m.sh")]),
    ]);
    let prefix = Code::new(r#"{"prefix": ["timeout", "5", "./q.sh"]}"#).file("q.sh", 0o644, SCRIPT);
    prefix.finds(&[&no_permission("q.sh", "foreword.json:1:29")]);
}

#[test]
fn program_in_a_nested_shell_that_is_missing_is_a_warning() {
    let in_array = "foreword.json:1:67";
    misses(&[
        (
            r#"["bash", "-c", "./q.sh; ./z"]"#,
            &[(in_array, "program", "./q.sh"), (in_array, "program", "./z")],
        ),
        (r#"["bash", "-c", "./q.sh $X ${X}"]"#, &[(in_array, "program", "./q.sh")]),
        (r#"["sh", "-ec", "sh -c './m.sh x'"]"#, &[("foreword.json:1:66", "program", "./m.sh")]),
        (
            r#"["timeout", "5", "sh", "-c", "./m.sh"]"#,
            &[("foreword.json:1:81", "program", "./m.sh")],
        ),
        (r#""sh -c ./m.sh""#, &[(STRING, "program", "./m.sh")]),
        (r#""sh -c './m.sh && true'""#, &[(STRING, "program", "./m.sh")]),
        (r#""(./q.sh)""#, &[(STRING, "program", "./q.sh")]),
        (r#""x=$(./q.sh)""#, &[(STRING, "program", "./q.sh")]),
        (r#""echo \"$(./q.sh)\"""#, &[(STRING, "program", "./q.sh")]),
        (r#""for i in 1 2; do ./m.sh $i; done""#, &[(STRING, "program", "./m.sh")]),
        (r#""'./m.sh' x""#, &[(STRING, "program", "./m.sh")]),
    ]);
    let layer = Code::hook(r#"["bash", "-c", "true; /opt/z"]"#).file("layer/lib/x", 0o644, "");
    let expected = format!(
        "{in_array}: warning: \"/opt/z\" is in none of the layers; add it, or the layer that has \
         it"
    );
    layer.finds_with(&["--layer", "layer"], &[&expected]);
}

#[test]
fn program_in_lambda_task_root_that_is_missing_is_a_warning() {
    misses(&[
        (r#""cd $LAMBDA_TASK_ROOT && ./m.sh", "cwd": "/tmp""#, &[(STRING, "program", "./m.sh")]),
        (r#""cd \"$LAMBDA_TASK_ROOT\"; ./m.sh""#, &[(STRING, "program", "./m.sh")]),
        (r#""${LAMBDA_TASK_ROOT}/m.sh --x""#, &[(STRING, "program", "${LAMBDA_TASK_ROOT}/m.sh")]),
        (r#""\"$LAMBDA_TASK_ROOT/m.sh\" $X""#, &[(STRING, "program", "${LAMBDA_TASK_ROOT}/m.sh")]),
    ]);
    let nested =
        Code::hook(r#""cd $LAMBDA_TASK_ROOT/bin && ./m.sh""#).file("bin/m.sh", 0o644, SCRIPT);
    nested.finds(&[&no_permission("bin/m.sh", STRING)]);
}

#[test]
fn script_behind_an_interpreters_options_that_is_missing_is_a_warning() {
    misses(&[
        (r#"["python3", "-u", "./miss.py"]"#, &[("foreword.json:1:70", "script", "./miss.py")]),
        (r#"["bash", "-e", "b.sh"]"#, &[("foreword.json:1:67", "script", "b.sh")]),
        (
            r#"["node", "--require", "./x.js", "app.js"]"#,
            &[
                ("foreword.json:1:74", "script", "./x.js"),
                ("foreword.json:1:84", "script", "app.js"),
            ],
        ),
        (r#"["ruby", "-w", "x.rb"]"#, &[("foreword.json:1:67", "script", "x.rb")]),
        (r#"["java", "-Xmx64m", "-jar", "a.jar"]"#, &[("foreword.json:1:80", "script", "a.jar")]),
        (r#""python3 -u miss.py $X""#, &[(STRING, "script", "miss.py")]),
    ]);
}

#[test]
fn windows_line_endings_beside_the_code_are_an_error() {
    let first = |place: &str| {
        format!(
            "fetch.sh:1:10: error: the #! line ends in a carriage return, so that nothing can \
             execute the file; save it with Unix line endings (sed -i 's/\\r$//') ({place} runs \
             it)"
        )
    };
    let lines = |place: &str, how: &str| {
        format!(
            "fetch.sh: error: the lines of this script end in carriage returns, which the shell \
             takes for parts of words; save it with Unix line endings (sed -i 's/\\r$//') \
             ({place} {how})"
        )
    };
    let windows = "#!/bin/sh\r\nexit 0\r\n";
    Code::hook(r#"["./fetch.sh"]"#).file("fetch.sh", 0o755, windows).finds(&[&first(ARRAY)]);
    Code::hook(r#""./fetch.sh && true""#).file("fetch.sh", 0o755, windows).finds(&[&first(STRING)]);
    let bare = "exit 0\r\n";
    Code::hook(r#"["./fetch.sh"]"#)
        .file("fetch.sh", 0o755, bare)
        .finds(&[&lines(ARRAY, "runs it")]);
    let operand = "foreword.json:1:59";
    for (command, place) in [
        (r#"["sh", "./fetch.sh"]"#, operand),
        (r#""/bin/bash ./fetch.sh""#, STRING),
        (r#"". ./fetch.sh""#, STRING),
    ] {
        Code::hook(command).file("fetch.sh", 0o644, windows).finds(&[&lines(place, "has it run")]);
    }
    // Python reads both kinds of lines.
    Code::hook(r#"["python3", "./fetch.py"]"#).file("fetch.py", 0o644, "exit()\r\n").finds(&[]);
}

#[test]
fn modes_for_owner_and_group_only_are_an_error() {
    let other = |name: &str, mode: &str, what: &str| {
        format!(
            "{name}: error: the file's mode is {mode}, and a function runs as another user than \
             its owner, who cannot {what} it; chmod a+rx it before it is zipped, and zip it where \
             modes are kept ({ARRAY} runs it)"
        )
    };
    let hook = || Code::hook(r#"["./bin/fetch"]"#);
    hook().file("bin/fetch", 0o750, SCRIPT).finds(&[&other("bin/fetch", "0750", "execute")]);
    hook().file("bin/fetch", 0o700, SCRIPT).finds(&[&other("bin/fetch", "0700", "execute")]);
    hook().file("bin/fetch", 0o711, SCRIPT).finds(&[&other("bin/fetch", "0711", "read")]);
    hook().file("bin/fetch", 0o555, SCRIPT).finds(&[]);
    let directory = format!(
        "bin/fetch: error: the directory bin has the mode 0750, and a function runs as another \
         user than its owner, who cannot pass it; chmod a+rx it before it is zipped, and zip it \
         where modes are kept ({ARRAY} runs it)"
    );
    hook().file("bin/fetch", 0o755, SCRIPT).directory_mode("bin", 0o750).finds(&[&directory]);
    let read = |name: &str, suffix: &str| {
        format!(
            "{name}: error: the file's mode is 0640, and a function runs as another user than its \
             owner, who cannot read it; chmod a+r it before it is zipped{suffix}"
        )
    };
    let script = read("x.py", " (foreword.json:1:64 has it run)");
    Code::hook(r#"["python3", "x.py"]"#).file("x.py", 0o640, "pass\n").finds(&[&script]);
    Code::new("{}").file("foreword.json", 0o640, "{}").finds(&[&read(
        "<folder>/foreword.json",
        "",
    )
    .replace("<folder>/", "")]);
    let elsewhere = read("x.json", "").replace("error", "warning");
    Code::new("{}").file("x.json", 0o640, "{}").finds_with(&["x.json"], &[&elsewhere]);
    let dropin = read("layer/foreword.d/x.json", "");
    let layer = Code::new("{}").file("layer/foreword.d/x.json", 0o640, "{}");
    layer.finds_with(&["--layer", "layer"], &[&dropin]);
}

/// Python makes it.
#[cfg(feature = "real-parts")]
#[test]
fn modes_of_a_zip_made_under_a_strict_umask_are_an_error() {
    let zip = "
import sys, zipfile
with zipfile.ZipFile('layer.zip', 'w') as archive:
    for name, mode, text in (('bin/', 0o40700, ''), ('bin/fetch', 0o100750, '#!/bin/sh\\n'), \
               ('foreword.d/x.json', 0o100600, '{}')):
        entry = zipfile.ZipInfo(name)
        entry.create_system, entry.external_attr = 3, mode << 16
        archive.writestr(entry, text)
";
    let code = Code::hook(r#"["/opt/bin/fetch"]"#);
    let made = std::process::Command::new("python3")
        .args(["-c", zip])
        .current_dir(code.0.path(""))
        .status();
    assert!(made.expect("python3").success());
    let user = "a function runs as another user than its owner, who cannot";
    let kept = "before it is zipped, and zip it where modes are kept";
    code.finds_with(
        &["--layer", "layer.zip"],
        &[
            &format!(
                "layer.zip/foreword.d/x.json: error: the file's mode is 0600, and {user} read it; \
                 chmod a+r it before it is zipped"
            ),
            &format!(
                "layer.zip/bin/fetch: error: the directory layer.zip/bin has the mode 0700, and \
                 {user} pass it; chmod a+rx it {kept} ({ARRAY} runs it)"
            ),
            &format!(
                "layer.zip/bin/fetch: error: the file's mode is 0750, and {user} execute it; \
                 chmod a+rx it {kept} ({ARRAY} runs it)"
            ),
        ],
    );
}

#[test]
fn bare_name_of_a_file_outside_path_is_a_warning() {
    let beside = |place: &str| {
        format!(
            "{place}: warning: \"fetch.sh\" lies beside the code, where PATH does not lead; write \
             \"./fetch.sh\""
        )
    };
    Code::hook(r#"["fetch.sh"]"#).file("fetch.sh", 0o755, SCRIPT).finds(&[&beside(ARRAY)]);
    Code::hook(r#""fetch.sh | cat""#).file("fetch.sh", 0o755, SCRIPT).finds(&[&beside(STRING)]);
    let program = Code::new(r#"{"program": "fetch.sh"}"#).file("fetch.sh", 0o755, SCRIPT);
    program.finds(&[&beside("foreword.json:1:13")]);
    let elsewhere = Code::hook(r#"["fetch.sh"], "cwd": "/tmp""#).file("fetch.sh", 0o755, SCRIPT);
    elsewhere.finds(&[&beside(ARRAY).replace("\"./", "\"/var/task/")]);
    let in_layer = Code::hook(r#"["fetch"]"#).file("layer/tools/fetch", 0o755, SCRIPT);
    in_layer.finds_with(
        &["--layer", "layer"],
        &[&format!(
            "{ARRAY}: warning: \"fetch\" lies in layer/tools/fetch, where PATH does not lead; \
             write \"/opt/tools/fetch\", or put it into bin"
        )],
    );
    // PATH is another.
    for config in [
        r#"{"env": {"PATH": {"append": "/var/task", "separator": ":"}}, "program": "fetch.sh"}"#,
        r#"{"hooks": {"pre_stop": [{"name": "a", "command": ["fetch.sh"], "env": {"PATH": "${PATH}:."}}]}}"#,
    ] {
        Code::new(config).file("fetch.sh", 0o755, SCRIPT).finds(&[]);
    }
    // In a layer's bin it is found, and looked at.
    let found = Code::hook(r#"["fetch"]"#).file("layer/bin/fetch", 0o644, SCRIPT);
    found.finds_with(&["--layer", "layer"], &[&no_permission("layer/bin/fetch", ARRAY)]);
}

#[test]
fn builtin_of_the_shell_in_an_array_is_a_warning() {
    for builtin in ["source", "export", "exec", "."] {
        Code::hook(&format!("[{builtin:?}, \"x\"]")).finds(&[&format!(
            "{ARRAY}: warning: {builtin:?} is no program: there is no shell; write the command as \
             a string"
        )]);
        Code::hook(&format!("\"{builtin} ./x\"")).file("x", 0o755, SCRIPT).finds(&[]);
    }
}

#[test]
fn programs_that_the_image_of_the_runtime_lacks_are_a_warning() {
    let lacks = |whose: &str, name: &str| {
        format!(
            "{ARRAY}: warning: {whose} no program \"{name}\"; bring it in a layer (bin/{name}), \
             and name that here with --layer"
        )
    };
    Code::hook(r#"["jq", "."]"#).finds(&[&lacks("Lambda's runtimes have", "jq")]);
    Code::hook(r#"["aws", "s3", "cp"]"#).finds(&[&lacks("Lambda's runtimes have", "aws")]);
    let string = lacks("Lambda's runtimes have", "jq").replace(ARRAY, STRING);
    Code::hook(r#""curl -s localhost | jq .""#).finds(&[&string]);
    Code::hook_in(r#""python3.12""#, r#"["node", "-e", "1"]"#)
        .finds(&[&lacks("python3.12 has", "node")]);
    Code::hook_in(r#""node""#, r#"["python3", "-c", "1"]"#)
        .finds(&[&lacks("the node runtimes have", "python3")]);
    Code::hook_in(r#"["node", "java"]"#, r#"["node"]"#)
        .finds(&[&lacks("the java runtimes have", "node")]);
    Code::hook_in(r#""nodejs22.x""#, r#"["find", "."]"#).finds(&[&lacks("nodejs22.x has", "find")]);
    let version =
        format!("{ARRAY}: warning: python3.12 has no program \"python3.9\"; write \"python3\"");
    Code::hook_in(r#""python3.12""#, r#"["python3.9", "-c", "1"]"#).finds(&[&version]);
    let path = format!(
        "{ARRAY}: warning: Lambda's runtimes have no program \"/usr/bin/node\"; write \"node\""
    );
    Code::hook(r#"["/usr/bin/node", "-e", "1"]"#).finds(&[&path]);
    // One of the function's runtimes has it, a layer does, or nobody knows.
    Code::hook(r#"["node"]"#).finds(&[]);
    Code::hook_in(r#""node""#, r#"["node"]"#).finds(&[]);
    Code::hook_in(r#""node""#, r#"["find"]"#).finds(&[]);
    Code::hook_in(r#""nodejs18.x""#, r#"["find"]"#).finds(&[]);
    Code::hook(r#"["reseed"]"#).finds(&[]);
    let layer = Code::hook(r#"["jq", "."]"#).file("layer/bin/jq", 0o755, SCRIPT);
    layer.finds_with(&["--layer", "layer"], &[]);
    let without =
        lacks("Lambda's runtimes have", "jq").replace(", and name that here with --layer", "");
    Code::hook(r#"["jq", "."]"#)
        .file("layer/lib/x", 0o644, "")
        .finds_with(&["--layer", "layer"], &[&without]);
}

#[test]
fn interpreters_that_the_runtime_lacks_are_a_warning() {
    let script = |runtime: &str, line: &str| {
        Code::hook_in(runtime, r#"["./x"]"#).file("x", 0o755, format!("{line}\n"))
    };
    let at = |column: usize, message: &str| {
        format!("x:1:{column}: warning: {message} ({ARRAY} runs it)")
    };
    let bring = |whose: &str, name: &str| {
        format!(
            "{whose} no program \"{name}\"; bring it in a layer (bin/{name}), and name that here \
             with --layer"
        )
    };
    script(r#""python3.12""#, "#!/usr/bin/env node")
        .finds(&[&at(16, &bring("python3.12 has", "node"))]);
    script(r#""node""#, "#!/usr/bin/env python3")
        .finds(&[&at(16, &bring("the node runtimes have", "python3"))]);
    script(r#""nodejs22.x""#, "#!/usr/bin/env -S python3 -u")
        .finds(&[&at(19, &bring("nodejs22.x has", "python3"))]);
    script(r#""java""#, "#!/usr/bin/env ruby")
        .finds(&[&at(16, &bring("the java runtimes have", "ruby"))]);
    // The advice names what the runtime has.
    let other = "the interpreter \"/usr/bin/python3\" is not where nodejs22.x has programs; write \
                 one that is, such as /bin/sh, or bring it in a layer";
    script(r#""nodejs22.x""#, "#!/usr/bin/python3").finds(&[&at(3, other)]);
    let own = "the interpreter \"/usr/bin/python3\" is not where python3.12 has programs; write \
               /usr/bin/env python3";
    script(r#""python3.12""#, "#!/usr/bin/python3").finds(&[&at(3, own)]);
    let version = "the interpreter \"/var/lang/bin/python3.9\" is not where python3.12 has \
                   programs; write /usr/bin/env python3";
    script(r#""python3.12""#, "#!/var/lang/bin/python3.9").finds(&[&at(3, version)]);
    // What env is told.
    let one_word = "the kernel gives env \"node --no-warnings\" as one word, and there is no such \
                    program; write /usr/bin/env -S node --no-warnings";
    script(r#""node""#, "#!/usr/bin/env node --no-warnings").finds(&[&at(16, one_word)]);
    let option = "the env of Amazon Linux 2 has no option -S; name the interpreter without options";
    script(r#""python3.11""#, "#!/usr/bin/env -S python3 -u").finds(&[&at(16, option)]);
    for (runtime, line) in [
        (r#""python3.12""#, "#!/usr/bin/env -S python3 -u"),
        (r#""python3.12""#, "#!/usr/bin/env -S A=1 -u B python3"),
        (r#""node""#, "#!/usr/bin/env -S node --no-warnings"),
        (r#""node""#, "#!/usr/bin/env bash"),
        (r#""python""#, "#!/usr/bin/env python3.12"),
        (r#""python""#, "#!/usr/bin/env python"),
        (r#""python""#, "#!/usr/bin/perl"),
    ] {
        script(runtime, line).finds(&[]);
    }
    // Without a condition, any runtime may be the function's.
    Code::hook(r#"["./x"]"#).file("x", 0o755, "#!/usr/bin/env node\n").finds(&[]);
}

#[test]
fn symlinks_that_became_text_files_are_an_error() {
    let message = |name: &str, target: &str, severity: &str, suffix: &str| {
        format!(
            "{name}: {severity}: this is no program but a text file that holds the path \
             {target:?}: an archiver or a checkout made it of a symlink; keep symlinks (zip \
             --symlinks, git config core.symlinks true) or put the file itself here{suffix}"
        )
    };
    let runs = format!(" ({ARRAY} runs it)");
    let code = || Code::hook(r#"["./fetch"]"#);
    let linked = message("fetch", "tools/fetch", "error", &runs);
    code().file("fetch", 0o755, "tools/fetch").file("tools/fetch", 0o755, SCRIPT).finds(&[&linked]);
    code().file("fetch", 0o644, "../bin/fetch").finds(&[&message(
        "fetch",
        "../bin/fetch",
        "error",
        &runs,
    )]);
    let layer = || Code::new("{}").file("layer/bin/foreword", 0o755, SCRIPT);
    let bootstrap = message(
        "layer/bootstrap",
        "bin/foreword",
        "warning",
        " (Lambda runs it on OS-only runtimes)",
    );
    layer()
        .file("layer/bootstrap", 0o644, "bin/foreword")
        .finds_with(&["--layer", "layer"], &[&bootstrap]);
    let extension = message(
        "layer/extensions/foreword",
        "../bin/foreword",
        "error",
        " (Lambda runs everything in extensions)",
    );
    let extensions = layer().file("layer/extensions/foreword", 0o755, "../bin/foreword");
    extensions.finds_with(&["--layer", "layer"], &[&extension]);
    let stand_in = message("layer/bin/stand-in/node/node", "../../foreword", "warning", "");
    let stand_ins = layer().file("layer/bin/stand-in/node/node", 0o755, "../../foreword");
    stand_ins.finds_with(&["--layer", "layer"], &[&stand_in]);
    // A script of one word.
    code().file("fetch", 0o755, "true").finds(&[]);
    code().file("fetch", 0o755, "./tools/x\n").file("tools/x", 0o755, SCRIPT).finds(&[]);
}

#[test]
fn files_that_are_not_the_program_that_was_meant_are_found() {
    let finds = |content: &str, severity: &str, message: &str| {
        let expected = format!("fetch: {severity}: {message} ({ARRAY} runs it)");
        Code::hook(r#"["./fetch"]"#).file("fetch", 0o755, content).finds(&[&expected]);
    };
    let pointer =
        "this is a pointer of Git LFS in the place of the file; get the file (git lfs pull)";
    finds("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "error", pointer);
    let mark = "the file begins with a byte order mark, and its #! line therefore counts for \
                nothing; save it as UTF-8 without a byte order mark";
    finds("\u{feff}#!/usr/bin/env python3\n", "error", mark);
    let page =
        "this is no program but an HTML page, such as a failed download leaves; get the file anew";
    finds("<!DOCTYPE html>\n<html></html>\n", "warning", page);
    finds("\n<html lang=\"en\">", "warning", page);
    let zip = "this is no program but a zip archive; unpack it (unzip) and put the program here";
    finds("PK\x03\x04\0\0", "warning", zip);
    let gzip = format!(
        "fetch: warning: this is no program but a gzip archive; unpack it (gunzip, tar xzf) and \
         put the program here ({ARRAY} runs it)"
    );
    Code::hook(r#"["./fetch"]"#).file("fetch", 0o755, b"\x1f\x8b\x08\0").finds(&[&gzip]);
    Code::hook(r#"["java", "-jar", "a.jar"]"#).file("a.jar", 0o644, "PK\x03\x04\0\0").finds(&[]);
    finds(
        "",
        "warning",
        "this file is empty, so that to run it does nothing; put the program here",
    );
}

#[test]
fn interpreter_that_cannot_be_executed_is_an_error() {
    let script = |line: &str| Code::hook(r#"["./fetch"]"#).file("fetch", 0o755, line);
    let at = |severity: &str, message: &str| {
        format!("fetch:1:3: {severity}: {message} ({ARRAY} runs it)")
    };
    script("#!/var/task/lua\n").finds(&[&at(
        "warning",
        "the interpreter \"/var/task/lua\" is not beside the code; add it",
    )]);
    let permission = "the interpreter \"/var/task/lua\" has no execute permission for other \
                      users; chmod a+rx lua";
    script("#!/var/task/lua\n").file("lua", 0o750, SCRIPT).finds(&[&at("warning", permission)]);
    script("#!/var/task/lua\n").file("lua", 0o755, SCRIPT).finds(&[]);
    script("#!/opt/lua\n").finds(&[]);
    let directory = "the interpreter \"/opt/lib\" is a directory; name a program";
    let layer = script("#!/opt/lib\n").file("layer/lib/x", 0o644, "");
    layer.finds_with(&["--layer", "layer"], &[&at("warning", directory)]);
}

#[test]
fn programs_of_other_systems_are_an_error() {
    for (content, system) in
        [(b"MZ\x90\0\x03\0" as &[u8], "Windows"), (b"\xcf\xfa\xed\xfe\x07\0", "macOS")]
    {
        let expected = format!(
            "fetch: error: this program is for {system}; build it for Linux ({ARRAY} runs it)"
        );
        Code::hook(r#"["./fetch"]"#).file("fetch", 0o755, content).finds(&[&expected]);
    }
    let mut program = fs::read("/bin/true").expect("a program");
    program[4] = 1;
    let expected =
        format!("fetch: error: this program is for no machine that Lambda has ({ARRAY} runs it)");
    Code::hook(r#"["./fetch"]"#).file("fetch", 0o755, program).finds(&[&expected]);
}

#[test]
fn programs_that_need_a_newer_glibc_are_an_error() {
    let needs = |minor: &str| {
        let mut program = fs::read("/bin/true").expect("a program");
        let found: Vec<usize> =
            (0..program.len() - 10).filter(|&at| program[at..].starts_with(b"GLIBC_2.")).collect();
        assert!(!found.is_empty(), "the program is linked dynamically");
        for at in found {
            let end = program[at..].iter().position(|&byte| byte == 0).expect("an end");
            let version = format!("GLIBC_2.{minor}");
            // Others have three parts, or one digit.
            if end >= version.len() {
                program[at..at + end].fill(0);
                program[at..at + version.len()].copy_from_slice(version.as_bytes());
            } else {
                program[at..at + end].copy_from_slice(&b"GLIBC_2.2.5"[..end]);
            }
        }
        program
    };
    let runs = format!(" ({ARRAY} runs it)");
    let newest = format!(
        "fetch: error: this program needs glibc 2.39, and the newest in Lambda's images is 2.34 \
         (Amazon Linux 2023); link it statically, or build it on Amazon Linux{runs}"
    );
    Code::hook(r#"["./fetch"]"#).file("fetch", 0o755, needs("39")).finds(&[&newest]);
    let older = format!(
        "fetch: error: this program needs glibc 2.34, and Amazon Linux 2, on which the runtime \
         is, has 2.26; link it statically, or build it on Amazon Linux 2{runs}"
    );
    Code::hook_in(r#""python3.11""#, r#"["./fetch"]"#)
        .file("fetch", 0o755, needs("34"))
        .finds(&[&older]);
    let dynamic = format!(
        "fetch: warning: this program is linked dynamically: it needs the libraries of the \
         function's image, as new as those it was built with; link it statically to run \
         everywhere{runs}"
    );
    Code::hook_in(r#""python3.12""#, r#"["./fetch"]"#)
        .file("fetch", 0o755, needs("34"))
        .finds(&[&dynamic]);
}

#[test]
fn bootstrap_beside_the_code_is_an_error() {
    let layer = |code: Code| {
        code.file("layer/bin/foreword", 0o755, "#!/bin/sh\n# foreword\n")
            .link("layer/bootstrap", "bin/foreword")
    };
    let arguments = ["--layer", "layer"];
    let expected = "bootstrap: error: foreword never runs: on OS-only runtimes, Lambda starts \
                    this file and not the layers' bootstrap, which is foreword; give it another \
                    name, and let the function's \"Handler\" be that name";
    layer(Code::new("{}")).file("bootstrap", 0o755, SCRIPT).finds_with(&arguments, &[expected]);
    // A copy of foreword, a symlink to one, a bootstrap that leads to another.
    let copied = layer(Code::new("{}")).file("layer/bootstrap.d/x", 0o644, "").file(
        "bootstrap",
        0o755,
        SCRIPT,
    );
    fs::remove_file(copied.0.path("layer/bootstrap")).expect("a symlink");
    let copied = copied.file("layer/bootstrap", 0o755, "#!/bin/sh\n# foreword\n");
    copied.finds_with(&arguments, &[expected]);
    layer(Code::new("{}"))
        .link("run", "code/run")
        .link("bootstrap", "run")
        .file("code/run", 0o755, SCRIPT)
        .finds_with(&arguments, &[expected]);
    // Nothing is hidden: it is foreword, or there is no other.
    layer(Code::new("{}")).link("bootstrap", "/opt/bin/foreword").finds_with(&arguments, &[]);
    layer(Code::new("{}"))
        .file("bootstrap", 0o755, "#!/bin/sh\n# foreword\n")
        .finds_with(&arguments, &[]);
    layer(Code::new("{}")).file("app", 0o755, SCRIPT).finds_with(&arguments, &[]);
    let plain =
        Code::new("{}").file("layer/bin/foreword", 0o755, SCRIPT).file("bootstrap", 0o755, SCRIPT);
    plain.finds_with(&arguments, &[]);
}

#[test]
fn programs_that_may_be_there_give_no_warning() {
    for command in [
        // Only the function knows.
        r#"["${TOOL}"]"#,
        r#"["/opt/${TOOL}/x"]"#,
        r#""$TOOL/x""#,
        r#""./$TOOL""#,
        r#"["${LAMBDA_TASK_ROOT}/built-later"]"#,
        r#"["/tmp/x"]"#,
        r#"["/usr/local/bin/of-an-image"]"#,
        r#"["./x"], "cwd": "/tmp/x""#,
        r#"["./x"], "cwd": "${HERE}""#,
        // The shell has it, or looks first.
        r#""cd /tmp && ./x""#,
        r#""export A=1; set -e; echo $A; [ -n \"$A\" ]""#,
        r#""[ -x ./x ] && ./x""#,
        r#""command -v jq && jq .""#,
        r#""jq . || true""#,
        r#""if ./x; then echo y; fi""#,
        r#""for x in a b; do ./$x; done""#,
        r#""x=$(./y) || true""#,
        r#""(./x) || true""#,
        r#""cd $HERE && ./x""#,
        r#"["timeout", "5", "${TOOL}"]"#,
        r#"["env", "${TOOL}", "./x"]"#,
        r#"["env", "-C", "/tmp", "./x"]"#,
        r#"["env", "PATH=/tmp", "jq"]"#,
        r#"["npx", "./x"]"#,
        r#"["poetry", "run", "x"]"#,
        r#"["bash", "-c", "[ -x ./x ] && ./x"]"#,
        r#"["bash", "-c", "${TOOL}"]"#,
        r#"["bash", "${OPTIONS}", "x.sh"]"#,
        r#"["python3", "${OPTIONS}", "x.py"]"#,
        r#"["timeout", "5", "./x"], "when": {"file": "x"}"#,
        r#""x() { ./y; }; x""#,
        r#""cat <<END\n./x\nEND""#,
        r#""./\"x\"""#,
        // A condition asks for it.
        r#"["./x"], "when": {"file": "x"}"#,
        r#"["jq"], "when": {"any": [{"file": "/opt/bin/jq"}]}"#,
    ] {
        Code::hook(command).finds(&[]);
    }
    // Node adds the end of the name, and Python runs directories.
    Code::hook(r#"["node", "./x"]"#).file("x.js", 0o644, "").finds(&[]);
    Code::hook(r#"["node", "-r", "./y.js", "./x"]"#)
        .file("y.js", 0o644, "")
        .file("x/index.js", 0o644, "")
        .finds(&[]);
    Code::hook(r#"["python3", "-u", "./x"]"#).file("x/__main__.py", 0o644, "").finds(&[]);
    // Of other files, nobody knows where the code lies that goes with them.
    let config = r#"{"program": "./x"}"#;
    Code(Test::new().on_the_machine().file("other.json", config)).finds_with(&["other.json"], &[]);
}
