//! `GET /metrics`: the format and encoding the scraper can read, written off the driver and sent as it is written.

use std::io::Write;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::engine::exposition::{Chunks, Scrape, negotiate};
use crate::engine::fact::Fact;
use crate::shell::driver::command::Command;
use crate::shell::process;

use super::Web;
use super::answers::text;
use super::form::Form;

/// Chunks that wait for a slow client.
const CHUNKS_WAITING_MAX: usize = 2;

/// Compressed bytes gathered before they are sent.
const GATHERED_BYTES: usize = 32 << 10;

/// How an answer is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// The value of `Content-Encoding`, where there is one.
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// Answers a scrape.
pub(crate) async fn scrape(State(web): State<Web>, uri: Uri, headers: HeaderMap) -> Response {
    if let Some(reason) = web.status.scrape_refusal() {
        return text(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("Metrics are not complete yet: {reason}. They will be soon; see /-/ready."),
        );
    }
    web.mailbox.command(Command::Fact(Fact::Process(process::read())));
    let instant = match web.mailbox.freeze().await {
        Ok(instant) => instant,
        Err(reason) => return text(StatusCode::SERVICE_UNAVAILABLE, reason.to_string()),
    };
    let format = negotiate(&joined(&headers, &header::ACCEPT));
    let encoding = encoding(&joined(&headers, &header::ACCEPT_ENCODING));
    let form = Form::of(uri.query().unwrap_or(""));
    let names = form.all("name[]").map(str::to_owned).collect();
    let (sender, receiver) = channel(CHUNKS_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let scrape = Scrape { format, names };
        write(instant.write(scrape), encoding, &sender);
    });
    let mut response = (
        [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "Accept, Accept-Encoding".to_owned())],
        Body::from_stream(stream(receiver)),
    )
        .into_response();
    if let Some(name) = encoding.name() {
        response.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static(name));
    }
    response
}

/// Every value of a header, joined with commas as they may be.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

/// Whether a client takes gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    encoding(&joined(headers, &header::ACCEPT_ENCODING)) == Encoding::Gzip
}

/// The encoding the client likes best, gzip where it likes both alike (RFC 9110, section 12.5.3).
fn encoding(accepted: &str) -> Encoding {
    let (mut gzip, mut zstd, mut any) = (None, None, None);
    for part in accepted.split(',') {
        let mut sides = part.split(';').map(str::trim);
        let coding = sides.next().unwrap_or("");
        let quality = sides
            .find_map(|side| side.strip_prefix("q=").or_else(|| side.strip_prefix("Q=")))
            .map_or(1.0, |text| text.trim().parse::<f32>().unwrap_or(0.0));
        match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(quality),
            "zstd" => zstd = Some(quality),
            "*" => any = Some(quality),
            _ => {}
        }
    }
    let (gzip, zstd) = (gzip.or(any).unwrap_or(0.0), zstd.or(any).unwrap_or(0.0));
    if gzip > 0.0 && gzip >= zstd {
        Encoding::Gzip
    } else if zstd > 0.0 {
        Encoding::Zstd
    } else {
        Encoding::Identity
    }
}

/// Writes the chunks into the channel until they end or the client is gone.
fn write(chunks: Chunks, encoding: Encoding, sender: &Sender<Bytes>) {
    match encoding {
        Encoding::Identity => {
            for chunk in chunks {
                if sender.blocking_send(chunk.into()).is_err() {
                    return;
                }
            }
        }
        Encoding::Zstd => {
            // Each chunk is a frame of its own, which RFC 8878 lets follow one another.
            for chunk in chunks {
                let frame = compress_to_vec(chunk.as_slice(), CompressionLevel::Fastest);
                if sender.blocking_send(frame.into()).is_err() {
                    return;
                }
            }
        }
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(GATHERED_BYTES), Compression::fast());
            for chunk in chunks {
                // Writing into a vector does not fail.
                if encoder.write_all(&chunk).is_err() {
                    return;
                }
                if encoder.get_ref().len() >= GATHERED_BYTES {
                    let gathered = std::mem::take(encoder.get_mut());
                    if sender.blocking_send(gathered.into()).is_err() {
                        return;
                    }
                }
            }
            if let Ok(rest) = encoder.finish() {
                // The client may have left; there is nobody to tell.
                drop(sender.blocking_send(rest.into()));
            }
        }
    }
}

fn stream(
    receiver: Receiver<Bytes>,
) -> impl futures_util::Stream<Item = Result<Bytes, std::convert::Infallible>> {
    futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|chunk| (Ok(chunk), receiver))
    })
}

#[cfg(test)]
mod tests;
