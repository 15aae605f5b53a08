//! `check --format sarif` against models that are generated from the schema of SARIF 2.1.0 (unknown keys refused).

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use super::process::{python, signalbox};

const SCRIPT: &str = "import sys; from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Report; \
                      Report.model_validate_json(sys.stdin.read())";

/// Whether the models take a document, and what they say.
fn takes(document: &str) -> (bool, String) {
    let mut command = python();
    command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let told = child.wait_with_output().unwrap();
    (told.status.success(), String::from_utf8_lossy(&told.stderr).into_owned())
}

fn checked(folder: &Path, names: &[&str]) -> String {
    let mut command = signalbox();
    let told = command.args(["check", "--format", "sarif"]).args(names).current_dir(folder).output().unwrap();
    assert!(told.status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn what_check_writes_is_sarif_and_a_slip_would_be_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("clean.yaml", "groups: [{name: g, rules: [{alert: A, expr: queue_depth, above: 9}]}]\n");
    write(
        "odd é name.yaml",
        "groups:\n  - name: '𝄞'\n    rules:\n      - alert: A\n        expr: sum(queue_dept) > 0\n      - alert: B\n        expr: sum(\n      - {alert: C}\n",
    );
    write("signalbox.yaml", "listen: nowhere\nlimits: {series: -1}\nweb_edit: perhaps\n");
    let clean = checked(folder.path(), &["clean.yaml"]);
    let all = checked(folder.path(), &["clean.yaml", "odd é name.yaml", "signalbox.yaml"]);
    for document in [&clean, &all] {
        let (is_good, said) = takes(document);
        assert!(is_good, "{said}\n{document}");
    }
    assert!(all.matches("\"ruleId\"").count() > 4 && clean.matches("\"ruleId\"").count() == 0, "{all}");
    for (from, to) in [
        ("\"version\": \"2.1.0\"", "\"version\": \"2.0.0\""),
        ("\"level\": \"error\"", "\"level\": \"fatal\""),
        ("\"startLine\"", "\"startline\""),
        ("\"startColumn\": ", "\"startColumn\": -"),
        ("\"message\"", "\"massage\""),
    ] {
        let (is_good, said) = takes(&all.replace(from, to));
        assert!(all.contains(from) && !is_good && said.contains("validation error"), "{from}: {said}");
    }
}
