//! Clients that read, read slowly or do not, and that ask, ask slowly or do not.

use futures_util::task::noop_waker_ref;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// Longer than any test takes.
const LONG: Duration = Duration::from_hours(1);

/// Over before anybody reads.
const SHORT: Duration = Duration::from_millis(1);

/// A connection on which the client may take so long to read, and for ever to ask.
fn timed<S>(stream: S, write: Duration) -> TimedIo<S> {
    TimedIo::new(stream, Patience { write, headers: LONG, idle: LONG }, Activity::default())
}

/// A connection on which the client may take so long for headers, and until it asks again.
fn asked<S>(stream: S, headers: Duration, idle: Duration) -> TimedIo<S> {
    TimedIo::new(stream, Patience { write: LONG, headers, idle }, Activity::default())
}

fn poll_read(server: &mut TimedIo<impl AsyncRead + Unpin>) -> Poll<io::Result<()>> {
    let mut byte = [0];
    Pin::new(server).poll_read(&mut Context::from_waker(noop_waker_ref()), &mut ReadBuf::new(&mut byte))
}

fn poll_write(server: &mut TimedIo<impl AsyncWrite + Unpin>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    Pin::new(server).poll_write(&mut Context::from_waker(noop_waker_ref()), bytes)
}

#[tokio::test]
async fn a_client_that_reads_gets_everything() {
    let (mut client, server) = duplex(16);
    let mut server = timed(server, LONG);
    let writing = tokio::spawn(async move {
        server.write_all(&[7; 1_000]).await?;
        server.shutdown().await
    });
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, [7; 1_000]);
    assert!(writing.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let (client, server) = duplex(16);
    let mut server = timed(server, SHORT);
    let error = server.write_all(&[7; 1_000]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(client);
}

#[tokio::test]
async fn each_byte_that_is_read_begins_the_wait_anew() {
    let (mut client, server) = duplex(1);
    let mut server = timed(server, LONG);
    for _ in 0..3 {
        assert!(matches!(poll_write(&mut server, b"x"), Poll::Ready(Ok(1))));
        assert!(server.stuck.is_none());
        assert!(poll_write(&mut server, b"x").is_pending());
        assert!(server.stuck.is_some(), "the wait has begun");
        client.read_u8().await.unwrap();
    }
}

#[tokio::test]
async fn headers_that_do_not_come_are_given_up() {
    let (mut client, server) = duplex(16);
    let mut server = asked(server, SHORT, LONG);
    client.write_all(b"G").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'G');
    assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_request_that_is_being_answered_may_take_for_ever() {
    let (client, server) = duplex(1);
    let mut server = asked(server, SHORT, SHORT);
    let _request = server.activity.begin();
    assert!(poll_read(&mut server).is_pending());
    assert!(server.awaited.is_none());
    drop(client);
}

#[tokio::test]
async fn who_asks_no_more_is_given_up_by_another_wait_than_who_is_slow() {
    let (client, server) = duplex(1);
    let mut server = asked(server, LONG, SHORT);
    assert!(poll_read(&mut server).is_pending());
    assert!(matches!(server.awaited, Some(Awaited::Headers(_))), "those of the first request");
    drop(server.activity.begin());
    assert!(poll_read(&mut server).is_pending());
    assert!(matches!(server.awaited, Some(Awaited::Request(_))));
    assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    drop(client);
}

#[tokio::test]
async fn the_first_byte_of_the_next_request_begins_the_wait_for_its_headers() {
    let (mut client, server) = duplex(2);
    let mut server = asked(server, SHORT, LONG);
    drop(server.activity.begin());
    assert!(poll_read(&mut server).is_pending());
    client.write_all(b"G").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'G');
    assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}

/// Takes everything and never says that it is through.
struct Stuck;

impl AsyncWrite for Stuck {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn neither_flushing_nor_ending_waits_for_ever() {
    let mut stuck = timed(Stuck, SHORT);
    assert!(stuck.write_all(b"x").await.is_ok());
    assert_eq!(stuck.flush().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(stuck.write_all(b"x").await.is_ok());
    assert_eq!(stuck.shutdown().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}
