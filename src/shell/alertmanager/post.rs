//! One request to an Alertmanager: connection, TLS, signing in, and what its answer means.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::engine::config::{AlertmanagerConfig, HttpScheme, HttpTlsConfig, HttpUrl};
use crate::engine::diagnostic::{Lines, printable};
use crate::shell::plain::plain;
use crate::shell::settings::{TlsMode, TlsSettings};
use crate::shell::tls::{TlsError, client_config};

/// Bytes of a refusal that are read.
const REASON_BYTES_MAX: usize = 1 << 10;

/// Why an Alertmanager was not told.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// It cannot be reached.
    #[error("cannot connect to {place}: {}", plain(source))]
    Connect {
        /// Where.
        place: String,
        /// Why.
        source: std::io::Error,
    },
    /// It does not answer.
    #[error("no answer within {0:?}")]
    Silent(std::time::Duration),
    /// The connection breaks, or it speaks no HTTP.
    #[error("the request failed: {}", plain(.0))]
    Http(#[from] hyper::Error),
    /// A request that cannot be made.
    #[error("cannot write the request: {}", plain(.0))]
    Request(#[from] axum::http::Error),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A name that no certificate can be for.
    #[error("{0} is no name a certificate can be for; set alertmanager.tls_config.server_name")]
    Name(String),
    /// A file that cannot be read.
    #[error("cannot read {path}: {}", plain(source))]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It does not take the alerts.
    #[error("it answers {status}: {reason}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it says of it.
        reason: String,
    },
}

impl PostError {
    /// Whether the same request would fail for ever.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Refused { status, .. } => {
                matches!(*status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::Connect { .. }
            | Self::Silent(_)
            | Self::Http(_)
            | Self::Request(_)
            | Self::Tls(_)
            | Self::Name(_)
            | Self::File { .. } => false,
        }
    }
}

/// Sends requests to one Alertmanager.
pub(super) struct Mailer {
    url: HttpUrl,
    /// What TLS was set up with, and what came of it.
    tls: Option<(HttpTlsConfig, Arc<ClientConfig>)>,
}

impl Mailer {
    /// A mailer to this base URL.
    pub(super) fn new(url: HttpUrl) -> Self {
        Self { url, tls: None }
    }

    /// Posts alerts.
    ///
    /// # Errors
    /// Why they were not taken.
    pub(super) async fn post(
        &mut self,
        alerts: String,
        config: &AlertmanagerConfig,
    ) -> Result<(), PostError> {
        let sent = timeout(config.timeout, self.send(alerts, config)).await;
        let sent = sent.unwrap_or(Err(PostError::Silent(config.timeout)));
        if sent.is_err() {
            // Files may have changed: they are read again.
            self.tls = None;
        }
        sent
    }

    async fn send(&mut self, alerts: String, config: &AlertmanagerConfig) -> Result<(), PostError> {
        let request = self.request(alerts, config).await?;
        let place = (self.url.host.as_str(), self.url.port);
        let stream = TcpStream::connect(place)
            .await
            .map_err(|source| PostError::Connect { place: self.url.authority(), source })?;
        match self.url.scheme {
            HttpScheme::Http => exchange(stream, request).await,
            HttpScheme::Https => {
                let name = config.tls_config.server_name.as_deref().unwrap_or(&self.url.host);
                let name =
                    ServerName::try_from(name.to_owned()).map_err(|_| PostError::Name(name.to_owned()))?;
                let connector = TlsConnector::from(self.tls(&config.tls_config)?);
                let stream = connector
                    .connect(name, stream)
                    .await
                    .map_err(|source| PostError::Connect { place: self.url.authority(), source })?;
                exchange(stream, request).await
            }
        }
    }

    fn tls(&mut self, config: &HttpTlsConfig) -> Result<Arc<ClientConfig>, PostError> {
        if let Some((_, client)) = self.tls.as_ref().filter(|(of, _)| of == config) {
            return Ok(Arc::clone(client));
        }
        let path = |path: &Option<String>| path.as_ref().map(PathBuf::from);
        let client = client_config(&TlsSettings {
            mode: TlsMode::Required,
            ca: path(&config.ca_file),
            cert: path(&config.cert_file),
            key: path(&config.key_file),
        })?;
        self.tls = Some((config.clone(), Arc::clone(&client)));
        Ok(client)
    }

    async fn request(&self, alerts: String, config: &AlertmanagerConfig) -> Result<Request<Body>, PostError> {
        let mut request = Request::post(format!("{}/api/v2/alerts", self.url.path))
            .header(header::HOST, self.url.authority())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("signalbox/", env!("CARGO_PKG_VERSION")));
        if let Some(value) = authorization(config).await? {
            request = request.header(header::AUTHORIZATION, value);
        }
        Ok(request.body(Body::from(alerts))?)
    }
}

/// The value of the `Authorization` header.
async fn authorization(config: &AlertmanagerConfig) -> Result<Option<String>, PostError> {
    let (basic, other) = (&config.basic_auth, &config.authorization);
    if let Some(user) = &basic.username {
        let password = match (&basic.password, &basic.password_file) {
            (Some(password), _) => password.reveal().to_owned(),
            (None, Some(path)) => secret_of(path).await?,
            (None, None) => String::new(),
        };
        return Ok(Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))));
    }
    let credentials = match (&other.credentials, &other.credentials_file) {
        (Some(credentials), _) => credentials.reveal().to_owned(),
        (None, Some(path)) => secret_of(path).await?,
        (None, None) => return Ok(None),
    };
    Ok(Some(format!("{} {credentials}", other.kind)))
}

async fn secret_of(path: &str) -> Result<String, PostError> {
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|source| PostError::File { path: path.to_owned(), source })?;
    Ok(text.trim().to_owned())
}

/// Sends a request over a connection of its own and reads the answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Body>,
) -> Result<(), PostError> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Its errors are those of the request.
    let driving = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let refusal = if status.is_success() {
        None
    } else {
        let body = axum::body::to_bytes(Body::new(answer.into_body()), REASON_BYTES_MAX).await;
        Some(body.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default())
    };
    driving.abort();
    match refusal {
        None => Ok(()),
        Some(reason) => {
            Err(PostError::Refused { status, reason: printable(reason.trim(), Lines::One).into_owned() })
        }
    }
}

#[cfg(test)]
mod tests;
