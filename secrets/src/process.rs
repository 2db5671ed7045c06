//! What keeps the values in this process: no core is written, and a panic says only where it was.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// Nothing here is needed for the work, so that a sandbox may refuse it.
pub fn keep_memory_private() {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    // Also keeps other processes of the same user from reading the memory. Lambda refuses it.
    let _ = prctl::set_dumpable(false);
    std::panic::set_hook(Box::new(|panic| {
        // Its message may quote what could not be handled.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        eprintln!("foreword-secrets: internal error at {place}");
    }));
}
