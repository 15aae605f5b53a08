//! How the events of a subject were written last time: which members followed each other, and of what form each value was.
//!
//! A publisher writes all its events alike, so that what is expected is compared with what is there and nothing is looked
//! up. A habit is a guess and no more: what is written otherwise is read member by member, and is the habit from then on.

use super::field::{Field, Style, version_member};
use super::payload::EventType;
use super::subjects;
use super::usual::Usual;
use super::value::JsonKind;
use super::words::Guess;

/// Habits that are kept; subjects that share a place share a habit.
const HABITS: usize = 256;

/// The most members of an event that become a habit.
const STEPS_MAX: usize = 32;

/// What is expected of one member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The comma and the key, up to the value; up to its first character where that is a [`Form::Text`] or [`Form::Time`],
    /// and with the value where that is a [`Form::Version`].
    pub(super) key: &'static Guess<2>,
    /// Its field.
    pub(super) field: Field,
    /// Of which form its value is.
    pub(super) form: Form,
}

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A string without escapes.
    Text,
    /// A number.
    Number,
    /// The time of the event.
    Time,
    /// The type of the event, which is this one.
    Type(EventType),
    /// The version of the event, which is the usual one.
    Version,
    /// Another value.
    Other,
}

impl Form {
    /// The form of a field's value of this kind, in an event of which this was read in its usual form.
    pub(super) fn of(field: Field, kind: JsonKind, usual: &Usual) -> Self {
        match kind {
            JsonKind::Plain if field == Field::event_id => Self::Other,
            JsonKind::Plain if field == Field::timestamp && usual.timestamp.is_some() => Self::Time,
            JsonKind::Plain if field == Field::event_version && usual.version.is_some() => Self::Version,
            JsonKind::Plain => {
                let of_type = usual.event_type.filter(|_| field == Field::event_type);
                of_type.map_or(Self::Text, Self::Type)
            }
            JsonKind::Whole | JsonKind::Real => Self::Number,
            JsonKind::Null
            | JsonKind::True
            | JsonKind::False
            | JsonKind::LongNumber
            | JsonKind::Escaped
            | JsonKind::Array
            | JsonKind::Object => Self::Other,
        }
    }
}

/// The habits, of which one is that of the message at hand.
#[derive(Debug)]
pub(super) struct Habits {
    all: Vec<Vec<Step>>,
    /// The place of the one that is followed.
    present: usize,
    /// What will be the habit where the present one is not followed to the end.
    learned: Vec<Step>,
    is_learning: bool,
}

impl Habits {
    /// No habits yet.
    pub(super) fn new() -> Self {
        Self { all: vec![Vec::new(); HABITS], present: 0, learned: Vec::new(), is_learning: false }
    }

    /// Follows the habit of a subject from here on.
    #[inline]
    pub(super) fn turn_to(&mut self, subject: &str) {
        self.present = (subjects::looks(subject.as_bytes()) >> 56) as usize;
    }

    /// What is expected after so many steps.
    #[inline]
    pub(super) fn step(&self, place: usize) -> Option<Step> {
        self.all.get(self.present)?.get(place).copied()
    }

    /// Begins to learn another habit, which is like the present one in its first steps.
    pub(super) fn leave_after(&mut self, steps: usize) {
        self.learned.clear();
        let kept = self.all.get(self.present).and_then(|habit| habit.get(..steps));
        self.learned.extend_from_slice(kept.unwrap_or_default());
        self.is_learning = true;
    }

    /// Learns that this came next.
    #[inline]
    pub(super) fn learn(&mut self, field: Field, form: Form, style: Style) {
        if self.is_learning && self.learned.len() < STEPS_MAX {
            let key = match form {
                Form::Text | Form::Time => field.text_member(style),
                Form::Version => version_member(style),
                Form::Number | Form::Type(_) | Form::Other => field.member(style),
            };
            self.learned.extend(key.map(|key| Step { key, field, form }));
        }
    }

    /// What comes next is in no habit, nor is what follows it.
    #[inline]
    pub(super) fn learn_no_more(&mut self) {
        self.is_learning = false;
    }

    /// What was learned is the habit from now on.
    pub(super) fn settle(&mut self) {
        if let Some(habit) = self.all.get_mut(self.present) {
            std::mem::swap(habit, &mut self.learned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Learns that these came after so many steps of the present habit.
    fn learn(habits: &mut Habits, steps: usize, fields: &[Field]) {
        habits.leave_after(steps);
        for field in fields {
            habits.learn(*field, Form::Text, Style::Compact);
        }
        habits.settle();
    }

    fn present(habits: &Habits) -> Vec<Field> {
        (0..).map_while(|place| habits.step(place)).map(|step| step.field).collect()
    }

    #[test]
    fn each_subject_has_its_own_habit_which_goes_on_where_it_was_left() {
        let mut habits = Habits::new();
        habits.turn_to("events.queue.JobQueued");
        learn(&mut habits, 0, &[Field::job_id, Field::job_type, Field::priority]);
        habits.turn_to("events.queue.JobStarted");
        assert_eq!(present(&habits), []);
        learn(&mut habits, 0, &[Field::worker_id]);
        habits.turn_to("events.queue.JobQueued");
        learn(&mut habits, 2, &[Field::submitter]);
        assert_eq!(present(&habits), [Field::job_id, Field::job_type, Field::submitter]);
        habits.turn_to("events.queue.JobStarted");
        assert_eq!(present(&habits), [Field::worker_id]);
    }

    #[test]
    fn what_follows_an_unknown_member_is_in_no_habit_nor_is_more_than_fits() {
        let mut habits = Habits::new();
        habits.leave_after(0);
        habits.learn(Field::job_id, Form::Text, Style::Compact);
        habits.learn_no_more();
        habits.learn(Field::job_type, Form::Text, Style::Compact);
        habits.settle();
        assert_eq!(present(&habits), [Field::job_id]);
        learn(&mut habits, 1, &[Field::message; 100]);
        assert_eq!(present(&habits).len(), STEPS_MAX);
    }
}
