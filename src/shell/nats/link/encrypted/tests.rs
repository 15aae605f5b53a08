//! An encrypted connection to a server in memory.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::super::*;
use super::*;
use crate::shell::settings::TlsSettings;

/// A server that asks for encryption, lets everybody in, and answers `GO` with many short messages at once.
struct Server {
    clear: Vec<u8>,
    session: ServerConnection,
    heard: Vec<u8>,
}

const MESSAGES: usize = 64;

fn message() -> Vec<u8> {
    [b"MSG a 1 1000\r\n".as_slice(), &[b'x'; 1_000], b"\r\n"].concat()
}

fn pem(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

#[expect(clippy::unnecessary_wraps, reason = "as a world has it")]
fn connect(_: &crate::engine::config::server_url::ServerUrl, _: Duration) -> io::Result<Box<dyn Socket>> {
    let chain = CertificateDer::pem_file_iter(pem("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(pem("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let clear = b"INFO {\"server_id\":\"S\",\"tls_required\":true}\r\n".to_vec();
    let mut session = ServerConnection::new(Arc::new(config)).unwrap();
    session.set_buffer_limit(None);
    Ok(Box::new(Server { clear, session, heard: Vec::new() }))
}

impl Read for Server {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.clear.is_empty() {
            let count = self.clear.as_slice().read(into)?;
            self.clear.drain(..count);
            return Ok(count);
        }
        let mut free = into;
        let room = free.len();
        while self.session.wants_write() && !free.is_empty() {
            self.session.write_tls(&mut free)?;
        }
        if free.len() == room { Err(ErrorKind::WouldBlock.into()) } else { Ok(room - free.len()) }
    }
}

impl Write for Server {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.session.read_tls(&mut &*bytes)?;
        self.session.process_new_packets().unwrap();
        let mut heard = Vec::new();
        match self.session.reader().read_to_end(&mut heard) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        self.heard.extend(heard);
        if self.heard.ends_with(b"PING\r\n") {
            self.session.writer().write_all(b"PONG\r\n")?;
            self.heard.clear();
        }
        if self.heard.ends_with(b"GO\r\n") {
            for _ in 0..MESSAGES {
                // Each is a record of its own.
                self.session.writer().write_all(&message())?;
            }
            self.heard.clear();
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Server {
    fn wait_to_read(&self, _patience: Duration) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn one_read_brings_every_record_that_was_there() {
    let tls = TlsSettings { ca: Some(pem("ca.pem")), ..TlsSettings::default() };
    let settings = NatsSettings { tls, ..NatsSettings::default() };
    let address = Address::parse("tls://127.0.0.1:1").unwrap();
    let world = World { now: Instant::now, random: || 0, connect };
    let mut link = Link::open(&address, None, &settings, world).unwrap();
    link.send(b"GO\r\n").unwrap();
    let all = message().repeat(MESSAGES);
    assert_eq!(link.read().unwrap(), all.len());
    assert_eq!(link.unread(), all);
    link.consume(all.len());
    assert_eq!(link.read().unwrap(), 0, "nothing more is there, which a read finds out by waiting");
    link.send(b"GO\r\n").unwrap();
    assert_eq!(link.read().unwrap(), all.len());
}
