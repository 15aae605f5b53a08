//! The open connections: how many there are, and which of them wait for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::response::Response;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tower::Service;

/// How long to wait where every connection is being answered.
const WAIT: Duration = Duration::from_millis(20);

/// How many requests of a connection are being answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity(Arc<AtomicUsize>);

impl Activity {
    fn is_idle(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    fn begin(&self) -> Busy {
        self.0.fetch_add(1, Ordering::AcqRel);
        Busy(self.clone())
    }
}

/// One request that is being answered, its body included.
#[derive(Debug)]
pub(super) struct Busy(Activity);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The open connections, oldest first.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    open: Vec<(JoinHandle<()>, Activity)>,
}

impl Connections {
    /// None open, of at most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), open: Vec::new() }
    }

    /// Returns when there is room for another one.
    pub(super) async fn make_room(&mut self) {
        while self.open.len() >= self.most {
            self.open.retain(|(task, _)| !task.is_finished());
            if self.open.len() < self.most {
                return;
            }
            match self.open.iter().position(|(_, activity)| activity.is_idle()) {
                Some(oldest) => self.open.remove(oldest).0.abort(),
                None => tokio::time::sleep(WAIT).await,
            }
        }
    }

    /// Notes a connection that was opened.
    pub(super) fn add(&mut self, task: JoinHandle<()>, activity: Activity) {
        self.open.push((task, activity));
    }
}

/// A service that notes while it is at work.
#[derive(Clone, Debug)]
pub(super) struct Watched<S> {
    inner: S,
    activity: Activity,
}

impl<S> Watched<S> {
    /// Notes the work of `inner`.
    pub(super) fn new(inner: S, activity: Activity) -> Self {
        Self { inner, activity }
    }
}

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let busy = self.activity.begin();
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(super::answers::held_with(answer.await?, busy)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_idle_connection_makes_room_and_a_busy_one_stays() {
        let mut connections = Connections::new(2);
        let (first, second) = (Activity::default(), Activity::default());
        let _busy = first.begin();
        connections.add(tokio::spawn(std::future::pending()), first);
        connections.add(tokio::spawn(std::future::pending()), second);
        connections.make_room().await;
        assert_eq!(connections.open.len(), 1);
        assert!(connections.open.iter().all(|(_, activity)| !activity.is_idle()));
    }
}
