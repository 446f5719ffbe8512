#!/bin/bash
# cosign 3.1.1 cannot verify the bundles that it signs with P-384, P-521 and Ed25519 keys, though they are right.
#
# `sign-blob --bundle` hashes with SHA-384 for P-384 and SHA-512 for P-521, as the key asks for, and says so in the bundle.
# `verify-blob` of the same binary, given the same file, bundle and public key, answers "invalid signature" for these two,
# and "message is missing artifact digest" for Ed25519, where there is no digest to be had. OpenSSL verifies each signature.
# A verifier that wants to accept what cosign signs must take the hash from the key, and not from what cosign accepts.
#
# Expected: "Verified OK", as for P-256.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

curl -sSfo cosign.deb http://deb.debian.org/debian/pool/main/c/cosign/cosign_3.1.1-2_amd64.deb
echo "d8622ebffce1d69197288fc030ff06a4c247af5507107f85c5a878870b686b23  cosign.deb" | sha256sum --check --quiet
dpkg-deb --fsys-tarfile cosign.deb | tar -x ./usr/bin/cosign
cosign=$work/usr/bin/cosign
dpkg-deb --field cosign.deb Package Version
export COSIGN_PASSWORD=
echo "hello" >blob

changed=0
try() { # key, options of openssl to verify with, what cosign said at the time of writing
    local name=$1 options=$2 expected=$3 said
    case $name in
        Ed25519) openssl genpkey -algorithm ed25519 -out key.pem ;;
        *) openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$name" -out key.pem ;;
    esac
    rm -f import-cosign.key import-cosign.pub
    "$cosign" import-key-pair --key key.pem --yes >log 2>&1
    "$cosign" sign-blob --yes --key import-cosign.key --use-signing-config=false --tlog-upload=false --bundle bundle.json blob >log 2>&1
    python3 -c '
import base64, json
signature = json.load(open("bundle.json"))["messageSignature"]
print(signature["messageDigest"].get("algorithm", "no digest"))
open("signature", "wb").write(base64.b64decode(signature["signature"]))' >hash
    # shellcheck disable=SC2086
    openssl pkeyutl -verify -pubin -inkey import-cosign.pub -rawin -in blob -sigfile signature $options >openssl.txt
    "$cosign" verify-blob --key import-cosign.pub --bundle bundle.json --insecure-ignore-tlog=true blob >log 2>&1 || true
    said=$(tail -1 log | sed 's/.*: //')
    echo "$name ($(cat hash)): OpenSSL: $(cat openssl.txt); cosign: $said"
    [ "$said" = "$expected" ] || { echo "  CHANGED: cosign said: $expected"; changed=1; }
}
try P-256 "-digest sha256" "Verified OK"
try P-384 "-digest sha384" "invalid signature when validating ASN.1 encoded signature"
try P-521 "-digest sha512" "invalid signature when validating ASN.1 encoded signature"
try Ed25519 "" "message is missing artifact digest"
exit $changed
