//! Bytes of a checkpoint: little endian, whole numbers in as few bytes as they need, every list and text with its
//! length in front. Reading checks every bound and fails on whatever writing would not have written.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;

/// What was read is no state of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damage(pub(crate) &'static str);

/// Places taken at once for a list whose length was read: a length that lies does not cost memory.
const RESERVED_MAX: usize = 1_024;

/// Bytes that are being written.
#[derive(Debug, Default)]
pub(in crate::engine) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// What was written.
    pub(in crate::engine) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends bytes as they are.
    pub(in crate::engine) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends bytes with their length in front.
    pub(in crate::engine) fn bytes(&mut self, bytes: &[u8]) {
        self.len(bytes.len());
        self.raw(bytes);
    }

    /// Appends the length of what follows.
    pub(in crate::engine) fn len(&mut self, len: usize) {
        (len as u64).write(self);
    }

    /// Appends a list item by item.
    pub(in crate::engine) fn list<T: Twin>(&mut self, items: impl ExactSizeIterator<Item = T>) {
        self.len(items.len());
        for item in items {
            item.write(self);
        }
    }
}

/// Bytes that are being read.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the beginning.
    pub(in crate::engine) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next bytes.
    pub(in crate::engine) fn raw(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Damage("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// As many of the next bytes.
    pub(in crate::engine) fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], Damage> {
        let (taken, rest) = self.rest.split_first_chunk::<COUNT>().ok_or(Damage("it ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Bytes with their length in front.
    pub(in crate::engine) fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let len = self.len()?;
        self.raw(len)
    }

    /// The length of what follows, which takes at least a byte an item.
    pub(in crate::engine) fn len(&mut self) -> Result<usize, Damage> {
        let len = usize::try_from(u64::read(self)?).unwrap_or(usize::MAX);
        if len > self.rest.len() { Err(Damage("a list is longer than what is left")) } else { Ok(len) }
    }

    /// A text.
    pub(in crate::engine) fn text(&mut self) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damage("a text is no UTF-8"))
    }

    /// Everything was read.
    pub(in crate::engine) const fn end(&self) -> Result<(), Damage> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damage("something follows where it should end")) }
    }
}

/// What can be written and read back. Everything takes at least one byte.
pub(in crate::engine) trait Twin: Sized {
    /// Appends it.
    fn write(&self, out: &mut Writer);

