//! Which of all events came to the instance that saved.

use std::sync::Arc;

use super::bytes::twin;

twin! {
    /// What of all events came here.
    struct ShareTwin {
        /// The types that did not.
        off: Vec<Arc<str>>,
        /// Parts of the keys; 0 or 1 where they were not parted.
        count: u64,
        index: u64,
        token: Arc<str>,
    }
}
