//! What a user probably meant by a word that is not known.

/// The known word that a user probably meant.
pub fn near<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |word: &str| word.to_lowercase().replace(['_', '-', ' '], "");
    let written = plain(word);
    let distance = |known: &str| {
        let known = plain(known);
        match written.len() > 2 && (known.starts_with(&written) || written.starts_with(&known)) {
            true => 0,
            false => edit_distance(&written, &known),
        }
    };
    let best = known
        .iter()
        .map(|known| (distance(known), *known))
        .min_by_key(|(distance, _)| *distance)?;
    (best.0 <= written.len().max(best.1.len()) / 3).then_some(best.1)
}

/// How many characters have to be put in, taken out, changed or swapped with their neighbour
/// (the restricted Damerau–Levenshtein distance).
fn edit_distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<_>>()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let changed = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}
