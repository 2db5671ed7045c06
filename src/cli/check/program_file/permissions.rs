//! The permissions that a file needs in a function, whose user is neither its owner nor in its
//! group.

use crate::cli::check::files::FunctionFile;

/// Returns the permissions that the function's user lacks, who is neither owner nor in the group of
/// a file.
pub fn faults(file: &FunctionFile, is_executed: bool, content: &[u8]) -> Vec<String> {
    const ZIP: &str = "before it is zipped, and zip it where modes are kept";
    let mut faults = Vec::new();
    if let Some((directory, mode)) = &file.closed {
        faults.push(format!(
            "the directory {directory} has the mode {mode:04o}, and a function runs as another \
             user than its owner, who cannot pass it; chmod a+rx it {ZIP}"
        ));
    }
    let is_script = !content.starts_with(b"\x7fELF");
    match file.mode {
        Some(mode) if is_executed && mode & 0o111 == 0 => {
            faults.push(format!("the file has no execute permission; chmod a+rx it {ZIP}"));
        }
        None if is_executed => {
            faults.push(format!("the file has no execute permission; chmod a+rx it {ZIP}"));
        }
        Some(mode) if is_executed && (mode & 0o001 == 0 || is_script && mode & 0o004 == 0) => {
            let what = if mode & 0o001 == 0 { "execute" } else { "read" };
            faults.push(format!(
                "the file's mode is {mode:04o}, and a function runs as another user than its \
                 owner, who cannot {what} it; chmod a+rx it {ZIP}"
            ));
        }
        Some(mode) if !is_executed && mode & 0o004 == 0 => faults.push(unreadable(mode)),
        _ => {}
    }
    faults
}

/// Returns the message about a file that only owner and group can read.
pub fn unreadable(mode: u32) -> String {
    format!(
        "the file's mode is {mode:04o}, and a function runs as another user than its owner, who \
         cannot read it; chmod a+r it before it is zipped"
    )
}
