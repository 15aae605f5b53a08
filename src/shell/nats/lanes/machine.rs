//! What a lane's machine is: bytes, failures and `now` in; bytes to send, batches, facts and deadlines out.
//!
//! A machine has no socket, thread, clock or randomness. The runner has them and does what the machine says; in a
//! test a script stands in its place.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::fact::Fact;
use crate::shell::driver::batch::Batch;
use crate::shell::driver::mailbox::LaneItem;
use crate::shell::nats::link::LinkError;
use crate::shell::nats::protocol::ServerInfo;
use crate::shell::saves::Settled;
use crate::shell::status::Topic;

use super::words::{Remark, Trouble};

/// One connection of a lane, counted from its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkNumber(pub(crate) u32);

/// A connection that was made.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Its number.
    pub(crate) number: LinkNumber,
    /// What the server said of itself.
    pub(crate) info: ServerInfo,
    /// The subject below which answers come, which nobody else may guess.
    pub(crate) inbox: String,
}

/// What came of bytes that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Bytes that are done with.
    pub(crate) bytes: usize,
    /// Messages among them.
    pub(crate) messages: usize,
    /// Messages that are known to wait at the server.
    pub(crate) waiting: u64,
}

/// Which server a connection goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The same as before, or the next after a failure.
    Any,
    /// Another where there is one: the present one is about to leave.
    Another,
}

/// How an item is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    /// However long that takes.
    Wait,
    /// Until it is applied.
    UntilApplied,
    /// Or dropped after this long.
    OrDrop(Duration),
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    /// It waits for the engine.
    Taken,
    /// It is applied.
    Applied,
    /// There was no room for so many messages.
    Dropped {
        /// How many.
        messages: usize,
    },
    /// The process ends.
    Refused,
}

/// What a machine wants done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Connect, now or after the pause that failures call for.
    Open(Choice),
    /// Other servers of the cluster.
    Learn(Vec<String>),
    /// Close a connection.
    Close(LinkNumber),
    /// Hand something to the engine, in order.
    Hand(LaneItem, Terms),
    /// Count something.
    Fact(Fact),
    /// The lane's connection stands.
    Up,
    /// The lane's connection is gone, with the reason.
    Down(String),
    /// Something is ready.
    Ready(Topic),
    /// Something is not ready.
    Unready(Topic, Trouble),
    /// Something a person may want to read of.
    Say(Remark),
    /// A checkpoint should come before its time.
    Save,
}

/// A lane without its sockets.
pub(crate) trait Machine {
    /// What its connection is called.
    const LINK: Topic;

    /// Begins.
    fn start(&mut self);

    /// A connection was made.
    fn opened(&mut self, opened: Opened, now: Instant);

    /// No connection could be made.
    fn failed(&mut self, error: &LinkError);

    /// A connection broke.
    fn closed(&mut self, number: LinkNumber, error: &LinkError, now: Instant);

    /// Bytes that came and were not used before.
    fn read(&mut self, number: LinkNumber, unread: &[u8], now: Instant) -> Used;

    /// Time went on.
    fn due(&mut self, now: Instant);

    /// When [`Machine::due`] has something to do next, where nothing comes before.
    fn deadline(&self) -> Option<Instant>;

    /// What became of the item that was handed over last.
    fn handed(&mut self, handed: Handed, now: Instant);

    /// What came of the checkpoints so far.
    fn settled(&mut self, settled: Settled, now: Instant);

    /// A batch that was applied, whose memory the next one may use.
    fn reuse(&mut self, spare: Batch);

    /// The credentials changed: sign in anew.
    fn renew(&mut self);

    /// From so many waiting messages on the sidecar is not ready. Nothing waits for a lane that reads no stream.
    fn bound_pending(&mut self, _pending_max: u64) {}

    /// The process ends.
    fn finish(&mut self);

    /// What is to be sent over a connection.
    fn outgoing(&mut self, number: LinkNumber) -> Option<&mut Vec<u8>>;

    /// What is to be done.
    fn outputs(&mut self) -> &mut VecDeque<Output>;
}
