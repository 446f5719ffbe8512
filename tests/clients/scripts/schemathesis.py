"""Hooks for Schemathesis: gives requests names, digests and filters that mean something to the daemon in place of every other invention,
keeps logins inside, loads anew what a request removed, and holds answers to what is documented and nothing else."""

import itertools
import json
import os

import requests
import schemathesis

URL = os.environ["LOADLINE_URL"]
REGISTRY = os.environ["LOADLINE_REGISTRY"]
ARCHIVES = json.loads(os.environ["LOADLINE_ARCHIVES"])


def load():
    for archive in ARCHIVES:
        with open(archive, "rb") as file:
            answer = requests.post(f"{URL}/images/load", data=file, timeout=60)
        assert answer.ok and "errorDetail" not in answer.text, answer.text


load()
images = requests.get(f"{URL}/images/json?manifests=1", timeout=60).json()
manifests = [manifest for image in images for manifest in image.get("Manifests", [])]
statements = [one for manifest in manifests for one in manifest.get("AttestationData", {}).get("Statements", [])]
ids = [image["Id"] for image in images]
names = [name for image in images for name in image["RepoTags"] + image["RepoDigests"]]
blobs = [one["digest"] for one in [m["Descriptor"] for m in manifests] + [s["Descriptor"] for s in statements]]

platforms = [json.dumps(manifest["Descriptor"]["platform"]) for manifest in manifests if "platform" in manifest["Descriptor"]]
filters = [
    {"dangling": ["true"]},
    {"dangling": {"false": True}},
    {"reference": ["*/*/*:*"]},
    {"label": ["origin=legacy"], "until": ["2030-01-01"]},
    {"label!": ["origin"]},
    {"before": [names[0]]},
    {"since": [ids[0]]},
    {"until": ["-1s", "9999999999999999999"]},
    {"before": ["sha256:" + "0" * 64]},
    {"id": ["a"], "name": ["b"], "status": ["running"]},
    {},
    [],
    None,
]
known = {
    "name": names + ids + [identity.removeprefix("sha256:")[:12] for identity in ids] + [m["ID"] for m in manifests] + ["s", "a" * 256],
    "digest": [*blobs, *ids, "sha256:" + "0" * 64, "sha512:" + "0" * 128],
    "platform": [*platforms, '{"os":"plan9","architecture":"arm","variant":"v99"}', "null", "{}", "[]", '{"os":1}'],
    "filters": [json.dumps(one) for one in filters],
    "filter": ["*", "registry.example/*/*", "[", "\\"],
    "type": [one["PredicateType"] for one in statements],
    "repo": [names[0], "copy/of", "127.0.0.1:5000/copy", "UPPER"],
    "tag": ["1", "latest", "-1", "a" * 129],
    "Range": ["bytes=0-9", "bytes=-3", "bytes=5-", "bytes=18446744073709551616-", "bytes=9-0", "bytes=0-1,3-4", "lines=1-2"],
    "If-None-Match": ["*", f'W/"{blobs[0]}"', f'"{blobs[0]}", "x"'],
    "If-Range": [f'"{blobs[0]}"', '"x"'],
    "remote": [f"{REGISTRY}/team/app:1.0", f"{REGISTRY}/team/app", f"{REGISTRY}/team/none", f"{REGISTRY}/team/app@{ids[0]}"],
}
known["platforms"] = known["platform"]
inexhaustible = {name: itertools.cycle(values) for name, values in known.items() if values}
turn = itertools.cycle([True, False, True])


def substitute(parameters, renamed=()):
    for name in list(parameters or {}):
        choices = inexhaustible.get(dict(renamed).get(name, name))
        if choices and next(turn):
            value = next(choices)
            parameters[name] = [value] if isinstance(parameters[name], list) else value


@schemathesis.hook
def before_load_schema(context, raw_schema):
    # What is answered and not documented is a fault too.
    for schema in raw_schema["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    remote = operation == "DistributionInspect"
    substitute(case.path_parameters, {"name": "remote"} if remote else {})
    substitute(case.query)
    substitute(case.headers)
    # What would leave this machine asks the test's own registry.
    if remote and not str(case.path_parameters["name"]).startswith(REGISTRY):
        case.path_parameters["name"] = f"{REGISTRY}/{case.path_parameters['name']}"
    if operation == "SystemAuth" and isinstance(case.body, dict) and isinstance(case.body.get("serveraddress", ""), str | None):
        case.body["serveraddress"] = REGISTRY


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 200 and (case.method == "DELETE" or case.path == "/images/prune"):
        load()
