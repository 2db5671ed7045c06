//! Decides everything and does nothing: from the received command line, the environment and the
//! rules to what will happen. The command line itself is worked out last, because its texts see
//! what hooks exported.

mod conflicts;
mod execution;
pub mod saved;

#[cfg(feature = "tool")]
pub use conflicts::{command_line_keys, refuse_edit, refuse_hook, refuse_wrapper};
pub use execution::{Execution, ReadFile};

use crate::condition::{Facts, When};
use crate::config::edit;
use crate::config::{Change, EnvEdit, Hook, Place, Rule, Wrapper};
use crate::environ::Environ;
use crate::glob::Glob;
use crate::lambda::{INITIALIZATION, MAX_CONCURRENCY, RUNTIME_API, SNAP_START, WEB_ADAPTER};
use crate::marker::RESTORED;
use crate::phase::{Order, Phase};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// What will happen, apart from what only the hooks can tell.
pub struct Plan<'p> {
    /// Program and arguments as they were received.
    pub received: &'p [OsString],
    /// The rules that apply, in order.
    pub rules: Vec<&'p Rule<'p>>,
    /// The other wrappers that run before the runtime, in order.
    pub wrappers: Vec<&'p Wrapper<'p>>,
    /// What has a condition that does not hold; what such a rule holds is not looked at.
    pub skipped: Vec<Skipped<'p>>,
    /// Who runs the hooks around a snapshot.
    pub snapshot_hooks: SnapshotHooks,
    /// Whether there is a pre_stop hook, be it one that does not apply.
    pub has_pre_stop: bool,
    /// The hooks that apply, of all phases, as registered.
    hooks: Vec<&'p Hook<'p>>,
}

/// Something with a condition.
#[derive(Clone, Copy)]
pub enum Skipped<'p> {
    Rule(&'p Rule<'p>),
    Wrapper(&'p Wrapper<'p>),
    Hook(&'p Hook<'p>),
}

impl<'p> Skipped<'p> {
    pub fn place(self) -> Place<'p> {
        match self {
            Skipped::Rule(rule) => rule.place,
            Skipped::Wrapper(wrapper) => wrapper.place,
            Skipped::Hook(hook) => hook.place,
        }
    }
}

/// Who runs the hooks around a snapshot, `before_snapshot` and `after_restore`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotHooks {
    Nobody(NoSnapshot),
    Relay,
    /// The wrapper, and the `after_restore` hooks alone: the environment was reset after its
    /// restore, and is not restored again.
    Wrapper,
    /// The relay would have to, and Lambda Web Adapter goes past it.
    WebAdapter,
}

/// Why nobody runs hooks around a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSnapshot {
    /// There are no such hooks.
    NoHooks,
    /// The function is not initialized for a snapshot.
    NoSnapStart,
    /// An environment that takes several invocations at a time is never restored from a snapshot.
    Concurrent,
    /// There is no Runtime API to stand in front of.
    NoRuntimeApi,
}

