//! Findings as workflow commands of GitHub Actions, which become annotations on the lines of a change.

use std::fmt::Write as _;

use crate::engine::diagnostic::Diagnostic;

/// The line that annotates a finding.
pub(super) fn annotation(found: &Diagnostic) -> String {
    let mut line = format!("::{} file={}", found.severity.name(), property(&found.source.name));
    if let Some(region) = found.region() {
        // Writing to a string cannot fail.
        let _ = write!(line, ",line={},endLine={}", region.line, region.end_line);
        // Columns are taken only where both are in one line.
        if region.line == region.end_line {
            let _ = write!(line, ",col={},endColumn={}", region.column, region.end_column);
        }
    }
    let advice = found.advice.as_ref().map(|advice| format!("\n{advice}")).unwrap_or_default();
    let text = data(&format!("{}{advice}", found.message));
    let _ = write!(line, ",title={}::{text}", property(found.code));
    line
}

/// The text of a command: what would end its line is encoded.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property: what would end it, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::diagnostic::{Severity, Source};

    #[test]
    fn nothing_that_people_wrote_ends_a_command() {
        let found = Diagnostic {
            severity: Severity::Warning,
            code: "some-code",
            source: Source { name: "a:b,c%\n.yaml".into(), text: "x: y\nz".into() },
            span: 3..6,
            message: "100% of a::b,\r\nc".to_owned(),
            advice: Some("Do.".to_owned()),
        };
        assert_eq!(
            annotation(&found),
            "::warning file=a%3Ab%2Cc%25%0A.yaml,line=1,endLine=2,title=some-code::100%25 of a::b,%0D%0Ac%0ADo."
        );
    }
}
