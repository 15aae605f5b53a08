//! What is fuzzed of what the state folder keeps: checkpoints and the log of alert events.

use std::time::Duration;

use super::targets::{BEGIN, Run, engine, look, pass, rules_of, small_config};
use crate::engine::checkpoint::SavedState;
use crate::engine::rules::{LOG_HEADER, LogRecord, read_log};
use crate::engine::{Engine, RunEnding};

const RULES: &str = "groups: [{name: g, interval: 1s, rules: [{alert: A, expr: mgauge, above: 3}]}]";

pub(super) fn states() -> Vec<Vec<u8>> {
    let mut engine = engine(rules_of(RULES.to_owned()));
    let now = pass(&mut engine, BEGIN.after(Duration::from_secs(20)));
    vec![engine.save(now).to_bytes()]
}

/// Puts right checksums over whatever the sections of a state hold.
fn sealed(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let mut start = 16;
    while let Some(head) = bytes.get(start..start + 12) {
        let length = u64::from_le_bytes(head[4..].try_into().unwrap());
        let Some(end) = usize::try_from(length).ok().and_then(|it| it.checked_add(start + 12)) else { break };
        if end.checked_add(4).is_none_or(|end| end > bytes.len()) {
            break;
        }
        let checksum = crc32fast::hash(&bytes[start..end]).to_le_bytes();
        bytes[end..end + 4].copy_from_slice(&checksum);
        start = end + 4;
    }
    bytes
}

pub(super) fn state() -> Run {
    let set = rules_of(RULES.to_owned());
    Box::new(move |input| {
        for bytes in [input.to_vec(), sealed(input)] {
            let Ok(saved) = SavedState::read(&bytes) else { continue };
            let now = saved.saved_at();
            let Ok((mut engine, _)) = Engine::restore(&small_config(), set.clone(), saved, RunEnding::Crash)
            else {
                continue;
            };
            engine.go_on(now);
            let now = pass(&mut engine, now);
            // What it counts may be forged; that a scrape reads may not fail.
            drop(look(&mut engine, now));
            SavedState::read(&engine.save(now).to_bytes())
                .map_err(|error| format!("saved again: {error}"))?;
        }
        Ok(())
    })
}

pub(super) fn logs() -> Vec<Vec<u8>> {
    let mut engine = engine(rules_of(RULES.to_owned()));
    pass(&mut engine, BEGIN.after(Duration::from_secs(20)));
    let decided = engine.outbox().map(|event| LogRecord::Decided {
        event: Box::new(event.clone()),
        sequence: 3,
        essence: None,
    });
    let mut bytes = LOG_HEADER.to_vec();
    for record in decided.collect::<Vec<_>>() {
        bytes.extend(record.to_bytes());
        if let LogRecord::Decided { event, .. } = record {
            bytes.extend(LogRecord::Acknowledged(event.id).to_bytes());
        }
    }
    vec![bytes]
}

/// Puts right checksums over the records of a log.
fn sealed_log(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let mut start = LOG_HEADER.len();
    while let Some(head) = bytes.get(start..start + 8) {
        let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        let Some(content) = bytes.get(start + 8..start + 8 + length) else { break };
        let checksum = crc32fast::hash(content).to_le_bytes();
        bytes[start + 4..start + 8].copy_from_slice(&checksum);
        start += 8 + length;
    }
    bytes
}

pub(super) fn log() -> Run {
    let set = rules_of(RULES.to_owned());
    Box::new(move |input| {
        for bytes in [input.to_vec(), sealed_log(input)] {
            let read = read_log(&bytes);
            if read.whole_bytes > bytes.len() {
                return Err(format!("{} whole bytes of {}", read.whole_bytes, bytes.len()));
            }
            let again: Vec<u8> =
                LOG_HEADER.into_iter().chain(read.records.iter().flat_map(LogRecord::to_bytes)).collect();
            if read.whole_bytes > 0 && read_log(&again).records.len() != read.records.len() {
                return Err("what was read is not read back".to_owned());
            }
            let mut engine = Engine::new(&small_config(), set.clone(), BEGIN);
            engine.recall(&read.records);
            pass(&mut engine, BEGIN);
        }
        Ok(())
    })
}
