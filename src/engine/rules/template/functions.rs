//! Every function of templates by name: Go's own and Prometheus'.

use super::budget::{Budget, Fault};
use super::value::Value;
use super::{builtins, prometheus};
use crate::engine::diagnostic::closest;
use crate::engine::rules::template::Ask;
use crate::engine::time::Timestamp;

/// What functions may need of the expansion they run in.
pub(super) struct Context<'a> {
    pub(super) budget: &'a mut Budget,
    pub(super) ask: &'a mut Ask<'a>,
    pub(super) now: Timestamp,
    /// None where functions have none, as in promtool.
    pub(super) external_url: Option<&'a str>,
}

/// A function, or a method whose receiver comes before its arguments.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) takes: &'static [Parameter],
    /// The type of further arguments, where it takes any number.
    pub(super) more: Option<Parameter>,
    /// How many values it has; a template can call what has one.
    pub(super) results: u8,
    pub(super) work: Work,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    /// `interface{}`
    Any,
    /// `reflect.Value`: what was an interface still is one.
    Raw,
    Text,
    Samples,
    Sample,
    Int,
    Duration,
    Time,
}

impl Parameter {
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Raw => "reflect.Value",
            Self::Text => "string",
            Self::Samples => "template.queryResult",
            Self::Sample => "*template.sample",
            Self::Int => "int",
            Self::Duration => "time.Duration",
            Self::Time => "time.Time",
        }
    }

    pub(super) fn takes_nil(self) -> bool {
        match self {
            Self::Any | Self::Raw | Self::Samples | Self::Sample => true,
            Self::Text | Self::Int | Self::Duration | Self::Time => false,
        }
    }

    /// Its nil.
    pub(super) fn nil(self) -> Value {
        match self {
            Self::Samples => Value::Samples([].into()),
            Self::Sample => Value::Sample(None),
            Self::Any | Self::Raw | Self::Text | Self::Int | Self::Duration | Self::Time => Value::Absent,
        }
    }
}

/// What a function does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Something with its arguments alone.
    Plain(fn(&[Value]) -> Result<Value, Fault>),
    /// Something with the expansion it runs in.
    Context(fn(&mut Context<'_>, &[Value]) -> Result<Value, Fault>),
    /// It takes the first argument it may stop at, or the last.
    ShortCircuit(StopAt),
}

/// What ends a function that looks at no more arguments than it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopAt {
    True,
    False,
}

impl Function {
    pub(super) const fn plain(
        name: &'static str,
        takes: &'static [Parameter],
        work: fn(&[Value]) -> Result<Value, Fault>,
    ) -> Self {
        Self { name, takes, more: None, results: 1, work: Work::Plain(work) }
    }

    pub(super) const fn in_context(
        name: &'static str,
        takes: &'static [Parameter],
        work: fn(&mut Context<'_>, &[Value]) -> Result<Value, Fault>,
    ) -> Self {
        Self { name, takes, more: None, results: 1, work: Work::Context(work) }
    }

    pub(super) const fn and_more(mut self, more: Parameter) -> Self {
        self.more = Some(more);
        self
    }
}

pub(super) fn all() -> impl Iterator<Item = &'static Function> {
    builtins::TABLE.iter().chain(prometheus::TABLE)
}

/// The function of a name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

/// The name of a function that is spelt nearly so.
pub(super) fn near(name: &str) -> Option<&'static str> {
    let same = all().find(|function| function.name.eq_ignore_ascii_case(name));
    same.map(|function| function.name).or_else(|| closest(name, all().map(|function| function.name)))
}
