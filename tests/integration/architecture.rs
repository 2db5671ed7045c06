//! The table "Who may use whom" in ARCHITECTURE.md, against every path to another module in `src`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns the rows of the table in their order: a module, and those that it may use.
fn permitted() -> Vec<(String, BTreeSet<String>)> {
    let page = fs::read_to_string(Path::new(PROJECT).join("ARCHITECTURE.md")).expect("the page");
    let table = page.split("| module | uses | is |\n").nth(1).expect("the table");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let names = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        (names(cells[1]).remove(0), names(cells[2]).into_iter().collect())
    })
    .collect()
}

/// Returns the names of modules that a source text uses by a path from the crate's root.
fn used(source: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for path in source.split("crate::").skip(1) {
        let (first, more) = path.split_at(path.find(|c: char| !is_in_name(c)).unwrap_or(0));
        if first.is_empty() {
            let (group, _) =
                more.strip_prefix('{').and_then(|g| g.split_once('}')).unwrap_or_default();
            used.extend(
                group.split(',').map(|one| {
                    one.trim().chars().take_while(|c| is_in_name(*c)).collect::<String>()
                }),
            );
        }
        used.insert(first.to_owned());
    }
    used.retain(|name| !name.is_empty());
    used
}

fn is_in_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Adds what each module uses, but for its tests.
fn add_used(directory: &Path, module: Option<&str>, uses: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in fs::read_dir(directory).expect("the source") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let module = module.unwrap_or(&name);
        if path.is_dir() {
            add_used(&path, Some(module), uses);
        } else {
            let source = fs::read_to_string(&path).expect("a source file");
            let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            let of_module = uses.entry(module.to_owned()).or_default();
            of_module.extend(used(source).into_iter().filter(|name| name != module));
        }
    }
}

#[test]
fn modules_use_only_those_that_their_row_names() {
    let mut uses = BTreeMap::new();
    add_used(&Path::new(PROJECT).join("src"), None, &mut uses);
    // They put the modules together.
    for root in ["main", "lib", "fuzzing"] {
        uses.remove(root);
    }
    let permitted: BTreeMap<_, _> = permitted().into_iter().collect();
    assert_eq!(uses, permitted);
}

#[test]
fn modules_use_only_those_above_them() {
    let mut above = BTreeSet::new();
    for (module, uses) in permitted() {
        assert!(uses.is_subset(&above), "{module} uses {:?}", uses.difference(&above));
        above.insert(module);
    }
}
