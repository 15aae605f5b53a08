//! What a log told is decided, and a checkpoint holds while the messages that led there are still to be read.

use super::Rules;
use crate::engine::checkpoint::settled::SettledTwin;

impl Rules {
    /// Up to where alerts are decided.
    pub(in crate::engine) fn save_settled(&self) -> SettledTwin {
        self.resumed.settled_twin()
    }

    /// Goes on where alerts are decided up to there, though no log may tell it any more.
    pub(in crate::engine) fn restore_settled(&mut self, twin: SettledTwin) {
        self.resumed.restore_settled(twin);
    }
}
