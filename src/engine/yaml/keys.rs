//! Tables of keys: what a file may say, from which its reader, its JSON Schema and its documentation come.

/// One key of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Its name.
    pub(crate) name: &'static str,
    /// What its value is.
    pub(crate) kind: KeyKind,
    /// What holds where it is left out.
    pub(crate) default: KeyDefault,
    /// When a changed value counts.
    pub(crate) effect: Effect,
    /// What it does, as a sentence; a documentation comment, so that it may begin with a blank.
    pub(crate) about: &'static str,
}

/// What holds where a key is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyDefault {
    /// Nothing.
    Nothing,
    /// This value, as a file would have it.
    Value(&'static str),
    /// Something that these words say to people.
    Words(&'static str),
    /// It may not be left out.
    Required,
}

/// When a changed value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// From the reload on.
    Live,
    /// From the next start on.
    Restart,
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyKind {
    /// A text.
    Text,
    /// A text that is shown to nobody.
    Secret,
    /// `true` or `false`.
    Flag,
    /// A whole number, and the least it may be.
    Count(u64),
    /// A finite number.
    Number,
    /// A number of bytes above zero, such as `64MiB`.
    Size,
    /// A duration, and whether it may be zero.
    Duration(Zero),
    /// A duration for all, or one for each glob on a name.
    DurationByGlob,
    /// A duration for all, or one for each of these names.
    DurationByName(Names),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of values.
    List(&'static Self),
    /// One value, or a list of them.
    OneOrMany(&'static Self),
    /// A mapping from free keys to values.
    Map(&'static Self),
    /// A mapping from names to values.
    ByName(Names, &'static Self),
    /// One of many names.
    Name(Names),
    /// Any value.
    Anything,
    /// A mapping with keys of its own.
    Section(&'static [Key]),
}

/// Names that another room knows, such as those of event types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    /// What they name.
    pub(crate) what: &'static str,
    /// All of them.
    pub(crate) all: fn() -> Vec<&'static str>,
    /// The code of the finding where a name is none of them.
    pub(crate) code: &'static str,
    /// How they are written, for who is far off.
    pub(crate) advice: &'static str,
}

/// Whether zero is a value or a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zero {
    /// It is a value.
    Allowed,
    /// It is a slip.
    Refused,
}

impl Key {
    /// What it does, as a sentence.
    pub(crate) fn sentence(&self) -> &'static str {
        self.about.trim()
    }
}

impl KeyDefault {
    /// What people read of it.
    pub(crate) const fn shown(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Value(text) | Self::Words(text) => text,
            Self::Required => "(required)",
        }
    }
}

/// A key of a file that is put in force whenever it is read.
pub(crate) const fn key(name: &'static str, kind: KeyKind, default: KeyDefault, about: &'static str) -> Key {
    Key { name, kind, default, effect: Effect::Live, about }
}
