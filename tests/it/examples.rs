//! The producers under `examples/`: what they publish is taken without a warning, and shows.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process::{get, python, run_signalbox, signalbox};
use super::support::{Nats, server_programs, wait_for};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// What a producer prints is valid without a warning, and what it publishes is applied.
fn check(name: &str, producer: impl Fn() -> Command) {
    let printed = producer().arg("--print").stdin(Stdio::null()).output().unwrap();
    assert!(printed.status.success(), "{name}: {}", String::from_utf8_lossy(&printed.stderr));
    let folder = tempfile::tempdir().unwrap();
    let mut validate = signalbox();
    validate.args(["validate", "-"]).current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = validate.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&printed.stdout).unwrap();
    let judged = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success(), "{name}: {text}");
    assert_eq!(text, "4 events: 4 accepted (0 of them with warnings), 0 refused\n", "{name}");
    let program = server_programs().remove(0);
    let nats = Nats::start(&program);
    let (_sidecar, port) = run_signalbox(folder.path(), &nats.url(), &[]);
    let published = producer().arg(nats.url()).stdin(Stdio::null()).output().unwrap();
    assert!(published.status.success(), "{name}: {}", String::from_utf8_lossy(&published.stderr));
    let wanted = [
        r#"queue_jobs_completed_total{job_type="transcription",queue="default"} 1"#,
        r#"models_loaded{host="example"} 3"#,
    ];
    wait_for("the producer's metrics", || {
        let text = get(port, "/metrics")?.text();
        wanted.iter().all(|line| text.contains(line)).then_some(())
    });
}

#[test]
fn the_producer_in_python_is_taken() {
    check("python", || {
        let mut command = python();
        command.arg(folder().join("python/producer.py"));
        command
    });
}

#[test]
fn the_producer_in_rust_is_taken() {
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--locked", "--example", "producer"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(build.status().unwrap().success());
    let binary = Path::new(env!("CARGO_BIN_EXE_signalbox")).with_file_name("examples").join("producer");
    check("rust", || Command::new(&binary));
}

#[test]
fn the_producer_in_typescript_is_taken_where_its_packages_are_installed() {
    let folder = folder().join("typescript");
    if !folder.join("node_modules/tsx").is_dir() {
        eprintln!("npm install in {} runs this test", folder.display());
        return;
    }
    check("typescript", || {
        let mut command = Command::new("node");
        command.args(["--import", "tsx", "producer.ts"]).current_dir(&folder);
        command
    });
}
