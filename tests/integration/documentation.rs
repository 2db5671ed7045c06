//! The documentation is true: what it shows is run, and every key, variable, error type, exit
//! status and option is in it.

mod commands;
mod links;
mod pages;

#[cfg(feature = "tool")]
use crate::support::timeline::timeless;
use crate::support::{PATH, Test, extension};
pub use pages::everything;
use pages::{PAGES, PROJECT, blocks, section};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Returns the configurations that the documentation shows.
pub fn configurations() -> Vec<String> {
    let is_configuration = |block: &String| !block.contains("errorType");
    let configurations: Vec<_> =
        PAGES.iter().flat_map(|page| blocks(page, "json")).filter(is_configuration).collect();
    assert!(configurations.len() >= 4, "the documentation shows configurations");
    configurations
}

/// Pages whose sessions run a real function.
#[cfg(feature = "tool")]
pub const OF_REAL_FUNCTIONS: [&str; 1] = ["docs/simulate.md"];

/// Every page can be followed by itself.
#[cfg(feature = "tool")]
#[test]
fn every_console_session_when_run_prints_what_it_shows() {
    let shows = |page: &&str| !blocks(page, "console").is_empty();
    let (real, pages): (Vec<_>, Vec<_>) =
        PAGES.into_iter().filter(shows).partition(|page| OF_REAL_FUNCTIONS.contains(page));
    assert_eq!(real, OF_REAL_FUNCTIONS);
    assert!(pages.len() > 4, "the documentation shows sessions");
    for page in pages {
        // Some sessions name the program of a runtime that is never started.
        prints_what_it_shows(page, Test::new().script("bin/python3", "#!/bin/sh\nexit 1\n"));
    }
}

/// Runs the commands of a page in a directory of their own.
#[cfg(feature = "tool")]
pub fn prints_what_it_shows(page: &str, test: Test) {
    let session = blocks(page, "console").join("\n");
    let mut script = String::from("PATH=<folder>/bin:$PATH\nunset LAMBDA_TASK_ROOT\nexec 2>&1\n");
    let mut expected = String::new();
    for line in session.lines() {
        match (line.strip_prefix("$ "), line.strip_prefix("> ")) {
            (Some(command), _) | (_, Some(command)) => script += &format!("{command}\n"),
            _ => expected += &format!("{line}\n"),
        }
    }
    // The tool runs on a developer's machine, not in the sandbox.
    let test = test.on_the_machine().named("bin/foreword");
    let test = test.without_foreword().args(["/bin/sh", "session"]);
    let script = script.replace("<folder>", test.path("").to_str().expect("UTF-8"));
    let captured = test.file("session", script).capture();
    // Durations differ.
    let (found, expected) = (timeless(&captured.stdout), timeless(expected.as_bytes()));
    assert!(found == expected, "{page}, expected:\n{expected}\nfound:\n{found}");
    assert_eq!((captured.stderr, captured.status), (Vec::new(), 0), "{page}");
}

