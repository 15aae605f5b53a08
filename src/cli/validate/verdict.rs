//! What the sidecar would make of each event of a message, and what is unusual about it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::line;
use crate::engine::Engine;
use crate::engine::time::Timestamp;
use crate::engine::wire::inspect::{Inspection, Oddity, inspect};
use crate::engine::wire::{EventId, EventType, Lane, Message, Reason, Refusal, Subjects};

/// Clocks that are further ahead than this are unusual.
const AHEAD_MAX: Duration = Duration::from_hours(1);
/// What is older than 2000-01-01 has most likely the wrong unit.
const OLDEST_SECONDS: f64 = 946_684_800.0;

/// What events are held against beside the engine.
pub(super) struct Terms {
    pub(super) subjects: Subjects,
    pub(super) lanes: BTreeMap<EventType, Lane>,
    pub(super) off: Vec<EventType>,
    pub(super) depth_max: usize,
    pub(super) now: Timestamp,
}

/// Whether the sidecar takes an event.
pub(super) enum Verdict {
    /// It does.
    Accepted,
    /// It does not.
    Refused {
        /// The counted reason.
        reason: Reason,
        /// Everything that is wrong: fields with what they must be, or a sentence.
        errors: Vec<(Option<&'static str>, String)>,
    },
}

/// Something unusual.
pub(super) struct Warning {
    code: &'static str,
    message: String,
}

/// What is said of one event.
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) warnings: Vec<Warning>,
    pub(super) id: Option<EventId>,
    event_type: Option<EventType>,
}

/// What is said of each event of a message.
pub(super) fn judgements(message: &line::Message, terms: &Terms, engine: &mut Engine) -> Vec<Judgement> {
    let elements: Vec<&RawValue> = match message.payload.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice(&message.payload).unwrap_or_default(),
        Some(_) | None => Vec::new(),
    };
    let payloads: Vec<&[u8]> = match elements.as_slice() {
        [] => vec![&message.payload],
        elements => elements.iter().map(|element| element.get().as_bytes()).collect(),
    };
    let subject = message.subject.as_deref().unwrap_or_default();
    let of_payload = |payload| Message { subject, headers: &message.headers, payload };
    let inspections: Vec<Inspection> =
        payloads.into_iter().map(|payload| inspect(&of_payload(payload), terms.depth_max)).collect();
    // Where no subject is known it is the type's own, and with it the lane.
    let subject_type = terms.subjects.type_of(subject);
    let led_by = subject_type.or_else(|| inspections.iter().find_map(|found| found.event_type));
    let lane = led_by.and_then(|event_type| terms.lanes.get(&event_type).copied()).unwrap_or(Lane::Core);
    let refused = engine.apply(lane, &[of_payload(&message.payload)], terms.now);
    let refusals: BTreeMap<usize, Refusal> =
        refused.into_iter().map(|refused| (refused.element, refused.refusal)).collect();
    let judged = inspections.into_iter().enumerate();
    judged
        .map(|(place, found)| {
            let warnings = terms.warnings(&found, message.subject.as_deref());
            let (id, event_type) = (found.id, found.event_type);
            let verdict =
                refusals.get(&place).map_or(Verdict::Accepted, |refusal| Verdict::of(refusal, &found));
            Judgement { verdict, warnings, id, event_type }
        })
        .collect()
}

impl Terms {
    fn warnings(&self, found: &Inspection, subject: Option<&str>) -> Vec<Warning> {
        let mut warnings: Vec<Warning> = found.oddities.iter().map(Warning::of).collect();
        if let (Some(subject), Some(event_type)) = (subject, found.event_type) {
            warnings.extend(self.about_subject(subject, event_type));
        }
        if let Some(event_type) = found.event_type.filter(|event_type| self.off.contains(event_type)) {
            let message = format!("`lanes` turns {} off: this instance does not read it", event_type.name());
            warnings.push(Warning { code: "unread-type", message });
        }
        if let Some(time) = found.time {
            warnings.extend(about_time(time, self.now));
        }
        warnings
    }

