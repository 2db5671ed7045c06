//! The edits of an environment as the plan makes them, with what each found and left.

use super::redacted::Redacted;
use crate::cli::unset_variables::UnsetVariable;
use crate::config::Change;
use crate::config::EnvEdit;
use crate::environ::Environ;
use std::ffi::{OsStr, OsString};

pub struct VariableEdit {
    pub name: String,
    /// `None` stands for unset.
    pub before: Option<Redacted>,
    pub after: Option<Redacted>,
    /// Of secrets, both look alike.
    pub is_changed: bool,
    /// Where the edit stands.
    pub place: String,
    /// Where the rule or the hook begins that it belongs to.
    pub owner: String,
}

/// An edit as the plan met it, with secrets.
struct RecordedEdit {
    name: String,
    before: Option<OsString>,
    after: Option<OsString>,
    place: String,
    owner: String,
}

/// The edits of one environment, as they come.
pub struct EditRecorder<'e> {
    /// The environment at the place of the next one.
    here: Environ<'e>,
    met: Vec<RecordedEdit>,
    pub unset: Vec<UnsetVariable>,
}

impl<'e> EditRecorder<'e> {
    pub fn new(environ: &Environ<'e>) -> Self {
        Self { here: environ.clone(), met: Vec::new(), unset: Vec::new() }
    }

    pub fn add(&mut self, owner: String, edit: &EnvEdit, change: Option<&Change>) {
        let place = edit.place.to_string();
        self.unset.extend(UnsetVariable::in_edit(&edit.edit, &place, &self.here, change.is_none()));
        let before = self.here.value(edit.name).map(OsStr::to_owned);
        let after =
            change.map_or_else(|| before.clone(), |change| change.after.map(OsStr::to_owned));
        match &after {
            _ if change.is_none() => {}
            Some(value) => self.here.set(edit.name, value),
            None => self.here.unset(edit.name),
        }
        self.met.push(RecordedEdit { name: edit.name.into(), before, after, place, owner });
    }

    /// All of them; what is secret is known at the end.
    pub fn shown(self, last: &Environ) -> Vec<VariableEdit> {
        let shown = |met: RecordedEdit| {
            let value = |value: Option<OsString>| {
                value.map(|value| Redacted::value(&met.name, &value, last))
            };
            VariableEdit {
                is_changed: met.before != met.after,
                before: value(met.before),
                after: value(met.after),
                name: met.name.clone(),
                place: met.place,
                owner: met.owner,
            }
        };
        self.met.into_iter().map(shown).collect()
    }
}
