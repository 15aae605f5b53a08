//! A client that reads, one that reads slowly, and one that does not.

use futures_util::task::noop_waker_ref;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// Longer than any test takes.
const LONG: Duration = Duration::from_hours(1);

/// Over before anybody reads.
const SHORT: Duration = Duration::from_millis(1);

fn poll_write(server: &mut TimedIo<impl AsyncWrite + Unpin>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    Pin::new(server).poll_write(&mut Context::from_waker(noop_waker_ref()), bytes)
}

#[tokio::test]
async fn a_client_that_reads_gets_everything() {
    let (mut client, server) = duplex(16);
    let mut server = TimedIo::new(server, LONG);
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
    let mut server = TimedIo::new(server, SHORT);
    let error = server.write_all(&[7; 1_000]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(client);
}

#[tokio::test]
async fn each_byte_that_is_read_begins_the_wait_anew() {
    let (mut client, server) = duplex(1);
    let mut server = TimedIo::new(server, LONG);
    for _ in 0..3 {
        assert!(matches!(poll_write(&mut server, b"x"), Poll::Ready(Ok(1))));
        assert!(server.stuck.is_none());
        assert!(poll_write(&mut server, b"x").is_pending());
        assert!(server.stuck.is_some(), "the wait has begun");
        client.read_u8().await.unwrap();
    }
}

#[tokio::test]
async fn to_read_may_take_for_ever() {
    let (client, server) = duplex(1);
    let mut server = TimedIo::new(server, SHORT);
    let mut byte = [0];
    let mut into = ReadBuf::new(&mut byte);
    let mut context = Context::from_waker(noop_waker_ref());
    assert!(Pin::new(&mut server).poll_read(&mut context, &mut into).is_pending());
    assert!(server.stuck.is_none());
    drop(client);
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
    let mut stuck = TimedIo::new(Stuck, SHORT);
    assert!(stuck.write_all(b"x").await.is_ok());
    assert_eq!(stuck.flush().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(stuck.write_all(b"x").await.is_ok());
    assert_eq!(stuck.shutdown().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}
