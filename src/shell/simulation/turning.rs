//! How a made-up world goes on: whoever is due takes a turn, one at a time, until all are at rest.

use std::fmt::Debug;

use super::random::Random;
use super::time::{self, MILLI, Micros};

/// How long a world may take to come to rest.
const REST_ROUNDS: usize = 240;

/// Where a world stands, as far as taking turns goes.
pub(super) struct Course<'a> {
    pub(super) now: &'a mut Micros,
    pub(super) turns: &'a mut u64,
    pub(super) random: &'a mut Random,
}

/// A world whose parts take turns.
pub(super) trait Turning {
    /// Whose turn it is.
    type Due: Copy + Debug;

    /// Turns after which it goes round in circles.
    const TURNS_MAX: u64;

    fn course(&mut self) -> Course<'_>;

    /// Everybody who has a turn, now or later, and when.
    fn due(&mut self) -> Vec<(Micros, Self::Due)>;

    /// Has one take a turn.
    fn turn(&mut self, due: Self::Due) -> Result<(), String>;

    /// What is still to be done.
    fn unrest(&mut self) -> Option<String>;

    /// What has its turn next: one of those that are due by now, or the first one.
    fn next(&mut self) -> Option<(Micros, Self::Due)> {
        let mut due = self.due();
        let Course { now, random, .. } = self.course();
        let by = due.iter().map(|(at, _)| *at).min()?.max(*now);
        due.retain(|(at, _)| *at <= by);
        let (_, chosen) = random.pick(&due)?;
        Some((by, chosen))
    }

    /// Takes turns until then.
    fn run_until(&mut self, until: Micros) -> Result<(), String> {
        while let Some((at, due)) = self.next().filter(|(at, _)| *at <= until) {
            self.move_to(at);
            self.turn(due)?;
            let turns = self.course().turns;
            *turns += 1;
            if *turns > Self::TURNS_MAX {
                return Err(format!("{} turns and no rest; the next is {due:?}", Self::TURNS_MAX));
            }
        }
        self.move_to(until);
        Ok(())
    }

    /// Moves time on, never back.
    fn move_to(&mut self, at: Micros) {
        let now = self.course().now;
        *now = at.max(*now);
        time::set(*now);
    }

    /// Takes turns until nothing is left to be done.
    fn rest(&mut self) -> Result<(), String> {
        let mut reason = String::new();
        for _ in 0..REST_ROUNDS {
            let now = *self.course().now;
            self.run_until(now + 500 * MILLI)?;
            match self.unrest() {
                None => return Ok(()),
                Some(why) => reason = why,
            }
        }
        Err(format!("it does not come to rest: {reason}"))
    }
}
