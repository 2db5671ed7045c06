//! The plan of a start: a value computed from the received command line, the environment and the
//! rules. Decides everything and does nothing. The command line is computed last
//! ([`Plan::execution`]), because its templates see what hooks exported.

mod conflicts;
mod execution;
pub mod saved;
mod secret_request;

#[cfg(feature = "tool")]
pub use conflicts::{refuse_edit, refuse_hook, refuse_wrapper};
pub use execution::{Execution, ReadFile};
pub use secret_request::SecretRequest;
#[cfg(feature = "tool")]
pub use secret_request::WantedVariable;

use crate::condition::{Facts, When};
use crate::config::{Change, EnvEdit, Hook, Place, Rule, Wrapper, edit};
use crate::environ::Environ;
use crate::glob::Glob;
use crate::lambda::{INITIALIZATION, MAX_CONCURRENCY, RUNTIME_API, SNAP_START, WEB_ADAPTER};
use crate::marker::RESTORED;
use crate::phase::{Order, Phase};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The plan of a start, without what depends on the exports of hooks.
pub struct Plan<'p> {
    /// The received command line: program and arguments.
    pub received: &'p [OsString],
    /// The rules that apply, in the order of the configuration.
    pub rules: Vec<&'p Rule<'p>>,
    /// The other wrappers that get the process before the runtime, in order.
    pub wrappers: Vec<&'p Wrapper<'p>>,
    /// The rules, wrappers and hooks whose condition does not hold. The contents of such a rule are
    /// not among them.
    pub skipped: Vec<Skipped<'p>>,
    /// The process that runs the hooks around a snapshot.
    pub snapshot_hooks: SnapshotHooks,
    /// True if the configuration has a `pre_stop` hook, even one that does not apply.
    pub has_pre_stop: bool,
    /// The hooks that apply, of all phases, in the order of the configuration.
    hooks: Vec<&'p Hook<'p>>,
}

/// A part of the configuration whose condition does not hold.
#[derive(Clone, Copy)]
pub enum Skipped<'p> {
    Rule(&'p Rule<'p>),
    Wrapper(&'p Wrapper<'p>),
    Hook(&'p Hook<'p>),
}

impl<'p> Skipped<'p> {
    /// Returns the place of the part.
    pub fn place(self) -> Place<'p> {
        match self {
            Skipped::Rule(rule) => rule.place,
            Skipped::Wrapper(wrapper) => wrapper.place,
            Skipped::Hook(hook) => hook.place,
        }
    }
}

/// The process that runs the hooks around a snapshot: `before_snapshot` and `after_restore`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotHooks {
    Nobody(NoSnapshot),
    Relay,
    /// The wrapper, which runs only the `after_restore` hooks: Lambda reset the environment after
    /// its restore, and does not restore it again.
    Wrapper,
    /// The relay would have to run them, but Lambda Web Adapter bypasses it.
    WebAdapter,
}

/// The reason why nobody runs hooks around a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSnapshot {
    /// There are no such hooks.
    NoHooks,
    /// The function is not initialized for a snapshot.
    NoSnapStart,
    /// The environment takes several invocations at a time. Lambda never restores such an
    /// environment from a snapshot.
    Concurrent,
    /// There is no Runtime API that a relay could forward to.
    NoRuntimeApi,
}

