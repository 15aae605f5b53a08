//! When a person is told again of what has not mended itself: soon at first, ever more seldom later.

use std::time::{Duration, Instant};

/// How long until the first reminder; each further one takes twice as long.
const FIRST: Duration = Duration::from_secs(10);

/// The longest silence between two reminders.
const SELDOM: Duration = Duration::from_mins(5);

/// A condition that lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reminder {
    since: Instant,
    due: Instant,
    wait: Duration,
}

impl Reminder {
    /// Of what begins now.
    pub(crate) fn begin(now: Instant) -> Self {
        Self { since: now, due: now + FIRST, wait: FIRST }
    }

    /// How long it lasts, where it is time to say so.
    pub(crate) fn is_due(&mut self, now: Instant) -> Option<Duration> {
        if now < self.due {
            return None;
        }
        self.wait = (self.wait * 2).min(SELDOM);
        self.due = now + self.wait;
        Some(now.saturating_duration_since(self.since))
    }
}

/// What a person can do about a connection that does not come up, read off what the server or the system said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// The server refused who signs in.
    Credentials,
    /// The two sides do not agree on TLS.
    Tls,
    /// It stood and broke, which says nothing of why: the next attempt tells.
    Wait,
    /// Nobody answers there.
    Server,
}

impl NextStep {
    /// What follows from a reason.
    pub(crate) fn of(reason: &str) -> Self {
        let reason = reason.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        if says(&["authorization violation", "authentication", "nkey", "jwt"]) {
            Self::Credentials
        } else if says(&["tls", "certificate"]) {
            Self::Tls
        } else if says(&["disconnected", "closed the connection"]) {
            Self::Wait
        } else {
            Self::Server
        }
    }

    /// Whether a server said what it wants: news after a connection that merely broke.
    pub(crate) fn is_an_answer(self) -> bool {
        match self {
            Self::Credentials | Self::Tls => true,
            Self::Wait | Self::Server => false,
        }
    }

    /// The same in words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Credentials => {
                "the server does not take these credentials: check nats.user and nats.password (or token, creds, nkey), or \
                 --nats-url nats://user:password@host:4222"
            }
            Self::Tls => "check nats.tls (ca, cert, key, mode) against what the server asks for",
            Self::Wait => {
                "it is tried again at once; where that fails, see whether NATS runs there and takes these credentials"
            }
            Self::Server => {
                "start NATS there, or name another server with --nats-url or nats.url; it is tried again until it answers"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reminders_come_ever_more_seldom() {
        let begin = Instant::now();
        let mut reminder = Reminder::begin(begin);
        let seconds =
            (0..1_300).filter(|second| reminder.is_due(begin + Duration::from_secs(*second)).is_some());
        assert_eq!(seconds.collect::<Vec<_>>(), [10, 30, 70, 150, 310, 610, 910, 1_210]);
    }

    #[test]
    fn the_next_step_follows_what_was_said() {
        let cases = [
            ("the server says: Authorization Violation", "credentials"),
            ("nats: authorization violation", "credentials"),
            ("invalid peer certificate: UnknownIssuer", "nats.tls"),
            ("cannot connect to 127.0.0.1:1: Connection refused", "start NATS"),
            ("nats: IO error", "start NATS"),
            ("disconnected", "tried again at once"),
            ("the server closed the connection", "tried again at once"),
        ];
        for (reason, step) in cases {
            assert!(NextStep::of(reason).text().contains(step), "{reason}");
        }
    }
}
