//! What each code means, from the one page that says it.

/// The page, as people read it.
const PAGE: &str = include_str!("../../../docs/diagnostics.md");

/// What is wrong where a finding has this code.
pub(super) fn explanation(code: &str) -> Option<&'static str> {
    PAGE.lines().find_map(|line| {
        let (codes, text) = line.strip_prefix("| `")?.strip_suffix(" |")?.split_once(" | ")?;
        codes.split('`').step_by(2).any(|known| known == code).then_some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_explained_by_its_row() {
        assert_eq!(explanation("yaml").unwrap().split(',').next(), Some("the text is no YAML"));
        assert_eq!(explanation("expr-and-metric"), explanation("record-and-alert"));
        assert_eq!(explanation("record-and-alert"), Some("two keys of which a rule has one"));
        assert_eq!(explanation("no-such-code"), None);
    }
}
