//! A private nats-server for the demo.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

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

/// The address of the server behind `url`, and the server itself where it had to be started.
///
/// # Errors
/// The URL names no address; or nothing answers and no server can be started there.
pub(super) fn reach_or_start(url: &str) -> Result<(SocketAddr, Option<NatsServer>)> {
    let address = address_of(url)?;
    if TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok() {
        return Ok((address, None));
    }
    if !address.ip().is_loopback() {
        bail!(
            "no NATS server answers on {address}; start it, or leave --nats-url out to have a private one started"
        );
    }
    start(address).map(|server| (address, Some(server)))
}

fn address_of(url: &str) -> Result<SocketAddr> {
    let first = split_urls(url).next().unwrap_or_default();
    let (server, _) = ServerUrl::parse(first).map_err(|fault| {
        anyhow!("use a URL of --nats-url that {fault}: write for example nats://127.0.0.1:4222")
    })?;
    let mut found = (server.host.as_str(), server.port).to_socket_addrs().into_iter().flatten();
    found.next().with_context(|| {
        format!("cannot find the address of {}; give --nats-url as nats://host:4222", server.shown())
    })
}

fn start(address: SocketAddr) -> Result<NatsServer> {
    let folder = std::env::temp_dir().join(format!("signalbox-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let binary = std::env::var("SIGNALBOX_NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
    let process = Command::new(binary)
        .args(["--jetstream", "--addr", &address.ip().to_string(), "--port", &address.port().to_string()])
        .arg("--store_dir")
        .arg(&folder)
        // Ctrl-C goes to the foreground group; the server is to end after the sidecar, not with it.
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context(
            "no NATS server answers and none can be started: install one (scripts/quickstart does, or \
             'apt-get install nats-server'), or name a running one with --nats-url",
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
