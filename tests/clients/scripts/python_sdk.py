"""Uses the client that openapi-python-client generates against a daemon that holds the fixture's image."""

import base64
import datetime
import hashlib
import json
import os
import sys

import httpx

from loadline_client import Client
from loadline_client.api.content import content_head, content_read
from loadline_client.api.image import (
    image_attestations,
    image_create,
    image_delete,
    image_get,
    image_history,
    image_inspect,
    image_list,
    image_load,
    image_prune,
    image_push,
    image_tag,
)
from loadline_client.api.system import system_data_usage, system_events, system_info, system_ping, system_version
from loadline_client.models import (
    AttestationStatement,
    AuthConfig,
    ErrorResponse,
    EventMessage,
    ImageInspect,
    ImagePruneResponse,
    LoadMessage,
    ManifestKindName,
    SystemDataUsageResponse,
    SystemInfo,
    SystemVersion,
    TransferMessage,
    UsageType,
)
from loadline_client.types import UNSET, File

socket, name = sys.argv[1:]
NEWEST = os.environ["NEWEST_API"]
transport = httpx.HTTPTransport(uds=socket)
client = Client(f"http://localhost/v{NEWEST}", httpx_args={"transport": transport}, raise_on_unexpected_status=True)
arm = json.dumps({"os": "linux", "architecture": "arm64"})

# The daemon.
assert system_ping.sync_detailed(client=client).headers["Api-Version"] == NEWEST
version = system_version.sync(client=client)
assert isinstance(version, SystemVersion) and version.api_version == NEWEST and version.components[0].name == "Engine"
info = system_info.sync(client=client)
assert isinstance(info, SystemInfo) and info.images == 1 and info.swarm.remote_managers is None
usage = system_data_usage.sync(client=client, type_=[UsageType.USAGE_IMAGE])
assert isinstance(usage, SystemDataUsageResponse) and usage.image_usage.total_count == 1 and usage.containers is UNSET

# The list, with the platforms of an image and the statements about each.
[image] = image_list.sync(client=client, manifests=True, filters=json.dumps({"reference": [name]}))
assert name in image.repo_tags and image.descriptor.digest == image.id
platforms = {m.id: m.image_data.platform for m in image.manifests if m.kind is ManifestKindName.IMAGE}
attestations = [m.attestation_data for m in image.manifests if m.kind is ManifestKindName.ATTESTATION]
assert {f"{p.os}/{p.architecture}" for p in platforms.values()} >= {"linux/amd64", "linux/arm64"}, platforms
assert attestations and all(a.for_ in platforms and a.statements for a in attestations), attestations
[plain] = image_list.sync(client=client)
assert plain.manifests is UNSET

# One image, of one platform.
inspected = image_inspect.sync(name, client=client, platform=arm)
assert isinstance(inspected, ImageInspect) and inspected.architecture == "arm64" and inspected.root_fs.layers
assert inspected.id in platforms and inspected.descriptor.platform.architecture == "arm64"
assert inspected.config.additional_properties == {} and inspected.created.year >= 2020
steps = image_history.sync(name, client=client, platform=arm)
assert steps[0].id == image.id and steps[0].tags is not None and steps[-1].tags is None, steps

# Its attestations: what is listed, what is said, and the very bytes.
listed = image_attestations.sync(name, client=client, platform=[arm])
told = image_attestations.sync(name, client=client, platform=[arm], statement=True)
assert listed and [one.descriptor for one in listed] == [one.descriptor for one in told]
for statement in told:
    assert isinstance(statement, AttestationStatement)
    digest, size = statement.descriptor.digest, statement.descriptor.size
    blob = content_read.sync(digest, client=client).payload.read()
    assert "sha256:" + hashlib.sha256(blob).hexdigest() == digest and len(blob) == size
    assert json.loads(blob) == statement.statement.to_dict()
    assert json.loads(blob)["predicateType"] == statement.predicate_type
    assert content_read.sync(digest, client=client, range_="bytes=0-9").payload.read() == blob[:10]
    assert content_head.sync_detailed(digest, client=client).headers["Content-Length"] == str(size)
