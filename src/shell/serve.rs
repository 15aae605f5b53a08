//! Serving: the HTTP listeners, bound before anything else runs, and what stands behind them.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use super::clock::Clock;
use super::context::ShellContext;
use super::http::gate::Gate;
use super::http::queries::Queries;
use super::http::{self, Edits, Reach, Routes, Web};
use super::reload::ReloadWish;
use super::settings::HttpSettings;

use crate::shell::plain::plain;

/// Pages that may be open and live at a time.
const PAGES_MAX: usize = 32;

/// Where HTTP is served.
pub(super) struct Listeners {
    listener: TcpListener,
    admin: Option<TcpListener>,
    gate: Option<Arc<Gate>>,
    edits: Option<Arc<Edits>>,
}

impl Listeners {
    /// Takes the addresses, and reads who may come in.
    ///
    /// # Errors
    /// Where an address is in use or not of this machine, where the web configuration cannot be used, and where rules
    /// would be edited on a page that strangers reach.
    pub(super) fn bind(settings: &HttpSettings) -> anyhow::Result<Self> {
        let bind = |address: SocketAddr| anyhow::Ok(TcpListener::from_std(http::bind(address)?)?);
        let gate = settings.web_config.as_deref().map(Gate::open).transpose();
        let gate = gate
            .map_err(|error| anyhow::anyhow!("cannot {}; mend it and start again", plain(&error)))?
            .map(Arc::new);
        let edits = settings.web_edit.then(|| edits(settings, gate.as_deref())).transpose()?.map(Arc::new);
        Ok(Self {
            listener: bind(settings.listen)?,
            admin: settings.admin_listen.map(bind).transpose()?,
            gate,
            edits,
        })
    }
}

/// Editing on the page, where only those reach it who may.
fn edits(settings: &HttpSettings, gate: Option<&Gate>) -> anyhow::Result<Edits> {
    let address = settings.admin_listen.unwrap_or(settings.listen);
    if let Some(why) = strangers_edit(address, gate) {
        anyhow::bail!("cannot start: {why}; {EDIT_ADVICE}");
    }
    let reach = Reach::of(address);
    if reach == Reach::Network && gate.is_some_and(|gate| !gate.speaks_tls()) {
        tracing::warn!(%address, "rules are edited over plain HTTP, on which passwords can be read: give tls_server_config in the web configuration");
    }
    Edits::new(reach)
}

/// What to do where strangers could edit rules.
pub(crate) const EDIT_ADVICE: &str = "name users (`basic_auth_users`) or verify clients (`client_auth_type: \
    RequireAndVerifyClientCert`) in `web_config`, serve the page to this machine alone (`admin_listen: 127.0.0.1:9470`), \
    or leave `web_edit` out";

/// Why rules cannot be edited on a page at this address, where strangers could.
pub(crate) fn strangers_edit(address: SocketAddr, gate: Option<&Gate>) -> Option<String> {
    let is_safe = Reach::of(address) == Reach::Loopback || gate.is_some_and(Gate::knows_callers);
    (!is_safe).then(|| format!("`web_edit` would let whoever reaches {address} edit rules"))
}

/// Serves until the process ends; the address of the first listener.
///
/// # Errors
/// Where a listener does not know its address.
pub(super) fn serve(
    context: &ShellContext,
    clock: Clock,
    reload: &mpsc::Sender<ReloadWish>,
    listeners: Listeners,
) -> anyhow::Result<SocketAddr> {
    let settings = Arc::new(context.settings.http.clone());
    let posts = (settings.requests_max / 4).max(1);
    let web = Web {
        mailbox: Arc::clone(&context.mailbox),
        status: Arc::clone(&context.status),
        clock,
        queries: Queries::new(Arc::clone(&context.mailbox), Arc::clone(&context.config)),
        reload: reload.clone(),
        requests: Arc::new(Semaphore::new(settings.requests_max.saturating_sub(posts).max(1))),
        posts: Arc::new(Semaphore::new(posts)),
        config: Arc::clone(&context.config),
        rejected: Arc::clone(&context.rejected),
        live: Arc::default(),
        pages: Arc::new(Semaphore::new(PAGES_MAX)),
        body_bytes_max: settings.body_bytes_max,
        edits: listeners.edits,
    };
    let address = listeners.listener.local_addr()?;
    tracing::info!(%address, "listening for HTTP");
    let routes = if listeners.admin.is_some() { Routes::Public } else { Routes::All };
    let router = http::router(web.clone(), routes);
    tokio::spawn(http::serve(listeners.listener, router, listeners.gate.clone(), Arc::clone(&settings)));
    if let Some(admin) = listeners.admin {
        tracing::info!(address = %admin.local_addr()?, "listening for HTTP: page, API and reload");
        tokio::spawn(http::serve(admin, http::router(web, Routes::Admin), listeners.gate, settings));
    }
    Ok(address)
}
