//! `foreword check`: finds the mistakes of a configuration before a cold start does. It reads and
//! decodes all sources, checks what their rules do together, then the programs that they run, and
//! the layers.

mod bootstrap;
mod command_words;
mod conflicts;
mod executables;
mod files;
mod iam;
mod layers;
mod missing_program;
mod program_file;
mod references;
mod rules;
mod runtimes;
mod scenarios;
mod secrets;
mod shebang;
mod shell_command;
mod side_effects;
mod snap_start;
mod sources;
mod summary;
mod timeouts;
mod unmatched_edits;
mod working_directories;
mod wrappers;

use super::finding::{Finding, Severity};
use super::hints::{self, find_unread_files};
use super::layer::{Layer, MergedLayers};
use super::options::CheckOptions;
use super::printer::Colors;
use crate::config::{self, Document, Place, Source, SourceResult, UnreadableSource};
use crate::environ::Environ;
use crate::json::Problem;
use crate::lambda::TASK_ROOT_VARIABLE;
use executables::CheckedPrograms;
use iam::Policy;
use references::ProgramReference;
use rules::ReachableRule;
use sources::Targets;
use std::ffi::OsStr;
use std::io::{stderr, stdout};
use std::path::Path;
use std::time::Duration;

/// The exit status when there are errors.
const ERRORS: i32 = 1;

/// A diagnostic about a place of a configuration.
struct Diagnostic<'r> {
    place: Place<'r>,
    severity: Severity,
    message: String,
}

impl<'r> Diagnostic<'r> {
    fn warning(place: Place<'r>, message: String) -> Self {
        Self { place, severity: Severity::Warning, message }
    }

    fn error(place: Place<'r>, message: String) -> Self {
        Self { place, severity: Severity::Error, message }
    }
}

/// Checks the files, or what a function whose code is here would load; returns the exit status.
pub fn run(options: &CheckOptions, environ: &Environ) -> i32 {
    let mut findings = Vec::new();
    let has_layers = !options.layers.is_empty();
    let mut opened = Vec::new();
    for path in &options.layers {
        match Layer::open(path) {
            Ok(layer) => opened.push(layer),
            Err(message) => findings.push(Finding::general(Severity::Error, message)),
        }
    }
    let opt = has_layers.then(|| MergedLayers::new(opened));

    let targets = Targets::new(&options.files, opt.as_ref(), environ);
    let found = targets.sources();
    if found.is_empty() && !has_layers {
        findings.push(Finding::general(Severity::Error, targets.nothing_found_message()));
    }
    if options.files.is_empty() {
        let dropins = if opt.is_some() { Path::new("") } else { config::dropin_dir(environ) };
        let root = environ.non_empty(TASK_ROOT_VARIABLE).unwrap_or(OsStr::new("."));
        let unread = find_unread_files(Path::new(root), dropins).into_iter();
        findings.extend(unread.map(|message| Finding::general(Severity::Warning, message)));
    }
    let sources = readable(found, &mut findings);
    let documents = config::parse_sources(&sources);
    if options.prints_policy {
        return print_policy(&documents, findings, environ);
    }
    let checked = check(&documents, &targets, opt.as_ref(), options.timeout, &mut findings);

    let colors = Colors::of(stdout(), environ);
    let mut text: String = findings.iter().map(|finding| finding.render(colors)).collect();
    if findings.is_empty() {
        text =
            summary::line(documents.len(), opt.as_ref().map_or(0, MergedLayers::count), &checked);
    }
    let has_errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    super::print(stdout(), &text, if has_errors { ERRORS } else { 0 })
}

