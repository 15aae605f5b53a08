//! A server for tests of what publishes through async-nats: it signs everybody in, tells what is published, and answers as
//! a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::engine::wire::subjects::matches;

/// Something that a client published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Published {
    /// Where.
    pub(crate) subject: String,
    /// Where its answer goes; empty where none is asked for.
    pub(crate) reply: String,
    /// Its header block.
    pub(crate) headers: String,
    /// What it says.
    pub(crate) payload: String,
}

/// One message of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With these words.
    Text(String),
    /// Nobody listens there.
    Nobody,
    /// A stored message: its subject, its reply subject and what it says.
    Stored(&'static str, &'static str, &'static str),
    /// A status without content, such as `404 No Messages`.
    Status(&'static str),
    /// The server complains of the client.
    Complaint(&'static str),
}

/// What is answered.
pub(crate) type Answers = dyn FnMut(&Published) -> Vec<Reply> + Send;

/// The server.
pub(crate) struct FakeServer {
    address: SocketAddr,
    published: Receiver<Published>,
}

impl FakeServer {
    /// One that takes messages of so many bytes at the most, and answers what it is asked.
    pub(crate) fn start(
        max_payload: usize,
        answers: impl FnMut(&Published) -> Vec<Reply> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, published) = channel();
        let answers: Arc<Mutex<Box<Answers>>> = Arc::new(Mutex::new(Box::new(answers)));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tell, answers) = (tell.clone(), Arc::clone(&answers));
                std::thread::spawn(move || converse(stream, max_payload, (&tell, &answers)));
            }
        });
        Self { address, published }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// What was published next.
    pub(crate) fn next(&self) -> Published {
        self.published.recv_timeout(Duration::from_mins(1)).unwrap()
    }
}

fn converse(
    mut stream: TcpStream,
    max_payload: usize,
    (tell, answers): (&Sender<Published>, &Mutex<Box<Answers>>),
) {
    let info = format!(
        r#"{{"server_id":"S","server_name":"s","version":"2.15.1","go":"","host":"","port":1,"headers":true,"proto":1,"max_payload":{max_payload},"client_id":1}}"#
    );
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut subscriptions: Vec<(String, String)> = Vec::new();
    let mut write = |text: &str| stream.write_all(text.as_bytes()).is_ok();
    write(&format!("INFO {info}\r\n"));
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        let said = std::mem::take(&mut line);
        let words: Vec<&str> = said.split_whitespace().collect();
        let published = match words.as_slice() {
            ["PING"] => {
                write("PONG\r\n");
                continue;
            }
            ["SUB", subject, id] => {
                subscriptions.push(((*subject).to_owned(), (*id).to_owned()));
                continue;
            }
            ["PUB", subject, more @ .., length] => read(&mut reader, (subject, more), (0, length)),
            ["HPUB", subject, more @ .., head, length] => {
                read(&mut reader, (subject, more), (head.parse().unwrap(), length))
            }
            _ => continue,
        };
        // A test may have seen enough.
        let _ = tell.send(published.clone());
        let replies = answers.lock().unwrap()(&published);
        let own = subscriptions.iter().rev().find(|(pattern, _)| matches(pattern, &published.reply));
        let id = own.map_or("0", |(_, id)| id);
        for reply in replies {
            let status = |status: &str| {
                let block = format!("NATS/1.0 {status}\r\n\r\n");
                let length = block.len();
                format!("HMSG {} {id} {length} {length}\r\n{block}\r\n", published.reply)
            };
            let text = match reply {
                Reply::Text(text) => format!("MSG {} {id} {}\r\n{text}\r\n", published.reply, text.len()),
                Reply::Nobody => status("503"),
                Reply::Stored(subject, reply, text) => {
                    format!("MSG {subject} {id} {reply} {}\r\n{text}\r\n", text.len())
                }
                Reply::Status(text) => status(text),
                Reply::Complaint(text) => format!("-ERR '{text}'\r\n"),
            };
            write(&text);
        }
    }
}

/// The rest of a message whose line was read.
fn read(
    reader: &mut BufReader<TcpStream>,
    (subject, more): (&str, &[&str]),
    (head, length): (usize, &str),
) -> Published {
    let mut bytes = vec![0; length.parse::<usize>().unwrap() + 2];
    reader.read_exact(&mut bytes).unwrap();
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    Published {
        subject: subject.to_owned(),
        reply: more.first().map_or_else(String::new, |reply| (*reply).to_owned()),
        headers: text(&bytes[..head]),
        payload: text(&bytes[head..bytes.len() - 2]),
    }
}
