//! The order of the house (`ARCHITECTURE.md`, "What always holds"): read from the imports of every source file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files directly in `src/engine`.
const LOOSE_FILES_MAX: usize = 9;

/// Lines of a file.
const LINES_MAX: usize = 500;

/// Imports of one storey: which room names which other, and the file that does.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below a folder, in order.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
        .into_iter()
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false if path.extension().is_some_and(|extension| extension == "rs") => vec![path],
            false => Vec::new(),
        })
        .collect()
}

/// What the program itself imports: comments and tests left out, white space folded.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let program = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = program.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.collect::<Vec<_>>().join(" ")
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
}

/// The room a file of a storey lies in: a folder directly below the storey, or the loose file itself.
fn room_of(storey: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(storey).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The names that follow `prefix` in `code`: one, or each of a list in braces.
fn named_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
    };
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => drop(names.insert(word(rest))),
            Some(list) => {
                let (mut depth, mut item) = (0_usize, String::new());
                for letter in list.chars() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => drop(names.insert(word(&std::mem::take(&mut item)))),
                        _ => item.push(letter),
                    }
                }
                names.insert(word(&item));
            }
        }
    }
    names
}

/// Which rooms of a storey import which, by absolute paths and by `super` from the room's front.
fn imports(storey: &str) -> Imports {
    let folder = source().join(storey);
    let rooms: BTreeSet<String> =
        rust_files(&folder).iter().map(|path| room_of(&folder, path)).filter(|room| room != "mod").collect();
    let mut imports = Imports::new();
    for path in rust_files(&folder).into_iter().filter(|path| !is_test(path)) {
        let room = room_of(&folder, &path);
        if room == "mod" {
            continue;
        }
        let code = code(&path);
        let mut named = named_after(&code, &format!("crate::{storey}::"));
        let depth = path.strip_prefix(&folder).unwrap().components().count();
        if depth == 1 || depth == 2 && path.ends_with("mod.rs") {
            named.extend(named_after(&code, "super::"));
        }
        for other in named.into_iter().filter(|other| *other != room && rooms.contains(other)) {
            imports.entry(room.clone()).or_default().insert(other, path.display().to_string());
        }
    }
    imports
}

/// The rooms that can be reached from one by following imports.
fn reached(imports: &Imports, from: &str) -> BTreeSet<String> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(room) = open.pop() {
        for other in imports.get(&room).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(other.clone()) {
                open.push(other.clone());
            }
        }
    }
    seen
}

/// Every import that is part of a circle between rooms, with its file.
fn circles(storey: &str) -> Vec<String> {
    let imports = imports(storey);
    let mut found = Vec::new();
    for (room, others) in &imports {
        for (other, file) in others {
            if reached(&imports, other).contains(room) {
                found.push(format!("{room} -> {other} in {file}"));
            }
        }
    }
    found
}

#[test]
fn no_room_imports_one_that_imports_it() {
    for storey in ["engine", "shell", "cli"] {
        assert!(!imports(storey).is_empty(), "no imports found in {storey}");
        let circles = circles(storey);
        assert!(circles.is_empty(), "circles between the rooms of {storey}:\n{}", circles.join("\n"));
    }
}

#[test]
fn imports_run_from_cli_to_shell_to_engine_and_never_back() {
    for (storey, above) in [("engine", &["shell", "cli"][..]), ("shell", &["cli"])] {
        for path in rust_files(&source().join(storey)) {
            let code = code(&path);
            for upper in above {
                assert!(!code.contains(&format!("crate::{upper}")), "{} imports {upper}", path.display());
            }
        }
    }
}

#[test]
fn few_files_lie_loose_in_the_engine_and_none_is_long() {
    let engine = source().join("engine");
    let loose = rust_files(&engine).into_iter().filter(|path| path.parent() == Some(engine.as_path()));
    let loose: Vec<PathBuf> = loose.collect();
    assert!(loose.len() <= LOOSE_FILES_MAX, "loose files: {loose:?}");
    for path in rust_files(&source()) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", path.display());
    }
}

#[test]
fn lists_and_single_names_of_imports_are_both_read() {
    let code = "use crate::engine::{labels::{Labels, METRIC_NAME}, time}; use crate::engine::wire::Event;";
    let names: Vec<String> = named_after(code, "crate::engine::").into_iter().collect();
    assert_eq!(names, ["labels", "time", "wire"]);
}
