//! What the verbs of `Sprintf` make of values.

use super::super::float::{self, Notation};
use super::super::instant;
use super::super::quote::{self, Alphabet};
use super::super::value::{Held, Sample, Value, WholeType};
use crate::engine::labels::Labels;

/// A text that is written, and how the next value goes into it.
#[derive(Default)]
pub(super) struct Printer {
    pub(super) out: String,
    flags: Flags,
    width: Option<usize>,
    pub(super) precision: Option<usize>,
    /// Set while a verb that does not fit is reported, so that no method is asked.
    reporting: bool,
}

#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of a format")]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%+v`
    names: bool,
    /// `%#v`
    syntax: bool,
}

impl Printer {
    pub(super) fn clear(&mut self) {
        (self.flags, self.width, self.precision) = (Flags::default(), None, None);
    }

    pub(super) fn flag(&mut self, flag: char) {
        match flag {
            '#' => self.flags.sharp = true,
            '0' => self.flags.zero = !self.flags.minus,
            '+' => self.flags.plus = true,
            '-' => (self.flags.minus, self.flags.zero) = (true, false),
            _ => self.flags.space = true,
        }
    }

    pub(super) fn set_width(&mut self, width: i64) {
        if width < 0 {
            (self.flags.minus, self.flags.zero) = (true, false);
        }
        self.width = usize::try_from(width.unsigned_abs()).ok();
    }

    /// What flags mean with `%v`.
    pub(super) fn go_syntax(&mut self) {
        self.flags.syntax = std::mem::take(&mut self.flags.sharp);
        self.flags.names = std::mem::take(&mut self.flags.plus);
    }

    /// One argument.
    pub(super) fn argument(&mut self, value: &Value, verb: char) {
        let unboxed = value.clone().unboxed();
        match (&unboxed, verb) {
            (Value::Absent, 'T' | 'v') => self.pad("<nil>"),
            (_, 'T') => self.text(unboxed.type_name(), 's', &unboxed),
            _ => self.value(&unboxed, verb, 0),
        }
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if !self.reporting
            && !self.flags.syntax
            && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
            && let Some(spoken) = value.spoken()
        {
            self.text(&spoken, verb, value);
            return;
        }
        match value {
            Value::Absent | Value::Interface(None) if verb == 'v' => {
                self.out.push_str(if self.flags.syntax && depth > 0 { "interface {}(nil)" } else { "<nil>" });
            }
            Value::Interface(Some(inner)) => self.value(inner, verb, depth),
            Value::Bool(held) => match verb {
                't' | 'v' => self.pad(if *held { "true" } else { "false" }),
                _ => self.bad(verb, value),
            },
            Value::Whole(whole, kind) => self.whole(*whole, *kind, verb),
            Value::Float(held) => self.float(*held, verb, value),
            Value::Complex(real, imaginary) => self.complex(*real, *imaginary, verb),
            Value::Text(text, _) => self.text(text, verb, value),
            Value::Labels(labels) => self.labels(labels, verb, depth),
            Value::Arguments(arguments) => {
                let entries = arguments.by_name.iter().map(|(name, value)| (name.as_ref(), value.clone()));
                self.map(value.type_name(), entries, verb, depth);
            }
            Value::Samples(samples) => self.list(value.type_name(), samples, verb, depth),
            Value::Sample(None) if verb == 'v' => {
                self.out.push_str(if self.flags.syntax { "(*template.sample)(nil)" } else { "<nil>" });
            }
            Value::Sample(Some(sample)) if depth == 0 => {
                self.out.push('&');
                self.value(&Value::SampleStruct(sample.clone()), verb, depth + 1);
            }
            Value::Sample(Some(_)) if matches!(verb, 'v' | 'p') => self.pad(POINTER),
            Value::Absent | Value::Interface(None) | Value::Sample(_) => self.bad(verb, value),
            Value::Time(..) | Value::Location => self.opaque(value, verb),
            Value::SampleStruct(sample) => {
                let fields =
                    [("Labels", Value::Labels(sample.labels.clone())), ("Value", Value::Float(sample.value))];
                self.structure("template.sample", &fields, verb, depth);
            }
            Value::Data(data) => {
                let fields = [
                    ("Labels", Value::Labels(data.labels.clone())),
                    ("ExternalLabels", Value::Labels(data.external_labels.clone())),
                    ("ExternalURL", Value::text(data.external_url.clone())),
                    ("Value", Value::Float(data.value)),
                ];
                self.structure(value.type_name(), &fields, verb, depth);
            }
        }
    }

