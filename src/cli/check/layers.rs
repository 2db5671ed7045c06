//! Layers, and what a configuration expects of them: programs that can be executed where it says, and extensions that
//! go together with its hooks.

use super::Advice;
use super::rules::Reached;
use crate::cli::finding::{Finding, Severity};
use crate::cli::layer::program::{self, Expected, User};
use crate::cli::layer::{File, Opt};
use crate::condition::{ARCHITECTURE, When};
use crate::config::inspect::Step;
use crate::config::{Command, Hook, Phase, Place};
use crate::text::Text;

/// An extension that takes the runtime's place (Lambda Web Adapter's documentation).
const WEB_ADAPTER: &str = "extensions/lambda-adapter";

/// Datadog's extension, and its wrapper (their repository, `should_start_proxy`).
const DATADOG: &str = "extensions/datadog-agent";
const DATADOG_WRAPPER: &str = "/opt/datadog_wrapper";

/// A program that a configuration names.
struct Named<'r> {
    path: &'r str,
    place: Place<'r>,
    conditions: Vec<&'r When<'r>>,
}

/// What is wrong in the configuration, given the layers.
pub fn advise<'r>(rules: &[Reached<'r>], opt: &Opt, advice: &mut Vec<Advice<'r>>) {
    for named in named(rules) {
        let is_guarded = named.conditions.iter().any(|when| !when.file.is_empty());
        if opt.find(named.path).is_none() && !is_guarded {
            let message = match opt.one_deeper(named.path) {
                Some(other) => format!(
                    "{:?} is in none of the layers, but {} is; a layer's own root comes to lie at /opt",
                    named.path,
                    other.name()
                ),
                None => format!("{:?} is in none of the layers; add it, or the layer that has it", named.path),
            };
            advice.push(Advice::warning(named.place, message));
        }
    }
    let has = |path: &str| opt.files().iter().any(|file| file.path == path);
    let hooks = || rules.iter().flat_map(Reached::hooks).map(|(hook, _)| hook);
    let around_snapshot = |hook: &&Hook| matches!(hook.phase, Phase::BeforeSnapshot | Phase::AfterRestore);
    if has(WEB_ADAPTER)
        && let Some(hook) = hooks().find(around_snapshot)
    {
        let message = format!(
            "Lambda Web Adapter ({WEB_ADAPTER}) speaks to the Runtime API in the runtime's place, past all \
             before_snapshot and after_restore hooks; remove the hooks or its layer"
        );
        advice.push(Advice::error(hook.place, message));
    }
    let is_ours = |file: &File| file.path.starts_with("extensions/foreword");
    if let Some(hook) = hooks().find(|hook| hook.phase == Phase::PreStop)
        && !opt.files().iter().any(is_ours)
    {
        let message = "no phase will run pre_stop hooks: none of the layers has foreword's extension; add the layer \
                       foreword-prestop"
            .into();
        advice.push(Advice::warning(hook.place, message));
    }
    if has(DATADOG)
        && let Some(wrapper) = wrappers(rules).find(|wrapper| wrapper.path == DATADOG_WRAPPER)
    {
        advice.push(Advice::warning(wrapper.place, datadog()));
    }
}

/// What is wrong with the layers themselves.
pub fn findings(rules: &[Reached], opt: &Opt) -> Vec<Finding> {
    let mut findings = Vec::new();
    let named = named(rules);
    let foreword = opt.find("/opt/bin/foreword").and_then(|file| program::machine(&file.content().ok()?));
    for file in opt.files() {
        let user = named.iter().find(|named| is_at(opt, named.path, &file));
        let is_candidate = match file.path.split_once('/') {
            None => true,
            Some((folder, name)) => {
                matches!(folder, "bin" | "extensions") && !name.contains('/') && !name.starts_with('.')
            }
        };
        let conditions = user.map_or(&[][..], |named| &named.conditions);
        let user = match user {
            Some(named) => User::Configuration(named.place.to_string()),
            None if file.path.starts_with("extensions/") && is_candidate => User::Extensions,
            None => User::Unknown,
        };
        if !file.is_link() && (user != User::Unknown || is_candidate && program::is_program(&file)) {
            findings.extend(program::findings(&file, opt, &user, &expected(foreword, conditions)));
        }
    }
    for (hidden, above) in opt.hidden() {
        let is_used = named.iter().any(|named| named.path.strip_prefix("/opt/") == Some(hidden.path));
        let matters = is_used || hidden.has_run_bit() || hidden.path.starts_with("foreword.d/");
        if matters && !hidden.is_link() && hidden.content() != above.content() {
            let message = format!(
                "the layer {} hides this file: of two with one path, the function sees that of the later layer; rename \
                 one, or change the order",
                above.layer()
            );
            findings.push(Finding::about(Severity::Warning, &hidden.name(), message));
        }
    }
    if let Some(file) = opt.files().iter().find(|file| file.path == DATADOG)
        && !wrappers(rules).any(|wrapper| wrapper.path == DATADOG_WRAPPER)
    {
        findings.push(Finding::about(Severity::Warning, &file.name(), datadog()));
    }
    findings
}