impl<'p> Plan<'p> {
    /// Plans a start: decides which parts of the rules apply. `received` has at least the program.
    pub fn new(received: &'p [OsString], rules: &'p [Rule<'p>], facts: &Facts) -> Self {
        let mut plan = Self {
            received,
            rules: Vec::new(),
            wrappers: Vec::new(),
            skipped: Vec::new(),
            snapshot_hooks: SnapshotHooks::Nobody(NoSnapshot::NoHooks),
            has_pre_stop: has_hook(rules, Phase::PreStop),
            hooks: Vec::new(),
        };
        for rule in rules {
            plan.add_rule(rule, facts);
        }
        plan
    }

    /// Edits the environment, which has what secrets export by now, and decides what depends on
    /// edits. Calls `each` before every edit, with the change that it makes, if it makes one.
    pub fn edit_environ(
        &mut self,
        environ: &mut Environ,
        facts: &Facts,
        mut each: impl FnMut(&Rule, &EnvEdit, Option<&Change>),
    ) {
        for rule in &self.rules {
            edit::apply(environ, &rule.env, &mut |edit, change| each(rule, edit, change));
        }
        self.snapshot_hooks = SnapshotHooks::decide(&self.hooks, environ, facts);
    }

    /// Adds a rule that applies: its own edits, wrappers and hooks first, then the rules in it.
    fn add_rule(&mut self, rule: &'p Rule<'p>, facts: &Facts) {
        // Edits stay in the rule; the rest is registered here.
        let Rule {
            when,
            wrappers,
            hooks,
            rules,
            place: _,
            secrets: _,
            secrets_timeout: _,
            resolves_references: _,
            env: _,
            options: _,
            arguments: _,
            entry: _,
            program: _,
            prefix: _,
        } = rule;
        let mut holds = |when: &When, part| {
            let holds = when.holds(facts);
            if !holds {
                self.skipped.push(part);
            }
            holds
        };
        if !holds(when, Skipped::Rule(rule)) {
            return;
        }
        self.rules.push(rule);
        self.wrappers.extend(
            wrappers.iter().filter(|wrapper| holds(&wrapper.when, Skipped::Wrapper(wrapper))),
        );
        self.hooks.extend(hooks.iter().filter(|hook| holds(&hook.when, Skipped::Hook(hook))));
        for rule in rules {
            self.add_rule(rule, facts);
        }
    }

    /// Returns the hooks of a phase that apply, in execution order.
    pub fn hooks(&self, phase: Phase) -> Vec<&'p Hook<'p>> {
        let mut hooks = self.hooks.clone();
        hooks.retain(|hook| hook.phase == phase);
        match phase.order() {
            Order::AsRegistered => {}
            Order::Reversed => hooks.reverse(),
        }
        hooks
    }

    /// Returns the hooks that run after the wrapper chain, in the order of the configuration.
    fn hooks_after_wrappers(&self) -> Vec<&'p Hook<'p>> {
        let is_after = |hook: &&&Hook| match hook.phase {
            Phase::Initialize => false,
            Phase::BeforeSnapshot | Phase::AfterRestore => {
                self.snapshot_hooks == SnapshotHooks::Relay
            }
            Phase::PreStop => true,
        };
        self.hooks.iter().filter(is_after).copied().collect()
    }

    /// Computes the command line to execute, from the environment after all hooks. Calls `each`
    /// after every rule that edits it.
    pub fn execution(
        &self,
        environ: &Environ,
        read: ReadFile,
        mut each: impl FnMut(&Rule, &Execution),
    ) -> Execution {
        let mut execution = Execution::new(self.received, read);
        for rule in self.rules.iter().filter(|rule| rule.edits_command_line()) {
            execution.edit(rule, environ);
            each(rule, &execution);
        }
        execution
    }

    /// Returns the programs that rules set, each with the key that sets it: the word that is
    /// executed, and the words with a `/` behind it, which a program such as `nice` may execute in
    /// turn.
    pub fn programs<'e>(
        &self,
        execution: &'e Execution,
    ) -> impl Iterator<Item = (&'static str, &'e OsString)> {
        let prefix = execution.prefix.iter().map(|word| ("prefix", word));
        let is_set = self.rules.iter().any(|rule| rule.program.is_some());
        let program = is_set.then_some(("program", &execution.line.program));
        let words = prefix.chain(program).enumerate();
        words
            .filter(|(index, (_, word))| *index == 0 || word.as_bytes().contains(&b'/'))
            .map(|(_, program)| program)
    }
}

/// Tells whether a hook of a phase may apply, as far as an extension can tell (see
/// [`When::decide`]).
pub fn may_run(
    rules: &[Rule],
    phase: Phase,
    environ: &Environ,
    exists: &dyn Fn(&Glob) -> bool,
) -> bool {
    let may_hold = |when: &When| when.decide(environ, exists) != Some(false);
    rules.iter().filter(|rule| may_hold(&rule.when)).any(|rule| {
        rule.hooks.iter().any(|hook| hook.phase == phase && may_hold(&hook.when))
            || may_run(&rule.rules, phase, environ, exists)
    })
}

/// Tells whether the configuration has a hook of a phase, even one that does not apply.
fn has_hook(rules: &[Rule], phase: Phase) -> bool {
    rules.iter().any(|rule| {
        rule.hooks.iter().any(|hook| hook.phase == phase) || has_hook(&rule.rules, phase)
    })
}

