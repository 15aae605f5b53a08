//! The ways to run it that `deploy/`, `compose.yaml` and the Dockerfile offer: each is what the program that reads it
//! takes, and the sidecar runs as each says.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::process::{Process, get, python, signalbox};
use super::support::{free_port, wait_for};

/// The oldest Kubernetes that has native sidecars turned on.
const OLDEST_KUBERNETES: &str = "1.29.0";

/// What `systemd-analyze security` may say at most, in tenths; 1.4 is what is left without network and `/proc/stat`.
const EXPOSURE_MAX: &str = "15";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// A program that `scripts/test` installs beside Python.
fn beside_python(name: &str) -> Command {
    Command::new(Path::new(python().get_program()).with_file_name(name))
}

/// Runs a program over `input`; what it said on both sides.
fn run(command: &mut Command, input: &str) -> (bool, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let name = command.get_program().display().to_string();
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {name}: {error}; run scripts/test, which installs it"));
    // One that does not read may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let said = [stdout, stderr].concat();
    (status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The documents of a YAML text.
fn documents(text: &str) -> Vec<Value> {
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))";
    let (is_good, said) = run(python().args(["-c", script]), text);
    assert!(is_good, "{said}");
    serde_json::from_str(&said).unwrap()
}

fn kubernetes(name: &str) -> String {
    read(&format!("deploy/kubernetes/{name}.yaml"))
}

/// Whether Kubernetes would take a manifest.
fn kubernetes_takes(text: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.yaml");
    fs::write(&path, text).unwrap();
    let mut validate = beside_python("kubernetes-validate");
    run(validate.args(["--strict", "-k", OLDEST_KUBERNETES]).arg(path), "")
}

/// Whether the Prometheus operator would.
fn operator_takes(text: &str) -> (bool, String) {
    run(python().arg(root().join("tests/deploy/operator_schema.py")), text)
}

#[test]
fn kubernetes_takes_the_manifests_and_would_notice_a_slip() {
    for (name, from, to) in [
        ("config", "data:", "date:"),
        ("sidecar", "restartPolicy: Always", "restart: Always"),
        ("standalone", "readinessProbe", "readynessProbe"),
    ] {
        let text = kubernetes(name);
        let (is_good, said) = kubernetes_takes(&text);
        assert!(is_good && said.contains("passed") && !said.contains("WARN"), "{name}: {said}");
        assert!(!kubernetes_takes(&text.replacen(from, to, 1)).0, "{name}: {from} → {to} was taken");
    }
    let text = kubernetes("podmonitor");
    let (is_good, said) = operator_takes(&text);
    assert!(is_good, "{said}");
    assert!(!operator_takes(&text.replacen("matchLabels", "matchLabel", 1)).0);
}

/// The pods of a manifest.
fn pods(name: &str) -> Vec<Value> {
    let found = documents(&kubernetes(name));
    found.iter().map(|document| document["spec"]["template"].clone()).filter(Value::is_object).collect()
}

/// The container of signalbox in a pod.
fn container(pod: &Value) -> &Value {
    let all = ["initContainers", "containers"].map(|kind| pod["spec"][kind].as_array());
    all.into_iter().flatten().flatten().find(|container| container["name"] == "signalbox").unwrap()
}

