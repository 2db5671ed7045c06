//! The directories that hooks run in, where it is known what the function has there.

use super::Advice;
use super::files::{Code, Files, Place, Searched};
use super::named::{asks_for_file, directory};
use super::rules::Reached;
use crate::cli::layer::Opt;
use crate::config::Place as Written;
use crate::config::inspect::Step;

/// Looks for each; `code_of` has the code that goes with a source of that name.
pub fn advise<'r>(
    rules: &[Reached<'r>],
    code_of: &dyn Fn(&str) -> Code,
    opt: Option<&Opt>,
    advice: &mut Vec<Advice<'r>>,
) {
    for reached in rules {
        let document = reached.document;
        let code = code_of(&document.source().name);
        for (hook, conditions) in reached.hooks() {
            let (Some(cwd), Some(path)) = (&hook.cwd, directory(hook)) else { continue };
            if conditions.iter().any(|when| asks_for_file(when)) {
                continue;
            }
            let place: Written = document.inside(hook.place, &[Step::Member("cwd")]);
            let cwd = cwd.written();
            let message = match (Files { code: &code, opt }).look_up(path.trim_end_matches('/')) {
                Place::Nothing(Searched::Layers) => {
                    format!(
                        "the directory {cwd:?} is in none of the layers; add it, or the layer \
                         that has it"
                    )
                }
                Place::Nothing(Searched::Code(here)) => format!(
                    "the directory {cwd:?} is not beside the code: there is no {here}; add it, or \
                     correct the path"
                ),
                Place::File(file) => format!("{cwd:?} is a file ({}); name a directory", file.name),
                Place::Astray(message) => message,
                Place::Directory | Place::Unknown | Place::NoLayers => continue,
            };
            advice.push(Advice::warning(place, message));
        }
    }
}
