//! Files that changed are read once they are still.
//!
//! Whoever writes a file in place empties it first and fills it then, piece by piece; what lies there meanwhile reads as
//! a file with fewer rules, or with none. So a file that changed is left alone until nothing has happened to it for a
//! while, and for longer where it is suspicious: what held something and is empty or gone, and what its writer has not
//! closed yet. All of it waits for a file that moves, but not for ever: then that one keeps what it said before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Facts, Sight, Signature};

/// How long files have to be still before they are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// A file that changed.
    pub(crate) changed: Duration,
    /// A file that held something and is empty or gone.
    pub(crate) emptied: Duration,
    /// A file that is open for writing.
    pub(crate) unfinished: Duration,
    /// How long what is still waits for what is not.
    pub(crate) at_most: Duration,
}

/// What to do after a look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing changed since it was taken.
    Unchanged,
    /// Look again so much later.
    Later(Duration),
    /// Read them, but for these, which are being written.
    Read(BTreeSet<PathBuf>),
    /// Whatever changed, these, has been written for too long.
    Busy(BTreeSet<PathBuf>),
}

/// Files, as they were when they were read and as they look since.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    taken: Signature,
    /// What changed, how it was when last looked at, and since when it is like that.
    moving: BTreeMap<PathBuf, (Option<Facts>, Instant)>,
    /// Since when what changed waits.
    waits_since: Option<Instant>,
}

impl Settling {
    /// Files that were read when they were like this.
    pub(crate) fn of(taken: Signature) -> Self {
        Self { taken, ..Self::default() }
    }

    /// Notes that all but the held files were read while they were like this.
    pub(crate) fn take(&mut self, mut read: Signature, held: &BTreeSet<PathBuf>) {
        for path in held {
            match self.taken.0.get(path) {
                Some(before) => read.0.insert(path.clone(), *before),
                None => read.0.remove(path),
            };
        }
        self.taken = read;
        self.moving.retain(|path, _| held.contains(path));
        self.waits_since = None;
    }

    /// Looks at the files.
    pub(crate) fn look(&mut self, sight: &Sight, now: Instant, patience: &Patience) -> Verdict {
        let changed = self.taken.differing(&sight.signature);
        self.moving.retain(|path, _| changed.contains(path));
        if changed.is_empty() {
            self.waits_since = None;
            return Verdict::Unchanged;
        }
        let mut held = BTreeMap::new();
        for path in &changed {
            let left = self.needed(path, sight, patience).saturating_sub(self.still_for(path, sight, now));
            if !left.is_zero() {
                held.insert(path.clone(), left);
            }
        }
        let waits_for = now.saturating_duration_since(*self.waits_since.get_or_insert(now));
        match held.values().max() {
            Some(left) if waits_for < patience.at_most => Verdict::Later(*left),
            Some(_) if held.len() == changed.len() => Verdict::Busy(changed),
            _ => Verdict::Read(held.into_keys().collect()),
        }
    }

    /// How long a file has been as it is.
    fn still_for(&mut self, path: &Path, sight: &Sight, now: Instant) -> Duration {
        let facts = sight.signature.facts(path);
        let known = self.moving.get(path).filter(|(known, _)| *known == facts);
        let since = known.map_or(now, |(_, since)| *since);
        self.moving.insert(path.to_owned(), (facts, since));
        let quiet = sight.quiet.get(path).copied().unwrap_or_default();
        quiet.max(now.saturating_duration_since(since))
    }

