use super::*;

fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_folder_is_read_one_level_deep_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.yaml", "a.yml", "a.test.yaml", "note.txt", ".hidden.yaml"] {
        std::fs::write(folder.path().join(name), "groups: []").unwrap();
    }
    std::fs::create_dir(folder.path().join("folder.yaml")).unwrap();
    let mut listed = rule_files(&[folder.path().to_owned()]);
    assert_eq!(names(&listed.files), ["a.yml", "b.yaml"]);
    assert!(listed.faults.is_empty());
    listed.passed_over.sort();
    let others = names(&listed.passed_over);
    assert_eq!(others, ["folder.yaml", "note.txt"], "tests and what is hidden are not named");
}

#[test]
fn what_is_passed_over_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| std::fs::write(folder.path().join(name), "groups: []").unwrap();
    let mut files = RuleFiles::new(vec![folder.path().to_owned()], KnownMetrics::default());
    let mut said = || {
        let texts = files.read();
        let load = files.load(texts, &BTreeSet::new());
        assert!(load.is_good);
        load.passed_over.iter().map(|path| path.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    write("a.YAML");
    write("note.txt");
    assert_eq!(said(), ["a.YAML", "note.txt"]);
    assert!(said().is_empty());
    write("rules.json");
    assert_eq!(said(), ["rules.json"]);
}

#[test]
fn what_cannot_be_read_is_said_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("latin.yaml"), b"groups: \xe4").unwrap();
    let missing = folder.path().join("missing.yaml");
    let texts = read_rules(&[folder.path().to_owned(), missing]);
    let said: Vec<String> = texts.faults.iter().map(|fault| fault.message.clone()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().any(|message| message.contains("not UTF-8 from byte 8")), "{said:?}");
}

#[test]
fn a_file_may_have_eight_mebibytes_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let longest = usize::try_from(FILE_BYTES_MAX).unwrap();
    std::fs::write(folder.path().join("a.yaml"), "#".repeat(longest)).unwrap();
    std::fs::write(folder.path().join("b.yaml"), "#".repeat(longest + 1)).unwrap();
    let texts = read_rules(&[folder.path().to_owned()]);
    assert_eq!(texts.sources.len(), 1);
    assert_eq!(texts.faults.len(), 1);
    assert_eq!(texts.faults[0].message, "larger than 8 MiB");
}

#[test]
fn a_held_file_says_what_it_said_in_its_own_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, alert: &str| {
        let text = format!("groups: [{{name: g, rules: [{{alert: {alert}, expr: up == 0}}]}}]");
        std::fs::write(at(name), text).unwrap();
    };
    let mut files = RuleFiles::new(vec![folder.path().to_owned()], KnownMetrics::default());
    let mut alerts = |held: &[&str]| {
        let texts = files.read();
        let load = files.load(texts, &held.iter().map(|name| at(name)).collect());
        let rules = load.rules.groups.iter().flat_map(|group| &group.rules);
        let ids = rules.map(|rule| format!("{} {}", rule.name, rule.id)).collect::<Vec<_>>();
        (ids, load.held.len(), load.is_good)
    };
    for name in ["a.yaml", "b.yaml", "c.yaml"] {
        write(name, "Down");
    }
    let all = ["Down g-down", "Down g-down-2", "Down g-down-3"].map(str::to_owned).to_vec();
    assert_eq!(alerts(&[]), (all.clone(), 0, true));
    std::fs::write(at("a.yaml"), "").unwrap();
    std::fs::remove_file(at("b.yaml")).unwrap();
    assert_eq!(alerts(&["a.yaml", "b.yaml"]), (all, 2, true));
    write("a.yaml", "Up");
    assert_eq!(alerts(&["b.yaml"]).0, ["Up g-up", "Down g-down", "Down g-down-2"]);
    assert_eq!(alerts(&[]).0, ["Up g-up", "Down g-down"], "what is held no longer is gone");
}

#[test]
fn a_held_file_stays_where_a_list_of_paths_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, threshold) in [("b.yaml", 1), ("a.yaml", 2)] {
        let rule = format!("{{alert: Deep, expr: level, above: {threshold}}}");
        std::fs::write(at(name), format!("groups: [{{name: g, rules: [{rule}]}}]")).unwrap();
    }
    let mut files = RuleFiles::new(vec![at("b.yaml"), at("a.yaml")], KnownMetrics::default());
    let mut sources = |held: &[&str]| {
        let texts = files.read();
        let load = files.load(texts, &held.iter().map(|name| at(name)).collect());
        let groups = load.rules.groups.iter();
        let ids =
            groups.flat_map(|group| group.rules.iter().map(|rule| (group.file.clone(), rule.id.clone())));
        ids.collect::<Vec<_>>()
    };
    let all = sources(&[]);
    std::fs::write(at("a.yaml"), "").unwrap();
    assert_eq!(sources(&["a.yaml"]), all);
}
