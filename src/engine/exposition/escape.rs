//! Names on their way to a scraper, by the escaping scheme it asked for (Prometheus' UTF-8 naming proposal).

use std::borrow::Cow;

use super::format::Escaping;
use crate::engine::series::{
    FamilySpec, is_legacy_label, is_legacy_metric, pairs, push_escaped, underscored_label, underscored_metric,
};

/// What a name is the name of: a metric's may hold colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameOf {
    /// A metric.
    Metric,
    /// A label.
    Label,
}

/// A name as the scraper gets it; one that is not legacy needs quotes then.
pub(super) fn escaped(name: &str, of: NameOf, escaping: Escaping) -> Cow<'_, str> {
    match (escaping, of) {
        (Escaping::AllowUtf8, _) => Cow::Borrowed(name),
        (Escaping::Underscores, NameOf::Metric) => underscored_metric(name),
        (Escaping::Underscores, NameOf::Label) => underscored_label(name),
        (Escaping::Dots, _) => Cow::Owned(dotted(name, of)),
        (Escaping::Values, _) if is_legacy(name, of) => Cow::Borrowed(name),
        (Escaping::Values, _) => Cow::Owned(valued(name, of)),
    }
}

/// A family's name as the scraper gets it, without a counter's `_total`. As in Prometheus' client library what its
/// type adds to the names of its samples is not escaped, but `_total` is, being part of a counter's name.
pub(super) fn family_name(spec: &FamilySpec, escaping: Escaping) -> String {
    let mut name = escaped(&spec.exposed_name(), NameOf::Metric, escaping).into_owned();
    name.truncate(spec.metric_type.family_name(&name).len());
    name
}

/// Whether every scraper reads the name without quotes.
pub(super) fn is_legacy(name: &str, of: NameOf) -> bool {
    match of {
        NameOf::Metric => is_legacy_metric(name),
        NameOf::Label => is_legacy_label(name),
    }
}

fn keeps(character: char, of: NameOf) -> bool {
    character.is_ascii_alphanumeric() || (character == ':' && of == NameOf::Metric)
}

fn dotted(name: &str, of: NameOf) -> String {
    let mut text = String::with_capacity(name.len() + 8);
    for (place, character) in name.char_indices() {
        match character {
            '.' => text.push_str("_dot_"),
            digit if place == 0 && digit.is_ascii_digit() => {
                text.push_str("__");
                text.push(digit);
            }
            kept if keeps(kept, of) => text.push(kept),
            _ => text.push_str("__"),
        }
    }
    text
}

fn valued(name: &str, of: NameOf) -> String {
    let mut text = String::from("U__");
    for (place, character) in name.char_indices() {
        match character {
            '_' => text.push_str("__"),
            kept if keeps(kept, of) && !(place == 0 && kept.is_ascii_digit()) => text.push(kept),
            other => {
                text.push('_');
                text.extend(format!("{:x}", u32::from(other)).chars());
                text.push('_');
            }
        }
    }
    text
}

/// Which label texts must be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rewritten {
    Nothing,
    /// Those with an unusual name.
    Unusual,
    Everything,
}

/// Which label texts must be rewritten for a scheme.
pub(super) const fn rewritten(escaping: Escaping) -> Rewritten {
    match escaping {
        Escaping::AllowUtf8 => Rewritten::Nothing,
        Escaping::Underscores | Escaping::Values => Rewritten::Unusual,
        Escaping::Dots => Rewritten::Everything,
    }
}

/// Rewrites a label text (`a="x",b="y"`) for a scheme.
pub(super) fn rewrite(text: &str, escaping: Escaping, out: &mut String) {
    out.clear();
    for (name, value) in pairs(text) {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&escaped(&name, NameOf::Label, escaping));
        out.push_str("=\"");
        push_escaped(&value, out);
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_prometheus_escapes_them() {
        use Escaping::{AllowUtf8, Dots, Underscores, Values};
        let cases = [
            ("my.metric_a", AllowUtf8, "my.metric_a"),
            ("my.metric_a", Underscores, "my_metric_a"),
            ("my.metric_a", Dots, "my_dot_metric__a"),
            ("my.metric_a", Values, "U__my_2e_metric__a"),
            ("plain_a:b", Values, "plain_a:b"),
            ("plain_a", Dots, "plain__a"),
            ("9é", Underscores, "_9_"),
            ("9é", Values, "U___39__e9_"),
        ];
        for (name, escaping, expected) in cases {
            assert_eq!(escaped(name, NameOf::Metric, escaping), expected, "{name} {escaping:?}");
        }
        assert_eq!(escaped("a:b", NameOf::Label, Underscores), "a_b");
    }
}
