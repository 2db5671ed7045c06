//! Conflicts between parts of a plan: hooks around a snapshot beside Lambda Web Adapter, and whatever
//! would have to be done after a wrapper that never returns the process.

use super::{Plan, SnapshotHooks};
use crate::config::{Invalid, Wrapper};
use crate::lambda::{WEB_ADAPTER, WEB_ADAPTER_SNAPSTART};
use crate::phase::Phase;

/// What to do where conditions can separate the two parts.
const APART: &str = "let their conditions exclude each other";

impl Plan<'_> {
    /// Makes sure that the parts of the plan can be performed together.
    ///
    /// # Errors
    /// When something keeps the relay from running the hooks around a snapshot, or would have to be
    /// done after a wrapper that never returns the process.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.snapshot_hooks == SnapshotHooks::WebAdapter {
            return Err(Invalid::new(format!(
                "Lambda Web Adapter ({WEB_ADAPTER}) speaks to the Runtime API in the runtime's \
                 place, past all before_snapshot and after_restore hooks; {WEB_ADAPTER_SNAPSTART}"
            )));
        }
        self.check_last_wrapper()
    }

    /// Makes sure that nothing would have to be done after a wrapper that never returns the process.
    fn check_last_wrapper(&self) -> Result<(), Invalid> {
        let Some(index) = self.wrappers.iter().position(|wrapper| wrapper.is_last) else {
            return Ok(());
        };
        let last = self.wrappers[index];
        let mut refused = self.wrappers.get(index + 1).map(|wrapper| refuse_wrapper(last, wrapper));
        let mut edited =
            self.rules.iter().flat_map(|rule| rule.command_line_keys().map(move |key| (key, rule)));
        refused = refused.or_else(|| {
            edited.next().map(|(key, rule)| refuse_edit(last, key, &rule.place.to_string()))
        });
        if self.snapshot_hooks == SnapshotHooks::Relay {
            let hook = self.hooks.iter().find(|hook| hook.phase.is_around_snapshot());
            refused = refused.or_else(|| {
                hook.map(|hook| refuse_hook(last, hook.phase, hook.name, &hook.place.to_string()))
            });
        }
        refused.map_or(Ok(()), |message| Err(Invalid::new(format!("{}: {message}", last.place))))
    }
}

/// Returns the message about a wrapper after one that never returns the process.
pub fn refuse_wrapper(last: &Wrapper, other: &Wrapper) -> String {
    let what = format!("run the wrapper {:?} ({})", other.display_name(), other.place);
    last.refuse(&what, &["name it before that one, or ", APART].concat())
}

/// Returns the message about an edit of the command line beside such a wrapper.
pub fn refuse_edit(last: &Wrapper, key: &str, place: &str) -> String {
    last.refuse(&format!("edit {key:?} ({place})"), &["remove the edit, or ", APART].concat())
}

/// Returns the message about a hook that needs the relay, beside such a wrapper.
pub fn refuse_hook(last: &Wrapper, phase: Phase, name: &str, place: &str) -> String {
    let what = format!("run the hook {name:?} ({}, {place}), which takes the relay,", phase.name());
    last.refuse(&what, &["remove the hook, or ", APART].concat())
}
