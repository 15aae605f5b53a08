//! The HTTP server: metrics, health, reload, Prometheus' API and the page, within limits on everything.
//!
//! It is served through hyper rather than `axum::serve`, which has no limit on how long a client may take for its
//! headers.

pub(crate) mod answers;
mod api;
mod connections;
pub(crate) mod form;
pub(crate) mod gate;
pub(crate) mod metrics;
mod packed;
mod page;
mod pieces;
mod priority;
pub(crate) mod queries;
pub(crate) mod timed;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::AddExtension;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tower::Layer;

use crate::engine::time::Timestamp;
use crate::shell::plain::plain;

use super::clock::Clock;
use super::driver::examples::RejectedExamples;
use super::driver::mailbox::Mailbox;
use super::in_force::ConfigInForce;
use super::reload::ReloadWish;

pub(crate) use page::{Edits, Reach};

use super::settings::HttpSettings;
use super::status::Status;
use connections::{Activity, Connections, Watched};
use gate::{Gate, Greeting, Peer};
use queries::Queries;
use timed::{Patience, TimedIo};

/// What every handler works with.
#[derive(Clone)]
pub(crate) struct Web {
    /// The driver's mailbox.
    pub(crate) mailbox: Arc<Mailbox>,
    /// The condition.
    pub(crate) status: Arc<Status>,
    /// The clock.
    pub(crate) clock: Clock,
    /// The threads that answer queries.
    pub(crate) queries: Arc<Queries>,
    /// Where wishes to reload go.
    pub(crate) reload: mpsc::Sender<ReloadWish>,
    /// Permits to be answered.
    pub(crate) requests: Arc<Semaphore>,
    /// Permits of requests with a body: one that never comes must not keep a scrape waiting.
    pub(crate) posts: Arc<Semaphore>,
    /// The configuration in force.
    pub(crate) config: Arc<ConfigInForce>,
    /// The last rejected events.
    pub(crate) rejected: Arc<RejectedExamples>,
    /// The pages as they were last written, which those who look at the same time share.
    pub(crate) live: Arc<page::Live>,
    /// Permits of open pages.
    pub(crate) pages: Arc<Semaphore>,
    /// Bytes of a body that are read.
    pub(crate) body_bytes_max: usize,
    /// What editing on the page works with; none where that is off.
    pub(crate) edits: Option<Arc<Edits>>,
}

impl Web {
    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Which routes a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routes {
    /// All of them.
    All,
    /// Metrics and health.
    Public,
    /// Page, API, reload, metrics and health.
    Admin,
}

/// The routes of one listener.
pub(crate) fn router(web: Web, routes: Routes) -> Router {
    let mut router = Router::new()
        .route("/-/healthy", get(answers::healthy))
        .route("/healthz", get(answers::healthy))
        .route("/-/ready", get(answers::ready))
        .route("/readyz", get(answers::ready))
        // Also beside the page, which leads there.
        .route("/metrics", get(metrics::scrape));
    if routes != Routes::Admin {
        router = router.route("/federate", get(api::federate::federate).layer(from_fn(packed::pack)));
    }
    if routes != Routes::Public {
        router = router
            .merge(page::router())
            .merge(web.edits.as_ref().map_or_else(Router::new, |_| page::edit_router()))
            .route("/-/reload", post(answers::reload).put(answers::reload))
            .nest("/api/v1", api::router());
    }
    router
        .fallback(answers::not_found)
        .method_not_allowed_fallback(answers::wrong_method)
        .layer(from_fn_with_state(web.clone(), take_turns))
        .with_state(web)
}

/// Lets so many requests be answered at once; the others wait. A page that stays open holds no place.
async fn take_turns(State(web): State<Web>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // Health tells of the process alone, and a page stays open: neither waits nor keeps others waiting.
    let stays_open = page::stays_open(path, request.headers());
    let free = request.method() == Method::GET && (stays_open || ["/-/healthy", "/healthz"].contains(&path));
    let turns = if request.method() == Method::POST { &web.posts } else { &web.requests };
    let permit = if free { None } else { Arc::clone(turns).acquire_owned().await.ok() };
    let response = next.run(request).await;
    // A body that is still being sent keeps the place.
    answers::held_with(response, permit)
}

/// Accepts connections until the process ends. Where there are too many, the one that has asked for nothing for
/// longest goes: half-open requests keep no scraper out.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    gate: Option<Arc<Gate>>,
    settings: Arc<HttpSettings>,
) {
    let router = match &gate {
        Some(gate) => router.layer(from_fn_with_state(Arc::clone(gate), gate::pass)),
        None => router,
    };
    let mut connections = Connections::new(settings.connections_max);
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: others will be closed.
                tracing::warn!(error = plain(&error), "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        // Once somebody is there: an idle connection stays for as long as nobody needs its place.
        connections.make_room().await;
        drop(stream.set_nodelay(true));
        let activity = Activity::default();
        let service = Watched::new(router.clone(), activity.clone());
        let watched = activity.clone();
        let greeting = gate.as_ref().and_then(|gate| gate.greeting());
        let settings = Arc::clone(&settings);
        let task = tokio::spawn(async move {
            let Some(Greeting { tls, proof }) = greeting else {
                return converse(
                    (stream, watched),
                    Extension(Peer::clear(address)).layer(service),
                    &settings,
                )
                .await;
            };
            let greeted = TlsAcceptor::from(tls).accept(stream);
            match tokio::time::timeout(settings.header_timeout, greeted).await {
                Ok(Ok(stream)) => {
                    let peer = Peer::of_tls(address, &stream, proof);
                    converse((stream, watched), Extension(peer).layer(service), &settings).await;
                }
                Ok(Err(error)) => tracing::debug!(error = plain(&error), "a TLS connection was not made"),
                Err(_) => tracing::debug!("a TLS connection was not made in time"),
            }
        });
        connections.add(task, activity);
    }
}

/// Serves one connection, whose requests are noted, to its end.
async fn converse(
    (stream, activity): (impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Activity),
    service: AddExtension<Watched<Router>, Peer>,
    settings: &HttpSettings,
) {
    let patience = Patience {
        write: settings.write_timeout,
        headers: settings.header_timeout,
        idle: settings.idle_timeout,
    };
    let io = TokioIo::new(TimedIo::new(stream, patience, activity));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // Headers that came in part behind the request before: nothing is read by which they could be timed.
        .header_read_timeout(settings.idle_timeout + settings.header_timeout)
        .max_buf_size(settings.header_bytes_max.max(8_192))
        .keep_alive(true)
        .serve_connection(io, TowerToHyperService::new(service))
        .await;
    if let Err(error) = served {
        tracing::debug!(error = plain(&error), "an HTTP connection ended early");
    }
}

/// Takes an address to listen on.
///
/// # Errors
/// An address that is in use or not ours.
pub(crate) fn bind(address: SocketAddr) -> anyhow::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address).map_err(|error| {
        anyhow::anyhow!("cannot listen on {address}: {}; choose another address with --listen", plain(error))
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod serve_tests;
#[cfg(test)]
mod tests;
