//! The known word that a mistyped one was probably meant to be.

/// The candidate with the fewest edits, where they are few enough to be a slip.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, removals, replacements and swaps of neighbours between two words (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (row, character) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(character != *other);
            let mut edits = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let before =
                column.checked_sub(1).and_then(|place| right.get(place).map(|found| (place, *found)));
            if let Some((place, found)) = before
                && previous == Some(*other)
                && found == character
            {
                edits = edits.min(at(&before_last, place) + 1);
            }
            current.push(edits);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(character);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_finds_none() {
        let known = ["listen", "limits", "namespace", "stale_after"];
        let cases = [
            ("listn", Some("listen")),
            ("lisetn", Some("listen")),
            ("name_space", Some("namespace")),
            ("Stale_After", Some("stale_after")),
            ("colour", None),
            ("x", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
