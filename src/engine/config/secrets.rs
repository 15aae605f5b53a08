//! Keeps secrets out of diagnostics, whose rendering shows whole lines of the file.

use std::sync::Arc;

use super::yaml::{Node, Value};
use crate::engine::diagnostic::{Diagnostic, Source};

/// Keys whose values are secrets.
const SECRET_KEYS: [&str; 3] = ["password", "token", "nkey"];

/// The diagnostics with every secret of their source painted over, byte for byte so that places stay true.
pub(super) fn masked(source: &Source, node: Option<&Node>, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut bytes = source.text.as_bytes().to_vec();
    paint_urls(&source.text, &mut bytes);
    match node {
        Some(node) => paint_nodes(node, &mut bytes),
        None => paint_lines(&source.text, &mut bytes),
    }
    if bytes == source.text.as_bytes() {
        return diagnostics;
    }
    let text: Arc<str> = Arc::from(String::from_utf8_lossy(&bytes));
    let painted = Source { name: Arc::clone(&source.name), text };
    diagnostics.into_iter().map(|diagnostic| Diagnostic { source: painted.clone(), ..diagnostic }).collect()
}

/// Paints what follows a secret's key on its line, where the text is no YAML and nothing better is known.
fn paint_lines(text: &str, bytes: &mut [u8]) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
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
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                if SECRET_KEYS.contains(&entry.key.as_str()) {
                    paint_all(&entry.node, bytes);
                }
                paint_nodes(&entry.node, bytes);
            }
        }
        Value::List(elements) => elements.iter().for_each(|element| paint_nodes(element, bytes)),
        Value::Null | Value::Flag(_) | Value::Number(_) | Value::Text => {}
    }
}

/// Paints every scalar at or below a node.
fn paint_all(node: &Node, bytes: &mut [u8]) {
    match &node.value {
        Value::Map(entries) => entries.iter().for_each(|entry| paint_all(&entry.node, bytes)),
        Value::List(elements) => elements.iter().for_each(|element| paint_all(element, bytes)),
        Value::Null | Value::Flag(_) | Value::Number(_) | Value::Text => {
            paint(bytes, node.span.start, node.span.end);
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