    /// Reads it.
    fn read(from: &mut Reader<'_>) -> Result<Self, Damage>;
}

impl Twin for u8 {
    fn write(&self, out: &mut Writer) {
        out.raw(&[*self]);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let [byte] = from.array()?;
        Ok(byte)
    }
}

impl Twin for u64 {
    fn write(&self, out: &mut Writer) {
        let mut value = *self;
        while value >= 0x80 {
            out.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.bytes.push(value as u8);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = u8::read(from)?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Damage("a number is too large"))
    }
}

impl Twin for u32 {
    fn write(&self, out: &mut Writer) {
        u64::from(*self).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        Self::try_from(u64::read(from)?).map_err(|_| Damage("a number is too large"))
    }
}

impl Twin for u16 {
    fn write(&self, out: &mut Writer) {
        u64::from(*self).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        Self::try_from(u64::read(from)?).map_err(|_| Damage("a number is too large"))
    }
}

impl Twin for i64 {
    fn write(&self, out: &mut Writer) {
        ((self << 1) ^ (self >> 63)).cast_unsigned().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let value = u64::read(from)?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}

impl Twin for u128 {
    fn write(&self, out: &mut Writer) {
        out.raw(&self.to_le_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        Ok(Self::from_le_bytes(from.array()?))
    }
}

impl Twin for f64 {
    fn write(&self, out: &mut Writer) {
        out.raw(&self.to_bits().to_le_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        Ok(Self::from_bits(u64::from_le_bytes(from.array()?)))
    }
}

impl Twin for Timestamp {
    fn write(&self, out: &mut Writer) {
        self.micros().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        Ok(Self::from_micros(i64::read(from)?))
    }
}

impl Twin for Duration {
    fn write(&self, out: &mut Writer) {
        self.as_secs().write(out);
        self.subsec_nanos().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let (seconds, nanos) = (u64::read(from)?, u32::read(from)?);
        if nanos >= 1_000_000_000 { Err(Damage("a span is none")) } else { Ok(Self::new(seconds, nanos)) }
    }
}

impl Twin for String {
    fn write(&self, out: &mut Writer) {
        out.bytes(self.as_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        from.text().map(str::to_owned)
    }
}

impl Twin for Arc<str> {
    fn write(&self, out: &mut Writer) {
        out.bytes(self.as_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        from.text().map(Self::from)
    }
}

impl<const COUNT: usize> Twin for [u8; COUNT] {
    fn write(&self, out: &mut Writer) {
        out.raw(self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        from.array()
    }
}

impl Twin for Labels {
    fn write(&self, out: &mut Writer) {
        out.len(Self::len(self));
        for (name, value) in self {
            name.write(out);
            value.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let pairs: Vec<(Arc<str>, Arc<str>)> = Twin::read(from)?;
        Ok(Self::collect(pairs))
    }
}

impl<T: Twin> Twin for Option<T> {
    fn write(&self, out: &mut Writer) {
        match self {
            None => 0_u8.write(out),
            Some(value) => {
                1_u8.write(out);
                value.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        match u8::read(from)? {
            0 => Ok(None),
            1 => T::read(from).map(Some),
            _ => Err(Damage("a choice is none")),
        }
    }
}

impl<T: Twin> Twin for Vec<T> {
    fn write(&self, out: &mut Writer) {
        out.len(self.len());
        for item in self {
            item.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let len = from.len()?;
        let mut items = Self::with_capacity(len.min(RESERVED_MAX));
        for _ in 0..len {
            items.push(T::read(from)?);
        }
        Ok(items)
    }
}

impl<A: Twin, B: Twin> Twin for (A, B) {
    fn write(&self, out: &mut Writer) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        Ok((A::read(from)?, B::read(from)?))
    }
}

/// Declares a plain structure with its writing and reading, field after field.
macro_rules! twin {
    ($(#[doc = $doc:literal])+ struct $name:ident { $($(#[doc = $about:literal])* $field:ident: $type:ty,)* }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(in crate::engine) struct $name {
            $($(#[doc = $about])* pub(in crate::engine) $field: $type,)*
        }

        impl $crate::engine::checkpoint::bytes::Twin for $name {
            fn write(&self, out: &mut $crate::engine::checkpoint::bytes::Writer) {
                $(self.$field.write(out);)*
            }

            fn read(
                from: &mut $crate::engine::checkpoint::bytes::Reader<'_>,
            ) -> Result<Self, $crate::engine::checkpoint::bytes::Damage> {
                Ok(Self { $($field: $crate::engine::checkpoint::bytes::Twin::read(from)?,)* })
            }
        }
    };
}

/// Declares a choice with its writing and reading: the number of the variant, then its content.
macro_rules! choice {
    ($(#[$doc:meta])+ enum $name:ident {
        $($(#[$about:meta])* $variant:ident $(($($part:ident: $type:ty),+))? = $number:literal,)*
    }) => {
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub(in crate::engine) enum $name {
            $($(#[$about])* $variant $(($($type),+))?,)*
        }

        impl $crate::engine::checkpoint::bytes::Twin for $name {
            fn write(&self, out: &mut $crate::engine::checkpoint::bytes::Writer) {
                match self {
                    $(Self::$variant $(($($part),+))? => {
                        <u8 as $crate::engine::checkpoint::bytes::Twin>::write(&$number, out);
                        $($($part.write(out);)+)?
                    })*
                }
            }

            fn read(
                from: &mut $crate::engine::checkpoint::bytes::Reader<'_>,
            ) -> Result<Self, $crate::engine::checkpoint::bytes::Damage> {
                match <u8 as $crate::engine::checkpoint::bytes::Twin>::read(from)? {
                    $($number => Ok(Self::$variant $(($(
                        <$type as $crate::engine::checkpoint::bytes::Twin>::read(from)?
                    ),+))?),)*
                    _ => Err($crate::engine::checkpoint::bytes::Damage("a choice is none")),
                }
            }
        }
    };
}

pub(super) use {choice, twin};

#[cfg(test)]
mod tests {
    use super::*;

    fn round<T: Twin + PartialEq + std::fmt::Debug>(value: &T) {
        let mut out = Writer::default();
        value.write(&mut out);
        let bytes = out.finish();
        assert!(!bytes.is_empty());
        let mut from = Reader::new(&bytes);
        assert_eq!(T::read(&mut from).as_ref(), Ok(value));
        assert_eq!(from.end(), Ok(()));
        for end in 0..bytes.len() {
            assert!(T::read(&mut Reader::new(&bytes[..end])).is_err(), "{value:?} cut at {end}");
        }
    }

    #[test]
    fn what_was_written_is_read_back_and_nothing_less() {
        for value in [0, 1, 127, 128, 300, u64::MAX - 1, u64::MAX] {
            round(&value);
            round(&value.cast_signed());
            round(&Timestamp::from_micros(value.cast_signed()));
        }
        round(&f64::INFINITY);
        round(&-0.0);
        round(&Duration::new(u64::MAX, 999_999_999));
        round(&vec![Some("a".to_owned()), None]);
        round(&Labels::collect([("a", "1"), ("b", "ü")]));
        round(&(u128::MAX, [7_u8; 24]));
    }

    #[test]
    fn lies_are_refused() {
        assert!(u64::read(&mut Reader::new(&[0xff; 10])).is_err());
        assert!(u32::read(&mut Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x7f])).is_err());
        assert!(Vec::<u8>::read(&mut Reader::new(&[200, 1, 0])).is_err());
        assert!(String::read(&mut Reader::new(&[1, 0xff])).is_err());
        assert!(Option::<u8>::read(&mut Reader::new(&[2, 0])).is_err());
    }
}
