//! The pages of the documentation and their content.

use std::fs;
use std::path::Path;

/// The pages for users, in reading order; paths from the project's directory.
pub const PAGES: [&str; 17] = [
    "README.md",
    "docs/configuration.md",
    "docs/secrets.md",
    "docs/hooks.md",
    "docs/snapstart.md",
    "docs/pre_stop.md",
    "docs/wrappers.md",
    "docs/patterns.md",
    "docs/lambda.md",
    "docs/layer.md",
    "docs/failures.md",
    "docs/check.md",
    "docs/plan.md",
    "docs/simulate.md",
    "docs/schema.md",
    "docs/cost.md",
    "docs/sandbox.md",
];

/// The pages for contributors.
pub const FOR_CONTRIBUTORS: [&str; 4] =
    ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

/// The project's directory.
pub const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

pub fn text(page: &str) -> String {
    fs::read_to_string(Path::new(PROJECT).join(page))
        .unwrap_or_else(|error| panic!("unable to read {page}: {error}"))
}

/// Returns the text of all pages, one after the other.
pub fn everything() -> String {
    PAGES.map(text).concat()
}

/// Returns the text below a heading of a page, up to the next heading.
pub fn section(page: &str, heading: &str) -> String {
    let text = text(page);
    let mut lines = text.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "{page} has no heading {heading:?}");
    let mut is_outside = true;
    let body = lines.take_while(|line| {
        is_outside ^= line.starts_with("```");
        !is_outside || !line.starts_with('#')
    });
    body.collect::<Vec<_>>().join("\n")
}

/// Returns the code blocks of a page in one language, without the indentation of their fences.
pub fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = text(page);
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(fence) = lines.find(|line| line.trim_start() == format!("```{language}")) {
        let indentation = fence.len() - fence.trim_start().len();
        let block: Vec<_> = lines.by_ref().take_while(|line| line.trim_start() != "```").collect();
        let unindented = block.iter().map(|line| line.get(indentation..).unwrap_or_default());
        blocks.push(unindented.collect::<Vec<_>>().join("\n"));
    }
    blocks
}

/// Returns the lines of a text outside of code blocks.
pub fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_outside = true;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_outside ^= is_fence;
        is_outside && !is_fence
    })
}
