//! The slow path for other major versions: an object is rewritten step by step into the shape of 1.x.

use std::borrow::Cow;

use super::scan::{Nesting, Spelling, blank, colon, string, unescape};
use super::value::long_real;
use super::{Text, TransformStep, json};

/// A member of an object: its name and its value as JSON text.
type Member<'a> = (Text<'a>, Cow<'a, str>);

/// Writes the object whose brace is at `open` to `out`, after all steps in their order. The object is known to be JSON.
pub(super) fn rewrite(
    text: &str,
    open: usize,
    steps: &[TransformStep],
    nesting: &mut Nesting,
    out: &mut String,
) {
    let mut members = Vec::new();
    // What was scanned before cannot fail now; if it did, the fields read so far are judged as any others.
    let _ = collect(text, open, nesting, &mut members);
    for step in steps {
        apply(step, &mut members);
    }
    out.clear();
    let mut separator = '{';
    for (name, value) in &members {
        out.push(separator);
        json::string(out, name);
        out.push(':');
        out.push_str(value);
        separator = ',';
    }
    out.push_str(if members.is_empty() { "{}" } else { "}" });
}

/// Collects the members; one whose name is no text is left out.
fn collect<'a>(
    text: &'a str,
    open: usize,
    nesting: &mut Nesting,
    members: &mut Vec<Member<'a>>,
) -> Option<()> {
    let bytes = text.as_bytes();
    let mut at = blank(bytes, open + 1);
    while *bytes.get(at)? == b'"' {
        let (end, spelling) = string(bytes, at + 1)?;
        let raw = text.get(at + 1..end)?;
        let start = colon(bytes, end + 1)?;
        let end = nesting.skip(bytes, start, 1)?;
        let value = Cow::Borrowed(text.get(start..end)?);
        match spelling {
            Spelling::Plain => members.push((Cow::Borrowed(raw), value)),
            Spelling::Escaped => members.push((Cow::Owned(String::from_utf8(unescape(raw)).ok()?), value)),
            Spelling::Lone => {}
        }
        at = blank(bytes, end);
        if bytes.get(at) == Some(&b',') {
            at = blank(bytes, at + 1);
        }
    }
    Some(())
}

fn apply<'a>(step: &'a TransformStep, members: &mut Vec<Member<'a>>) {
    match step {
        TransformStep::Rename { from, to } => {
            if from != to && members.iter().any(|(name, _)| name == from) {
                members.retain(|(name, _)| name != to);
                if let Some((name, _)) = members.iter_mut().find(|(name, _)| name == from) {
                    *name = Cow::Borrowed(to);
                }
            }
        }
        TransformStep::Default { field, json } => match members.iter_mut().find(|(name, _)| name == field) {
            Some((_, value)) if value == "null" => *value = Cow::Borrowed(json),
            Some(_) => {}
            None => members.push((Cow::Borrowed(field), Cow::Borrowed(json))),
        },
        TransformStep::Scale { field, factor } => change(members, field, |value| scaled(value, *factor)),
        TransformStep::Map { field, values } => change(members, field, |value| {
            let inside = value.strip_prefix('"')?.strip_suffix('"')?;
            let to = values.get(&String::from_utf8(unescape(inside)).ok()?)?;
            let mut out = String::new();
            json::string(&mut out, to);
            Some(out)
        }),
        TransformStep::Drop { field } => members.retain(|(name, _)| name != field),
    }
}

/// Changes the value of a field where it is there and `change` has another for it.
fn change(members: &mut [Member<'_>], field: &str, change: impl Fn(&str) -> Option<String>) {
    if let Some((_, value)) = members.iter_mut().find(|(name, _)| name == field)
        && let Some(changed) = change(value)
    {
        *value = Cow::Owned(changed);
    }
}

/// The product of a number and `factor`. What is whole but for rounding is made whole, so that 4.35 s are 4350 ms.
fn scaled(value: &str, factor: f64) -> Option<String> {
    if !value.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    let product = long_real(value) * factor;
    let nearest = product.round();
    let whole = (product - nearest).abs() <= product.abs() * 4.0 * f64::EPSILON;
    let product = if whole { nearest } else { product };
    let mut out = String::new();
    if product.is_finite() {
        json::number(&mut out, product);
    } else {
        // Not finite after parsing either: refused as any such number is.
        out.push_str("1e999");
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn rewritten(text: &str, steps: &[TransformStep]) -> String {
        let mut out = String::new();
        rewrite(text, 0, steps, &mut Nesting::new(128), &mut out);
        out
    }

    #[test]
    fn every_step_changes_what_it_says_and_nothing_else() {
        let rename = |from: &str, to: &str| TransformStep::Rename { from: from.into(), to: to.into() };
        let default =
            |field: &str, json: &str| TransformStep::Default { field: field.into(), json: json.into() };
        let scale = |factor| TransformStep::Scale { field: "a".into(), factor };
        let map =
            TransformStep::Map { field: "a".into(), values: BTreeMap::from([("x\"".into(), "y\"".into())]) };
        let drop = TransformStep::Drop { field: "a".into() };
        let cases = [
            (r#"{ "a" : 1 , "b" : [ {} ] }"#, rename("a", "c"), r#"{"c":1,"b":[ {} ]}"#),
            (r#"{"a":1,"b":2}"#, rename("a", "b"), r#"{"b":1}"#),
            (r#"{"a":1}"#, rename("x", "a"), r#"{"a":1}"#),
            (r#"{"a":1}"#, default("a", "2"), r#"{"a":1}"#),
            (r#"{"a":null}"#, default("a", "2"), r#"{"a":2}"#),
            ("{}", default("a", "2"), r#"{"a":2}"#),
            (r#"{"a":4.35}"#, scale(1e3), r#"{"a":4350.0}"#),
            (r#"{"a":1}"#, scale(0.001), r#"{"a":0.001}"#),
            (r#"{"a":1e300}"#, scale(1e300), r#"{"a":1e999}"#),
            (r#"{"a":"1"}"#, scale(2.0), r#"{"a":"1"}"#),
            (r#"{"a":"x\u0022"}"#, map.clone(), r#"{"a":"y\""}"#),
            (r#"{"a":"z"}"#, map, r#"{"a":"z"}"#),
            (r#"{"\u0061":1}"#, drop, "{}"),
        ];
        for (text, step, expected) in cases {
            assert_eq!(rewritten(text, std::slice::from_ref(&step)), expected, "{text} {step:?}");
        }
    }
}
