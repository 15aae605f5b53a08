//! Results as text for people and as `JUnit` XML for build servers.

use std::fmt::Write;

use super::super::markup::escaped;
use crate::engine::diagnostic::{Lines, counted, printable};

/// What became of one test file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileResult {
    /// The file.
    pub(super) name: String,
    /// What keeps its tests from running at all, as text for people.
    pub(super) fault: Option<String>,
    /// Its tests in order, each with every difference.
    pub(super) tests: Vec<(String, Vec<String>)>,
}

impl FileResult {
    /// Whether everything was as expected.
    pub(super) fn is_good(&self) -> bool {
        self.fault.is_none() && self.tests.iter().all(|(_, faults)| faults.is_empty())
    }
}

/// The results for people.
pub(super) fn text(results: &[FileResult]) -> String {
    let mut text = String::new();
    let (mut passed, mut failed) = (0, 0);
    for result in results {
        let _ = writeln!(text, "{}", printable(&result.name, Lines::One));
        if let Some(fault) = &result.fault {
            failed += 1;
            let _ = writeln!(text, "  FAILED: its tests cannot run");
            indented(&mut text, fault);
        }
        for (name, faults) in &result.tests {
            let name = printable(name, Lines::One);
            if faults.is_empty() {
                passed += 1;
                let _ = writeln!(text, "  ok      {name}");
                continue;
            }
            failed += 1;
            let _ = writeln!(text, "  FAILED  {name}");
            for fault in faults {
                indented(&mut text, fault);
            }
        }
    }
    let _ = writeln!(text, "{passed} passed, {failed} failed in {}", counted(results.len(), "file"));
    text
}

fn indented(text: &mut String, lines: &str) {
    for line in lines.lines() {
        let _ = if line.is_empty() { writeln!(text) } else { writeln!(text, "    {line}") };
    }
}

/// The results as `JUnit` XML.
pub(super) fn junit(results: &[FileResult]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for result in results {
        let failures = result.tests.iter().filter(|(_, faults)| !faults.is_empty()).count();
        let errors = usize::from(result.fault.is_some());
        let name = escaped(&result.name);
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\">",
            result.tests.len() + errors
        );
        if let Some(fault) = &result.fault {
            let _ = writeln!(text, "    <testcase classname=\"{name}\" name=\"load\">");
            element(&mut text, "error", fault);
        }
        for (test, faults) in &result.tests {
            let _ = write!(text, "    <testcase classname=\"{name}\" name=\"{}\"", escaped(test));
            if faults.is_empty() {
                text.push_str("/>\n");
                continue;
            }
            text.push_str(">\n");
            element(&mut text, "failure", &faults.concat());
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// A failure or an error, and the end of its test case.
fn element(text: &mut String, kind: &str, body: &str) {
    let first = escaped(body.lines().next().unwrap_or_default());
    let _ = writeln!(text, "      <{kind} message=\"{first}\">{}</{kind}>\n    </testcase>", escaped(body));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_stay_out_of_the_xml() {
        let result = FileResult {
            name: "a<b>.yaml".into(),
            fault: None,
            tests: vec![("x & y".into(), vec!["\u{1}\"oops\"\n".into()])],
        };
        let xml = junit(&[result]);
        assert!(xml.contains("name=\"a&lt;b&gt;.yaml\" tests=\"1\" failures=\"1\" errors=\"0\""), "{xml}");
        assert!(xml.contains("<failure message=\"&quot;oops&quot;\">&quot;oops&quot;\n</failure>"), "{xml}");
    }
}
