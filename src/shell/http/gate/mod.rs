//! The gate before every listener: TLS, who may come in, and the headers of every answer, as the web configuration file
//! has them. The file and what it names are read again when they change; a broken one leaves the last good one in force.

mod callers;
mod clients;
mod names;
mod pace;
mod tls;
mod users;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, bail};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rustls::ServerConfig;

use crate::engine::config::web::WebConfig;
use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::shell::file_changes::Signature;
use crate::shell::plain::plain;

use super::answers::text;
use pace::Pace;
use users::Doorkeeper;

pub(super) use callers::{Caller, CertificateProof, Greeting, Peer, Transport};

/// Bytes of a web configuration file that are read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The gate.
#[derive(Debug)]
pub(crate) struct Gate {
    path: PathBuf,
    inside: Mutex<Inside>,
    doorkeeper: Doorkeeper,
    pace: Pace,
}

#[derive(Debug)]
struct Inside {
    rules: Arc<GateRules>,
    /// The files as they were when they were last read, whether or not that went well.
    seen: Signature,
}

/// What the file says.
#[derive(Debug)]
struct GateRules {
    tls: Option<Arc<ServerConfig>>,
    config: WebConfig,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Gate {
    /// A gate as the file has it.
    ///
    /// # Errors
    /// What is wrong with the file or with what it names.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let before = Signature::of(vec![path.to_owned()]);
        let rules = Arc::new(GateRules::read(path)?);
        let seen = Signature::of(rules.files(path)).over(&before);
        let inside = Mutex::new(Inside { rules, seen });
        Ok(Self { path: path.to_owned(), inside, doorkeeper: Doorkeeper::default(), pace: Pace::default() })
    }

    /// What connections are greeted with; none where they are in the clear.
    pub(super) fn greeting(&self) -> Option<Greeting> {
        let rules = self.in_force();
        let proof = if rules.config.tls_server_config.verifies_everybody() {
            CertificateProof::Verified
        } else {
            CertificateProof::None
        };
        rules.tls.clone().map(|tls| Greeting { tls, proof })
    }

    /// Whether nobody comes in unknown: each request is of a user, or of who shows a verified certificate.
    pub(crate) fn knows_callers(&self) -> bool {
        self.in_force().knows_callers()
    }

    /// Whether connections speak TLS.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.in_force().tls.is_some()
    }

    /// The user who asks; none where there are no users.
    async fn admit(&self, rules: &GateRules, headers: &HeaderMap) -> Result<Option<String>, GateRefusal> {
        if !self.pace.admits(&rules.config.rate_limit, Instant::now()) {
            return Err(GateRefusal::TooMany);
        }
        let users = &rules.config.basic_auth_users;
        if users.0.is_empty() {
            return Ok(None);
        }
        self.doorkeeper.user(users, headers).await.map(Some).ok_or(GateRefusal::Unknown)
    }

    /// What is in force, read again where a file changed.
    fn in_force(&self) -> Arc<GateRules> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Signature::of(inside.rules.files(&self.path));
        if seen != inside.seen {
            inside.seen = seen.clone();
            match GateRules::read_again(&self.path) {
                Ok(rules) => {
                    // Other files may be named now. What changed while it was read is read again.
                    inside.seen = Signature::of(rules.files(&self.path)).over(&seen);
                    inside.rules = Arc::new(rules);
                    tracing::info!(file = %self.path.display(), "the web configuration changed");
                }
                Err(error) => tracing::error!(
                    error = plain(&error),
                    "the web configuration is broken; the last good one stays in force"
                ),
            }
        }
        Arc::clone(&inside.rules)
    }
}

/// Whether a web configuration can be used.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    GateRules::read(path).map(|_| ())
}

impl GateRules {
    fn read(path: &Path) -> anyhow::Result<Self> {
        Self::of_text(path, text_of(path)?)
    }

    /// The same while it serves. A file that says nothing is about to be filled: taken for what it says, it would let
    /// everybody in.
    fn read_again(path: &Path) -> anyhow::Result<Self> {
        let content = text_of(path)?;
        if content.trim().is_empty() {
            bail!("use {}: it is empty; write {{}} into it to let everybody in", path.display());
        }
        Self::of_text(path, content)
    }

    fn of_text(path: &Path, content: String) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let source = Source { name: Arc::from(name.as_str()), text: Arc::from(content) };
        let (config, diagnostics) = WebConfig::parse(&source);
        let Some(config) = config else { bail!("use {}", first_fault(&diagnostics)) };
        let folder = path.parent().unwrap_or(Path::new(""));
        let tls = tls::server_config(&config.tls_server_config, folder)
            .with_context(|| format!("use tls_server_config of {name}"))?;
        let headers = config.http_server_config.headers.0.iter().filter_map(|(name, value)| {
            // What is no header is found with the file.
            Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?))
        });
        Ok(Self { tls, headers: headers.collect(), config })
    }

    fn knows_callers(&self) -> bool {
        !self.config.basic_auth_users.0.is_empty() || self.config.tls_server_config.verifies_everybody()
    }

    /// Whom the request's certificate is for; none where anybody may ask.
    fn certified(&self, request: &Request) -> Option<String> {
        let peer = request.extensions().get::<Peer>()?;
        let certified = peer.certified.clone()?;
        self.config.tls_server_config.verifies_everybody().then_some(certified)
    }

    /// The file and those it names.
    fn files(&self, path: &Path) -> Vec<PathBuf> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let tls = &self.config.tls_server_config;
        let named = [&tls.cert_file, &tls.key_file, &tls.client_ca_file];
        let named = named.into_iter().flatten().map(|file| folder.join(file));
        std::iter::once(path.to_owned()).chain(named).collect()
    }
}

fn text_of(path: &Path) -> anyhow::Result<String> {
    let name = path.display();
    let length = std::fs::metadata(path).with_context(|| format!("read {name}"))?.len();
    if length > FILE_BYTES_MAX {
        bail!("read {name}: it has more than {FILE_BYTES_MAX} bytes");
    }
    std::fs::read_to_string(path).with_context(|| format!("read {name}"))
}

fn first_fault(diagnostics: &[Diagnostic]) -> String {
    let fault = diagnostics.iter().find(|found| found.severity == Severity::Error);
    fault.map_or_else(String::new, |fault| {
        let (line, column) = fault.source.position(fault.span.start);
        format!("{}:{line}:{column}: {}", fault.source.name, fault.message)
    })
}

/// Lets in who may come in, and puts the headers on every answer.
pub(super) async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let rules = gate.in_force();
    let certified = rules.certified(&request);
    let mut response = match gate.admit(&rules, request.headers()).await {
        Ok(user) => {
            if let Some(caller) = user.or(certified) {
                request.extensions_mut().insert(Caller(caller));
            }
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in &rules.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GateRefusal {
    TooMany,
    Unknown,
}

impl IntoResponse for GateRefusal {
    fn into_response(self) -> Response {
        match self {
            Self::TooMany => text(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
            Self::Unknown => {
                let mut response = text(StatusCode::UNAUTHORIZED, "Unauthorized");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
                response
            }
        }
    }
}

#[cfg(test)]
mod tests;
