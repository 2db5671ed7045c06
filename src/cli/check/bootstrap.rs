//! The bootstrap of OS-only runtimes: Lambda prefers the one beside the code to a layer's.

use super::files::{CodeDirectory, FunctionFiles, Lookup};
use crate::cli::finding::{Finding, Severity};
use crate::cli::layer::MergedLayers;
use crate::lambda::{FOREWORD, LAYER_BOOTSTRAP, TASK_ROOT};

/// A `bootstrap` beside the code in the place of the layers' foreword, which then never runs (AWS's
/// documentation, "Building a custom runtime for AWS Lambda").
pub fn finding(code: &CodeDirectory, opt: &MergedLayers) -> Option<Finding> {
    let files = FunctionFiles { code, opt: Some(opt) };
    let (Lookup::File(foreword), Lookup::File(of_layers)) =
        (files.look_up(FOREWORD), files.look_up(LAYER_BOOTSTRAP))
    else {
        return None;
    };
    let is_foreword = |file: &super::files::FunctionFile| {
        file.name == foreword.name || file.content == foreword.content
    };
    if !code.is_certain || !is_foreword(&of_layers) {
        return None;
    }
    match files.look_up(&format!("{TASK_ROOT}/bootstrap")) {
        Lookup::File(file) if !is_foreword(&file) => {
            let message = "foreword never runs: on OS-only runtimes, Lambda starts this file and \
                           not the layers' bootstrap, which is foreword; give it another name, \
                           and let the function's \"Handler\" be that name";
            Some(Finding::about(Severity::Error, &code.name_of("bootstrap"), message.into()))
        }
        _ => None,
    }
}
