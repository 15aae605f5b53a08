//! The open connections: how many there are, and which of them wait for nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::response::Response;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tower::Service;

/// How long to wait where every connection is being answered.
const WAIT: Duration = Duration::from_millis(20);

/// How many requests of a connection are being answered, and since when there are none.
#[derive(Clone, Debug)]
pub(crate) struct Activity(Arc<Mutex<AtWork>>);

#[derive(Debug)]
struct AtWork {
    requests: usize,
    /// How many have begun since the connection was opened.
    begun: u64,
    /// When the last one was answered; when it was opened, where there was none.
    last: Instant,
}

impl Default for Activity {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(AtWork { requests: 0, begun: 0, last: Instant::now() })))
    }
}

impl Activity {
    /// Since when nothing is asked for; none while something is being answered.
    fn idle_since(&self) -> Option<Instant> {
        let at_work = self.locked();
        (at_work.requests == 0).then_some(at_work.last)
    }

    /// How many requests have begun, each with the end of its headers, and whether one is being answered.
    pub(super) fn requests(&self) -> (u64, bool) {
        let at_work = self.locked();
        (at_work.begun, at_work.requests > 0)
    }

    pub(super) fn begin(&self) -> Busy {
        let mut at_work = self.locked();
        at_work.requests += 1;
        at_work.begun += 1;
        Busy(self.clone())
    }

    fn locked(&self) -> MutexGuard<'_, AtWork> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request that is being answered, its body included.
#[derive(Debug)]
pub(super) struct Busy(Activity);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut at_work = self.0.locked();
        at_work.requests = at_work.requests.saturating_sub(1);
        at_work.last = Instant::now();
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
            let idle = self.open.iter().enumerate();
            let idle = idle.filter_map(|(place, (_, activity))| Some((activity.idle_since()?, place)));
            match idle.min() {
                Some((_, longest)) => self.open.remove(longest).0.abort(),
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
mod tests;