#[test]
fn in_kubernetes_it_is_no_root_and_can_write_its_state_alone() {
    for name in ["sidecar", "standalone"] {
        let [pod] = pods(name).try_into().unwrap();
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(pod["spec"]["automountServiceAccountToken"], false, "{name}");
        let container = container(&pod);
        let context = &container["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]), "{name}");
        let writable = container["volumeMounts"].as_array().unwrap().iter();
        let writable: Vec<_> = writable.filter(|mount| mount["readOnly"] != true).collect();
        assert_eq!(writable.len(), 1, "{name}");
        assert_eq!(writable[0]["mountPath"], "/var/lib/signalbox", "{name}");
        // What scrapes it finds it.
        let monitor = &documents(&kubernetes("podmonitor"))[0];
        let wanted = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
        assert!(wanted.iter().all(|(label, value)| pod["metadata"]["labels"][label] == *value), "{name}");
        assert_eq!(
            monitor["spec"]["podMetricsEndpoints"][0]["port"], container["ports"][0]["name"],
            "{name}"
        );
    }
    let [pod] = pods("sidecar").try_into().unwrap();
    assert_eq!(container(&pod)["restartPolicy"], "Always");
    assert_eq!(pod["spec"]["initContainers"].as_array().unwrap().len(), 1);
}

/// A folder in place of the root of a pod's file system: the image's rules, and `ConfigMaps` where they are mounted.
fn file_system(pod: &Value, folder: &Path) {
    let maps = documents(&kubernetes("config"));
    fs::create_dir_all(folder.join("etc/signalbox/rules")).unwrap();
    fs::create_dir_all(folder.join("var/lib/signalbox")).unwrap();
    for entry in fs::read_dir(root().join("rules")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join("etc/signalbox/rules").join(path.file_name().unwrap())).unwrap();
    }
    for volume in pod["spec"]["volumes"].as_array().unwrap() {
        let Some(map) = volume["configMap"]["name"].as_str() else { continue };
        let map = maps.iter().find(|document| document["metadata"]["name"] == map).unwrap();
        let mounts = container(pod)["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["name"] == volume["name"]).unwrap();
        let target = folder.join(mount["mountPath"].as_str().unwrap().trim_start_matches('/'));
        fs::create_dir_all(&target).unwrap();
        for (name, text) in map["data"].as_object().unwrap() {
            fs::write(target.join(name), inside(folder, text.as_str().unwrap())).unwrap();
        }
    }
}

/// A text in which the paths of a container are those below a folder.
fn inside(folder: &Path, text: &str) -> String {
    ["/etc/signalbox", "/var/lib/signalbox"]
        .iter()
        .fold(text.to_owned(), |text, path| text.replace(path, &format!("{}{path}", folder.display())))
}

#[test]
fn the_sidecar_runs_as_the_manifests_say() {
    for name in ["sidecar", "standalone"] {
        let [pod] = pods(name).try_into().unwrap();
        let folder = tempfile::tempdir().unwrap();
        file_system(&pod, folder.path());
        let container = container(&pod);
        let config = folder.path().join("etc/signalbox/config/signalbox.yaml");
        let (is_good, said) = run(signalbox().arg("check").arg(&config).current_dir(folder.path()), "");
        assert!(is_good, "{name}: {said}");
        let port = free_port();
        let mut command = signalbox();
        let words = container["args"].as_array().unwrap().iter();
        command.args(words.map(|word| inside(folder.path(), word.as_str().unwrap())));
        for variable in container["env"].as_array().unwrap() {
            let value = variable["value"].as_str().unwrap_or("from-a-field");
            command.env(variable["name"].as_str().unwrap(), inside(folder.path(), value));
        }
        command.env("SIGNALBOX_LISTEN_DEFAULT", format!("127.0.0.1:{port}"));
        command.env("SIGNALBOX_NATS_URL", format!("nats://127.0.0.1:{}", free_port()));
        command.current_dir(folder.path().join("etc/signalbox"));
        let mut process = Process::start(&mut command, folder.path());
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let Some(path) = container[probe]["httpGet"]["path"].as_str() else { continue };
            assert_eq!(container[probe]["httpGet"]["port"], container["ports"][0]["name"], "{name}");
            let status = wait_for(probe, || {
                assert!(process.is_running(), "{name}: {}", process.said());
                get(port, path).map(|answer| answer.status)
            });
            // NATS is away.
            assert_eq!(status, if probe == "readinessProbe" { 503 } else { 200 }, "{name}: {probe}");
        }
        assert!(folder.path().join("var/lib/signalbox/lock").exists(), "{name}: no state is kept");
    }
}

/// What Compose makes of a file, in a project folder like this one.
fn compose(text: &str) -> (bool, String) {
    let mut command = beside_python("docker-compose");
    command.arg("--project-directory").arg(root());
    run(command.args(["--file", "-", "--profile", "*", "config", "--format", "json"]), text)
}

#[test]
fn compose_takes_the_file_and_every_service_is_bounded() {
    let text = read("compose.yaml");
    let (is_good, said) = compose(&text);
    assert!(is_good, "{said}");
    let project: Value = serde_json::from_str(&said).unwrap();
    let services = project["services"].as_object().unwrap();
    for name in ["nats", "signalbox", "demo", "prometheus", "alertmanager", "grafana"] {
        let restart = if name == "demo" { "no" } else { "unless-stopped" };
        assert_eq!(services[name]["restart"], restart, "{name}");
        for port in services[name]["ports"].as_array().into_iter().flatten() {
            assert_eq!(
                port["host_ip"], "127.0.0.1",
                "{name}: what asks for no password is for this machine alone"
            );
        }
        for volume in services[name]["volumes"].as_array().into_iter().flatten() {
            let source = volume["source"].as_str().unwrap();
            assert!(
                volume["type"] == "volume" || Path::new(source).exists(),
                "{name}: {source} is not there"
            );
        }
    }
    assert_eq!(services["signalbox"]["read_only"], true);
    let state = &services["signalbox"]["environment"]["SIGNALBOX_STATE_DIR"];
    let volumes = services["signalbox"]["volumes"].as_array().unwrap();
    assert!(volumes.iter().any(|volume| volume["type"] == "volume" && volume["target"] == *state));
    assert!(!compose(&text.replacen("depends_on", "depend_on", 1)).0, "a slip was taken");
}