    /// An instant where its method is not asked: the seconds since 1970 and what Go keeps beside them.
    fn opaque(&mut self, value: &Value, verb: char) {
        let Value::Time(at, held) = value else { return self.pad(POINTER) };
        if *held == Held::Pointer {
            self.out.push('&');
        }
        self.out.push('{');
        self.value(&Value::int(at.timestamp_subsec_nanos().into()), verb, 1);
        self.out.push(' ');
        self.value(&Value::int(at.timestamp() + instant::SECONDS_TO_EPOCH), verb, 1);
        // UTC is no place.
        self.out.push_str(if verb == 'v' { " <nil>}" } else { " 0}" });
    }

    /// A verb that does not fit its value.
    fn bad(&mut self, verb: char, value: &Value) {
        let before = std::mem::replace(&mut self.reporting, true);
        self.out.extend(["%!", verb.encode_utf8(&mut [0; 4]), "("]);
        if matches!(value, Value::Absent | Value::Interface(None)) {
            self.out.push_str("<nil>");
        } else {
            self.out.push_str(value.type_name());
            self.out.push('=');
            self.value(value, 'v', 0);
        }
        self.out.push(')');
        self.reporting = before;
    }

    fn labels(&mut self, labels: &Labels, verb: char, depth: usize) {
        let entries = labels.iter().map(|(name, value)| (name.as_ref(), Value::text(value.clone())));
        self.map("map[string]string", entries, verb, depth);
    }

    fn map<'a>(
        &mut self,
        type_name: &str,
        entries: impl Iterator<Item = (&'a str, Value)>,
        verb: char,
        depth: usize,
    ) {
        self.open(type_name, "map[");
        for (index, (name, value)) in entries.enumerate() {
            self.separate(index);
            self.value(&Value::text(name), verb, depth + 1);
            self.out.push(':');
            self.value(&value, verb, depth + 1);
            if self.out.len() > super::WRITTEN_BYTES_MAX {
                break;
            }
        }
        self.out.push(if self.flags.syntax { '}' } else { ']' });
    }

    fn list(&mut self, type_name: &str, samples: &[std::sync::Arc<Sample>], verb: char, depth: usize) {
        self.open(type_name, "[");
        for (index, sample) in samples.iter().enumerate() {
            self.separate(index);
            self.value(&Value::Sample(Some(sample.clone())), verb, depth + 1);
            if self.out.len() > super::WRITTEN_BYTES_MAX {
                break;
            }
        }
        self.out.push(if self.flags.syntax { '}' } else { ']' });
    }

    fn structure(&mut self, type_name: &str, fields: &[(&str, Value)], verb: char, depth: usize) {
        self.open(type_name, "{");
        for (index, (name, value)) in fields.iter().enumerate() {
            self.separate(index);
            if self.flags.names || self.flags.syntax {
                self.out.extend([name, ":"]);
            }
            self.value(value, verb, depth + 1);
        }
        self.out.push('}');
    }

