//! A private nats-server for the demo.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::leftovers;
use crate::engine::config::server_url::{ServerUrl, split_urls};

/// A nats-server of the demo's own; it and its folder go when this is dropped.
#[derive(Debug)]
pub(super) struct NatsServer {
    process: Child,
    folder: PathBuf,
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The address of the first server of `urls` that answers.
///
/// # Errors
/// A URL that names no address; or none answers.
pub(super) fn reach(urls: &str) -> Result<SocketAddr> {
    answering(&addresses_of(urls)?).with_context(|| {
        format!(
            "no NATS server answers on {urls}; start it, or name the one that the sidecar reads with --nats-url",
            urls = shown(urls)
        )
    })
}

/// The address of the first server of `urls` that answers, or that of one that had to be started, and the server.
///
/// # Errors
/// A URL that names no address; or nothing answers and no server can be started there.
pub(super) fn reach_or_start(urls: &str) -> Result<(SocketAddr, Option<NatsServer>)> {
    let addresses = addresses_of(urls)?;
    if let Some(address) = answering(&addresses) {
        return Ok((address, None));
    }
    match addresses.iter().find(|address| address.ip().is_loopback()) {
        Some(address) => start(*address).map(|server| (*address, Some(server))),
        None => bail!(
            "no NATS server answers on {}; start it, or leave --nats-url out to have a private one started",
            shown(urls)
        ),
    }
}

/// A server of the demo's own on a free port of this machine.
///
/// # Errors
/// No port is free, or no server can be started.
pub(super) fn start_private() -> Result<(SocketAddr, NatsServer)> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let address = free.context("cannot find a free port for nats-server")?;
    start(address).map(|server| (address, server))
}

fn answering(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let answers = |address: &&SocketAddr| TcpStream::connect_timeout(address, Duration::from_secs(2)).is_ok();
    addresses.iter().find(answers).copied()
}

/// The URLs without what they say of us.
fn shown(urls: &str) -> String {
    let servers = split_urls(urls).filter_map(|url| ServerUrl::parse(url).ok());
    servers.map(|(server, _)| server.shown()).collect::<Vec<_>>().join(", ")
}

fn addresses_of(urls: &str) -> Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for url in split_urls(urls) {
        let (server, _) = ServerUrl::parse(url).map_err(|fault| {
            anyhow!("cannot use a URL of --nats-url that {fault}: write for example nats://127.0.0.1:4222")
        })?;
        addresses.extend((server.host.as_str(), server.port).to_socket_addrs().into_iter().flatten());
    }
    if addresses.is_empty() {
        bail!("cannot find the address of {}; give --nats-url as nats://host:4222", shown(urls));
    }
    Ok(addresses)
}

fn start(address: SocketAddr) -> Result<NatsServer> {
    leftovers::sweep();
    let folder = leftovers::folder();
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let binary = std::env::var("SIGNALBOX_NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
    let process = Command::new(binary)
        .args(["--jetstream", "--addr", &address.ip().to_string(), "--port", &address.port().to_string()])
        .arg("--store_dir")
        .arg(&folder)
        .arg("--pid")
        .arg(leftovers::server_pid(&folder))
        // Ctrl-C goes to the foreground group; the server is to end after the sidecar, not with it.
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context(
            "cannot start nats-server: install it ('apt-get install nats-server', or have the PATH hold .tools/bin, where scripts/quickstart puts one), or \
             name a server that runs with --nats-url",
        )?;
    let mut server = NatsServer { process, folder };
    let begin = Instant::now();
    while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
        let ended = server.process.try_wait().ok().flatten();
        if let Some(status) = ended {
            bail!("nats-server ended at once ({status}); start one by hand and name it with --nats-url");
        }
        if begin.elapsed() > Duration::from_secs(10) {
            bail!(
                "nats-server does not listen on {address} after 10 s; start one by hand and name it with --nats-url"
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(server)
}
