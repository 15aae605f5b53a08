//! A publisher and a model of the catalogue written apart from the implementation, against the binary and a real server.

use std::process::Stdio;

use super::process::{python, run_signalbox};
use super::support::{Nats, server_programs};

#[test]
fn ten_thousand_mixed_events_become_what_an_independent_model_says() {
    for (seed, program) in (1..).zip(server_programs()) {
        let nats = Nats::start(&program);
        let folder = tempfile::tempdir().unwrap();
        let (_sidecar, port) = run_signalbox(folder.path(), &nats.url(), &["--instance", "outside"]);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside/drive.py");
        let mut drive = python();
        drive.arg(script).args([nats.port, port, 10_000, seed].map(|number| number.to_string()));
        let output = drive.stdin(Stdio::null()).output().unwrap();
        assert!(
            output.status.success(),
            "with {}:\n{}{}",
            program.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn the_schemas_of_events_are_true_of_what_the_decoder_takes() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let mut script = python();
    script.arg(format!("{root}/outside/schemas.py"));
    script.args([env!("CARGO_BIN_EXE_signalbox"), &format!("{root}/wire")]);
    let output = script.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
