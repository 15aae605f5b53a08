//! Long answers in pieces.

use axum::body::to_bytes;

use super::*;

fn written(parts: &[usize]) -> Vec<Bytes> {
    let mut pieces = Pieces::default();
    for (number, length) in parts.iter().enumerate() {
        pieces.write_all(&vec![number as u8; *length]).unwrap();
    }
    pieces.flush().unwrap();
    pieces.finish()
}

#[tokio::test]
async fn whatever_is_written_is_sent_in_order_and_in_bounded_pieces() {
    let cases: [&[usize]; 6] = [
        &[],
        &[0],
        &[10],
        &[PIECE_BYTES],
        &[PIECE_BYTES - 1, 1, 1],
        &[PIECE_BYTES, 7, PIECE_BYTES * 3, 0, 100],
    ];
    for parts in cases {
        let expected: Vec<u8> =
            parts.iter().enumerate().flat_map(|(number, length)| vec![number as u8; *length]).collect();
        let pieces = written(parts);
        let largest = parts.iter().copied().max().unwrap_or_default();
        assert!(pieces.iter().all(|piece| piece.len() < PIECE_BYTES + largest.max(1)), "{parts:?}");
        let sent = to_bytes(body(pieces), usize::MAX).await.unwrap();
        assert!(sent == expected, "{parts:?}: {} bytes of {}", sent.len(), expected.len());
    }
}

#[tokio::test]
async fn an_answer_of_one_piece_has_a_length_and_one_of_none_is_empty() {
    use axum::body::HttpBody;
    assert_eq!(body(written(&[10])).size_hint().exact(), Some(10));
    assert_eq!(body(Vec::new()).size_hint().exact(), Some(0));
    assert!(to_bytes(body(Vec::new()), 1).await.unwrap().is_empty());
}
