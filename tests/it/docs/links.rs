//! Links: each leads to something that is there, and from the README to every page.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::page::Page;
use super::{pages, root};

/// A link of a page.
struct Link {
    line: usize,
    path: PathBuf,
    anchor: Option<String>,
}

/// Every Markdown page of the repository that people read.
fn all_pages() -> Vec<PathBuf> {
    let mut all = pages();
    all.extend(["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from));
    all
}

/// A line without what is quoted as code.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::Normal(name) => plain.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
        plain
    })
}

/// The links of a page to other places of the repository, pictures included.
fn links(path: &Path) -> Vec<Link> {
    let page = Page::read(&root().join(path));
    let mut links = Vec::new();
    for (line, text) in page.prose() {
        let text = without_code(text);
        let markdown = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let attributes = ["src=\"", "srcset=\"", "href=\""].into_iter();
        let html =
            attributes.flat_map(|name| text.split(name).skip(1)).filter_map(|rest| rest.split('"').next());
        for target in markdown.chain(html) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) =
                target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
            let beside =
                if file.is_empty() { path.to_owned() } else { plain(&path.parent().unwrap().join(file)) };
            links.push(Link { line, path: beside, anchor: anchor.map(str::to_owned) });
        }
    }
    links
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(path: &Path) -> BTreeSet<String> {
    let page = Page::read(&root().join(path));
    let headings = page.prose().into_iter().filter_map(|(_, line)| {
        line.starts_with('#').then(|| line.trim_start_matches('#').strip_prefix(' '))?
    });
    let slug = |heading: &str| -> String {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    };
    headings.map(slug).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for path in all_pages() {
        for Link { line, path: target, anchor } in links(&path) {
            count += 1;
            let place = format!("{}:{line}", path.display());
            assert!(root().join(&target).exists(), "{place}: {} is not there", target.display());
            if let Some(anchor) = anchor {
                assert!(anchors(&target).contains(&anchor), "{place}: {} has no #{anchor}", target.display());
            }
        }
    }
    assert!(count > 20, "{count} links");
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let mut reached = BTreeSet::from([PathBuf::from("README.md")]);
    let mut waiting = vec![PathBuf::from("README.md")];
    while let Some(path) = waiting.pop() {
        for Link { path: target, .. } in links(&path) {
            let is_page = target.extension().is_some_and(|ending| ending == "md");
            if is_page && root().join(&target).exists() && reached.insert(target.clone()) {
                waiting.push(target);
            }
        }
    }
    for path in pages() {
        assert!(reached.contains(&path), "no link leads from README.md to {}", path.display());
    }
}

/// The paths of the repository that a line names as code.
fn named_paths(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split('`').skip(1).step_by(2);
    let words = code.flat_map(|code| code.split([' ', ':', ',']));
    let folders = ["deploy/", "scripts/", "src/", "tests/", "examples/", "docs/", "benches/"];
    words.filter(move |word| {
        folders.iter().any(|folder| word.starts_with(folder)) && !word.contains(['*', '…', '{', '$'])
    })
}

#[test]
fn every_path_that_is_named_is_there() {
    let mut count = 0;
    for path in all_pages() {
        if path == Path::new("CHANGELOG.md") {
            // It tells of what was, too.
            continue;
        }
        let page = Page::read(&root().join(&path));
        for (line, text) in page.prose() {
            for named in named_paths(text) {
                count += 1;
                let is_there = root().join(named).exists() || root().join(format!("{named}.rs")).exists();
                assert!(is_there, "{}:{line}: {named} is not there", path.display());
            }
        }
    }
    assert!(count > 10, "{count} paths");
}
