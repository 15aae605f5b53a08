//! The keys of `transforms`: how other major versions become 1.x.

use std::collections::BTreeMap;

use super::declare::{KeyValue, event_type};
use super::keys::EVENT_TYPES;
use crate::engine::wire::{Transform, TransformStep};
use crate::engine::yaml::keys::KeyDefault::{Nothing, Required};
use crate::engine::yaml::keys::{Key, KeyKind, key};
use crate::engine::yaml::{Read, ReadValue, Values};

/// The keys of a transform.
pub(super) const TRANSFORMS: &[Key] = &[
    key("event_type", KeyKind::Name(EVENT_TYPES), Required, "The type it is for."),
    key("major", KeyKind::Count(0), Required, "The major version it reads."),
    key(
        "steps",
        KeyKind::List(&KeyKind::Section(STEPS)),
        Nothing,
        "What is done to the fields, in this order.",
    ),
];

const STEPS: &[Key] = &[
    key("rename", KeyKind::Map(&KeyKind::Text), Nothing, "Gives fields new names: `old: new`."),
    key(
        "default",
        KeyKind::Map(&KeyKind::Anything),
        Nothing,
        "Gives missing or null fields a value: `field: value`.",
    ),
    key("scale", KeyKind::Map(&KeyKind::Number), Nothing, "Multiplies numbers: `field: factor`."),
    key(
        "map",
        KeyKind::Map(&KeyKind::Map(&KeyKind::Text)),
        Nothing,
        "Replaces words: `field: {from: to}`; words not named stay.",
    ),
    key("drop", KeyKind::OneOrMany(&KeyKind::Text), Nothing, "Leaves fields out."),
];

/// The declared transforms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transforms(pub Vec<Transform>);

impl KeyValue for Transforms {
    fn of_read(read: &Read) -> Option<Self> {
        let ReadValue::List(elements) = &read.value else { return None };
        Some(Self(elements.iter().filter_map(transform).collect()))
    }

    fn absent() -> Self {
        Self::default()
    }
}

/// A transform; none where its type or version is missing, which the checks tell.
fn transform(read: &Read) -> Option<Transform> {
    let values = Values::of(read);
    let event_type = event_type(&values.text("event_type")?)?;
    let major = u32::try_from(values.count("major")?).unwrap_or(u32::MAX);
    let steps = values.list("steps").iter().flat_map(|read| steps(&Values::of(read))).collect();
    Some(Transform { event_type, major, steps })
}

/// The steps of one element, in the order of the file.
fn steps(values: &Values) -> Vec<TransformStep> {
    let mut steps = Vec::new();
    for (kind, read) in &values.0 {
        if kind == "drop" {
            let fields = values.texts("drop").unwrap_or_default();
            steps.extend(fields.into_iter().map(|field| TransformStep::Drop { field }));
        }
        steps.extend(Values::of(read).0.into_iter().filter_map(|(field, read)| step(kind, field, read)));
    }
    steps
}

/// One field of a step.
fn step(kind: &str, field: String, read: Read) -> Option<TransformStep> {
    match (kind, read.value) {
        ("rename", ReadValue::Text(to)) => Some(TransformStep::Rename { from: field, to: to.content }),
        ("default", ReadValue::Any(node)) => {
            Some(TransformStep::Default { field, json: node.json().to_string() })
        }
        ("scale", ReadValue::Number(factor)) => Some(TransformStep::Scale { field, factor }),
        ("map", ReadValue::Map(values)) => {
            let values: BTreeMap<String, String> = Values(values).text_map();
            Some(TransformStep::Map { field, values })
        }
        _ => None,
    }
}