impl SnapshotHooks {
    /// Decides from the hooks that apply, the edited environment, and the environment that Lambda
    /// handed over.
    fn decide(hooks: &[&Hook], environ: &Environ, facts: &Facts) -> Self {
        let exists = |path| (facts.exists)(&Glob::from_literal(path));
        if !hooks.iter().any(|hook| hook.phase.is_around_snapshot()) {
            Self::Nobody(NoSnapshot::NoHooks)
        } else if facts.environ.value(INITIALIZATION) != Some(OsStr::new(SNAP_START)) {
            Self::Nobody(NoSnapshot::NoSnapStart)
        } else if facts.environ.non_empty(MAX_CONCURRENCY).is_some() {
            Self::Nobody(NoSnapshot::Concurrent)
        } else if environ.non_empty(RUNTIME_API).is_none() {
            Self::Nobody(NoSnapshot::NoRuntimeApi)
        } else if exists(WEB_ADAPTER) {
            Self::WebAdapter
        } else if exists(RESTORED) {
            Self::Wrapper
        } else {
            Self::Relay
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::RuntimeName;
    use crate::config::{Source, decode_rules, parse_sources};
    use crate::template::Template;

    /// Plans a start; returns the final command line and environment.
    fn planned(config: &str, received: &str, environment: &[&str]) -> (String, Vec<String>) {
        let sources = [Source { name: "test".into(), text: config.into() }];
        let documents = parse_sources(&sources);
        let rules =
            decode_rules(&documents).unwrap_or_else(|failure| panic!("{}", failure.message));
        let entries: Vec<_> = environment
            .iter()
            .map(|entry| std::ffi::CString::new(*entry).expect("an entry"))
            .collect();
        let environ = Environ::from_entries(entries.iter().map(std::ffi::CString::as_c_str));
        let received: Vec<OsString> = received.split(' ').map(OsString::from).collect();
        let runtime = RuntimeName::from_program(&environ, &received[0]);
        let facts = Facts {
            environ: &environ,
            runtime: &runtime,
            architecture: "x86_64",
            exists: &|glob| *glob == Glob::new(&literal("/there"), &environ),
        };
        let mut edited = environ.clone();
        let mut plan = Plan::new(&received, &rules, &facts);
        plan.edit_environ(&mut edited, &facts, |_, _, _| {});
        let read = |_: &OsStr| unreachable!("no argument file");
        let words = plan.execution(&edited, &read, |_, _| {}).into_words();
        let words: Vec<_> = words.iter().map(|word| word.to_str().expect("UTF-8")).collect();
        let entries =
            edited.entries().iter().map(|entry| entry.to_string_lossy().into_owned()).collect();
        (words.join(" "), entries)
    }

    fn literal(text: &str) -> Template<'_> {
        Template::new(text).expect("a text")
    }

    const JAVA: &str =
        "/var/lang/bin/java -XX:-TieredCompilation -cp a.jar lambdainternal.AWSLambda pkg.H";

    #[test]
    fn command_line_edits_apply_rule_by_rule() {
        for (config, expected) in [
            (
                r#"{"options": {"append": ["-Da"]}, "rules": [{"options": {"append": ["-Db"]}}]}"#,
                "/var/lang/bin/java -XX:-TieredCompilation -cp a.jar -Da -Db \
                 lambdainternal.AWSLambda pkg.H",
            ),
            (
                r#"{"options": {"prepend": ["-Da"]}, "rules": [{"options": {"prepend": ["-Db"]}}]}"#,
                "/var/lang/bin/java -Db -Da -XX:-TieredCompilation -cp a.jar \
                 lambdainternal.AWSLambda pkg.H",
            ),
            (
                r#"{"options": {"remove": ["-XX:*", "-cp *"], "append": ["-XX:x"]}}"#,
                "/var/lang/bin/java -XX:x lambdainternal.AWSLambda pkg.H",
            ),
            (
                r#"{"options": {"values": {"-cp": {"append": "b.jar", "separator": ":"}}}}"#,
                "/var/lang/bin/java -XX:-TieredCompilation -cp a.jar:b.jar \
                 lambdainternal.AWSLambda pkg.H",
            ),
            (
                r#"{"options": {"replace": {"a.jar": "c.jar"}}, "arguments": {"replace": {"${H}": "w.H", "": "x", "${NO}": "x"}}}"#,
                "/var/lang/bin/java -XX:-TieredCompilation -cp c.jar lambdainternal.AWSLambda w.H",
            ),
            (
                r#"{"arguments": {"prepend": ["1"], "append": ["2"], "remove": ["pkg.?"]}, "entry": "Main"}"#,
                "/var/lang/bin/java -XX:-TieredCompilation -cp a.jar Main 1 2",
            ),
            (
                r#"{"program": "x", "prefix": ["p", "-1"], "rules": [{"program": "y", "prefix": ["q"]}]}"#,
                "q p -1 y -XX:-TieredCompilation -cp a.jar lambdainternal.AWSLambda pkg.H",
            ),
            (
                r#"{"env": {"H": null}, "arguments": {"append": ["${H:-unset}"]}}"#,
                "/var/lang/bin/java -XX:-TieredCompilation -cp a.jar lambdainternal.AWSLambda \
                 pkg.H unset",
            ),
        ] {
            assert_eq!(planned(config, JAVA, &["H=pkg.H"]).0, expected, "{config}");
        }
    }

    #[test]
    fn environment_edits_see_those_before_them_and_conditions_see_none() {
        let config = r#"{
            "env": {"A": "1", "B": "${A}2", "A2": {"default": "${B}"}},
            "rules": [
                {"when": {"env": {"A": true}}, "env": {"WRONG": "1"}},
                {"when": {"env": {"GIVEN": true}}, "env": {"B": {"append": "3", "separator": "-"}}}
            ]
        }"#;
        assert_eq!(planned(config, "x", &["GIVEN=1"]).1, ["GIVEN=1", "A=1", "B=12-3", "A2=12"]);
    }

