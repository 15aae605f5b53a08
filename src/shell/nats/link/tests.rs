//! Signing in over a socket whose every read is written down beforehand.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};

use super::*;
use crate::engine::config::server_url::ServerUrl;
use crate::shell::settings::{Auth, Secret, SecretSource, TlsSettings};

thread_local! {
    /// What each read brings.
    static READS: RefCell<VecDeque<Brought>> = const { RefCell::new(VecDeque::new()) };
    /// What was written.
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// How often a read waited in vain, each time for as long as reads wait.
    static WAITS: Cell<u32> = const { Cell::new(0) };
}

#[derive(Clone, Debug)]
enum Brought {
    Bytes(Vec<u8>),
    Fault(ErrorKind),
}

/// The other end writes what the test says; nothing at all once that is used up.
struct Scripted;

impl Read for Scripted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match READS.with_borrow_mut(VecDeque::pop_front) {
            Some(Brought::Bytes(bytes)) => {
                let count = bytes.len().min(into.len());
                into[..count].copy_from_slice(&bytes[..count]);
                if count < bytes.len() {
                    READS.with_borrow_mut(|reads| reads.push_front(Brought::Bytes(bytes[count..].to_vec())));
                }
                Ok(count)
            }
            Some(Brought::Fault(kind)) => Err(kind.into()),
            None => {
                WAITS.set(WAITS.get() + 1);
                Err(ErrorKind::WouldBlock.into())
            }
        }
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        WRITTEN.with_borrow_mut(|written| written.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Scripted {
    fn wait_to_read(&self, _patience: Duration) -> io::Result<()> {
        Ok(())
    }
}

fn now() -> Instant {
    thread_local!(static START: Instant = Instant::now());
    START.with(|start| *start) + READ_WAIT * WAITS.get()
}

const WORLD: World = World { now, random: || 0, connect: |_, _| Ok(Box::new(Scripted)) };

fn bytes(text: &str) -> Brought {
    Brought::Bytes(text.as_bytes().to_vec())
}

/// Signs in where these reads come; what was written comes too.
fn sign_in(reads: Vec<Brought>, settings: &NatsSettings) -> (Result<Link, LinkError>, String) {
    READS.set(reads.into());
    WRITTEN.set(Vec::new());
    WAITS.set(0);
    let address = Address::parse("nats://me:pw@127.0.0.1:1").unwrap();
    let link = Link::open(&address, address.userinfo.as_ref(), settings, WORLD);
    (link, String::from_utf8_lossy(&WRITTEN.take()).into_owned())
}

/// The words of the error that these reads end in.
fn refusal(reads: Vec<Brought>) -> String {
    match sign_in(reads, &NatsSettings::default()) {
        (Ok(_), written) => panic!("signed in: {written}"),
        (Err(error), _) => error.to_string(),
    }
}

const INFO: &str = "INFO {\"server_id\":\"S\",\"nonce\":\"n\",\"connect_urls\":[\"b:1\"]}\r\n";

#[test]
fn it_says_who_we_are_once_the_server_has_said_who_it_is() {
    let (link, written) = sign_in(vec![bytes(INFO), bytes("PONG\r\n")], &NatsSettings::default());
    let link = link.unwrap();
    assert_eq!((link.info.server_id.as_str(), link.info.nonce.as_str()), ("S", "n"));
    let json = written.strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix("\r\nPING\r\n")).unwrap();
    let said: serde_json::Value = serde_json::from_str(json).unwrap();
    let expected = [
        ("user", "me".into()),
        ("pass", "pw".into()),
        ("verbose", false.into()),
        ("headers", true.into()),
        ("no_responders", true.into()),
        ("tls_required", false.into()),
        ("name", "signalbox".into()),
        ("protocol", serde_json::Value::from(1)),
    ];
    for (key, value) in expected {
        assert_eq!(said[key], value, "{key}");
    }
}