    fn about_subject(&self, subject: &str, event_type: EventType) -> Option<Warning> {
        let own = self.subjects.of(event_type);
        let (code, message) = match self.subjects.type_of(subject) {
            None => ("unread-subject", format!("nothing is subscribed to on {subject}: publish it to {own}")),
            Some(other) if other != event_type => (
                "other-subject",
                format!("a {} on the subject of {}: publish it to {own}", event_type.name(), other.name()),
            ),
            Some(_) => return None,
        };
        Some(Warning { code, message })
    }
}

fn about_time(time: Timestamp, now: Timestamp) -> Option<Warning> {
    let message = if time.since(now) > AHEAD_MAX {
        format!("timestamp: {time} is more than an hour ahead of this machine's clock")
    } else if time.seconds() < OLDEST_SECONDS {
        format!("timestamp: {time} is before the year 2000")
    } else {
        return None;
    };
    Some(Warning { code: "unusual-time", message })
}

impl Verdict {
    fn of(refusal: &Refusal, found: &Inspection) -> Self {
        let fields =
            found.faults.iter().map(|fault| (Some(fault.field), format!("expected {}", fault.expected)));
        let mut errors: Vec<(Option<&'static str>, String)> = fields.collect();
        // What is not about single fields, or beside them.
        if refusal.reason != Reason::InvalidField || errors.is_empty() {
            errors.insert(0, (None, refusal.detail.to_string()));
        }
        Self::Refused { reason: refusal.reason, errors }
    }
}

impl Warning {
    fn of(oddity: &Oddity) -> Self {
        match oddity {
            Oddity::UnusualWord { field, word, usual } => {
                let shown: String = word.chars().take(64).collect();
                Self {
                    code: "unusual-value",
                    message: format!("{field}: {shown:?} is unusual; {}", usually(usual)),
                }
            }
            Oddity::UnknownField { name, near } => {
                let shown: String = name.chars().take(64).collect();
                Self {
                    code: "unknown-field",
                    message: format!("{shown}: no such field; did you mean {near}?"),
                }
            }
        }
    }
}

fn usually(words: &[&str]) -> String {
    format!("usually it is {}", words.join(", "))
}

impl Judgement {
    /// Says that an earlier event has its id.
    pub(super) fn repeats(&mut self, first: usize) {
        let message = format!("event_id: that of line {first}, so that this one is not counted");
        self.warnings.push(Warning { code: "repeated-id", message });
    }

    fn name(&self) -> &'static str {
        self.event_type.map_or("unknown", EventType::name)
    }

    /// Everything for which it is refused.
    pub(super) fn faults(&self) -> Vec<String> {
        match &self.verdict {
            Verdict::Accepted => Vec::new(),
            Verdict::Refused { errors, .. } => errors
                .iter()
                .map(|(field, text)| format!("{}{text}", field.map_or(String::new(), |it| format!("{it}: "))))
                .collect(),
        }
    }

    /// What is to be said of it to a person.
    pub(super) fn lines(&self, line: usize) -> Vec<String> {
        let head = format!("line {line}: {}", self.name());
        let reason = match &self.verdict {
            Verdict::Accepted => "",
            Verdict::Refused { reason, .. } => reason.name(),
        };
        let errors = self.faults().into_iter().map(|fault| format!("{head}: refused as {reason}: {fault}"));
        let warnings = self.warnings.iter().map(|warning| format!("{head}: warning: {}", warning.message));
        errors.chain(warnings).collect()
    }

    /// The same for programs.
    pub(super) fn json(&self, line: usize) -> Value {
        let (verdict, reason, errors) = match &self.verdict {
            Verdict::Accepted => ("accepted", Value::Null, Vec::new()),
            Verdict::Refused { reason, errors } => {
                let errors = errors.iter().map(|(field, text)| json!({"field": field, "message": text}));
                ("refused", json!(reason.name()), errors.collect())
            }
        };
        let warnings: Vec<Value> = self
            .warnings
            .iter()
            .map(|warning| json!({"code": warning.code, "message": warning.message}))
            .collect();
        json!({
            "line": line,
            "event_type": self.event_type.map(EventType::name),
            "event_id": self.id.map(|id| id.to_string()),
            "verdict": verdict,
            "reason": reason,
            "errors": errors,
            "warnings": warnings,
        })
    }
}
