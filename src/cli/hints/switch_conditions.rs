//! Conditions that take a switch for on whatever its value is.

use crate::condition::{EnvTest, When};

/// Words in the names of variables that are switches.
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

/// Returns the switches for which a condition accepts any value, each with its hint: people switch
/// off with `0` or `false`, and seldom by unsetting.
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