#[test]
fn what_compose_mounts_is_right() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("deploy/compose/signalbox.yaml"), folder.path().join("signalbox.yaml")).unwrap();
    let (is_good, said) = run(signalbox().args(["check", "signalbox.yaml"]).current_dir(folder.path()), "");
    assert!(is_good, "{said}");
    let path = |name: &str| root().join("deploy/compose").join(name);
    let (is_good, said) =
        run(Command::new("promtool").args(["check", "config"]).arg(path("prometheus.yaml")), "");
    assert!(is_good, "{said}");
    let (is_good, said) = run(Command::new("amtool").arg("check-config").arg(path("alertmanager.yaml")), "");
    assert!(is_good, "{said}");
}

/// The images that a text of YAML or a Dockerfile names.
fn images(text: &str) -> Vec<&str> {
    let named = text.lines().map(str::trim_start).filter_map(|line| {
        line.strip_prefix("image:").or_else(|| line.strip_prefix("FROM "))?.split_whitespace().next()
    });
    named.collect()
}

#[test]
fn every_image_is_pinned() {
    let mut count = 0;
    for path in
        ["compose.yaml", "deploy/kubernetes/sidecar.yaml", "deploy/kubernetes/standalone.yaml", "Dockerfile"]
    {
        for image in images(&read(path)) {
            count += 1;
            let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{path}: {image} has no tag"));
            let version = tag.trim_start_matches('v').split('-').next().unwrap();
            let is_version =
                version.split('.').count() == 3 && version.bytes().all(|b| b == b'.' || b.is_ascii_digit());
            // Its makers give it no versions; the Dockerfile says so.
            let is_excepted = image == "gcr.io/distroless/cc-debian12:nonroot";
            assert!(is_version || is_excepted, "{path}: {image} is not pinned to a version");
            let ours = image.split('/').next_back().unwrap().starts_with("signalbox:");
            assert!(!ours || version == env!("CARGO_PKG_VERSION"), "{path}: {image} is of another release");
        }
    }
    assert!(count >= 9, "{count} images");
}

/// The unit with this binary in place of the installed one.
fn unit(folder: &Path) -> PathBuf {
    let text = read("deploy/systemd/signalbox.service");
    let binary = env!("CARGO_BIN_EXE_signalbox");
    let path = folder.join("signalbox.service");
    fs::write(&path, text.replace("/usr/local/bin/signalbox run", &format!("{binary} run"))).unwrap();
    path
}

#[test]
fn systemd_takes_the_unit_and_finds_it_hardened() {
    let folder = tempfile::tempdir().unwrap();
    let path = unit(folder.path());
    let verify =
        |path: &Path| run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(path), "");
    let (is_good, said) = verify(&path);
    assert!(is_good && !said.contains("signalbox.service"), "{said}");
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager", &format!("--threshold={EXPOSURE_MAX}")]);
    let (is_good, said) = run(security.arg(&path), "");
    assert!(is_good, "{said}");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("ProtectSystem=", "ProtectSytem=")).unwrap();
    assert!(verify(&path).1.contains("Unknown key"), "a slip was taken");
}

/// The files outside of `src` that the program itself is built from.
fn included(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if stem.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            found.extend(included(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let program = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let names = program.split("include_str!(\"").chain(program.split("include_bytes!(\"")).skip(1);
            for name in names.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name) {
                let target = path.parent().unwrap().join(name);
                found.extend(
                    target.canonicalize().ok().filter(|target| !target.starts_with(root().join("src"))),
                );
            }
        }
    }
    found
}

#[test]
fn the_image_is_built_from_everything_the_program_includes() {
    let dockerfile = read("Dockerfile");
    let (build, _) = dockerfile.split_once("cargo build").unwrap();
    let copied: Vec<&str> = build
        .lines()
        .filter_map(|line| line.strip_prefix("COPY ")?.rsplit_once(' '))
        .flat_map(|(sources, _)| sources.split(' '))
        .collect();
    let ignored = read(".dockerignore");
    let included = included(&root().join("src"));
    assert!(included.len() > 3, "{included:?}");
    for path in included {
        let path = path.strip_prefix(root()).unwrap().display().to_string();
        let is_copied =
            copied.iter().any(|source| path == *source || path.starts_with(&format!("{source}/")));
        assert!(is_copied, "the Dockerfile does not copy {path}, which the program includes");
        let is_ignored = |line: &str| path.starts_with(line.trim_end_matches(['*', '/']));
        let is_left_out =
            ignored.lines().any(is_ignored) && !ignored.lines().any(|line| line == format!("!{path}"));
        assert!(!is_left_out, ".dockerignore leaves out {path}, which the program includes");
    }
}
