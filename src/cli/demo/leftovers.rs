//! What a demo that was killed could not take away: its folder, and the nats-server that it started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the name of a demo's folder begins with; the demo's process id follows.
const FOLDER: &str = "signalbox-demo-";

/// The file in a demo's folder that holds the process id of its nats-server.
const SERVER_PID: &str = "server.pid";

/// The folder of the demo that runs as this process.
pub(super) fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()))
}

/// Where the nats-server of a demo writes its process id.
pub(super) fn server_pid(folder: &Path) -> PathBuf {
    folder.join(SERVER_PID)
}

/// Ends the servers and removes the folders of demos that are gone; what cannot be removed stays.
pub(super) fn sweep() {
    // Without it nobody can say which processes are there.
    if !Path::new("/proc/self").exists() {
        return;
    }
    for folder in left_in(&std::env::temp_dir(), |process| command_line(process).contains("signalbox")) {
        let server = std::fs::read_to_string(server_pid(&folder)).ok();
        let server = server.and_then(|text| text.trim().parse().ok());
        // Its number may be another process's by now, which does not name the folder.
        if let Some(server) =
            server.filter(|server| command_line(*server).contains(&*folder.to_string_lossy()))
        {
            end(server);
        }
        let _ = std::fs::remove_dir_all(&folder);
    }
}

/// The folders below `parent` of demos whose process does not live.
fn left_in(parent: &Path, lives: impl Fn(u32) -> bool) -> Vec<PathBuf> {
    let names = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_left = |name: &String| {
        let process = name.strip_prefix(FOLDER).and_then(|process| process.parse().ok());
        process.is_some_and(|process| !lives(process))
    };
    names.filter(is_left).map(|name| parent.join(name)).collect()
}

/// The command that a process was started with, its arguments between blanks; empty where there is none.
fn command_line(process: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn end(process: u32) {
    let _ =
        Command::new("kill").arg(process.to_string()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folders_of_demos_that_are_gone_are_left() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["signalbox-demo-7", "signalbox-demo-8", "signalbox-demo-x", "signalbox-9", "other"] {
            std::fs::create_dir(parent.path().join(name)).unwrap();
        }
        assert_eq!(left_in(parent.path(), |process| process == 8), [parent.path().join("signalbox-demo-7")]);
        assert!(left_in(&parent.path().join("nowhere"), |_| false).is_empty());
    }

    #[test]
    fn a_process_is_known_by_its_command() {
        assert!(command_line(std::process::id()).contains("signalbox"));
        assert_eq!(command_line(u32::MAX), "");
    }
}
