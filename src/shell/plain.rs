//! What the system or a library says of a failure, in words alone: the number that the system knows it by is told to
//! nobody who could do anything with it.

use std::fmt::Display;

/// The text of an error, with its causes where it tells them, without the numbers that stand in it as `(os error 111)`.
pub(crate) fn plain(error: impl Display) -> String {
    const BEFORE: &str = " (os error ";
    let mut text = format!("{error:#}");
    while let Some((at, end)) = text.find(BEFORE).and_then(|at| {
        let rest = text.get(at + BEFORE.len()..)?;
        let digits = rest.find(|symbol: char| !symbol.is_ascii_digit())?;
        rest.get(digits..)?.starts_with(')').then_some((at, at + BEFORE.len() + digits + 1))
    }) {
        text.replace_range(at..end, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_words_stay_and_the_number_goes() {
        let refused = io::Error::from_raw_os_error(111);
        let chain = anyhow::Error::from(io::Error::from_raw_os_error(2)).context("read a.yaml");
        let cases = [
            (plain(&refused), "Connection refused"),
            (plain(format!("I/O error: {refused}; try again")), "I/O error: Connection refused; try again"),
            (plain(&chain), "read a.yaml: No such file or directory"),
            (plain(io::Error::other("its name has no address")), "its name has no address"),
            (plain(" (os error x)"), " (os error x)"),
        ];
        for (said, expected) in cases {
            assert_eq!(said, expected);
        }
    }
}