#[test]
fn every_configuration_is_accepted() {
    for configuration in configurations() {
        // The configuration is decoded but never applies, because the agents and secrets of the
        // examples are not here.
        let never =
            format!(r#"{{"rules": [{{"when": {{"not": {{}}}}, "rules": [{configuration}]}}]}}"#);
        Test::new().config(&never).args(["/bin/true"]).run();
    }
}

#[cfg(feature = "tool")]
#[test]
fn every_configuration_passes_check() {
    for configuration in configurations() {
        let captured =
            Test::new().file("a.json", &configuration).args(["check", "a.json"]).capture();
        assert_eq!((captured.status, captured.stderr), (0, Vec::new()), "{configuration}");
    }
}

/// Returns a run of the example that contains a text, with a java that prints its command line, and
/// with `/opt` replaced by a directory of the test's.
fn example(holding: &str) -> Test {
    let configurations = configurations();
    let mut found = configurations.iter().filter(|block| block.contains(holding));
    let (Some(block), None) = (found.next(), found.next()) else {
        panic!("one example has {holding}")
    };
    let this = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let test = Test::new().script("java", "#!/bin/sh\necho \"$*\"\n");
    test.config(&block.replace("/opt/", "<folder>/opt/").replace("x86_64", this))
}

#[test]
fn example_of_options_and_arguments_has_the_effect_it_describes() {
    example("\"remove\"")
        .env("ORIG_HANDLER", "app.Handler")
        .env("_HANDLER", "wrapper.Handler")
        .args([
            "./java",
            "-XX:-TieredCompilation",
            "-Xshare:on",
            "-classpath",
            "a.jar",
            "Main",
            "app.Handler",
        ])
        .stdout(
            "-XX:+TieredCompilation -Xshare:auto -classpath a.jar:<folder>/opt/lib/agent.jar \
             -Djava.net.preferIPv4Stack=true Main wrapper.Handler\n",
        )
        .run();
}

#[test]
fn example_of_conditions_applies_only_when_all_hold() {
    let met = [
        ("AWS_EXECUTION_ENV", "AWS_Lambda_java21"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start"),
        ("AGENT", "On"),
        ("STAGE", "prod-1"),
        ("REGION", "us-east-1"),
        ("AGENT_URL", "x"),
        ("TEAM", "b"),
    ];
    let test = || {
        let test = example("\"AGENT_OFF\"").file("opt/agent-1.jar", "").args(["./java", "Main"]);
        met.iter().fold(test, |test, (name, value)| test.env(name, value))
    };
    test().stdout("-javaagent:<folder>/opt/agent.jar Main\n").run();
    for (name, value) in [
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_java8.al2"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency"),
        ("AGENT", "off"),
        ("STAGE", "test"),
        ("REGION", "ap-south-1"),
        ("AGENT_URL", ""),
        ("AGENT_OFF", "1"),
        ("TEAM", "c"),
    ] {
        test().env(name, value).stdout("Main\n").run();
    }
    let without_agent = test();
    fs::remove_file(without_agent.path("opt/agent-1.jar")).expect("the agent");
    without_agent.stdout("Main\n").run();
}

#[test]
fn example_of_pre_stop_hooks_runs_in_the_order_it_describes() {
    let say = |name: &str| format!("#!/bin/sh\necho {name} \"$*\"\n");
    let test = example("\"deregister\"")
        .script("opt/bin/deregister", say("deregister"))
        .script("bin/curl", say("curl"));
    let lambda = extension::lambda();
    let run =
        test.env("PATH", format!("<folder>/bin:{PATH}")).env("SERVICE_ID", "7").waits(&lambda);
    lambda.shutdown("spindown", Duration::from_millis(1900));
    let log = extension::succeeded("flush") + &extension::succeeded("deregister");
    run.ends("curl -s -X POST localhost:4318/flush\nderegister 7\n", &log);
}

/// A kind of object in a configuration, and where its keys are described.
pub struct ObjectKind {
    /// A configuration with one, in which `@` stands for a member.
    pub configuration: &'static str,
    /// The schema's JSON pointer of its properties.
    #[cfg_attr(not(feature = "tool"), allow(dead_code, reason = "the tool prints the schema"))]
    pub schema: &'static str,
    page: &'static str,
    /// The heading of the section.
    section: &'static str,
    form: KeyForm,
}

/// The form in which a section describes keys.
#[derive(PartialEq, Eq)]
enum KeyForm {
    /// A row of a table for each key.
    Table,
    /// Sentences.
    Prose,
}

pub const OBJECT_KINDS: [ObjectKind; 10] = [
    ObjectKind {
        configuration: "{@}",
        schema: "/$defs/rule/properties",
        page: "docs/configuration.md",
        section: "# Configuration",
        form: KeyForm::Table,
    },
    ObjectKind {
        configuration: r#"{"env": {"A": {"default": "", @}}}"#,
        schema: "/$defs/edit/anyOf/2/properties",
        page: "docs/configuration.md",
        section: "## Environment",
        form: KeyForm::Prose,
    },
    ObjectKind {
        configuration: r#"{"secrets": {"A_": {"path": "ssm:/a", @}}}"#,
        schema: "/$defs/secretPath/properties",
        page: "docs/secrets.md",
        section: "## References",
        form: KeyForm::Prose,
    },
    ObjectKind {
        configuration: r#"{"options": {@}}"#,
        schema: "/$defs/rule/properties/options/properties",
        page: "docs/configuration.md",
        section: "## Options and arguments",
        form: KeyForm::Table,
    },
    ObjectKind {
        configuration: r#"{"arguments": {@}}"#,
        schema: "/$defs/rule/properties/arguments/properties",
        page: "docs/configuration.md",
        section: "## Options and arguments",
        form: KeyForm::Table,
    },
    ObjectKind {
        configuration: r#"{"hooks": {@}}"#,
        schema: "/$defs/rule/properties/hooks/properties",
        page: "docs/hooks.md",
        section: "# Hooks",
        form: KeyForm::Table,
    },
    ObjectKind {
        configuration: r#"{"hooks": {"initialize": [{@}]}}"#,
        schema: "/$defs/hook/properties",
        page: "docs/hooks.md",
        section: "# Hooks",
        form: KeyForm::Table,
    },
    ObjectKind {
        configuration: r#"{"wrappers": [{@}]}"#,
        schema: "/$defs/wrapper/anyOf/1/properties",
        page: "docs/wrappers.md",
        section: "# Other wrappers",
        form: KeyForm::Table,
    },
    ObjectKind {
        configuration: r#"{"when": {@}}"#,
        schema: "/$defs/when/properties",
        page: "docs/configuration.md",
        section: "## Conditions",
        form: KeyForm::Table,
    },
    ObjectKind {
        configuration: r#"{"when": {"env": {"A": {"matches": "x", @}}}}"#,
        schema: "/$defs/test/anyOf/2/properties",
        page: "docs/configuration.md",
        section: "## Conditions",
        form: KeyForm::Prose,
    },
];

impl ObjectKind {
    /// Returns its keys, which foreword lists when it is given an unknown one.
    pub fn keys(&self) -> Vec<String> {
        let output = Test::new()
            .config(&self.configuration.replace('@', r#""zzzzzzzzzzzz": 0"#))
            .args(["/bin/true"])
            .capture();
        let line = String::from_utf8(output.stderr).expect("UTF-8");
        let (_, keys) =
            line.trim_end().split_once("; here go ").unwrap_or_else(|| panic!("{line}"));
        keys.split(", ").map(str::to_owned).collect()
    }

    /// Reports whether its section describes a key.
    fn describes(&self, key: &str) -> bool {
        let section = section(self.page, self.section);
        let quoted = format!("`{key}`");
        let in_row = |line: &&str| {
            line.starts_with('|')
                && line.split('|').nth(1).is_some_and(|cell| cell.contains(&quoted))
        };
        match self.form {
            KeyForm::Table => section.lines().filter(in_row).count() == 1,
            KeyForm::Prose => section.contains(&quoted),
        }
    }
}

/// The keys that every object may have, which the table of the rule's keys describes.
const ANNOTATIONS: [&str; 2] = ["description", "$schema"];

#[test]
fn every_key_is_described_in_the_section_of_its_kind() {
    for (index, kind) in OBJECT_KINDS.iter().enumerate() {
        for key in kind.keys() {
            let kind =
                if ANNOTATIONS.contains(&&*key) { &OBJECT_KINDS[0] } else { &OBJECT_KINDS[index] };
            let (page, section) = (kind.page, kind.section);
            assert!(
                kind.describes(&key),
                "{key} of {} in {section:?} of {page}",
                kind.configuration
            );
        }
    }
}

#[test]
fn every_variable_error_type_and_exit_status_is_documented() {
    let documentation = everything();
    let source = source(&Path::new(PROJECT).join("src"));
    let quoted = |prefix: &str| -> Vec<&str> {
        source
            .split('"')
            .filter(|text| text.starts_with(prefix) && !text.contains([' ', '\n', '\\']))
            .collect()
    };
    let names = [
        quoted("FOREWORD_"),
        quoted("AWS_"),
        quoted("LAMBDA_"),
        quoted("Runtime."),
        quoted("Extension."),
    ]
    .concat();
    assert!(names.len() > 10, "the source names its variables and error types");
    for name in names.into_iter().filter(|name| !name.contains('=') && *name != "AWS_Lambda_") {
        // A prefix is documented by a variable that begins with it.
        let end = if name.ends_with('_') { "" } else { "`" };
        assert!(documentation.contains(&format!("`{name}{end}")), "{name}");
    }
    let statuses = fs::read_to_string(Path::new(PROJECT).join("src/exit_status.rs"))
        .expect("the exit statuses");
    assert_eq!(statuses.matches("pub const ").count(), 4);
    for status in statuses.lines().filter_map(|line| line.trim_end_matches(';').rsplit_once(" = "))
    {
        assert!(
            documentation.contains(&format!("| {} |", status.1)),
            "the exit status {}",
            status.1
        );
    }
}

/// Returns all source files, one after the other, without their unit tests.
fn source(directory: &Path) -> String {
    let entries =
        fs::read_dir(directory).expect("the source").map(|entry| entry.expect("an entry").path());
    // The simulated Lambda contains the error types of Lambda's own APIs.
    let is_own = |path: &std::path::PathBuf| {
        !path.ends_with("src/simulated_lambda") && !path.ends_with("src/simulated_lambda.rs")
    };
    let entries = entries.filter(is_own);
    let text = |path: std::path::PathBuf| match path.is_dir() {
        true => source(&path),
        false => fs::read_to_string(&path)
            .expect("a source file")
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    entries.map(text).collect()
}

#[cfg(feature = "tool")]
#[test]
fn every_command_and_option_is_documented() {
    let help = |arguments: &[&str]| {
        let captured = Test::new().args(arguments).capture();
        assert_eq!(captured.status, 0);
        String::from_utf8(captured.stdout).expect("UTF-8")
    };
    let documentation = everything();
    let whole = help(&["--help"]);
    let commands = whole
        .split_once("\nCommands:\n")
        .expect("the commands")
        .1
        .split_once("\n\n")
        .expect("their end")
        .0;
    let commands: Vec<_> =
        commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 2, "{whole}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(documentation.contains(&format!("`foreword {command}")), "the command {command}");
        let own = help(&[command, "--help"]);
        for flag in
            own.split_whitespace().filter(|word| word.starts_with("--") && *word != "--help")
        {
            assert!(documentation.contains(flag), "{flag} of {command}");
        }
    }
}
