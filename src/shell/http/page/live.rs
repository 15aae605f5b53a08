//! What a page shows, written once for all who look at it at the same time, and the stream that keeps it true.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

use crate::engine::frozen::{FrozenInstant, QueryTerms};
use crate::engine::promql::EvalSettings;
use crate::engine::promql::storage::{Halt, Patience};
use crate::shell::http::Web;
use crate::shell::http::answers::text;
use crate::shell::http::queries::QueryError;

use super::address::Address;
use super::look::{Editing, Look, Pasts, Shorter, Surroundings};

/// How much less than their turn open pages share what one of them had written.
const SHARED_LESS: Duration = Duration::from_millis(200);

/// How old a page may be that somebody opens.
const FRESH_FOR: Duration = Duration::from_millis(500);

/// Pages that are kept as they were last written.
const WRITTEN_MAX: usize = 64;

/// What a page shows.
#[derive(Debug)]
pub(super) struct ShownPage {
    /// Whether there is such a page.
    pub(super) status: StatusCode,
    /// The document's title.
    pub(super) title: String,
    /// The part that is live: the banner, and the content but for that of a query.
    pub(super) live: String,
    /// The content of a query.
    pub(super) still: String,
}

/// The pages as they were last written.
#[derive(Debug, Default)]
pub(crate) struct Live {
    written: Mutex<BTreeMap<Address, Arc<Place>>>,
    pasts: Arc<Pasts>,
}

/// One page as it was last written; who holds it writes it anew, while others wait for what comes of that.
type Place = tokio::sync::Mutex<Option<(Instant, Arc<ShownPage>)>>;

impl Live {
    fn place(&self, address: &Address) -> Arc<Place> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() >= WRITTEN_MAX && !written.contains_key(address) {
            written.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(written.entry(address.clone()).or_default())
    }
}

/// The page as somebody opens it; none where the engine is too busy, or the process stops.
pub(super) async fn opened(web: &Web, address: &Address) -> Option<Arc<ShownPage>> {
    shown(web, address, FRESH_FOR).await
}

/// The page's live part, again and again, as server-sent events.
pub(super) fn stream(web: Web, address: Address) -> Response {
    let Ok(permit) = Arc::clone(&web.pages).try_acquire_owned() else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open; close one.");
    };
    let watching = Watching { web, address: address.streamed(), last: None, permit };
    let events = futures_util::stream::unfold(watching, next_event);
    let head = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept"),
        // Proxies that collect what they pass on would make it late.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (head, Body::from_stream(events)).into_response()
}

/// Somebody who looks at a page.
struct Watching {
    web: Web,
    address: Address,
    last: Option<Arc<ShownPage>>,
    /// Its place among those who may.
    permit: OwnedSemaphorePermit,
}

async fn next_event(watching: Watching) -> Option<(Result<Bytes, Infallible>, Watching)> {
    let Watching { web, address, last, permit } = watching;
    if last.is_some() {
        tokio::time::sleep(address.every()).await;
    }
    let shown = shown(&web, &address, address.every().saturating_sub(SHARED_LESS)).await?;
    let mut event = String::with_capacity(shown.live.len() + 64);
    if last.is_some_and(|last| last.live == shown.live) {
        event.push_str("event: same\ndata:\n\n");
    } else {
        for line in shown.live.split(['\n', '\r']) {
            event.extend(["data: ", line, "\n"]);
        }
        event.push('\n');
    }
    Some((Ok(event.into()), Watching { web, address, last: Some(shown), permit }))
}

/// What a page shows, not older than this.
async fn shown(web: &Web, address: &Address, age_max: Duration) -> Option<Arc<ShownPage>> {
    let place = web.live.place(address);
    let mut written = place.lock().await;
    if let Some((when, shown)) = &*written
        && when.elapsed() < age_max
    {
        return Some(Arc::clone(shown));
    }
    let shown = Arc::new(write(web, address).await?);
    *written = Some((Instant::now(), Arc::clone(&shown)));
    Some(shown)
}

/// How long an instant is waited for: a driver that is at work for longer is told of, not waited for.
pub(super) const FREEZE_WAIT: Duration = Duration::from_secs(5);

/// Writes a page on a thread for queries; where none has time, without what queries would tell.
async fn write(web: &Web, address: &Address) -> Option<ShownPage> {
    let surroundings = surroundings(web);
    let (tell, told) = oneshot::channel();
    let page = address.clone();
    let answered = web.queries.answer(address.budget().map(|budget| budget * 2), move |instant, terms, _| {
        let patience = Shorter::than(terms.patience, page.budget());
        let look = Look::new(instant, &surroundings, patience.terms(terms.settings));
        // Who asked may have left.
        drop(tell.send(super::show(&page, &look)));
        Ok(())
    });
    match answered.await {
        Ok(_) => told.await.ok(),
        Err(QueryError::Unreadable(_)) => None,
        Err(QueryError::Eval(_) | QueryError::Halted(_) | QueryError::QueueFull | QueryError::Broken) => {
            let instant = timeout(FREEZE_WAIT, web.mailbox.freeze()).await.ok()?.ok()?;
            let (page, surroundings) = (address.clone(), self::surroundings(web));
            let written = move || write_without_queries(&instant, &page, &surroundings);
            tokio::task::spawn_blocking(written).await.ok()
        }
    }
}

fn write_without_queries(instant: &FrozenInstant, page: &Address, surroundings: &Surroundings) -> ShownPage {
    let settings = EvalSettings::default();
    let terms = QueryTerms { settings: &settings, patience: &NoPatience };
    super::show(page, &Look::new(instant, surroundings, terms))
}

/// Waits for no query.
struct NoPatience;

impl Patience for NoPatience {
    fn ended(&self) -> Option<Halt> {
        Some(Halt::TimedOut)
    }
}

/// What pages show beside the engine, now.
pub(super) fn surroundings(web: &Web) -> Surroundings {
    let config = web.config.get();
    Surroundings {
        instance: config.instance.clone(),
        unready: web.status.unready(),
        diagnostics: web.status.diagnostics(),
        rejected: Arc::clone(&web.rejected),
        concerns: web.status.concerns(),
        pair: web.status.pair(),
        window: config.history.window,
        tracker_entries: config.limits.tracker_entries,
        share: config.share_words(),
        series_max: config.limits.series,
        series_per_metric_max: config.limits.series_per_metric,
        pasts: Arc::clone(&web.live.pasts),
        editing: if web.edits.is_some() { Editing::On } else { Editing::Off },
    }
}

#[cfg(test)]
mod tests;
