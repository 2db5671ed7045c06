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

#[cfg(test)]
mod tests {
    use super::keep_memory_private;
    use std::env;
    use std::process::Command;

    const PANICS: &str = "FOREWORD_TEST_PANICS";

    /// Runs this test again in a process of its own, because the hook is the process's.
    #[test]
    fn panic_tells_its_place_and_not_its_message() {
        if let Some(value) = env::var_os(PANICS) {
            keep_memory_private();
            panic!("unable to handle {value:?}");
        }
        let output = Command::new(env::current_exe().expect("this test"))
            .args(["--exact", "process::tests::panic_tells_its_place_and_not_its_message"])
            .args(["--nocapture", "--quiet"])
            .env(PANICS, "MARKER")
            .output()
            .expect("its output");
        assert!(!output.status.success());
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("foreword-secrets: internal error at "), "{said}");
        assert!(said.contains("process.rs:"), "{said}");
        assert!(!said.contains("MARKER"), "{said}");
    }
}
