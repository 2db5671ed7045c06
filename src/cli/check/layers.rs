//! Layers, and what a configuration expects of them: programs that can be executed where it says,
//! and extensions that go together with its hooks.

use super::Diagnostic;
use super::executables::{self, CheckedPrograms};
use super::files::{self, CodeDirectory, FunctionFiles};
use super::program_file::{self, Executor, ProgramCheck};
use super::references::{ProgramReference, wrappers};
use super::rules::ReachableRule;
use super::runtimes::CandidateRuntimes;
use crate::cli::finding::{Finding, Severity};
use crate::cli::hints;
use crate::cli::layer::{LayerFile, MergedLayers};
use crate::lambda::{self, EXEC_WRAPPER, WEB_ADAPTER, WEB_ADAPTER_SNAPSTART};
use crate::phase::Phase;

/// Datadog's extension, and its wrapper (their repository, `should_start_proxy`).
const DATADOG: &str = "extensions/datadog-agent";
const DATADOG_WRAPPER: &str = "/opt/datadog_wrapper";

/// What is wrong in the configuration, given the layers.
pub fn check<'r>(
    rules: &[ReachableRule<'r>],
    opt: &MergedLayers,
    diagnostics: &mut Vec<Diagnostic<'r>>,
) {
    let has = |path: &str| opt.files().iter().any(|file| file.path == path);
    let hooks = || rules.iter().flat_map(ReachableRule::hooks).map(|(hook, _)| hook);
    let web_adapter = lambda::strip_layers(WEB_ADAPTER).unwrap_or_default();
    if has(web_adapter)
        && let Some(hook) = hooks().find(|hook| hook.phase.is_around_snapshot())
    {
        let message = format!(
            "Lambda Web Adapter ({web_adapter}) speaks to the Runtime API in the runtime's place, \
             past all before_snapshot and after_restore hooks; {WEB_ADAPTER_SNAPSTART}"
        );
        diagnostics.push(Diagnostic::error(hook.place, message));
    }
    let is_ours = |file: &LayerFile| file.path.starts_with("extensions/foreword");
    if let Some(hook) = hooks().find(|hook| hook.phase == Phase::PreStop)
        && !opt.files().iter().any(is_ours)
    {
        let message = "no phase will run pre_stop hooks: none of the layers has foreword's \
                       extension; add the layer foreword-prestop"
            .into();
        diagnostics.push(Diagnostic::warning(hook.place, message));
    }
    if has(DATADOG)
        && let Some(wrapper) = wrappers(rules).find(|wrapper| wrapper.word == DATADOG_WRAPPER)
    {
        diagnostics.push(Diagnostic::warning(wrapper.place, datadog()));
    }
}

/// What is wrong with the layers themselves, but for the files that a configuration names.
pub fn findings(
    rules: &[ReachableRule],
    named: &[ProgramReference],
    opt: &MergedLayers,
    code: &CodeDirectory,
    checked: &mut CheckedPrograms,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let everywhere = CandidateRuntimes::left(&[]);
    let expected = executables::expected(Some(opt), code, &[]);
    for file in opt.files() {
        let user = match file.path {
            _ if checked.at.contains(&file.name()) || file.is_link() => continue,
            "bootstrap" => Executor::Bootstrap,
            path if path.starts_with("extensions/") && is_candidate(path) => Executor::Extensions,
            _ => Executor::Unknown,
        };
        if user == Executor::Unknown && !is_candidate(file.path) {
            continue;
        }
        let file = files::FunctionFile::of_layer(&file);
        let subject = ProgramCheck {
            file: &file,
            files: FunctionFiles { code, opt: Some(opt) },
            user: &user,
            expected: &expected,
            runtimes: &everywhere,
        };
        if user != Executor::Unknown
            || program_file::is_program(&file)
            || program_file::link_as_text(&file, &subject.files).is_some()
        {
            checked.at.insert(file.name.clone());
            findings
                .extend(program_file::faults(&subject).iter().map(|fault| fault.finding(&subject)));
        }
    }
    for file in opt.files().into_iter().filter(|file| file.path.starts_with("foreword.d/")) {
        if hints::is_other_format(file.path) {
            findings.push(Finding::general(
                Severity::Warning,
                hints::unread_file_message(&file.name()),
            ));
        }
    }
    for (hidden, above) in opt.hidden() {
        let is_used = named.iter().any(|named| {
            named.path().is_some_and(|path| lambda::strip_layers(&path) == Some(hidden.path))
        });
        let matters = is_used || hidden.has_run_bit() || hidden.path.starts_with("foreword.d/");
        if matters && !hidden.is_link() && hidden.content() != above.content() {
            let message = format!(
                "the layer {} hides this file: of two with one path, the function sees that of \
                 the later layer; rename one, or change the order",
                above.layer()
            );
            findings.push(Finding::about(Severity::Warning, &hidden.name(), message));
        }
    }
    if let Some(file) = opt.files().iter().find(|file| file.path == DATADOG)
        && !wrappers(rules).any(|wrapper| wrapper.word == DATADOG_WRAPPER)
    {
        findings.push(Finding::about(Severity::Warning, &file.name(), datadog()));
    }
    findings
}

fn datadog() -> String {
    format!(
        "Datadog's extension starts its Runtime API proxy only where {EXEC_WRAPPER} is \
         {DATADOG_WRAPPER}, and with foreword it is not: its wrapper then sends the runtime to an \
         address where nothing listens; leave DD_SERVERLESS_APPSEC_ENABLED and \
         DD_EXPERIMENTAL_ENABLE_PROXY unset"
    )
}

/// Whether a file lies where layers have programs: at their root, in `bin`, among foreword's
/// stand-ins, or where Lambda looks for extensions.
fn is_candidate(path: &str) -> bool {
    path.rsplit_once('/').is_none_or(|(folder, name)| {
        let is_folder =
            matches!(folder, "bin" | "extensions") || folder.starts_with("bin/stand-in");
        is_folder && !name.starts_with('.')
    })
}
