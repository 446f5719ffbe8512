#!/bin/bash
# containerd: a label with an empty value is removed, and a filter that cannot be understood matches nothing, without an error.
#
# Kubernetes and Docker use labels with an empty value as marks. containerd takes them ("ctr images label NAME mark=" exits
# with 0) and stores none: setting a label to "" is how it is deleted, in Create as well. A client that reads back what it
# wrote finds it gone.
#
# Filters of Images.List: a regular expression that does not compile is written to the daemon's log, and the client gets an
# empty list. A field that does not exist (`bogus==1`) gives an empty list too. A script that removes "all but what matches"
# removes everything. Only a filter that breaks the grammar is an error.
#
# Expected: the label with its empty value, or INVALID_ARGUMENT; INVALID_ARGUMENT for the filters.
# Needs root, as containerd does.
set -euo pipefail
work=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || { kill $daemon; wait $daemon || true; }; rm -rf "$work"' EXIT
cd "$work"

curl -sSfo containerd.deb "http://deb.debian.org/debian/pool/main/c/containerd/containerd_1.6.20~ds1-1+deb12u3_amd64.deb"
echo "8669d264eeb0fcdb4a0b1ba436ab88ec5dafde4a66e1278ec279d830db4c2216  containerd.deb" | sha256sum --check --quiet
dpkg-deb --extract containerd.deb package
printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[ttrpc]\naddress = "%s"\n' "$work/ttrpc" >config.toml
package/usr/bin/containerd --config config.toml --address "$work/socket" --root "$work/root" --state "$work/state" >log 2>&1 &
daemon=$!
ctr() { package/usr/bin/ctr --address "$work/socket" "$@"; }
for _ in $(seq 100); do ctr version >version 2>&1 && break || sleep 0.1; done
ctr version | grep -A1 Server

# An image of one small manifest.
python3 - <<'END'
import hashlib, io, json, tarfile

tar = tarfile.open("image.tar", "w")


def add(name, content):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def blob(content, media_type, **more):
    digest = hashlib.sha256(content).hexdigest()
    add(f"blobs/sha256/{digest}", content)
    return {"mediaType": f"application/vnd.oci.image.{media_type}+json", "digest": f"sha256:{digest}", "size": len(content), **more}


config = blob(b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}', "config.v1")
manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []})
entry = blob(manifest.encode(), "manifest.v1", annotations={"io.containerd.image.name": "registry.example/app:1"})
add("index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())
add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
tar.close()
END
ctr images import --no-unpack --all-platforms image.tar >imported
name=registry.example/app:1

changed=0
expect() { # what, what happened, what happened at the time of writing
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "  CHANGED: it was: $3"; changed=1; }
}
labels() { ctr images ls name=="$1" | tail -n +2 | awk '{print $NF}'; }
list() { ctr images ls -q "$1" 2>&1 | tr '\n' ' '; echo "(exit status ${PIPESTATUS[0]})"; }
ctr images label "$name" kept=1 mark= >labelled
expect "after kept=1 mark=, the labels are" "$(labels "$name")" "kept=1"
ctr images label "$name" kept= >labelled
expect "after kept=, the labels are" "$(labels "$name")" "-"
expect 'filter name~=/app/' "$(list 'name~=/app/')" "$name (exit status 0)"
expect 'filter name~=/[/' "$(list 'name~=/[/')" "(exit status 0)"
expect "the log says" "$(grep -o 'error compiling regexp' log | head -1)" "error compiling regexp"
expect 'filter bogus==1' "$(list 'bogus==1')" "(exit status 0)"
expect 'filter name~' "$(list 'name~' | grep -o 'invalid argument' | head -1)" "invalid argument"
exit $changed
