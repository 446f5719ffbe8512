#!/usr/bin/env python3
"""Writes a data root with a released Loadline, and what that Loadline answers about it.

    scripts/data_root.py LOADLINE NUMBER

LOADLINE is the binary of the release; NUMBER is the format of its data roots. Written are
tests/fixtures/data-root-NUMBER.tar.zst, the data root, and tests/fixtures/data-root-NUMBER.jsonl, one request and its answer
a line; the last line is the summary of `loadline check --deep`. tests/roots/released.rs holds every later Loadline to
them, so each format that is released gets its own pair, once, and neither file is changed after that.

In the data root: an index of three platforms with evidence, made by BuildKit, of which one layer is left out; one of which
only one platform is present; Docker's types; a docker-archive; names by digest; images without a name; artifacts that
refer to an image; pulled images with where they came from; content under SHA-512; every optional field of a descriptor;
every media type that Loadline knows; and a download that broke off. Needs Python 3.9, tar and zstd.
"""

import contextlib
import gzip
import hashlib
import http.client
import http.server
import io
import json
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

REPOSITORY = Path(__file__).resolve().parent.parent
FIXTURES = REPOSITORY / "tests/fixtures"
REGISTRY_PORT = 5055
API = "/v1.55"

OCI = "application/vnd.oci.image."
OCI_INDEX, OCI_MANIFEST, OCI_CONFIG = (OCI + kind + ".v1+json" for kind in ("index", "manifest", "config"))
OCI_LAYER = OCI + "layer.v1.tar"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
IN_TOTO = "application/vnd.in-toto+json"
CREATED = "2026-01-02T03:04:05.678901234Z"

# Those that Loadline stores in a short form. None of them may be missing.
KNOWN = [OCI_INDEX, OCI_MANIFEST, OCI_CONFIG, OCI_LAYER, OCI_LAYER + "+gzip", OCI_LAYER + "+zstd", OCI_EMPTY, DOCKER_LIST,
         DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LAYER + ".gzip", DOCKER_LAYER + ".zstd", IN_TOTO]


def encode(value):
    return json.dumps(value, separators=(",", ":")).encode()


