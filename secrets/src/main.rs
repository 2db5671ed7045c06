//! The program: reads its command line, resolves every reference, prints or writes the values. What
//! it promises to whoever starts it stands at the head of the library.

mod aws;
mod cli;
mod failure;
mod output;
mod process;
mod resolve;
mod value;

use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    process::keep_memory_private();
    let request = match cli::parse(std::env::args_os()) {
        Ok(request) => request,
        Err(end) => return end.report(),
    };
    let variables = match resolve::resolve(&request) {
        Ok(variables) => variables,
        Err(failures) => return Failure::report_all(&failures),
    };
    let text = request.format.serialize(&variables);
    let written = match &request.file {
        Some(path) => output::write_file(path, &text)
            .map_err(|error| format!("unable to write {path:?}: {error}")),
        None => output::print(&text)
            .map_err(|error| format!("unable to write to standard output: {error}")),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => Failure::report_line(&message),
    }
}