/// Prints the policy that the secrets need, and only that to standard output; returns the exit
/// status.
fn print_policy(documents: &[Document], mut findings: Vec<Finding>, environ: &Environ) -> i32 {
    let decoded: Vec<_> = documents.iter().map(|document| (document, document.decode())).collect();
    for (document, (_, problems)) in &decoded {
        findings.extend(problems.iter().map(|problem| of_problem(document, problem)));
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let colors = Colors::of(stderr(), environ);
    let errors: String = errors.map(|finding| finding.render(colors)).collect();
    if !errors.is_empty() {
        return super::print(stderr(), &errors, ERRORS);
    }
    let policy = Policy::new(decoded.iter().map(|(_, (rule, _))| rule), environ);
    super::print(stderr(), &format!("foreword: {}\n", policy.note()), 0);
    super::print(stdout(), &policy.to_json(), 0)
}

fn of_problem(document: &Document, problem: &Problem) -> Finding {
    Finding::at(Severity::Error, document.source(), problem.offset, problem.message.clone())
}

fn readable(found: Vec<SourceResult>, findings: &mut Vec<Finding>) -> Vec<Source> {
    let mut sources = Vec::new();
    for found in found {
        match found {
            Ok(source) => sources.push(source),
            Err(UnreadableSource::File(message)) => {
                findings.push(Finding::general(Severity::Error, message));
            }
            Err(UnreadableSource::NotUtf8(source, problem)) => {
                findings.push(Finding::at(
                    Severity::Error,
                    &source,
                    problem.offset,
                    problem.message,
                ));
            }
        }
    }
    sources
}

/// Returns the findings about the documents, in their order, and then about the layers. The rules
/// of a document are only checked together if all of it was decoded.
fn check(
    documents: &[Document],
    targets: &Targets,
    opt: Option<&MergedLayers>,
    timeout: Option<Duration>,
    findings: &mut Vec<Finding>,
) -> CheckedPrograms {
    let decoded: Vec<_> = documents.iter().map(|document| (document, document.decode())).collect();
    let mut diagnostics = Vec::new();
    let mut rules = Vec::new();
    for (document, (rule, problems)) in &decoded {
        if problems.is_empty() {
            rules.extend(ReachableRule::all(document, rule, &mut diagnostics));
        }
    }
    for rule_in_context in &rules {
        let hints = hints::of_rule(rule_in_context.document, rule_in_context.rule).into_iter();
        diagnostics.extend(hints.map(|hint| Diagnostic::warning(hint.place, hint.message)));
    }
    unmatched_edits::check(&rules, &mut diagnostics);
    timeouts::check(&rules, timeout, &mut diagnostics);
    conflicts::check(&rules, &mut diagnostics);
    secrets::check(&rules, &mut diagnostics);
    snap_start::check(&rules, &mut diagnostics);
    side_effects::check(&rules, &mut diagnostics);
    wrappers::check(&rules, &mut diagnostics);
    working_directories::check(&rules, &|source| targets.code_of(source), opt, &mut diagnostics);
    let named = references::all(&rules);
    let code_of = |named: &ProgramReference| targets.code_of(&named.document.source().name);
    let (of_programs, mut checked) = executables::check(&named, &code_of, opt, &mut diagnostics);
    if let Some(opt) = opt {
        layers::check(&rules, opt, &mut diagnostics);
        secrets::check_layers(&rules, opt, targets.code(), &mut diagnostics);
    }
    for (document, (_, problems)) in &decoded {
        let source = document.source();
        findings.extend(problems.iter().map(|problem| of_problem(document, problem)));
        let own = |diagnostic: &Diagnostic| {
            let offset = diagnostic.place.offset_in(source)?;
            Some((
                offset,
                Finding::at(diagnostic.severity, source, offset, diagnostic.message.clone()),
            ))
        };
        let mut own: Vec<_> = diagnostics.iter().filter_map(own).collect();
        own.sort_by_key(|(offset, _)| *offset);
        findings.extend(own.into_iter().map(|(_, finding)| finding));
    }
    findings.extend(targets.unreadable());
    findings.extend(of_programs);
    if let Some(opt) = opt {
        findings.extend(bootstrap::finding(targets.code(), opt));
        findings.extend(layers::findings(&rules, &named, opt, targets.code(), &mut checked));
    }
    checked
}
