//! The wrapper chain as far as it is known beforehand: what the wrappers themselves change is not.

use super::redacted::Redacted;
use super::variable_edits::{EditRecorder, VariableEdit};
use crate::cli::unset_variables::UnsetVariable;
use crate::command_line::base_name;
use crate::config::edit;
use crate::environ::Environ;
use crate::lambda::EXEC_WRAPPER;
use crate::plan::Plan;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

pub struct WrapperOverview {
    pub name: Redacted,
    pub path: Redacted,
    pub place: String,
    /// Edits of what it hands back.
    pub env: Vec<VariableEdit>,
    pub is_last: bool,
}

impl WrapperOverview {
    /// All wrappers, what their texts take for empty, and the environment behind them.
    pub fn chain<'e>(
        plan: &Plan,
        edited: &Environ<'e>,
    ) -> (Vec<Self>, Vec<UnsetVariable>, Environ<'e>) {
        let (mut all, mut unset) = (Vec::new(), Vec::new());
        let mut here = edited.clone();
        for wrapper in &plan.wrappers {
            unset.extend(UnsetVariable::in_wrapper(wrapper, &here));
            let path = wrapper.path.expand(&here);
            let name = wrapper.name.map_or(OsStr::from_bytes(base_name(&path)), OsStr::new);
            here.set(EXEC_WRAPPER, &path);
            let place = wrapper.place.to_string();
            let mut edits = EditRecorder::new(&here);
            edit::apply(&mut here, &wrapper.env, &mut |edit, change| {
                edits.add(place.clone(), edit, change)
            });
            unset.append(&mut edits.unset);
            if !wrapper.is_last {
                match edited.value(EXEC_WRAPPER) {
                    Some(named) => here.set(EXEC_WRAPPER, named),
                    None => here.unset(EXEC_WRAPPER),
                }
            }
            all.push(Self {
                name: Redacted::word(name, &here),
                path: Redacted::word(&path, &here),
                env: edits.shown(&here),
                is_last: wrapper.is_last,
                place,
            });
        }
        (all, unset, here)
    }
}
