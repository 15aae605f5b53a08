//! What a service manager that started this process is told, by the protocol of systemd's `sd_notify`: ready, reloading,
//! stopping, and in a line why it is not ready. Without `NOTIFY_SOCKET` nobody is told.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::status::Status;

use crate::shell::plain::plain;

/// How long a full socket may hold up who tells it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line of the condition is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Bytes of the line of the condition.
const LINE_BYTES_MAX: usize = 512;

/// The service manager, where there is one.
#[derive(Debug, Default)]
pub(crate) struct ServiceManager {
    way: Option<Way>,
    /// Whether the log says that it cannot be told.
    is_said: AtomicBool,
}

/// How it is reached.
#[derive(Debug)]
struct Way {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl ServiceManager {
    /// The one that started this process. One that cannot be reached is said and left alone: nothing else depends on it.
    pub(crate) fn of_this_process() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        match Way::to(&name) {
            Ok(way) => Self { way: Some(way), is_said: AtomicBool::new(false) },
            Err(error) => {
                tracing::warn!(error = plain(&error), socket = %name.display(), "the service manager cannot be told anything");
                Self::default()
            }
        }
    }

    /// Whether there is one.
    pub(crate) const fn is_there(&self) -> bool {
        self.way.is_some()
    }

    /// It serves, with the configuration and rules that are on disk. Whether its events flow is not for the service
    /// manager, which would end it over a broker that is away.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// It reads configuration and rules again; `ready` follows.
    pub(crate) fn reloading(&self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_microseconds()));
    }

    /// It ends.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Stopping");
    }

    /// Keeps the line that `systemctl status` shows true, for as long as the process lives.
    pub(crate) async fn show_condition(&self, status: &Status) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut shown = String::new();
        loop {
            looks.tick().await;
            let line = condition(&status.reasons());
            if line != shown {
                self.tell(&format!("STATUS={line}"));
                shown = line;
            }
        }
    }

    fn tell(&self, what: &str) {
        let Some(way) = &self.way else { return };
        if let Err(error) = way.socket.send_to_addr(what.as_bytes(), &way.address) {
            // Once is enough: it would be the same with every change of the condition.
            if !self.is_said.swap(true, Ordering::Relaxed) {
                tracing::warn!(error = plain(&error), what, "the service manager was not told");
            }
        }
    }
}

impl Way {
    /// To a path, or behind `@` to a name of the abstract namespace.
    fn to(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(Path::new(name))?,
            #[cfg(target_os = "linux")]
            [b'@', rest @ ..] => {
                use std::os::linux::net::SocketAddrExt;
                SocketAddr::from_abstract_name(rest)?
            }
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "not a path and not an abstract name",
                ));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, address })
    }
}

/// The condition in one line.
fn condition(reasons: &[String]) -> String {
    let Some(first) = reasons.first() else { return "Ready".to_owned() };
    let more = match reasons.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let first: String = first.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let end = first.floor_char_boundary(LINE_BYTES_MAX);
    format!("Not ready: {}{more}", first.get(..end).unwrap_or_default())
}

/// `CLOCK_MONOTONIC`, by which the service manager tells this reload from an earlier one.
fn monotonic_microseconds() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_is_one_bounded_line() {
        let line =
            |reasons: &[&str]| condition(&reasons.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(line(&[]), "Ready");
        assert_eq!(line(&["stream: EVENTS is missing"]), "Not ready: stream: EVENTS is missing");
        assert_eq!(line(&["a\nREADY=1", "b", "c"]), "Not ready: a READY=1 (and 2 more)");
        assert_eq!(line(&["ä".repeat(1000).as_str()]).len(), "Not ready: ".len() + LINE_BYTES_MAX);
    }

    #[test]
    fn what_is_no_socket_is_refused() {
        assert!(Way::to(OsStr::new("relative")).is_err());
        assert!(Way::to(OsStr::new("vsock:2:1234")).is_err());
    }
}
