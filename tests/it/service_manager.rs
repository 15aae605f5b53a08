//! systemd's side of `sd_notify`: what a service manager hears from the binary, in which order.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::{Process, get, post, signalbox};
use super::support::{Nats, free_port, server_programs, wait_for};

/// The socket of a service manager.
struct Manager(UnixDatagram);

impl Manager {
    fn at(address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(socket)
    }

    /// The next datagram, a line each.
    fn hears(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let length = self
            .0
            .recv(&mut bytes)
            .unwrap_or_else(|error| panic!("the service manager heard nothing: {error}"));
        String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned).collect()
    }

    /// The next datagram that is not about the condition.
    fn hears_of_state(&self) -> Vec<String> {
        loop {
            let heard = self.hears();
            if !heard.iter().all(|line| line.starts_with("STATUS=")) {
                return heard;
            }
        }
    }

    /// Waits until the condition is told so.
    fn hears_condition(&self, wanted: impl Fn(&str) -> bool) {
        while !self.hears().iter().any(|line| line.strip_prefix("STATUS=").is_some_and(&wanted)) {}
    }
}

/// A sidecar that tells `socket`, its HTTP port, and the server it is to find.
fn sidecar(folder: &Path, socket: &str, nats_port: u16) -> (Process, u16) {
    let port = free_port();
    std::fs::write(folder.join("signalbox.yaml"), "jetstream: {create_stream: true}\n").unwrap();
    let mut command = signalbox();
    command.args(["run", "--listen", &format!("127.0.0.1:{port}")]);
    command.args(["--nats-url", &format!("nats://127.0.0.1:{nats_port}")]);
    command.env("NOTIFY_SOCKET", socket).current_dir(folder);
    (Process::start(&mut command, folder), port)
}

fn signal(process: &Process, name: &str) {
    let told = Command::new("kill").args([format!("-{name}"), process.id().to_string()]).status().unwrap();
    assert!(told.success());
}

#[test]
fn a_service_manager_hears_of_start_reload_condition_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager::at(&SocketAddr::from_pathname(&path).unwrap());
    let mut nats = Nats::stopped(&server_programs().remove(0), "");
    let (mut process, port) = sidecar(folder.path(), path.to_str().unwrap(), nats.port);
    assert_eq!(manager.hears_of_state(), ["READY=1"], "it is up, though NATS is away");
    assert_eq!(get(port, "/-/healthy").unwrap().status, 200);
    manager.hears_condition(|line| line.starts_with("Not ready: NATS connection of"));
    nats.go();
    manager.hears_condition(|line| line == "Ready");
    let mut before = 0;
    for reload in ["SIGHUP", "HTTP"] {
        match reload {
            "SIGHUP" => signal(&process, "HUP"),
            _ => assert_eq!(post(port, "/-/reload").unwrap().status, 200),
        }
        let heard = manager.hears_of_state();
        assert_eq!(heard[0], "RELOADING=1", "{heard:?}");
        let now: u64 = heard[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!(now > before, "{heard:?} after {before}");
        before = now;
        assert_eq!(manager.hears_of_state(), ["READY=1"]);
    }
    signal(&process, "TERM");
    assert_eq!(manager.hears_of_state()[0], "STOPPING=1");
    assert_eq!(process.wait(), Some(0));
}

#[test]
fn an_abstract_socket_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("signalbox-test-{}", free_port());
    let manager = Manager::at(&SocketAddr::from_abstract_name(&name).unwrap());
    let (_process, _) = sidecar(folder.path(), &format!("@{name}"), free_port());
    assert_eq!(manager.hears_of_state(), ["READY=1"]);
}

#[test]
fn a_service_manager_that_is_gone_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let (mut process, port) = sidecar(folder.path(), gone.to_str().unwrap(), free_port());
    wait_for("an answer", || get(port, "/-/healthy").filter(|answer| answer.status == 200));
    wait_for("the log", || process.said().contains("the service manager was not told").then_some(()));
    signal(&process, "TERM");
    assert_eq!(process.wait(), Some(0));
}
