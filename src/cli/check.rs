//! `foreword check`: finds everything that is wrong with a configuration before a cold start does. The story: read all
//! sources, decode them, look at what their rules do together, then at the layers.

mod layers;
mod limits;
mod overlaps;
mod rules;
mod worlds;

use super::colors::Colors;
use super::finding::{Finding, Severity};
use super::layer::{Layer, Opt};
use crate::config::{self, Document, Found, Place, Source, Sources, Unreadable};
use crate::environ::Environ;
use rules::Reached;
use std::ffi::OsStr;
use std::io::stdout;
use std::path::{Path, PathBuf};

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

/// Checks the files, or what a function whose code lies here would load; gives the exit status.
pub fn run(files: Vec<PathBuf>, layers: Vec<PathBuf>, environ: &Environ) -> i32 {
    let mut findings = Vec::new();
    let has_layers = !layers.is_empty();
    let mut opened = Vec::new();
    for path in layers {
        match Layer::open(&path) {
            Ok(layer) => opened.push(layer),
            Err(message) => findings.push(Finding::general(Severity::Error, message)),
        }
    }
    let opt = has_layers.then(|| Opt::new(opened));

    let found = found(&files, opt.as_ref(), environ);
    if found.is_empty() && !has_layers {
        let message = "there is nothing to check: neither foreword.json nor drop-ins are here, and FOREWORD_CONFIG is \
                       not set; name the files";
        findings.push(Finding::general(Severity::Error, message.into()));
    }
    let sources = readable(found, &mut findings);
    let documents = config::documents(&sources);
    check(&documents, opt.as_ref(), &mut findings);

    let colors = Colors::of(stdout(), environ);
    let text: String = findings.iter().map(|finding| finding.shown(colors)).collect();
    let has_errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    super::print(stdout(), &text, if has_errors { ERRORS } else { 0 })
}

/// The sources in the order in which they apply: the layers' drop-ins, or else those of this machine, come first.
fn found(files: &[PathBuf], opt: Option<&Opt>, environ: &Environ) -> Vec<Found> {
    let mut sources = Sources::default();
    let dropins = config::dropin_dir(environ);
    match (opt, dropins.strip_prefix("/opt")) {
        (Some(opt), Ok(inside)) => sources.list.extend(dropins_of(opt, inside)),
        _ if files.is_empty() => sources.add_folder(dropins),
        _ => {}
    }
    if files.is_empty() {
        let mut here = environ.clone();
        if here.non_empty("LAMBDA_TASK_ROOT").is_none() {
            here.set("LAMBDA_TASK_ROOT", OsStr::new("."));
        }
        sources.add_function(&here);
    }
    files.iter().for_each(|file| sources.add_file(file));
    sources.list
}

fn dropins_of<'o>(opt: &'o Opt, folder: &'o Path) -> impl Iterator<Item = Found> + 'o {
    let is_dropin = move |path: &Path| {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        path.parent() == Some(folder) && path.extension() == Some(OsStr::new("json")) && !is_hidden
    };
    opt.files().into_iter().filter(move |file| is_dropin(Path::new(file.path))).map(|file| {
        let content =
            file.content().map_err(|cause| Unreadable::NoFile(format!("unable to read {}: {cause}", file.name())));
        content.and_then(|content| config::source(file.name(), content.into_owned()))
    })
}

fn readable(found: Vec<Found>, findings: &mut Vec<Finding>) -> Vec<Source> {
    let mut sources = Vec::new();
    for found in found {
        match found {
            Ok(source) => sources.push(source),
            Err(Unreadable::NoFile(message)) => findings.push(Finding::general(Severity::Error, message)),
            Err(Unreadable::NoText(source, problem)) => {
                findings.push(Finding::at(Severity::Error, &source, problem.offset, problem.message));
            }
        }
    }
    sources
}

/// What is wrong in the documents, in their order, and then in the layers. What a document's rules come to is only looked
/// at when all of it was understood.
fn check(documents: &[Document], opt: Option<&Opt>, findings: &mut Vec<Finding>) {
    let decoded: Vec<_> = documents.iter().map(|document| (document, document.decode())).collect();
    let mut advice = Vec::new();
    let mut rules = Vec::new();
    for (document, (rule, problems)) in &decoded {
        if problems.is_empty() {
            rules.extend(Reached::all(document, rule, &mut advice));
        }
    }
    limits::advise(&rules, &mut advice);
    overlaps::advise(&rules, &mut advice);
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
    findings.extend(opt.into_iter().flat_map(|opt| layers::findings(&rules, opt)));
}