    fn open(&mut self, type_name: &str, bracket: &str) {
        if self.flags.syntax {
            self.out.extend([type_name, "{"]);
        } else {
            self.out.push_str(bracket);
        }
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push_str(if self.flags.syntax { ", " } else { " " });
        }
    }

    fn text(&mut self, text: &str, verb: char, value: &Value) {
        match verb {
            'v' if self.flags.syntax => self.quoted(text),
            'v' | 's' => {
                let cut = self.cut(text).to_owned();
                self.pad(&cut);
            }
            'q' => self.quoted(text),
            'x' | 'X' => self.bytes(text, verb),
            _ => self.bad(verb, value),
        }
    }

    /// As many characters as the precision says.
    fn cut<'t>(&self, text: &'t str) -> &'t str {
        let end = self.precision.and_then(|precision| text.char_indices().nth(precision));
        end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
    }

    fn quoted(&mut self, text: &str) {
        let text = self.cut(text);
        let quoted = if self.flags.sharp && quote::fits_backquotes(text) {
            format!("`{text}`")
        } else {
            quote::quoted_in(text, self.alphabet())
        };
        self.pad(&quoted);
    }

    fn alphabet(&self) -> Alphabet {
        if self.flags.plus { Alphabet::Ascii } else { Alphabet::Printable }
    }

    fn bytes(&mut self, text: &str, verb: char) {
        let bytes = text.as_bytes();
        let bytes = self.precision.and_then(|precision| bytes.get(..precision)).unwrap_or(bytes);
        let prefix = match (self.flags.sharp, verb) {
            (false, _) => "",
            (true, 'x') => "0x",
            (true, _) => "0X",
        };
        let mut written = String::with_capacity(bytes.len() * 2);
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 && self.flags.space {
                written.push(' ');
            }
            if index == 0 || self.flags.space {
                written.push_str(prefix);
            }
            written.extend([if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") }]);
        }
        self.pad(&written);
    }

    fn whole(&mut self, whole: i64, kind: WholeType, verb: char) {
        let code = u32::try_from(whole).ok().and_then(char::from_u32);
        let character = code.unwrap_or(char::REPLACEMENT_CHARACTER);
        match verb {
            'v' if self.flags.syntax && kind == WholeType::Byte => {
                self.flags.sharp = true;
                self.integer(whole, 16, 'v');
                self.flags.sharp = false;
            }
            'v' | 'd' => self.integer(whole, 10, verb),
            'b' => self.integer(whole, 2, verb),
            'o' | 'O' => self.integer(whole, 8, verb),
            'x' | 'X' => self.integer(whole, 16, verb),
            'c' => self.pad(character.encode_utf8(&mut [0; 4])),
            'q' => self.pad(&quote::quoted_character(character, self.alphabet())),
            'U' => {
                let digits = zeros_before(&format!("{whole:X}"), self.precision.unwrap_or(0).max(4));
                let shown = format!("U+{digits}");
                let character = code.filter(|code| self.flags.sharp && quote::is_printable(*code));
                let zero = std::mem::take(&mut self.flags.zero);
                match character {
                    Some(character) => self.pad(&format!("{shown} '{character}'")),
                    None => self.pad(&shown),
                }
                self.flags.zero = zero;
            }
            _ => self.bad(verb, &Value::Whole(whole, kind)),
        }
    }

    fn integer(&mut self, whole: i64, base: u32, verb: char) {
        let magnitude = whole.unsigned_abs();
        if self.precision == Some(0) && whole == 0 {
            let zero = std::mem::take(&mut self.flags.zero);
            self.pad("");
            self.flags.zero = zero;
            return;
        }
        let mut digits = match (base, verb) {
            (2, _) => format!("{magnitude:b}"),
            (8, _) => format!("{magnitude:o}"),
            (16, 'X') => format!("{magnitude:X}"),
            (16, _) => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let sign = match (whole < 0, self.flags.plus, self.flags.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        let padded = match (self.precision, self.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero => width.saturating_sub(sign.len()),
            (None, _) => 0,
        };
        digits = zeros_before(&digits, padded);
        let prefix = match (base, self.flags.sharp, verb) {
            (_, _, 'O') => "0o",
            (2, true, _) => "0b",
            (8, true, _) if !digits.starts_with('0') => "0",
            (16, true, 'X') => "0X",
            (16, true, _) => "0x",
            _ => "",
        };
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(&format!("{sign}{prefix}{digits}"));
        self.flags.zero = zero;
    }

    fn float(&mut self, held: f64, verb: char, value: &Value) {
        let (notation, digits) = match verb {
            'v' | 'g' | 'G' => (Notation::Shorter, None),
            'b' => (Notation::Binary, None),
            'x' | 'X' => (Notation::Hexadecimal, None),
            'e' | 'E' => (Notation::Exponent, Some(6)),
            'f' | 'F' => (Notation::Decimal, Some(6)),
            _ => return self.bad(verb, value),
        };
        let mut written = float::written(held, notation, self.precision.or(digits));
        if verb.is_ascii_uppercase() && held.is_finite() {
            written.make_ascii_uppercase();
        }
        let is_number = held.is_finite();
        if !written.starts_with(['+', '-']) && (is_number || self.flags.plus || self.flags.space) {
            written.insert(0, '+');
        }
        if self.flags.space && !self.flags.plus && written.starts_with('+') {
            written.replace_range(..1, " ");
        }
        if !is_number {
            let zero = std::mem::take(&mut self.flags.zero);
            self.pad(&written);
            self.flags.zero = zero;
            return;
        }
        if self.flags.sharp && verb != 'b' {
            written = self.with_point(&written, verb);
        }
        if !self.flags.plus && written.starts_with('+') {
            written.remove(0);
            self.pad(&written);
            return;
        }
        match self.width {
            // The sign stands before the zeros.
            Some(width) if self.flags.zero && width > written.len() => {
                let (sign, digits) = written.split_at(1);
                let digits = zeros_before(digits, width - 1);
                self.out.extend([sign, digits.as_str()]);
            }
            _ => self.pad(&written),
        }
    }

    /// `%#g`: the point and its zeros stay. `signed` begins with a sign.
    fn with_point(&self, signed: &str, verb: char) -> String {
        let mut digits = match verb {
            'v' | 'g' | 'G' | 'x' | 'X' => self.precision.unwrap_or(6),
            _ => 0,
        };
        let marks: &[char] = if matches!(verb, 'x' | 'X') { &['p', 'P'] } else { &['e', 'E', 'p', 'P'] };
        let (number, tail) = signed.split_at(signed.find(marks).unwrap_or(signed.len()));
        let body = number.get(1..).unwrap_or("");
        let significant = body.trim_start_matches(['0', '.']).chars().filter(|digit| *digit != '.').count();
        digits = digits.saturating_sub(significant);
        let mut written = number.to_owned();
        if !body.contains('.') {
            if body == "0" {
                digits = digits.saturating_sub(1);
            }
            written.push('.');
        }
        written.extend(std::iter::repeat_n('0', digits));
        written.push_str(tail);
        written
    }

    fn complex(&mut self, real: f64, imaginary: f64, verb: char) {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return self.bad(verb, &Value::Complex(real, imaginary));
        }
        let plus = self.flags.plus;
        self.out.push('(');
        self.float(real, verb, &Value::Float(real));
        self.flags.plus = true;
        self.float(imaginary, verb, &Value::Float(imaginary));
        self.out.push_str("i)");
        self.flags.plus = plus;
    }

    fn pad(&mut self, text: &str) {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        let padding = std::iter::repeat_n(if self.flags.zero { '0' } else { ' ' }, missing);
        if self.flags.minus {
            self.out.push_str(text);
            self.out.extend(padding);
        } else {
            self.out.extend(padding);
            self.out.push_str(text);
        }
    }
}

/// Digits with zeros before them.
fn zeros_before(digits: &str, length: usize) -> String {
    let mut padded = "0".repeat(length.saturating_sub(digits.len()));
    padded.push_str(digits);
    padded
}

/// What stands for the address of a sample.
const POINTER: &str = "0xc000012345";