[provenance] = image_attestations.sync(name, client=client, type_=[listed[0].predicate_type], platform=[arm])
assert provenance == listed[0]

# Bytes, names, and an end.
assert image_get.sync(name, client=client).payload.read()[257:262] == b"ustar"
tagged = image_tag.sync_detailed(name, client=client, repo="sdk.example/python", tag="1")
assert tagged.status_code == 201
assert image_inspect.sync("sdk.example/python:1", client=client).id == image.id
removed = image_delete.sync("sdk.example/python:1", client=client)
assert [item.untagged for item in removed] == ["sdk.example/python:1"] and removed[0].deleted is UNSET
pruned = image_prune.sync(client=client)
assert isinstance(pruned, ImagePruneResponse) and pruned.images_deleted is None and pruned.space_reclaimed == 0

# A load, a push and a pull: streams of lines, which the client returns as they are.
def lines(model, stream):
    assert isinstance(stream, File), stream
    return [model.from_dict(json.loads(line)) for line in stream.payload]


def credentials(password):
    auth = AuthConfig(username=os.environ["USERNAME"], password=password, serveraddress=os.environ["REGISTRY"])
    return base64.urlsafe_b64encode(json.dumps(auth.to_dict()).encode()).decode()


with open(os.environ["ARCHIVE"], "rb") as archive:
    loaded = lines(LoadMessage, image_load.sync(client=client, body=File(archive)))
assert f"Loaded image: {name}\n" in [line.stream for line in loaded], loaded
repository, auth = f"{os.environ['REGISTRY']}/generated/python", credentials(os.environ["PASSWORD"])
image_tag.sync_detailed(name, client=client, repo=repository, tag="1")
pushed = lines(TransferMessage, image_push.sync(repository, client=client, tag="1", x_registry_auth=auth))
assert pushed[-1].status.startswith(f"1: digest: {image.id}"), pushed
image_delete.sync(f"{repository}:1", client=client)
pull = {"from_image": repository, "tag": "1"}
pulled = lines(TransferMessage, image_create.sync(client=client, x_registry_auth=auth, **pull))
assert pulled[-1].status == f"Status: Downloaded newer image for {repository}:1", pulled
assert image_inspect.sync(f"{repository}:1", client=client).id == image.id
denied = image_create.sync_detailed(client=client, x_registry_auth=credentials("wrong"), **pull)
assert denied.status_code == 404 and isinstance(denied.parsed, ErrorResponse), denied

# What happened, until now; then as it happens, line by line, with the request that the client makes.
until = str(datetime.datetime.now().timestamp())
events = lines(EventMessage, system_events.sync(client=client, since="0", until=until))
actions = [event.action for event in events if event.actor.attributes["name"] == "sdk.example/python:1"]
assert actions == ["tag", "untag"], events
assert [event.action for event in events if event.action in ("push", "pull")] == ["push", "pull"], events
request = system_events._get_kwargs(filters=json.dumps({"event": ["tag"]}))
with client.get_httpx_client().stream(**request) as stream:
    assert stream.headers["Content-Type"] == "application/jsonl"
    image_tag.sync_detailed(name, client=client, repo="sdk.example/python", tag="2")
    event = EventMessage.from_dict(json.loads(next(stream.iter_lines())))
assert (event.action, event.actor.attributes["name"]) == ("tag", "sdk.example/python:2"), event

# What fails says why.
absent = image_inspect.sync_detailed("sdk.example/python:1", client=client)
assert absent.status_code == 404 and isinstance(absent.parsed, ErrorResponse)
assert absent.parsed.message == "No such image: sdk.example/python:1", absent.parsed
confused = image_list.sync(client=client, filters="{")
assert isinstance(confused, ErrorResponse) and confused.message == "invalid filter", confused
print("done")
