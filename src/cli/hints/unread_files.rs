//! Files that look like configurations and that foreword does not read.

use std::fs;
use std::path::Path;

/// File name endings of configurations in other formats.
const OTHERS: [&str; 6] = [".yaml", ".yml", ".toml", ".jsonc", ".json5", ".json.txt"];

/// Returns a message for each such file: in the directory of the code a file named `foreword` if
/// `foreword.json` is missing, in the directory of drop-ins any file.
pub fn find_unread_files(task_root: &Path, dropins: &Path) -> Vec<String> {
    let mut messages = Vec::new();
    let has_json = task_root.join("foreword.json").exists();
    for (directory, is_root) in [(dropins, false), (task_root, true)] {
        let mut names: Vec<_> = fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        names.sort();
        for name in names {
            let lower = name.to_string_lossy().to_lowercase();
            let is_here = if is_root {
                !has_json && lower.starts_with("foreword.")
            } else {
                !lower.starts_with('.')
            };
            if is_here && is_other_format(&lower) {
                messages.push(unread_file_message(&directory.join(&name).display().to_string()));
            }
        }
    }
    messages
}

/// Returns whether a file's name has the ending of another format.
pub fn is_other_format(name: &str) -> bool {
    let name = name.to_lowercase();
    OTHERS.iter().any(|end| name.ends_with(end))
}

pub fn unread_file_message(path: &str) -> String {
    format!(
        "{path} is not read: a configuration is JSON, in a file that ends in .json (yq -o json \
         converts YAML and TOML)"
    )
}