    /// How long it has to be.
    fn needed(&self, path: &Path, sight: &Sight, patience: &Patience) -> Duration {
        let has_content = |facts: Option<Facts>| facts.is_some_and(|facts| facts.bytes > 0);
        let is_emptied = has_content(self.taken.facts(path)) && !has_content(sight.signature.facts(path));
        if sight.unfinished.contains(path) {
            patience.unfinished
        } else if is_emptied {
            patience.emptied
        } else {
            patience.changed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        changed: Duration::from_millis(150),
        emptied: Duration::from_secs(2),
        unfinished: Duration::from_secs(10),
        at_most: Duration::from_secs(5),
    };

    /// Files by name and bytes; a file of none is away.
    fn sight(files: &[(&str, Option<u64>)]) -> Sight {
        let facts = |bytes: u64| Facts { bytes, seconds: 0, nanoseconds: 0, inode: 0 };
        let signature = files.iter().map(|(name, bytes)| (PathBuf::from(name), bytes.map(facts)));
        Sight { signature: Signature(signature.collect()), ..Sight::default() }
    }

    fn held(names: &[&str]) -> Verdict {
        Verdict::Read(names.iter().map(PathBuf::from).collect())
    }

    fn later(milliseconds: u64) -> Verdict {
        Verdict::Later(Duration::from_millis(milliseconds))
    }

    /// What is said of looks at one file `a` of 100 bytes: when, and how many bytes it has then.
    fn said(looks: &[(u64, Option<u64>)]) -> Vec<Verdict> {
        let begin = Instant::now();
        let mut settling = Settling::of(sight(&[("a", Some(100))]).signature);
        let look = |(at, bytes): &(u64, Option<u64>)| {
            settling.look(&sight(&[("a", *bytes)]), begin + Duration::from_millis(*at), &PATIENCE)
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn a_file_is_read_once_it_was_still_since_its_last_change() {
        let looks = [(0, Some(100)), (10, Some(40)), (100, Some(80)), (160, Some(80)), (250, Some(80))];
        assert_eq!(said(&looks), [Verdict::Unchanged, later(150), later(150), later(90), held(&[])]);
    }

    #[test]
    fn what_is_emptied_and_filled_again_is_never_read_empty() {
        let looks = [(0, Some(0)), (500, Some(0)), (600, Some(90)), (750, Some(90))];
        assert_eq!(said(&looks), [later(2000), later(1500), later(150), held(&[])]);
        assert_eq!(said(&[(0, Some(0)), (2000, Some(0))])[1], held(&[]), "what stays empty is meant to be");
    }

    #[test]
    fn what_is_taken_away_and_put_back_was_never_away() {
        assert_eq!(said(&[(0, None), (100, Some(100))]), [later(2000), Verdict::Unchanged]);
        assert_eq!(said(&[(0, None), (2000, None)])[1], held(&[]));
    }

    #[test]
    fn a_file_that_was_empty_may_stay_empty() {
        let mut settling = Settling::of(sight(&[("a", Some(0))]).signature);
        let now = Instant::now();
        assert_eq!(settling.look(&sight(&[("a", None)]), now, &PATIENCE), later(150));
    }

    #[test]
    fn the_clock_of_the_files_tells_of_a_change_that_is_long_over() {
        let mut settling = Settling::of(sight(&[("a", Some(100))]).signature);
        let mut changed = sight(&[("a", Some(90))]);
        changed.quiet.insert(PathBuf::from("a"), Duration::from_millis(100));
        assert_eq!(settling.look(&changed, Instant::now(), &PATIENCE), later(50));
        changed.quiet.insert(PathBuf::from("a"), Duration::from_mins(1));
        assert_eq!(settling.look(&changed, Instant::now(), &PATIENCE), held(&[]));
    }

    #[test]
    fn what_its_writer_has_not_closed_is_waited_for_longer() {
        let mut settling = Settling::of(sight(&[("a", Some(100))]).signature);
        let now = Instant::now();
        let unfinished = BTreeSet::from([PathBuf::from("a")]);
        let open = sight(&[("a", Some(50))]).with_unfinished(unfinished);
        assert_eq!(settling.look(&open, now, &PATIENCE), later(10_000));
        let later = now + Duration::from_secs(1);
        assert_eq!(settling.look(&sight(&[("a", Some(50))]), later, &PATIENCE), held(&[]));
    }

    #[test]
    fn the_others_do_not_wait_for_ever_for_one_that_moves() {
        let begin = Instant::now();
        let mut settling = Settling::of(sight(&[("a", Some(1)), ("b", Some(1))]).signature);
        let mut look = |at: u64, a: u64, b: u64| {
            let now = begin + Duration::from_secs(at);
            let sight = sight(&[("a", Some(a)), ("b", Some(b))]);
            let verdict = settling.look(&sight, now, &PATIENCE);
            if let Verdict::Read(held) = &verdict {
                settling.take(sight.signature, held);
            }
            verdict
        };
        assert_eq!(look(0, 2, 2), later(150));
        assert_eq!(look(4, 3, 2), later(150));
        assert_eq!(look(5, 4, 2), held(&["a"]));
        assert_eq!(look(6, 5, 2), later(150), "what is held has still changed");
        assert_eq!(look(7, 5, 2), held(&[]));
        assert_eq!(look(8, 5, 2), Verdict::Unchanged);
    }

    #[test]
    fn a_file_that_alone_moves_is_not_read() {
        let looks: Vec<(u64, Option<u64>)> = (0..100).map(|at| (at * 100, Some(at + 1))).collect();
        let verdicts = said(&looks);
        assert!(verdicts[..50].iter().all(|verdict| *verdict == later(150)), "{verdicts:?}");
        let busy = Verdict::Busy(BTreeSet::from([PathBuf::from("a")]));
        assert!(verdicts[50..99].iter().all(|verdict| *verdict == busy), "{verdicts:?}");
        assert_eq!(verdicts[99], Verdict::Unchanged);
    }
}
