//! The directories that hooks run in, where it is known what the function has there.

use super::Diagnostic;
use super::files::{CodeDirectory, FunctionFiles, Lookup, SearchedLocation};
use super::references::{asks_for_file, directory};
use super::rules::ReachableRule;
use crate::cli::layer::MergedLayers;
use crate::config::Place as Written;
use crate::config::inspect::Step;

/// Looks for each; `code_of` has the code that goes with a source of that name.
pub fn check<'r>(
    rules: &[ReachableRule<'r>],
    code_of: &dyn Fn(&str) -> CodeDirectory,
    opt: Option<&MergedLayers>,
    diagnostics: &mut Vec<Diagnostic<'r>>,
) {
    for rule_in_context in rules {
        let document = rule_in_context.document;
        let code = code_of(&document.source().name);
        for (hook, conditions) in rule_in_context.hooks() {
            let (Some(cwd), Some(path)) = (&hook.cwd, directory(hook)) else { continue };
            if conditions.iter().any(|when| asks_for_file(when)) {
                continue;
            }
            let place: Written = document.inside(hook.place, &[Step::Member("cwd")]);
            let cwd = cwd.written();
            let message = match (FunctionFiles { code: &code, opt })
                .look_up(path.trim_end_matches('/'))
            {
                Lookup::Nothing(SearchedLocation::Layers) => {
                    format!(
                        "the directory {cwd:?} is in none of the layers; add it, or the layer \
                         that has it"
                    )
                }
                Lookup::Nothing(SearchedLocation::Code(here)) => format!(
                    "the directory {cwd:?} is not beside the code: there is no {here}; add it, or \
                     correct the path"
                ),
                Lookup::File(file) => {
                    format!("{cwd:?} is a file ({}); name a directory", file.name)
                }
                Lookup::Astray(message) => message,
                Lookup::Directory | Lookup::Unknown | Lookup::NoLayers => continue,
            };
            diagnostics.push(Diagnostic::warning(place, message));
        }
    }
}