impl<'p> Plan<'p> {
    /// Plans a start and edits the environment. `received` is the program and what follows it, and
    /// is never empty; `each` is told of every edit, with what it changes, if it changes something.
    pub fn new(
        received: &'p [OsString],
        environ: &mut Environ,
        rules: &'p [Rule<'p>],
        facts: &Facts,
        mut each: impl FnMut(&Rule, &EnvEdit, Option<&Change>),
    ) -> Self {
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
            plan.register(rule, facts);
        }
        for rule in &plan.rules {
            edit::apply(environ, &rule.env, &mut |edit, change| each(rule, edit, change));
        }
        plan.snapshot_hooks = SnapshotHooks::of(&plan.hooks, environ, facts);
        plan
    }

    /// A rule's own edits, wrappers and hooks come first, then those of the rules in it.
    fn register(&mut self, rule: &'p Rule<'p>, facts: &Facts) {
        let mut holds = |when: &When, what| {
            let holds = when.holds(facts);
            if !holds {
                self.skipped.push(what);
            }
            holds
        };
        if !holds(&rule.when, Skipped::Rule(rule)) {
            return;
        }
        self.rules.push(rule);
        self.wrappers.extend(
            rule.wrappers.iter().filter(|wrapper| holds(&wrapper.when, Skipped::Wrapper(wrapper))),
        );
        self.hooks.extend(rule.hooks.iter().filter(|hook| holds(&hook.when, Skipped::Hook(hook))));
        for nested in &rule.rules {
            self.register(nested, facts);
        }
    }

    /// The hooks of a phase that apply, in the order in which they run.
    pub fn hooks(&self, phase: Phase) -> Vec<&'p Hook<'p>> {
        let mut hooks = self.hooks.clone();
        hooks.retain(|hook| hook.phase == phase);
        match phase.order() {
            Order::AsRegistered => {}
            Order::Reversed => hooks.reverse(),
        }
        hooks
    }

    /// The hooks that run after all wrappers have had the process, as registered.
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

    /// What to execute, given the final environment; `each` sees what every rule that edits words
    /// made of it.
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

    /// The words that rules set and that may be programs, each with the key that sets it: the first
    /// one, and what it is told to start, which is named by its path if it is named at all.
    pub fn programs<'e>(
        &self,
        execution: &'e Execution,
    ) -> impl Iterator<Item = (&'static str, &'e OsString)> {
        let prefix = execution.prefix.iter().map(|word| ("prefix", word));
        let is_set = self.rules.iter().any(|rule| rule.program.is_some());
        let program = is_set.then_some(("program", &execution.line.program));
        let words = prefix.chain(program).enumerate();
        words
            .filter(|(place, (_, word))| *place == 0 || word.as_bytes().contains(&b'/'))
            .map(|(_, set)| set)
    }
}

/// Whether a hook of this phase may apply, as far as a process can tell that Lambda tells less than
/// the wrapper.
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

/// Whether there is a hook of this phase, be it one that does not apply.
fn has_hook(rules: &[Rule], phase: Phase) -> bool {
    rules.iter().any(|rule| {
        rule.hooks.iter().any(|hook| hook.phase == phase) || has_hook(&rule.rules, phase)
    })
}

impl SnapshotHooks {
    /// Decides from the hooks that apply, the edited environment, and what Lambda handed over.
    fn of(hooks: &[&Hook], environ: &Environ, facts: &Facts) -> Self {
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

    /// The words and the environment that a received command line becomes.
    fn planned(config: &str, received: &str, environment: &[&str]) -> (String, Vec<String>) {
        let sources = [Source { name: "test".into(), text: config.into() }];
        let documents = parse_sources(&sources);
        let rules =
            decode_rules(&documents).unwrap_or_else(|failure| panic!("{}", failure.message));
        let entries: Vec<_> = environment
            .iter()
            .map(|entry| std::ffi::CString::new(*entry).expect("an entry"))
            .collect();
        let environ = Environ::from_entries(entries.iter().map(|entry| entry.as_c_str()));
        let received: Vec<OsString> = received.split(' ').map(OsString::from).collect();
        let runtime = RuntimeName::from_program(&environ, &received[0]);
        let facts = Facts {
            environ: &environ,
            runtime: &runtime,
            architecture: "x86_64",
            exists: &|glob| *glob == Glob::new(&literal("/there"), &environ),
        };
        let mut edited = environ.clone();
        let plan = Plan::new(&received, &mut edited, &rules, &facts, |_, _, _| {});
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
    fn edits_come_rule_by_rule_and_the_last_one_wins() {
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
    fn environment_edits_see_the_ones_above_them_and_conditions_see_none() {
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
    fn conditions() {
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
    fn the_runtime_comes_from_the_program_when_nothing_declares_it() {
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
    fn an_unknown_program_has_no_options_of_its_own() {
        let config = r#"{"options": {"remove": ["-x"], "prepend": ["-a"], "append": ["-b"]}, "rules": [{"options": {"prepend": ["-c"], "append": ["-d"]}}]}"#;
        assert_eq!(planned(config, "/bin/tool -x 1", &[]).0, "/bin/tool -c -a -b -d -x 1");
    }
}
