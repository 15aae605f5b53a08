//! An answer under construction, in pieces that are sent one by one.

use std::io::{Result, Write};

use axum::body::{Body, Bytes};

/// Bytes of a piece.
const PIECE_BYTES: usize = 64 << 10;

/// Bytes that are written piece by piece, so that a long answer is never copied whole.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Pieces {
    /// The pieces, in order.
    pub(crate) fn finish(mut self) -> Vec<Bytes> {
        self.full.push(self.open.into());
        self.full
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.open.extend_from_slice(bytes);
        if self.open.len() >= PIECE_BYTES {
            let full = std::mem::replace(&mut self.open, Vec::with_capacity(PIECE_BYTES + 256));
            self.full.push(full.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The body that sends pieces in order.
pub(crate) fn body(pieces: Vec<Bytes>) -> Body {
    let mut pieces = pieces.into_iter();
    match (pieces.next(), pieces.len()) {
        (None, _) => Body::empty(),
        (Some(only), 0) => Body::from(only),
        (Some(first), _) => {
            let all = std::iter::once(first).chain(pieces).map(Ok::<_, std::convert::Infallible>);
            Body::from_stream(futures_util::stream::iter(all))
        }
    }
}

#[cfg(test)]
mod tests;
