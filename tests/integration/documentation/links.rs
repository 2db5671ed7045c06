//! Every page is found from the first, and every link leads somewhere.

use super::pages::{FOR_CONTRIBUTORS, PAGES, PROJECT, prose, text};
use std::fs;
use std::path::Path;

/// Where the links of a text lead.
fn targets(text: &str) -> Vec<&str> {
    let after = prose(text).flat_map(|line| line.split("](").skip(1));
    after
        .map(|rest| {
            rest.split_once(')').unwrap_or_else(|| panic!("a link without an end: {rest}")).0
        })
        .collect()
}

/// What GitHub makes of the headings of a text; they hold no links.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| -> String {
        let lower = heading.to_lowercase();
        let kept = lower
            .chars()
            .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    };
    let mut anchors: Vec<String> = Vec::new();
    for first in headings.map(anchor) {
        let again = (1..).map(|count| format!("{first}-{count}"));
        let free =
            [first.clone()].into_iter().chain(again).find(|anchor| !anchors.contains(anchor));
        anchors.extend(free);
    }
    anchors
}

#[test]
fn anchors_of_headings_equal_those_of_github() {
    let text = "# Before it ends: pre_stop\n## When a hook's `time_ms` — 500 ms — is \
                over\n```sh\n# a comment\n```\n### Own images\n### Own images\n";
    assert_eq!(
        anchors(text),
        [
            "before-it-ends-pre_stop",
            "when-a-hooks-time_ms--500-ms--is-over",
            "own-images",
            "own-images-1"
        ]
    );
}

#[test]
fn every_link_has_a_target() {
    let project = fs::canonicalize(PROJECT).expect("the project");
    let mut lead_elsewhere = 0;
    for page in PAGES.into_iter().chain(FOR_CONTRIBUTORS) {
        let text_of_page = text(page);
        for target in
            targets(&text_of_page).into_iter().filter(|target| !target.starts_with("https://"))
        {
            let (path, anchor) = target
                .split_once('#')
                .map_or((target, None), |(path, anchor)| (path, Some(anchor)));
            let path = match path {
                "" => Path::new(page).to_owned(),
                path => {
                    assert!(
                        !path.starts_with('/') && !path.contains(':'),
                        "{page}: {target} is not relative"
                    );
                    lead_elsewhere += 1;
                    let found = fs::canonicalize(project.join(page).with_file_name(path));
                    let found = found.unwrap_or_else(|error| panic!("{page}: {target}: {error}"));
                    found
                        .strip_prefix(&project)
                        .unwrap_or_else(|_| panic!("{page}: {target} leads out"))
                        .to_owned()
                }
            };
            if let Some(anchor) = anchor {
                let path = path.to_str().expect("UTF-8");
                assert!(
                    PAGES.contains(&path),
                    "{page}: {target} names a heading of what is no page"
                );
                let known = anchors(&text(path));
                assert!(
                    known.iter().any(|known| known == anchor),
                    "{page}: {target} is none of {known:?}"
                );
            }
        }
    }
    assert!(lead_elsewhere > PAGES.len(), "the pages have links");
}

#[test]
fn every_page_is_known_and_linked_from_the_readme() {
    let directory = fs::read_dir(Path::new(PROJECT).join("docs")).expect("the pages");
    let mut found: Vec<_> = directory
        .map(|entry| format!("docs/{}", entry.expect("an entry").file_name().display()))
        .collect();
    let [readme, mut known @ ..] = PAGES;
    let readme = text(readme);
    let linked = targets(&readme);
    for page in known.into_iter().chain(FOR_CONTRIBUTORS) {
        assert!(linked.contains(&page), "the README does not link to {page}");
    }
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known, "what is in docs, and what PAGES has");
}