fn datadog() -> String {
    format!(
        "Datadog's extension starts its Runtime API proxy only where AWS_LAMBDA_EXEC_WRAPPER is {DATADOG_WRAPPER}, and \
         with foreword it is not: its wrapper then sends the runtime to an address where nothing listens; leave \
         DD_SERVERLESS_APPSEC_ENABLED and DD_EXPERIMENTAL_ENABLE_PROXY unset"
    )
}

/// Whether a path leads to this very file.
fn is_at(opt: &Opt, path: &str, file: &File) -> bool {
    opt.find(path).is_some_and(|found| found.name() == file.name())
}

/// The architecture that a program has to be for: what its conditions say, or else the foreword beside it, or this machine.
fn expected(foreword: Option<&'static str>, conditions: &[&When]) -> Expected {
    let only = |when: &&When| match when.architecture.as_deref() {
        Some([name]) => Some(*name),
        _ => None,
    };
    if let Some(name) = conditions.iter().find_map(only) {
        return Expected { name, because: because(name, Basis::Condition), severity: Severity::Error };
    }
    match foreword {
        Some(name) => Expected { name, because: because(name, Basis::Foreword), severity: Severity::Error },
        None => {
            Expected { name: ARCHITECTURE, because: because(ARCHITECTURE, Basis::Here), severity: Severity::Warning }
        }
    }
}

enum Basis {
    Condition,
    Foreword,
    Here,
}

fn because(name: &str, basis: Basis) -> &'static str {
    match (name == "arm64", basis) {
        (false, Basis::Condition) => "its condition asks for x86_64",
        (true, Basis::Condition) => "its condition asks for arm64",
        (false, Basis::Foreword) => "the layers' foreword is for x86_64",
        (true, Basis::Foreword) => "the layers' foreword is for arm64",
        (false, Basis::Here) => "this machine is x86_64",
        (true, Basis::Here) => "this machine is arm64",
    }
}

/// The programs in /opt that a configuration names.
fn named<'r>(rules: &[Reached<'r>]) -> Vec<Named<'r>> {
    let mut named: Vec<_> = wrappers(rules).collect();
    for reached in rules {
        for (hook, conditions) in reached.hooks() {
            let path = match &hook.command {
                Command::Words(words) => words.first().and_then(literal),
                Command::Shell(text) => text.split_whitespace().next().filter(|word| is_plain_word(word)),
            };
            let place = reached.document.inside(hook.place, &[Step::Member("command"), Step::First]);
            named.extend(path.map(|path| Named { path, place, conditions }));
        }
        let (rule, conditions) = (reached.rule, &reached.conditions);
        let words = [("program", rule.program.as_ref()), ("prefix", rule.prefix.first())];
        named.extend(words.into_iter().filter_map(|(key, text)| {
            let (path, place) = (literal(text?)?, reached.place(key));
            Some(Named { path, place, conditions: conditions.clone() })
        }));
    }
    named.retain(|named| named.path.starts_with("/opt/"));
    named
}

fn wrappers<'r>(rules: &[Reached<'r>]) -> impl Iterator<Item = Named<'r>> {
    rules.iter().flat_map(|reached| {
        let named = |wrapper: &'r crate::config::Wrapper<'r>| {
            let place = reached.document.inside(wrapper.place, &[Step::Member("path")]);
            let conditions = reached.conditions.iter().copied().chain([&wrapper.when]).collect();
            Some(Named { path: literal(&wrapper.path)?, place, conditions })
        };
        reached.rule.wrappers.iter().filter_map(named).collect::<Vec<_>>()
    })
}

fn literal<'r>(text: &Text<'r>) -> Option<&'r str> {
    text.is_plain().then(|| text.written())
}

/// Whether a shell takes a word as it is.
fn is_plain_word(word: &str) -> bool {
    word.chars().all(|c| c.is_alphanumeric() || "/._-+".contains(c))
}
