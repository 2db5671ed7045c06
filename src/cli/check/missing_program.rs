//! What is said of a program that neither the image of the runtime nor a layer has.

use super::files::{FunctionFiles, Lookup};
use super::runtimes::CandidateRuntimes;
use crate::lambda::LAYERS;

/// What is said of a program of this name, or at this path in an image, that is missing.
pub fn missing_program_message(
    program: &str,
    runtimes: &CandidateRuntimes,
    files: &FunctionFiles,
) -> Option<String> {
    let whose = runtimes.lacking(program)?;
    let name = program.rsplit('/').next().unwrap_or_default();
    let path_in_layer = format!("{LAYERS}/bin/{name}");
    let in_layer = files.look_up(&path_in_layer);
    if matches!(in_layer, Lookup::File(_)) {
        return match program.contains('/') {
            true => Some(format!("{whose} no program {program:?}; write {path_in_layer:?}")),
            false => None,
        };
    }
    let like = runtimes.interpreter_like(name).filter(|like| like != program);
    Some(match (like, in_layer) {
        (Some(like), _) => format!("{whose} no program {program:?}; write {like:?}"),
        (None, Lookup::NoLayers) => {
            format!(
                "{whose} no program {program:?}; bring it in a layer (bin/{name}), and name that \
                 here with --layer"
            )
        }
        (None, _) => format!("{whose} no program {program:?}; bring it in a layer (bin/{name})"),
    })
}
