//! Keeps secrets out of diagnostics, whose rendering shows whole lines of the file.

use std::sync::Arc;

use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::yaml::{Node, Value, name_of};

/// Keys whose values are secrets.
const SECRET_KEYS: [&str; 5] = ["password", "token", "nkey", "credentials", "basic_auth_users"];

/// What stands before and after a private key, whatever its kind.
const PRIVATE_KEY: &str = "PRIVATE KEY-----";

/// The diagnostics with every secret of their source painted over, byte for byte so that places stay true.
pub(super) fn masked(source: &Source, node: Option<&Node>, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let text = painted(source, node);
    if text == source.text {
        return diagnostics;
    }
    let painted = Source { name: Arc::clone(&source.name), text };
    diagnostics.into_iter().map(|diagnostic| Diagnostic { source: painted.clone(), ..diagnostic }).collect()
}

/// The text of a file with every secret painted over, byte for byte.
pub(super) fn painted(source: &Source, node: Option<&Node>) -> Arc<str> {
    let mut bytes = source.text.as_bytes().to_vec();
    paint_urls(&source.text, &mut bytes);
    match node {
        Some(node) => paint_nodes(node, &mut bytes),
        None => paint_lines(&source.text, &mut bytes),
    }
    Arc::from(String::from_utf8_lossy(&bytes))
}

/// Paints what follows a secret's key on its line, where the text is no YAML and nothing better is known.
fn paint_lines(text: &str, bytes: &mut [u8]) {
    let (mut start, mut is_in_key) = (0, false);
    for line in text.split_inclusive('\n') {
        let is_edge = line.contains(PRIVATE_KEY);
        if is_in_key || is_edge {
            paint(bytes, start, start + line.len());
        }
        is_in_key ^= is_edge;
        for key in SECRET_KEYS {
            for (at, _) in line.match_indices(key) {
                let after = at + key.len();
                let rest = line.get(after..).unwrap_or_default();
                let unquoted = rest.trim_start_matches(['"', '\'', ' ']);
                if unquoted.starts_with(':') {
                    let colon = after + (rest.len() - unquoted.len()) + 1;
                    paint(bytes, start + colon, start + line.len());
                }
            }
        }
        start += line.len();
    }
}

/// Paints the user part of every URL.
fn paint_urls(text: &str, bytes: &mut [u8]) {
    for (at, _) in text.match_indices("://") {
        let authority = text.get(at + 3..).unwrap_or_default();
        let end = authority.find(['/', ',', '"', '\'', ' ', '\n']).unwrap_or(authority.len());
        if let Some(sign) = authority.get(..end).and_then(|authority| authority.rfind('@')) {
            paint(bytes, at + 3, at + 3 + sign);
        }
    }
}

/// Paints the values of secret keys wherever they stand, block texts included.
fn paint_nodes(node: &Node, bytes: &mut [u8]) {
    if node.scalar().is_some_and(|scalar| scalar.text.contains(PRIVATE_KEY)) {
        paint_all(node, bytes);
    }
    for (key, value) in node.entries() {
        if SECRET_KEYS.contains(&name_of(key)) {
            paint_all(value, bytes);
        }
        paint_nodes(value, bytes);
    }
    node.elements().iter().for_each(|element| paint_nodes(element, bytes));
}

/// Paints every scalar at or below a node.
fn paint_all(node: &Node, bytes: &mut [u8]) {
    match &node.value {
        Value::Mapping(entries) => entries.iter().for_each(|(_, value)| paint_all(value, bytes)),
        Value::Sequence(elements) => elements.iter().for_each(|element| paint_all(element, bytes)),
        Value::Scalar(scalar) => {
            if bytes.get(node.span.start) == Some(&b'*') {
                paint_everywhere(scalar.text.trim(), bytes);
            }
            paint(bytes, node.span.start, node.span.end);
        }
    }
}

/// Paints a secret that came by an alias wherever its text stands, at its anchor above all.
fn paint_everywhere(secret: &str, bytes: &mut [u8]) {
    for line in secret.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let places: Vec<usize> = bytes
            .windows(line.len())
            .enumerate()
            .filter(|(_, window)| *window == line.as_bytes())
            .map(|(at, _)| at)
            .collect();
        for at in places {
            paint(bytes, at, at + line.len());
        }
    }
}

fn paint(bytes: &mut [u8], from: usize, to: usize) {
    for byte in bytes.iter_mut().take(to).skip(from) {
        if !matches!(*byte, b'\n' | b'\r' | b' ') {
            *byte = b'*';
        }
    }
}