def tar(files):
    """A tar archive whose bytes depend on nothing but the files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def zstd(content):
    return subprocess.run(["zstd", "-q", "-c"], input=content, stdout=subprocess.PIPE, check=True).stdout


class Layout:
    """An OCI layout in the making."""

    def __init__(self):
        self.blobs, self.index = {}, []

    def blob(self, media_type, content, algorithm="sha256", **more):
        content = content if isinstance(content, bytes) else encode(content)
        digest = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def image(self, platform, text, layers=(OCI_LAYER,), config=OCI_CONFIG, manifest=OCI_MANIFEST, algorithm="sha256", **more):
        """An image of one small layer for each media type; the platform is a dictionary."""
        descriptors, diff_ids = [], []
        for number, media_type in enumerate(layers):
            plain = tar([(f"file{number}", f"{text} {number}\n".encode())])
            diff_ids.append("sha256:" + hashlib.sha256(plain).hexdigest())
            packed = gzip.compress(plain, mtime=0) if "gzip" in media_type else zstd(plain) if "zstd" in media_type else plain
            descriptors.append(self.blob(media_type, packed, algorithm))
        history = [{"created": CREATED, "created_by": f"COPY file{number} /"} for number in range(len(layers))]
        about = {**platform, "created": CREATED, "author": "nobody", "rootfs": {"type": "layers", "diff_ids": diff_ids},
                 "config": {"Cmd": ["/bin/true"], "Env": ["PATH=/bin"], "Labels": {"text": text, "empty": ""}},
                 "history": [*history, {"created_by": "CMD true", "empty_layer": True}]}
        document = {"schemaVersion": 2, "mediaType": manifest, "config": self.blob(config, about), "layers": descriptors, **more}
        return self.blob(manifest, document, platform=platform)

    def artifact(self, subject, artifact_type, config, layers, **more):
        """A manifest that is not an image, about another one."""
        subject = {key: subject[key] for key in ("mediaType", "digest", "size")}
        return self.blob(OCI_MANIFEST, {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type,
                                        "config": config, "layers": layers, "subject": subject, **more})

    def attestation(self, subject, predicate):
        """Evidence about a manifest, as BuildKit writes it."""
        statement = self.blob(IN_TOTO, {"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate, "predicate": {},
                                        "subject": [{"name": "_", "digest": {"sha256": subject["digest"].split(":")[1]}}]},
                              annotations={"in-toto.io/predicate-type": predicate})
        unknown = {"architecture": "unknown", "os": "unknown"}
        config = self.blob(OCI_CONFIG, {**unknown, "about": subject["digest"]})
        manifest = self.blob(OCI_MANIFEST, {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [statement]})
        return {**manifest, "platform": unknown, "annotations": {
            "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject["digest"]}}

    def list_of(self, media_type, manifests, **more):
        return self.blob(media_type, {"schemaVersion": 2, "mediaType": media_type, "manifests": manifests, **more})

    def named(self, descriptor, name=None):
        annotations = {"io.containerd.image.name": name, "org.example.kept": "yes"} if name else {}
        self.index.append({**descriptor, "annotations": annotations} if annotations else descriptor)

    def archive(self):
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.index}
        blobs = [("blobs/" + digest.replace(":", "/"), content) for digest, content in self.blobs.items()]
        return tar([("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", encode(index)), *blobs])


def linux(architecture, **more):
    return {"architecture": architecture, "os": "linux", **more}


def buildkit_image(omitted_over):
    """The example image without the layers that are larger than so many bytes."""
    with tarfile.open(REPOSITORY / "examples/app-oci.tar") as archive:
        files = [(entry.name, archive.extractfile(entry).read()) for entry in archive if entry.isfile()]
    return tar([(name, content) for name, content in files if len(content) <= omitted_over])


def own_images():
    """What loads as OCI layout, by archive."""
    layout = Layout()
    amd64 = layout.image(linux("amd64"), "zstd", layers=[OCI_LAYER, OCI_LAYER + "+gzip", OCI_LAYER + "+zstd"])
    arm = layout.image(linux("arm", variant="v7"), "arm", annotations={"org.example.note": "of the manifest"})
    windows = layout.image({"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.1", "os.features": ["win32k"]},
                           "windows")
    nested = layout.list_of(OCI_INDEX, [arm, windows], annotations={"org.example.note": "of the nested index"})
    evidence = [layout.attestation(amd64, "https://slsa.dev/provenance/v1"), layout.attestation(arm, "https://spdx.dev/Document")]
    index = layout.list_of(OCI_INDEX, [amd64, nested, *evidence])
    layout.named(index, "docker.io/library/whole:1")
    empty = layout.blob(OCI_EMPTY, b"{}", data="e30=")
    signature = layout.blob("application/vnd.example.signature", b"signed", urls=["https://elsewhere.example/signature"])
    layout.named(layout.artifact(index, "application/vnd.example.signature", empty, [signature], annotations={"a": "1"}))
    layout.named(layout.artifact(amd64, "application/vnd.in-toto+json", empty, [layout.blob(IN_TOTO, b'{"predicateType":"x"}')]))
    yield layout

    layout = Layout()
    layers = [DOCKER_LAYER, DOCKER_LAYER + ".gzip", DOCKER_LAYER + ".zstd"]
    docker = {"config": DOCKER_CONFIG, "manifest": DOCKER_MANIFEST}
    images = [layout.image(linux("amd64"), "docker", layers=layers, **docker),
              layout.image(linux("s390x"), "docker s390x", layers=[DOCKER_LAYER + ".gzip"], **docker)]
    layout.named(layout.list_of(DOCKER_LIST, images), "registry.test:5000/docker/list:latest")
    yield layout

    layout = Layout()
    layout.named(layout.image(linux("amd64"), "long digests", algorithm="sha512"), "registry.test/sha512:1")
    yield layout

    layout = Layout()
    layout.named(layout.image(linux("arm64"), "dangling"))
    yield layout


def one_platform_of_three():
    layout = Layout()
    layout.named(layout.list_of(OCI_INDEX, [layout.image(linux(name), "partly " + name) for name in ("amd64", "arm64", "riscv64")],
                                artifactType="application/vnd.example.index"), "registry.test/partly:1")
    return layout


def docker_archive():
    layer = tar([("etc/motd", b"hello\n")])
    config = {**linux("amd64"), "created": CREATED, "config": {"Entrypoint": ["/init"]}, "history": [{"created_by": "ADD"}],
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
    manifest = [{"Config": "config.json", "RepoTags": ["legacy:1", "registry.test/legacy:also"], "Layers": ["0/layer.tar"]}]
    return tar([("config.json", encode(config)), ("0/layer.tar", layer), ("manifest.json", encode(manifest))])


class Registry(http.server.BaseHTTPRequestHandler):
    """Serves layouts, read-only, each as the repository `team/<name>`; what is cut short breaks off in the middle."""

    layouts, cut_short = {}, {}
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        found = re.fullmatch(r"/v2/team/(\w+)/(manifests|blobs)/([\w:.-]+)", self.path)
        if self.path == "/v2/":
            return self.answer(200, "application/json", b"{}")
        layout = found and self.layouts.get(found[1])
        if not layout:
            return self.answer(404, "application/json", b'{"errors":[]}')
        digest = layout.index[0]["digest"] if found[3] == "1" else found[3]
        content = layout.blobs.get(digest)
        if content is None:
            return self.answer(404, "application/json", b'{"errors":[]}')
        kind = json.loads(content)["mediaType"] if found[2] == "manifests" else "application/octet-stream"
        return self.answer(200, kind, content, digest)

    do_HEAD = do_GET

    def answer(self, status, kind, content, digest=""):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if self.command == "GET":
            part = self.cut_short.get(digest)
            self.wfile.write(content[:part])
            self.close_connection = self.close_connection or part is not None

    def log_message(self, *_):
        pass


class Daemon:
    """The daemon on a data root, and requests to it."""

    def __init__(self, binary, directory):
        self.socket = str(directory / "loadline.sock")
        self.root = directory / "data"
        command = [binary, "serve", "-H", "unix://" + self.socket, "--data-root", str(self.root)]
        self.process = subprocess.Popen([*command, "--insecure-registry", f"127.0.0.1:{REGISTRY_PORT}"], env={})
        for _ in range(600):
            with contextlib.suppress(OSError):
                self.request("GET", "/_ping")
                return
            time.sleep(0.05)
        sys.exit("the daemon does not answer")

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("localhost", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.socket)
        connection.request(method, path, body, {"Content-Type": "application/x-tar"} if body else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 500 or answer.status >= 400 and method != "GET":
            sys.exit(f"{method} {path}: {answer.status} {text}")
        return text

    def load(self, archive, query=""):
        text = self.request("POST", "/images/load" + query, archive)
        if "errorDetail" in text:
            sys.exit(f"load: {text}")

    def pull(self, image, fails=False):
        text = self.request("POST", f"/images/create?fromImage={quote(image)}")
        if ("errorDetail" in text) != fails:
            sys.exit(f"pull of {image}: {text}")

    def stop(self):
        self.process.terminate()
        if self.process.wait(60) != 0:
            sys.exit("the daemon did not end in order")


def fill(daemon):
    daemon.load(buildkit_image(omitted_over=100_000))
    for layout in own_images():
        daemon.load(layout.archive())
    daemon.load(one_platform_of_three().archive(), "?platform=" + quote(json.dumps({"os": "linux", "architecture": "arm64"})))
    daemon.load(docker_archive())
    daemon.request("POST", "/images/whole:1/tag?repo=registry.test/other/name&tag=v2")
    # An image that loses its last name keeps its digest for one.
    for text in ("old", "new"):
        layout = Layout()
        layout.named(layout.image(linux("amd64"), text), "registry.test/moved:1")
        daemon.load(layout.archive())
    pulled = Layout()
    image = pulled.image(linux("amd64"), "pulled", layers=[OCI_LAYER + "+gzip"])
    pulled.named(pulled.list_of(OCI_INDEX, [image, pulled.attestation(image, "https://slsa.dev/provenance/v1")]))
    broken = Layout()
    image = broken.image(linux("amd64"), "broken off")
    manifest = json.loads(broken.blobs[image["digest"]])
    large = broken.blob(OCI_LAYER, tar([("zeros", bytes(300_000))]))
    manifest["layers"].append(large)
    broken.named(broken.blob(OCI_MANIFEST, manifest))
    Registry.layouts = {"app": pulled, "mirror": pulled, "broken": broken}
    Registry.cut_short = {large["digest"]: 100_000}
    here = f"127.0.0.1:{REGISTRY_PORT}/team"
    daemon.pull(f"{here}/app:1")
    # From a second repository, and under a name by digest.
    daemon.pull(f"{here}/mirror@{pulled.index[0]['digest']}")
    daemon.pull(f"{here}/broken:1", fails=True)


def answers(daemon):
    """What the daemon says, as lines that a later one has to repeat byte for byte."""
    yield {"request": API + "/info", "id": json.loads(daemon.request("GET", API + "/info"))["ID"]}
    paths = ["/images/json?manifests=1&identity=1", "/images/json?all=1&shared-size=1&digests=1"]
    for image in json.loads(daemon.request("GET", "/images/json?manifests=1")):
        # Without a platform, what is chosen depends on the machine.
        platforms = [child["ImageData"]["Platform"] for child in image["Manifests"] if child["Kind"] == "image"]
        asked = ["?platform=" + quote(json.dumps(platform, separators=(",", ":"))) for platform in platforms if platform]
        for name in image["RepoTags"] or [image["Id"]]:
            paths += [f"/images/{name}/{what}{platform}" for platform in asked for what in ("json", "history", "attestations")]
            if len(asked) < 2:
                paths.append(f"/images/{name}/json?manifests=1")
    for path in paths:
        text = daemon.request("GET", API + path).rstrip("\n")
        # A platform that is not here is refused, in words that may change.
        if not text.startswith('{"message"'):
            yield API + path, text


def media_types(root):
    """The media types in the documents of a data root."""
    found = set()
    for file in [*root.glob("blobs/*/*"), *root.glob("packs/*.pack")]:
        found.update(name.decode() for name in re.findall(rb'"mediaType":\s*"([^"]+)"', file.read_bytes()))
    return found


def main(binary, number):
    target = FIXTURES / f"data-root-{number}"
    registry = http.server.ThreadingHTTPServer(("127.0.0.1", REGISTRY_PORT), Registry)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    directory = Path(tempfile.mkdtemp())
    daemon = Daemon(binary, directory)
    fill(daemon)
    lines = []
    for line in answers(daemon):
        lines.append(json.dumps(line) if isinstance(line, dict) else f'{{"request":{json.dumps(line[0])},"answer":{line[1]}}}')
    daemon.stop()
    missing = set(KNOWN) - media_types(daemon.root)
    partials = list((daemon.root / "partial").iterdir())
    packed = (daemon.root / "packs").exists() and list((daemon.root / "packs").iterdir())
    if missing or len(partials) != 1 or not (packed or list((daemon.root / "blobs/sha512").iterdir())):
        sys.exit(f"missing: {missing}; partial downloads: {partials}")
    check = subprocess.run([binary, "check", "--deep", "--format", "json", "--data-root", daemon.root], capture_output=True, text=True)
    lines += check.stdout.replace(str(daemon.root), "DATA_ROOT").splitlines()
    target.with_suffix(".jsonl").write_text("\n".join(lines) + "\n")
    pack = ["tar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-C", str(daemon.root), "-cf", "-", "."]
    packed = subprocess.run(pack, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["zstd", "-19", "-q", "-f", "-o", target.with_suffix(".tar.zst")], input=packed, check=True)
    shutil.rmtree(directory)
    print(f"{len(lines)} lines, {target.with_suffix('.tar.zst').stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]))
