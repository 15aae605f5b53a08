//! `limit_ratio`: a sample of the series that depends on their labels alone.

use super::super::eval::{Matrix, Row};

/// The series whose labels' hash lies in the ratio's part of all hashes, at each step.
pub(super) fn select(mut matrix: Matrix, ratios: &[f64]) -> Matrix {
    let offsets: Vec<f64> = matrix.rows().iter().map(offset).collect();
    for (index, offset) in offsets.into_iter().enumerate() {
        for (cell, ratio) in matrix.values_mut(index).iter_mut().zip(ratios) {
            // A negative ratio takes what the positive one beside it leaves.
            let taken = if *ratio >= 0.0 { offset < *ratio } else { offset >= 1.0 + ratio };
            if !taken {
                *cell = None;
            }
        }
    }
    matrix.drop_empty();
    matrix
}

/// Where a series' hash lies between 0 and 1, as in Prometheus.
fn offset(row: &Row) -> f64 {
    let mut encoded = Vec::with_capacity(128);
    for text in row.iter().flat_map(|(name, value)| [name, value]) {
        encode_length(&mut encoded, text.len());
        encoded.extend_from_slice(text.as_bytes());
    }
    hash(&encoded) as f64 / u64::MAX as f64
}

/// One byte, or 255 and three bytes where the length is 255 or more.
fn encode_length(encoded: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < u8::MAX => encoded.push(short),
        _ => {
            encoded.push(u8::MAX);
            encoded.extend(length.to_le_bytes().into_iter().take(3));
        }
    }
}

const PRIMES: [u64; 5] = [
    0x9E37_79B1_85EB_CA87,
    0xC2B2_AE3D_27D4_EB4F,
    0x1656_67B1_9E37_79F9,
    0x85EB_CA77_C2B2_AE63,
    0x27D4_EB2F_1656_67C5,
];

/// The xxHash of 64 bits with seed 0, which Prometheus hashes label sets with.
fn hash(bytes: &[u8]) -> u64 {
    let [p1, p2, p3, p4, p5] = PRIMES;
    let (blocks, mut rest) = bytes.as_chunks::<32>();
    let mut state = if blocks.is_empty() {
        p5
    } else {
        let mut lanes = [p1.wrapping_add(p2), p2, 0, 0_u64.wrapping_sub(p1)];
        for block in blocks {
            let (words, _) = block.as_chunks::<8>();
            for (lane, word) in lanes.iter_mut().zip(words) {
                *lane = round(*lane, u64::from_le_bytes(*word));
            }
        }
        let rotations = [1, 7, 12, 18];
        let mixed =
            lanes.iter().zip(rotations).fold(0_u64, |sum, (lane, by)| sum.wrapping_add(lane.rotate_left(by)));
        lanes.iter().fold(mixed, |state, lane| (state ^ round(0, *lane)).wrapping_mul(p1).wrapping_add(p4))
    };
    state = state.wrapping_add(bytes.len() as u64);
    let (words, tail) = rest.as_chunks::<8>();
    for word in words {
        state ^= round(0, u64::from_le_bytes(*word));
        state = state.rotate_left(27).wrapping_mul(p1).wrapping_add(p4);
    }
    rest = tail;
    let (halves, tail) = rest.as_chunks::<4>();
    for half in halves {
        state ^= u64::from(u32::from_le_bytes(*half)).wrapping_mul(p1);
        state = state.rotate_left(23).wrapping_mul(p2).wrapping_add(p3);
    }
    for byte in tail {
        state ^= u64::from(*byte).wrapping_mul(p5);
        state = state.rotate_left(11).wrapping_mul(p1);
    }
    state = (state ^ (state >> 33)).wrapping_mul(p2);
    state = (state ^ (state >> 29)).wrapping_mul(p3);
    state ^ (state >> 32)
}

fn round(lane: u64, word: u64) -> u64 {
    let [p1, p2, ..] = PRIMES;
    lane.wrapping_add(word.wrapping_mul(p2)).rotate_left(31).wrapping_mul(p1)
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn the_hash_is_xxhash_64() {
        assert_eq!(hash(b""), 0xEF46_DB37_51D8_E999);
        assert_eq!(hash(b"a"), 0xD24E_C4F1_A98C_6E5B);
        assert_eq!(hash(b"abc"), 0x44BC_2CF5_AD77_0999);
        assert_eq!(hash(b"Nobody inspects the spammish repetition"), 0xFBCE_A83C_8A37_8BF1);
    }
}
