//! The codes of findings in rule files against their documentation, both ways.

use std::collections::BTreeSet;
use std::path::Path;

/// The sources under a folder.
fn sources(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("tests"));
        if path.is_dir() {
            texts.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            texts.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    texts
}

/// The first text of each call that notes an error or a warning.
fn codes(source: &str) -> impl Iterator<Item = String> + '_ {
    let calls = [".error(", ".warning("].into_iter().flat_map(|call| source.split(call).skip(1));
    calls.filter_map(|rest| Some(rest.trim_start().strip_prefix('"')?.split('"').next()?.to_owned()))
}

/// The codes of a table of the page.
fn documented(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_code_of_a_finding_in_a_rule_file_is_documented_and_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/diagnostics.md")).unwrap();
    let (rule_files, _) = page.split_once("## Dashboards").unwrap();
    let mut found: BTreeSet<String> = BTreeSet::new();
    for source in sources(&root.join("src/engine/rules")) {
        found.extend(codes(&source));
    }
    // What every reader of YAML finds.
    let shared = std::fs::read_to_string(root.join("src/engine/yaml/findings.rs")).unwrap();
    found.extend(codes(&shared));
    assert_eq!(documented(rule_files), found);
}
