//! Answers in gzip where the client takes it, packed as they are sent.

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Frame;

use super::metrics::takes_gzip;

/// Packed bytes gathered before they are sent.
const GATHERED_BYTES: usize = 16 << 10;

/// Packs the answer to a request that takes gzip.
pub(super) async fn pack(request: Request, next: Next) -> Response {
    let is_wanted = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if !is_wanted || response.body().is_end_stream() {
        return response;
    }
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.map(|body| {
        let encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
        Body::new(Packed { body, encoder })
    })
}

/// A body that is packed on its way.
struct Packed {
    body: Body,
    /// None once the end was sent.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl HttpBody for Packed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            if self.encoder.is_none() {
                return Poll::Ready(None);
            }
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            let Some(frame) = frame.transpose()? else {
                let rest =
                    self.encoder.take().map(GzEncoder::finish).transpose().map_err(axum::Error::new)?;
                return Poll::Ready(rest.map(|rest| Ok(Frame::data(rest.into()))));
            };
            let data = frame.into_data().ok();
            let Some(encoder) = &mut self.encoder else { continue };
            encoder.write_all(&data.unwrap_or_default()).map_err(axum::Error::new)?;
            if encoder.get_ref().len() >= GATHERED_BYTES {
                let gathered = std::mem::take(encoder.get_mut());
                return Poll::Ready(Some(Ok(Frame::data(gathered.into()))));
            }
        }
    }
}

#[cfg(test)]
mod tests;
