//! Which of the known words someone may have meant.

/// The word nearest to `word`, where one is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    if word.len() > 64 {
        return None;
    }
    // Of four letters half are too many: another word is then as near.
    let most = 1 + word.len().saturating_sub(1) / 4;
    known
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        // Of two as near, one that was begun and not finished is likelier than one with another letter.
        .min_by_key(|(distance, candidate)| (*distance, !candidate.starts_with(&word), *candidate))
        .map(|(_, candidate)| candidate)
}

/// How many bytes must be added, dropped, changed or swapped with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, a) in left.iter().enumerate() {
        let mut next = vec![at + 1];
        for (column, b) in right.iter().enumerate() {
            let cell = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut best = cell(&row, column) + usize::from(a != b);
            best = best.min(cell(&row, column + 1) + 1).min(cell(&next, column) + 1);
            let swapped =
                at > 0 && column > 0 && left.get(at - 1) == Some(b) && right.get(column - 1) == Some(a);
            if swapped {
                best = best.min(cell(&before, column - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = || ["rate", "irate", "increase", "sum_over_time"].into_iter();
        assert_eq!(nearest("rtae", known()), Some("rate"));
        assert_eq!(nearest("Increase", known()), Some("increase"));
        assert_eq!(nearest("sum_overtime", known()), Some("sum_over_time"));
        assert_eq!(nearest("histogram", known()), None);
        assert_eq!(nearest("rat", ["rad", "rate"].into_iter()), Some("rate"));
    }
}
