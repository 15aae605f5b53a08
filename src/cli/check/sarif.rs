//! Findings as SARIF 2.1.0 (OASIS), which code scanning reads.

use serde_json::{Value, json};

use super::super::sources::escaped_path;
use super::explained::explanation;
use crate::engine::diagnostic::Diagnostic;

/// The document of one run.
pub(super) fn document(diagnostics: &[&Diagnostic]) -> Value {
    let mut codes: Vec<&str> = diagnostics.iter().map(|found| found.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let results: Vec<Value> = diagnostics.iter().map(|found| result(found, &codes)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "signalbox",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| rule(code)).collect::<Vec<Value>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &str) -> Value {
    let text = explanation(code).unwrap_or(code);
    json!({
        "id": code,
        "shortDescription": {"text": text},
        "help": {"text": text, "markdown": text},
    })
}

fn result(found: &Diagnostic, codes: &[&str]) -> Value {
    let text = match &found.advice {
        Some(advice) => format!("{}. {advice}", found.message),
        None => found.message.clone(),
    };
    let artifact = json!({"uri": uri(&found.source.name)});
    let location = match found.region() {
        None => json!({"artifactLocation": artifact}),
        Some(region) => json!({"artifactLocation": artifact, "region": {
            "startLine": region.line,
            "startColumn": region.column,
            "endLine": region.end_line,
            "endColumn": region.end_column,
        }}),
    };
    json!({
        "ruleId": found.code,
        "ruleIndex": codes.iter().position(|code| *code == found.code),
        "level": found.severity.name(),
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
    })
}

/// A path as a reference: relative where it is relative.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", escaped_path(path.strip_prefix("./").unwrap_or(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references_with_everything_else_encoded() {
        let cases = [
            ("./rules/a.yaml", "rules/a.yaml"),
            ("rules/a b:é.yaml", "rules/a%20b%3A%C3%A9.yaml"),
            ("/etc/signalbox/a.yaml", "file:///etc/signalbox/a.yaml"),
        ];
        for (path, expected) in cases {
            assert_eq!(uri(path), expected);
        }
    }
}
