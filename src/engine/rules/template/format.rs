//! Go's `fmt`: `Sprintf`, `Sprint` and `Sprintln` over the values of templates.

mod verbs;

use super::value::{TextType, Value};
use verbs::Printer;

/// The largest width or precision.
const NUMBER_MAX: i64 = 1_000_000;

/// The most bytes one call writes; what is longer is cut off, and the text it goes into is refused.
pub(super) const WRITTEN_BYTES_MAX: usize = super::TEXT_BYTES_MAX + 1;

/// `fmt.Sprint`: a space between two that are no texts.
pub(super) fn sprint(values: &[Value]) -> String {
    let mut printer = Printer::default();
    let mut after_text = true;
    for value in values {
        let is_text = matches!(value, Value::Text(..));
        if !after_text && !is_text {
            printer.out.push(' ');
        }
        after_text = is_text;
        printer.argument(value, 'v');
    }
    printer.out
}

/// `fmt.Sprintln`.
pub(super) fn sprintln(values: &[Value]) -> String {
    let mut printer = Printer::default();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            printer.out.push(' ');
        }
        printer.argument(value, 'v');
    }
    printer.out.push('\n');
    printer.out
}

/// As `html`, `js` and `urlquery` take their arguments.
pub(super) fn spoken(values: &[Value]) -> String {
    let shown: Vec<Value> = values.iter().map(shown).collect();
    sprint(&shown)
}

/// A value as an action prints it.
pub(super) fn printed(value: &Value) -> String {
    sprint(&[shown(value)])
}

/// A value without pointers.
fn shown(value: &Value) -> Value {
    match value {
        Value::Absent | Value::Interface(None) => Value::text("<no value>"),
        Value::Interface(Some(inner)) => shown(inner),
        Value::Sample(Some(sample)) => Value::SampleStruct(sample.clone()),
        Value::Sample(None)
        | Value::SampleStruct(_)
        | Value::Bool(_)
        | Value::Whole(..)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Text(..)
        | Value::Labels(_)
        | Value::Arguments(_)
        | Value::Samples(_)
        | Value::Data(_)
        | Value::Time(..)
        | Value::Location => value.clone(),
    }
}

/// `fmt.Sprintf`.
pub(super) fn sprintf(format: &str, values: &[Value]) -> String {
    let mut formatter = Formatter {
        printer: Printer::default(),
        rest: format,
        values,
        next: 0,
        reordered: false,
        good_index: true,
        after_index: false,
    };
    formatter.run();
    formatter.printer.out
}

struct Formatter<'a> {
    printer: Printer,
    rest: &'a str,
    values: &'a [Value],
    /// The argument that is next.
    next: usize,
    /// Whether an index chose an argument.
    reordered: bool,
    good_index: bool,
    after_index: bool,
}

impl Formatter<'_> {
    fn run(&mut self) {
        while let Some(at) = self.rest.find('%') {
            let (before, behind) = self.rest.split_at(at);
            self.printer.out.push_str(before);
            self.rest = behind.get(1..).unwrap_or("");
            self.directive();
            if self.printer.out.len() > WRITTEN_BYTES_MAX {
                return;
            }
        }
        self.printer.out.push_str(self.rest);
        self.extra();
    }

    fn directive(&mut self) {
        self.printer.clear();
        (self.good_index, self.after_index) = (true, false);
        while let Some(flag) = self.rest.chars().next().filter(|next| "#0+- ".contains(*next)) {
            self.printer.flag(flag);
            self.rest = self.rest.get(1..).unwrap_or("");
        }
        self.index();
        self.width();
        self.precision();
        if !self.after_index {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else {
            self.printer.out.push_str("%!(NOVERB)");
            return;
        };
        self.rest = self.rest.get(verb.len_utf8()..).unwrap_or("");
        match self.values.get(self.next) {
            _ if verb == '%' => self.printer.out.push('%'),
            _ if !self.good_index => self.printer.out.extend([format!("%!{verb}(BADINDEX)")]),
            None => self.printer.out.extend([format!("%!{verb}(MISSING)")]),
            Some(value) => {
                if verb == 'v' {
                    self.printer.go_syntax();
                }
                self.printer.argument(value, verb);
                self.next += 1;
            }
        }
    }

    /// `[n]`: which argument is next.
    fn index(&mut self) {
        self.after_index = false;
        if !self.rest.starts_with('[') {
            return;
        }
        self.reordered = true;
        let Some(end) = self.rest.find(']') else {
            self.good_index = false;
            self.rest = self.rest.get(1..).unwrap_or("");
            return;
        };
        let number = self.rest.get(1..end).and_then(whole);
        self.rest = self.rest.get(end + 1..).unwrap_or("");
        self.after_index = number.is_some();
        let index = number.and_then(|number| usize::try_from(number - 1).ok());
        match index.filter(|index| *index < self.values.len()) {
            Some(index) => self.next = index,
            None => self.good_index = false,
        }
    }

    fn width(&mut self) {
        if self.star() {
            match self.number_argument() {
                Some(width) => self.printer.set_width(width),
                None => self.printer.out.push_str("%!(BADWIDTH)"),
            }
            self.after_index = false;
            return;
        }
        if let Some(width) = self.number() {
            self.printer.set_width(width);
            if self.after_index {
                self.good_index = false;
            }
        }
    }

    fn precision(&mut self) {
        let Some(rest) = self.rest.strip_prefix('.') else { return };
        self.rest = rest;
        if self.after_index {
            self.good_index = false;
        }
        self.index();
        if self.star() {
            match self.number_argument() {
                Some(precision) => self.printer.precision = usize::try_from(precision).ok(),
                None => self.printer.out.push_str("%!(BADPREC)"),
            }
            self.after_index = false;
        } else {
            let precision = self.number().and_then(|number| usize::try_from(number).ok());
            self.printer.precision = Some(precision.unwrap_or(0));
        }
    }

    fn star(&mut self) -> bool {
        match self.rest.strip_prefix('*') {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The digits that stand here; where they are too large, all the rest is taken.
    fn number(&mut self) -> Option<i64> {
        let end = self.rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        if digits.is_empty() {
            return None;
        }
        let number = whole(digits);
        self.rest = if number.is_some() { rest } else { "" };
        number
    }

    fn number_argument(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        let Value::Whole(whole, _) = value else { return None };
        (-NUMBER_MAX..=NUMBER_MAX).contains(whole).then_some(*whole)
    }

    /// What no verb asked for.
    fn extra(&mut self) {
        let Some(extra) = self.values.get(self.next..).filter(|extra| !extra.is_empty()) else { return };
        if self.reordered {
            return;
        }
        self.printer.clear();
        self.printer.out.push_str("%!(EXTRA ");
        for (index, value) in extra.iter().enumerate() {
            if index > 0 {
                self.printer.out.push_str(", ");
            }
            if matches!(value, Value::Absent) {
                self.printer.out.push_str("<nil>");
            } else {
                self.printer.out.push_str(value.type_name());
                self.printer.out.push('=');
                self.printer.argument(value, 'v');
            }
        }
        self.printer.out.push(')');
    }
}

fn whole(digits: &str) -> Option<i64> {
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| all && *number <= NUMBER_MAX)
}

/// Whether a value is a plain text.
pub(super) fn plain_text(value: &Value) -> Option<&std::sync::Arc<str>> {
    if let Value::Text(text, TextType::Plain) = value { Some(text) } else { None }
}
