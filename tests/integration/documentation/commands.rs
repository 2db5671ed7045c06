//! The commands that `CONTRIBUTING.md` and the `justfile` have are there.

use super::pages::{PROJECT, text};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The scripts that a text names.
fn scripts(text: &str) -> Vec<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "/.-".contains(letter);
    let words = text.split(|letter| !is_part(letter)).map(|word| word.trim_end_matches('.'));
    let mut scripts: Vec<_> = words.filter(|word| word.starts_with("scripts/")).collect();
    scripts.sort_unstable();
    scripts.dedup();
    scripts
}

#[test]
fn every_script_that_is_named_is_executable() {
    for page in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "justfile"] {
        let text = text(page);
        assert!(!scripts(&text).is_empty(), "{page}");
        for script in scripts(&text) {
            let about = fs::metadata(Path::new(PROJECT).join(script));
            let about = about.unwrap_or_else(|error| panic!("{page}: {script}: {error}"));
            assert!(about.permissions().mode() & 0o111 != 0, "{page}: {script}");
        }
    }
}

#[test]
fn every_recipe_is_documented_for_contributors() {
    let (recipes, page) = (text("justfile"), text("CONTRIBUTING.md"));
    // `scripts/*.sh` names no script.
    for script in scripts(&recipes).into_iter().filter(|script| !script.ends_with('/')) {
        assert!(page.contains(&format!("| `{script}` |")), "{script}");
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let page = text("CONTRIBUTING.md");
    let names: Vec<_> = page
        .split("cargo test --test integration -- ")
        .skip(1)
        .map(|rest| rest.split('`').next())
        .collect();
    assert_eq!(names.len(), 1);
    for name in names.into_iter().flatten() {
        let file = Path::new(PROJECT).join(format!("tests/integration/{name}.rs"));
        assert!(file.is_file(), "{}", file.display());
    }
}
