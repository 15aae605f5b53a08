//! A TCP proxy that breaks connections where a test wants it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Passes everything on to a server; told to, it keeps the answer to a publication back and cuts the connection.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) port: u16,
    cuts: Arc<AtomicUsize>,
    parted: Arc<AtomicBool>,
}

impl Proxy {
    /// One in front of this port. Of the next publications to a subject that begins with `subject`, the answers to so
    /// many are lost.
    pub(crate) fn start(server: u16, subject: &str, cuts: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(AtomicUsize::new(cuts));
        let (subject, left) = (format!("HPUB {subject}"), Arc::clone(&cuts));
        let parted = Arc::new(AtomicBool::new(false));
        let is_parted = Arc::clone(&parted);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Who connects while the server is away, or out of reach, is sent off.
                if is_parted.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                pass_on(client, server, &subject, (&left, &is_parted));
            }
        });
        Self { port, cuts, parted }
    }

    /// Lets nothing through, without a word, until [`Proxy::join`].
    pub(crate) fn part(&self) {
        self.parted.store(true, Ordering::SeqCst);
    }

    /// Lets new connections through again; what was open when it parted is cut.
    pub(crate) fn join(&self) {
        self.parted.store(false, Ordering::SeqCst);
    }

    /// Answers that will be lost yet.
    pub(crate) fn cuts_left(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Passes bytes on in both directions, on threads of their own.
fn pass_on(
    client: TcpStream,
    server: TcpStream,
    subject: &str,
    (cuts, parted): (&Arc<AtomicUsize>, &Arc<AtomicBool>),
) {
    let cut = Arc::new(AtomicUsize::new(0));
    let (subject, cuts, doomed) = (subject.as_bytes().to_vec(), Arc::clone(cuts), Arc::clone(&cut));
    let (parted, parted_too) = (Arc::clone(parted), Arc::clone(parted));
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while let Ok(count) = from.read(&mut bytes) {
            let publishes = bytes[..count].windows(subject.len()).any(|window| window == subject);
            let left = |left: usize| left.checked_sub(1);
            if publishes && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok() {
                doomed.store(1, Ordering::SeqCst);
            }
            if count == 0 || swallows(&parted) || to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut from, mut to) = (server, client);
    std::thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while let Ok(count) = from.read(&mut bytes) {
            let is_cut = cut.load(Ordering::SeqCst) == 1;
            if count == 0 || is_cut || swallows(&parted_too) || to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
    });
}

/// Waits while nothing is let through; whether the connection is lost to that.
fn swallows(parted: &AtomicBool) -> bool {
    let was = parted.load(Ordering::SeqCst);
    while parted.load(Ordering::SeqCst) {
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    was
}
