//! `foreword check`: finds everything that is wrong with a configuration before a cold start does.
//! The story: read all sources, decode them, look at what their rules do together, then at what
//! they have executed, and at the layers.

mod bootstrap;
mod directories;
mod elf;
mod executables;
mod files;
mod layers;
mod limits;
mod missing;
mod named;
mod overlaps;
mod program;
mod rules;
mod runtimes;
mod shebang;
mod shell;
mod snapshots;
mod sources;
mod starts;
mod summary;
mod unmatched;
mod uses;
mod worlds;
mod wrappers;

use super::colors::Colors;
use super::finding::{Finding, Severity};
use super::hints::{self, strays};
use super::layer::{Layer, Opt};
use crate::config::{self, Document, Found, Place, Source, Unreadable};
use crate::environ::Environ;
use executables::Looked;
use named::Named;
use rules::Reached;
use sources::Asked;
use std::ffi::OsStr;
use std::io::stdout;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The exit status when there are errors.
const ERRORS: i32 = 1;

/// Something to say about a place of a configuration.
struct Advice<'r> {
    place: Place<'r>,
    severity: Severity,
    message: String,
}

impl<'r> Advice<'r> {
    fn warning(place: Place<'r>, message: String) -> Self {
        Self { place, severity: Severity::Warning, message }
    }

    fn error(place: Place<'r>, message: String) -> Self {
        Self { place, severity: Severity::Error, message }
    }
}

/// The options of `check`.
pub struct Options {
    /// Configurations, or directories of code; none for what a function here would load.
    pub files: Vec<PathBuf>,
    pub layers: Vec<PathBuf>,
    /// The function's timeout.
    pub timeout: Option<Duration>,
}

/// Checks the files, or what a function whose code lies here would load; gives the exit status.
pub fn run(options: &Options, environ: &Environ) -> i32 {
    let mut findings = Vec::new();
    let has_layers = !options.layers.is_empty();
    let mut opened = Vec::new();
    for path in &options.layers {
        match Layer::open(path) {
            Ok(layer) => opened.push(layer),
            Err(message) => findings.push(Finding::general(Severity::Error, message)),
        }
    }
    let opt = has_layers.then(|| Opt::new(opened));

    let asked = Asked::new(&options.files, opt.as_ref(), environ);
    let found = asked.sources();
    if found.is_empty() && !has_layers {
        findings.push(Finding::general(Severity::Error, asked.nothing()));
    }
    if options.files.is_empty() {
        let dropins = if opt.is_some() { Path::new("") } else { config::dropin_dir(environ) };
        let root = environ.non_empty("LAMBDA_TASK_ROOT").unwrap_or(OsStr::new("."));
        let strays = strays(Path::new(root), dropins).into_iter();
        findings.extend(strays.map(|message| Finding::general(Severity::Warning, message)));
    }
    let sources = readable(found, &mut findings);
    let documents = config::documents(&sources);
    let looked = check(&documents, &asked, opt.as_ref(), options.timeout, &mut findings);

    let colors = Colors::of(stdout(), environ);
    let mut text: String = findings.iter().map(|finding| finding.shown(colors)).collect();
    if findings.is_empty() {
        text = summary::line(documents.len(), opt.as_ref().map_or(0, Opt::count), &looked);
    }
    let has_errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    super::print(stdout(), &text, if has_errors { ERRORS } else { 0 })
}

fn readable(found: Vec<Found>, findings: &mut Vec<Finding>) -> Vec<Source> {
    let mut sources = Vec::new();
    for found in found {
        match found {
            Ok(source) => sources.push(source),
            Err(Unreadable::NoFile(message)) => {
                findings.push(Finding::general(Severity::Error, message))
            }
            Err(Unreadable::NoText(source, problem)) => {
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

/// What is wrong in the documents, in their order, and then in the layers. What a document's rules
/// come to is only looked at when all of it was understood.
fn check(
    documents: &[Document],
    asked: &Asked,
    opt: Option<&Opt>,
    timeout: Option<Duration>,
    findings: &mut Vec<Finding>,
) -> Looked {
    let decoded: Vec<_> = documents.iter().map(|document| (document, document.decode())).collect();
    let mut advice = Vec::new();
    let mut rules = Vec::new();
    for (document, (rule, problems)) in &decoded {
        if problems.is_empty() {
            rules.extend(Reached::all(document, rule, &mut advice));
        }
    }
    for reached in &rules {
        let hints = hints::of_rule(reached.document, reached.rule).into_iter();
        advice.extend(hints.map(|hint| Advice::warning(hint.place, hint.message)));
    }
    unmatched::advise(&rules, &mut advice);
    limits::advise(&rules, timeout, &mut advice);
    overlaps::advise(&rules, &mut advice);
    snapshots::advise(&rules, &mut advice);
    starts::advise(&rules, &mut advice);
    wrappers::advise(&rules, &mut advice);
    directories::advise(&rules, &|source| asked.code_of(source), opt, &mut advice);
    let named = named::all(&rules);
    let code_of = |named: &Named| asked.code_of(&named.document.source().name);
    let (of_programs, mut looked) = executables::advise(&named, &code_of, opt, &mut advice);
    if let Some(opt) = opt {
        layers::advise(&rules, opt, &mut advice);
    }
    for (document, (_, problems)) in &decoded {
        let source = document.source();
        let problem = |problem: &crate::json::Problem| {
            Finding::at(Severity::Error, source, problem.offset, problem.message.clone())
        };
        findings.extend(problems.iter().map(problem));
        let own = |advice: &Advice| {
            let offset = advice.place.offset_in(source)?;
            Some((offset, Finding::at(advice.severity, source, offset, advice.message.clone())))
        };
        let mut own: Vec<_> = advice.iter().filter_map(own).collect();
        own.sort_by_key(|(offset, _)| *offset);
        findings.extend(own.into_iter().map(|(_, finding)| finding));
    }
    findings.extend(asked.unreadable());
    findings.extend(of_programs);
    if let Some(opt) = opt {
        findings.extend(bootstrap::finding(asked.code(), opt));
        findings.extend(layers::findings(&rules, &named, opt, asked.code(), &mut looked));
    }
    looked
}
