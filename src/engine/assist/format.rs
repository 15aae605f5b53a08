//! How a file is laid out.

use super::outline::Outline;

/// The text with no blanks at the ends of lines, at most one empty line in a row, and one line end at its end. Texts over
/// several lines stay as they are, and so does everything that people wrote between: line breaks say something.
pub(crate) fn formatted(text: &str) -> String {
    let outline = Outline::of(text);
    let scalars = outline.entries.iter().map(|entry| &entry.value);
    let long: Vec<_> =
        scalars.filter(|span| text.get((*span).clone()).is_some_and(|value| value.contains('\n'))).collect();
    let mut lines: Vec<&str> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        let is_text = long.iter().any(|span| span.start < end && at < span.end);
        let bare = line.trim_end_matches(['\n', '\r']);
        let laid_out = if is_text { bare } else { bare.trim_end() };
        let is_doubled = laid_out.is_empty() && lines.last().is_none_or(|last| last.is_empty());
        if is_text || !is_doubled {
            lines.push(laid_out);
        }
        at = end;
    }
    while lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let end = line_end(text);
    let mut text = lines.join(end);
    if !text.is_empty() {
        text.push_str(end);
    }
    text
}

/// How the lines of a text end: as its first one does.
pub(super) fn line_end(text: &str) -> &'static str {
    let first = text.split_inclusive('\n').next().unwrap_or_default();
    if first.ends_with("\r\n") { "\r\n" } else { "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_empty_lines_go_and_everything_else_stays() {
        let text = "\n\na: 1  \r\n\n\n# b\t\n  - c: |\n      x  \n\n\n      y\n\n\n";
        assert_eq!(formatted(text), "a: 1\n\n# b\n  - c: |\n      x  \n\n\n      y\n");
        assert_eq!(formatted(&formatted(text)), formatted(text));
        assert_eq!(formatted(" \n"), "");
        assert_eq!(
            formatted("a: 1 \r\n\r\n\r\nb: |\r\n  x \r\n  y\r\n"),
            "a: 1\r\n\r\nb: |\r\n  x \r\n  y\r\n"
        );
    }
}
