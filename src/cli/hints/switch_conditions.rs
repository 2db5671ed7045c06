//! Conditions that take a switch for on whatever it is set to.

use crate::condition::{EnvTest, When};

/// Parts of names that tell a switch.
const SWITCHES: [&str; 10] = [
    "DEBUG",
    "DISABLE",
    "DISABLED",
    "ENABLE",
    "ENABLED",
    "PROFILE",
    "PROFILING",
    "TRACE",
    "TRACING",
    "VERBOSE",
];

/// The variables of which a condition asks for any value, and that are hardly unset to be switched
/// off.
pub fn switches_taken_for_on<'w>(when: &'w When<'w>) -> impl Iterator<Item = (&'w str, String)> {
    let is_switch = |name: &str| {
        !name.starts_with("AWS") && name.split('_').any(|part| SWITCHES.contains(&part))
    };
    let asked = when
        .env
        .iter()
        .filter(move |(name, test)| matches!(test, EnvTest::NonEmpty) && is_switch(name));
    asked.map(|(name, _)| {
        (
            *name,
            format!(
                "true means not empty: {name}=0 and {name}=false count, too; for a switch write \
                 [\"1\", \"true\"]"
            ),
        )
    })
}