#[test]
fn the_nonce_of_the_server_is_signed() {
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let auth = Auth::Nkey(SecretSource::Given(Secret::new(seed)));
    let settings = NatsSettings { auth, ..NatsSettings::default() };
    let signature = |nonce: &str| {
        let info = format!("INFO {{\"nonce\":\"{nonce}\"}}\r\n");
        let (_, written) = sign_in(vec![bytes(&info), bytes("PONG\r\n")], &settings);
        written.split("\"sig\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(signature("a"), signature("a"));
    assert_ne!(signature("a"), signature("b"));
}

#[test]
fn torn_anywhere_the_greeting_is_understood() {
    let text = format!("{INFO}+OK\r\nPING\r\nINFO {{\"server_id\":\"T\"}}\r\nPONG\r\nMSG a 1 2\r\nxy");
    for size in [1, 2, 3, 7, 64, 1_000] {
        let reads = text.as_bytes().chunks(size).map(|part| Brought::Bytes(part.to_vec())).collect();
        let (link, written) = sign_in(reads, &NatsSettings::default());
        let mut link = link.unwrap_or_else(|error| panic!("{size}: {error}"));
        assert_eq!(link.info.server_id, "T", "what it said last counts");
        assert!(written.ends_with("PING\r\nPONG\r\n"), "its ping is answered: {written}");
        while link.read().unwrap() > 0 {}
        assert_eq!(link.unread(), b"MSG a 1 2\r\nxy", "what comes behind is not lost");
    }
}

#[test]
fn each_way_not_to_get_in_is_told_apart() {
    let info = || bytes(INFO);
    let cases = [
        (vec![], "the server is silent"),
        (vec![bytes("INF")], "the server is silent"),
        (vec![info()], "the server is silent"),
        (vec![bytes("")], "the server closed the connection"),
        (vec![info(), bytes("")], "the server closed the connection"),
        (vec![Brought::Fault(ErrorKind::ConnectionReset)], "the connection broke"),
        (vec![info(), Brought::Fault(ErrorKind::BrokenPipe)], "the connection broke"),
        (
            vec![bytes("-ERR 'maximum connections exceeded'\r\n")],
            "the server says: maximum connections exceeded",
        ),
        (
            vec![info(), bytes("-ERR 'Authorization Violation'\r\n")],
            "the server says: Authorization Violation",
        ),
        (vec![bytes("HTTP/1.1 400 Bad Request\r\n\r\n")], "what answers there is no NATS server"),
        (vec![bytes("SSH-2.0-OpenSSH_9.2\r\n")], "what answers there is no NATS server"),
        (vec![bytes("INFO no json\r\n")], "what answers there is no NATS server"),
        (vec![info(), bytes("MSG\r\n")], "what answers there is no NATS server"),
    ];
    for (reads, words) in cases {
        let shown = format!("{reads:?}");
        let refusal = refusal(reads);
        assert!(refusal.starts_with(words), "{shown}: {refusal}");
    }
}

#[test]
fn an_interrupted_read_is_no_end() {
    let faults = [ErrorKind::Interrupted, ErrorKind::TimedOut, ErrorKind::WouldBlock].map(Brought::Fault);
    let reads = faults.into_iter().chain([bytes(INFO), bytes("PONG\r\n")]).collect();
    assert!(sign_in(reads, &NatsSettings::default()).0.is_ok());
}

#[test]
fn what_came_in_the_clear_is_not_taken_for_what_comes_encrypted() {
    let greeting = "INFO {\"tls_required\":true}\r\n";
    for injected in ["PONG\r\n", "-ERR 'x'\r\n", "MSG events.queue.JobQueued 1 2\r\n{}\r\n", "P"] {
        let refusal = refusal(vec![bytes(&format!("{greeting}{injected}"))]);
        assert!(refusal.contains("in the clear"), "{injected:?}: {refusal}");
    }
    let settings = NatsSettings {
        tls: TlsSettings { mode: TlsMode::Required, ..TlsSettings::default() },
        ..NatsSettings::default()
    };
    let (link, written) = sign_in(vec![bytes(&format!("{INFO}PONG\r\n"))], &settings);
    assert!(matches!(link, Err(LinkError::InTheClear)));
    assert!(!written.contains("CONNECT"), "no password goes out: {written}");
}

#[test]
fn who_we_are_is_not_said_where_it_cannot_be_read() {
    let auth = Auth::Token(SecretSource::File("/no/such/file".into()));
    let settings = NatsSettings { auth, ..NatsSettings::default() };
    let (link, written) = sign_in(vec![bytes(INFO), bytes("PONG\r\n")], &settings);
    assert!(matches!(link, Err(LinkError::Login(_))) && written.is_empty());
}

#[test]
fn nobody_there_is_said_with_the_address() {
    let refused = |_: &ServerUrl, _: Duration| Err(io::Error::from(ErrorKind::ConnectionRefused));
    let world = World { connect: refused, ..WORLD };
    let address = Address::parse("nats://me:sesame@[::1]:7").unwrap();
    let error = Link::open(&address, None, &NatsSettings::default(), world).err().unwrap().to_string();
    assert!(error.starts_with("cannot connect to [::1]:7: ") && !error.contains("sesame"), "{error}");
}

#[test]
fn what_is_read_stays_until_it_is_used_however_much_it_is() {
    let (link, _) = sign_in(vec![bytes(INFO), bytes("PONG\r\n")], &NatsSettings::default());
    let mut link = link.unwrap();
    let much: Vec<u8> = (0..2_000_000_u32).map(|number| number as u8).collect();
    READS.set(VecDeque::from([Brought::Bytes(much.clone())]));
    let mut used = 0;
    let mut count = usize::MAX;
    while count > 0 {
        count = link.read().unwrap();
        // Half of what is there is used; the rest moves to the front.
        let half = link.unread().len() / 2;
        assert_eq!(link.unread()[..half], much[used..used + half]);
        link.consume(half);
        used += half;
    }
    assert_eq!(link.unread(), &much[used..]);
    link.consume(usize::MAX);
    assert!(link.unread().is_empty());
    assert_eq!(link.read().unwrap(), 0);
    assert!(link.buffer.len() <= 2 * READ_BYTES, "a flood's memory is given back: {}", link.buffer.len());
}
