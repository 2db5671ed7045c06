//! Files that look like configurations and that nobody reads.

use std::fs;
use std::path::Path;

/// What configurations of other programs end in.
const OTHERS: [&str; 6] = [".yaml", ".yml", ".toml", ".jsonc", ".json5", ".json.txt"];

/// The files that look like configurations: in the directory of the code one named `foreword` where
/// `foreword.json` is missing, in that of drop-ins any.
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

/// Whether a file's name says that it is a configuration in another language.
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
