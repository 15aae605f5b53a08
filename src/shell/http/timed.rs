//! A connection that ends when its client stops reading what it asked for, takes too long for a request's headers, or
//! asks for nothing any more.
//!
//! hyper has one wait for headers, which also runs while a connection that is kept alive waits for the next request.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::connections::Activity;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// To read what it asked for.
    pub(crate) write: Duration,
    /// For a request's headers, from their first byte; for those of the first request from the opening on.
    pub(crate) headers: Duration,
    /// Until its next request begins.
    pub(crate) idle: Duration,
}

/// What a connection waits for while nothing is being answered.
enum Awaited {
    /// The next request, which has not begun.
    Request(Pin<Box<Sleep>>),
    /// The end of a request's headers.
    Headers(Pin<Box<Sleep>>),
}

/// A connection with limits on how long its client may take.
pub(crate) struct TimedIo<S> {
    stream: S,
    patience: Patience,
    activity: Activity,
    /// How many requests had begun when the connection was last read.
    begun: u64,
    awaited: Option<Awaited>,
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> TimedIo<S> {
    /// Wraps a connection that was just opened, whose requests `activity` notes.
    pub(crate) fn new(stream: S, patience: Patience, activity: Activity) -> Self {
        let awaited = Some(Awaited::Headers(Box::pin(sleep(patience.headers))));
        Self { stream, patience, activity, begun: 0, awaited, stuck: None }
    }

    /// Looks whether the client took too long to say something, while nothing is being answered.
    fn silent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let idle = self.patience.idle;
        let awaited = self.awaited.get_or_insert_with(|| Awaited::Request(Box::pin(sleep(idle))));
        let (Awaited::Request(wait) | Awaited::Headers(wait)) = awaited;
        ready!(wait.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client asks for nothing")))
    }

    fn judge<T>(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stuck = None;
            return poll;
        }
        let patience = self.patience.write;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stuck.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (begun, is_answering) = self.activity.requests();
        if begun != self.begun {
            (self.begun, self.awaited) = (begun, None);
        }
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if is_answering {
            return read;
        }
        if read.is_pending() {
            return self.silent(context);
        }
        let has_more = into.filled().len() > before;
        if has_more && !matches!(self.awaited, Some(Awaited::Headers(_))) {
            self.awaited = Some(Awaited::Headers(Box::pin(sleep(self.patience.headers))));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.judge(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, poll)
    }
}

#[cfg(test)]
mod tests;
