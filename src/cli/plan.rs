//! `foreword plan`: shows what the wrapper would do, and why. The story: find out what foreword
//! would be handed, make the plan that the wrapper makes, look at all of it, print that. Nothing is
//! started or changed.

mod json;
mod overview;
mod text;

use super::function::Function;
use super::hints;
use super::options::{OutputFormat, PlanOptions};
use super::printer::Colors;
use crate::config;
use crate::environ::Environ;
use crate::report::Failure;
use overview::Overview;
use std::io::{stderr, stdout};

/// The exit status when the wrapper would refuse the configuration.
const ERRORS: i32 = 1;

/// Prints the plan of a start; gives the exit status.
pub fn run(options: &PlanOptions, own: &Environ) -> i32 {
    let function = match Function::new(&options.function, own) {
        Ok(function) => function,
        Err(problem) => return super::usage_error(&problem),
    };
    match planned(options, &function) {
        Ok(overview) => {
            let shown = match options.format {
                OutputFormat::Text => text::render(&overview, Colors::of(stdout(), own)),
                OutputFormat::Json => json::render(&overview),
            };
            super::print(stdout(), &shown, 0)
        }
        Err(failure) => super::print(stderr(), &format!("foreword: {}\n", failure.message), ERRORS),
    }
}

fn planned(options: &PlanOptions, function: &Function) -> Result<Overview, Failure> {
    let is_disabled = config::is_disabled(&function.environ);
    let sources = if is_disabled { Vec::new() } else { function.sources(&options.configs)? };
    let mut overview = Overview { is_disabled, ..Overview::new(function, &sources)? };
    if !is_disabled && options.configs.is_empty() {
        overview.warnings.extend(hints::find_unread_files(
            function.task_root(),
            config::dropin_dir(&function.environ),
        ));
    }
    Ok(overview)
}
