#!/bin/bash
# Loadline in a few seconds: loads the sample image, shows who attested what on which platform, and reads one statement over both protocols.
# Needs a Rust toolchain, python3 and a curl that speaks HTTP/2. Runs in a temporary directory, needs no root and leaves nothing behind.
# The first run builds Loadline, which takes minutes; cargo shows its progress.
# LOADLINE_BIN names another binary to show than the one built here.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "demo: $*" >&2; exit 1; }
bold= plain=
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
step() { printf '\n%s%-6s%s %s\n' "$bold" "$1" "$plain" "$2"; }
command -v python3 >/dev/null || fail "python3 is needed to read the JSON answers"
command -v curl >/dev/null || fail "curl is needed to talk to the socket"
curl --version | grep -q 'HTTP2' || fail "this curl lacks HTTP/2, which gRPC needs"

work="$(mktemp -d)"
daemon=
finish() {
    if [ -n "$daemon" ]; then kill "$daemon" 2>/dev/null && wait "$daemon" || true; fi
    rm -rf "$work"
}
trap finish EXIT
socket="$work/loadline.sock"
# Answers are read from files, so that bytes stay bytes.
rest() { curl --silent --show-error --fail-with-body --unix-socket "$socket" --output "$work/answer" "$@" || { cat "$work/answer" >&2; exit 1; }; }

loadline="${LOADLINE_BIN:-${CARGO_TARGET_DIR:-target}/release/loadline}"
if [ -z "${LOADLINE_BIN:-}" ]; then
    command -v cargo >/dev/null || fail "cargo is needed to build Loadline: https://www.rust-lang.org/tools/install"
    step build "cargo build --release"
    [ -e "$loadline" ] || echo "The first build compiles some 300 crates: about 12 minutes of CPU time."
    cargo build --release
fi

step serve "loadline serve -H unix://$socket --data-root $work/data"
"$loadline" serve -H "unix://$socket" --data-root "$work/data" >"$work/log" 2>&1 & daemon=$!
for _ in $(seq 100); do
    curl --silent --fail --output /dev/null --unix-socket "$socket" http://localhost/_ping && break
    kill -0 "$daemon" 2>/dev/null || { cat "$work/log" >&2; fail "the daemon ended"; }
    sleep 0.05
done
rest http://localhost/_ping
echo "answers (pid $daemon)"

step load "POST /images/load < examples/app-oci.tar"
rest --request POST --header 'Content-Type: application/x-tar' --upload-file examples/app-oci.tar 'http://localhost/v1.55/images/load?quiet=1'
python3 - "$work/answer" <<'PY'
import json, sys
for line in open(sys.argv[1]).read().split("\n"):
    if line.strip():
        message = json.loads(line)
        if "error" in message:
            sys.exit(message["error"])
        print(message.get("stream", ""), end="")
PY

step list "GET /images/json?manifests=1"
rest 'http://localhost/v1.55/images/json?manifests=1'
# Prints for people; the statement chosen for the next steps goes to a file.
python3 - "$work/answer" "$work/chosen" <<'PY'
import json, sys
chosen = None
for image in json.load(open(sys.argv[1])):
    print(", ".join(image["RepoTags"]), " ", image["Id"])
    evidence = {m["AttestationData"]["For"]: m["AttestationData"].get("Statements", [])
                for m in image["Manifests"] if m["Kind"] == "attestation"}
    for manifest in image["Manifests"]:
        if manifest["Kind"] != "image":
            continue
        p = manifest["ImageData"]["Platform"]
        name = "/".join(filter(None, (p["os"], p["architecture"], p.get("variant"))))
        print(f"  {name:<14} {manifest['Descriptor']['digest']}")
        for statement in evidence.get(manifest["Descriptor"]["digest"], []):
            blob = statement["Descriptor"]
            print(f"    {statement['PredicateType']:<31} {blob['digest']}  {blob['size']} bytes")
            chosen = chosen or (image["RepoTags"][0], p, statement["PredicateType"], blob["digest"])
if not chosen:
    sys.exit("no statement in the list")
reference, platform, predicate, digest = chosen
open(sys.argv[2], "w").write("\n".join((reference, json.dumps(platform), predicate, digest, "")))
PY
{ read -r reference; read -r platform; read -r predicate; read -r digest; } <"$work/chosen"

step rest "GET /images/$reference/attestations?type=$predicate&statement=1"
rest --get --data-urlencode "platform=$platform" --data-urlencode "type=$predicate" --data 'statement=1' "http://localhost/v1.55/images/$reference/attestations"
# The statement is taken out of the answer's own bytes: parsing and printing it again would give others.
by_rest="$(python3 - "$work/answer" <<'PY'
import hashlib, json, sys
text = open(sys.argv[1], encoding="utf-8").read()
key = '"Statement":'
if key not in text:
    sys.exit("no statement in the answer")
start = text.index(key) + len(key)
_, end = json.JSONDecoder().raw_decode(text, start)
print("sha256:" + hashlib.sha256(text[start:end].encode()).hexdigest(), end - start)
PY
)"
echo "sha256 of the statement in the answer:   $by_rest bytes"

step grpc "containerd.services.content.v1.Content/Read {digest: $digest}"
# One gRPC call by hand: a length-prefixed protobuf message in a POST. With containerd's client at hand the same is
# `ctr --address SOCKET content get DIGEST`.
python3 - "$digest" >"$work/request" <<'PY'
import sys
digest = sys.argv[1].encode()
message = b"\x0a" + bytes([len(digest)]) + digest
sys.stdout.buffer.write(b"\0" + len(message).to_bytes(4, "big") + message)
PY
curl --silent --show-error --http2-prior-knowledge --unix-socket "$socket" --output "$work/answer" --dump-header "$work/head" \
    --header 'Content-Type: application/grpc' --header 'TE: trailers' --header 'containerd-namespace: default' \
    --data-binary "@$work/request" http://localhost/containerd.services.content.v1.Content/Read || fail "the gRPC call failed"
by_grpc="$(python3 - "$work/answer" "$work/head" <<'PY'
import hashlib, sys

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at

stream, blob = open(sys.argv[1], "rb").read(), b""
while stream:
    size = int.from_bytes(stream[1:5], "big")
    message, stream, at = stream[5:5 + size], stream[5 + size:], 0
    while at < len(message):
        key, at = varint(message, at)
        value, at = varint(message, at)
        # Field 1 is the offset, field 2 the data.
        if key == 0x12:
            blob += message[at:at + value]
            at += value
if not blob:
    sys.exit("no data over gRPC: " + open(sys.argv[2]).read())
print("sha256:" + hashlib.sha256(blob).hexdigest(), len(blob))
PY
)"
echo "sha256 of the blob over gRPC:            $by_grpc bytes"

[ "${by_rest% *}" = "$digest" ] || fail "the statement over REST does not have the listed digest"
[ "$by_rest" = "$by_grpc" ] || fail "REST and gRPC disagree"
step agree "the list, the statement over REST and the blob over gRPC have one digest"
