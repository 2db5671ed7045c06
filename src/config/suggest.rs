//! Suggestions for misspelled words: the known word that is nearest.

/// Returns the known word that a user probably meant, if one is near enough.
///
/// Case, `_`, `-` and blanks do not count, and neither does an unfinished end; else a third of the
/// characters may be wrong, a swap of two neighbours counting as one (the optimal string alignment
/// distance, <https://docs.rs/strsim/latest/strsim/fn.osa_distance.html>).
pub fn find_nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |word: &str| word.to_lowercase().replace(['_', '-', ' '], "");
    let written = plain(word);
    let distance = |known: &str| {
        let known = plain(known);
        match written.len() > 2 && (known.starts_with(&written) || written.starts_with(&known)) {
            true => 0,
            false => strsim::osa_distance(&written, &known),
        }
    };
    let (distance, best) = known
        .iter()
        .map(|known| (distance(known), *known))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= written.len().max(best.len()) / 3).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::find_nearest;

    #[test]
    fn word_with_a_mistake_has_a_suggestion() {
        let known = ["timeout_ms", "on_failure", "name", "command", "env"];
        for (word, expected) in [
            ("timeout", Some("timeout_ms")),
            ("timeoutMs", Some("timeout_ms")),
            ("onFailure", Some("on_failure")),
            ("nmae", Some("name")),
            ("comand", Some("command")),
            ("en", Some("env")),
            ("something", None),
            ("", None),
        ] {
            assert_eq!(find_nearest(word, &known), expected, "{word}");
        }
    }
}