    #[test]
    fn conditions_are_evaluated_against_the_received_environment() {
        let environment = [
            "AWS_EXECUTION_ENV=AWS_Lambda_nodejs22.x",
            "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start",
            "A=Yes",
            "E=",
            "W=*",
        ];
        for (when, holds) in [
            ("{}", true),
            (r#"{"runtime": "node"}"#, true),
            (r#"{"runtime": ["java", "nodejs2[24].x"]}"#, true),
            (r#"{"runtime": "nodejs18.x"}"#, false),
            (r#"{"initialization": ["on-demand", "snap-start"]}"#, true),
            (r#"{"initialization": "on-demand"}"#, false),
            (r#"{"architecture": ["x86_64", "arm64"]}"#, true),
            (r#"{"file": "/there"}"#, true),
            (r#"{"file": ["/there", "/missing"]}"#, false),
            (r#"{"env": {"A": true, "E": false, "UNSET": false}}"#, true),
            (r#"{"env": {"E": true}}"#, false),
            (r#"{"env": {"A": "Y*"}}"#, true),
            (r#"{"env": {"A": ["n", "y*"]}}"#, false),
            (r#"{"env": {"A": {"matches": "yES", "ignore_case": true}}}"#, true),
            (r#"{"env": {"E": ""}}"#, true),
            (r#"{"env": {"UNSET": "*"}}"#, false),
            (r#"{"env": {"A": "${W}"}}"#, false),
            (r#"{"not": {"runtime": "node"}}"#, false),
            (r#"{"any": [{"runtime": "java"}, {"env": {"A": true}}]}"#, true),
            (r#"{"runtime": "node", "env": {"A": false}}"#, false),
        ] {
            let config = format!(r#"{{"when": {when}, "env": {{"APPLIED": "1"}}}}"#);
            let applied = planned(&config, "/var/lang/bin/node x.js", &environment)
                .1
                .contains(&"APPLIED=1".to_owned());
            assert_eq!(applied, holds, "{when}");
        }
    }

    #[test]
    fn runtime_without_declaration_is_that_of_the_program() {
        for (when, program, holds) in [
            ("python", "/usr/bin/python3.12", true),
            ("python3.1[12]", "python3.12", true),
            ("provided", "/var/task/bootstrap", true),
            ("provided", "node", false),
        ] {
            let config =
                format!(r#"{{"when": {{"runtime": "{when}"}}, "env": {{"APPLIED": "1"}}}}"#);
            assert_eq!(
                planned(&config, program, &[]).1 == ["APPLIED=1"],
                holds,
                "{when} {program}"
            );
        }
    }

    #[test]
    fn options_of_an_unknown_program_come_before_its_arguments() {
        let config = r#"{"options": {"remove": ["-x"], "prepend": ["-a"], "append": ["-b"]}, "rules": [{"options": {"prepend": ["-c"], "append": ["-d"]}}]}"#;
        assert_eq!(planned(config, "/bin/tool -x 1", &[]).0, "/bin/tool -c -a -b -d -x 1");
    }
}
