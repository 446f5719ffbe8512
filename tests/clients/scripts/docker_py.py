"""What scripts do with docker-py, at the newest version of the API and at older ones.

Arguments: URL of the daemon, archive, the name in it, a directory of other archives, registry, user, password, index.
"""

import os
import time
import sys

import docker
from docker.errors import APIError, ImageLoadError, ImageNotFound, InvalidVersion, NotFound

base, archive, name, others, registry, username, password, index = sys.argv[1:]
auth = {"username": username, "password": password, "serveraddress": registry}
NEWEST = os.environ["NEWEST_API"]


def refused(error, text, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except error as refusal:
        assert text in str(refusal), refusal
        return
    raise AssertionError(f"this succeeds: {text}")


def load(client):
    with open(archive, "rb") as data:
        return client.images.load(data)


def asks_who_answers(client):
    assert client.ping()
    assert client.version()["ApiVersion"] == NEWEST
    info = client.info()
    assert info["OSType"] == "linux" and info["Containers"] == 0, info
    assert client.containers.list(all=True) == []
    assert client.volumes.list() == [] and client.networks.list() == []


def reads(client, image, minor):
    assert image.id.startswith("sha256:") and name in image.tags, image.attrs
    assert [found.id for found in client.images.list(name="registry.example/team/app")] == [image.id]
    assert image.id in [found.id for found in client.images.list(all=True, filters={"dangling": False})]
    assert client.images.list(filters={"label": "no such label"}) == []
    assert client.api.inspect_image(image.id)["Id"] == image.id
    assert ("VirtualSize" in image.attrs) == (minor < 44)
    assert any("COPY" in step["CreatedBy"] for step in image.history())
    assert isinstance(image.labels, dict) and image.short_id
    refused(ImageNotFound, "No such image", client.images.get, "registry.example/none:1")
    refused(ImageLoadError, "not a tar", client.images.load, b"garbage" * 1000)


def renames(client, image, own):
    assert image.tag(f"registry.test/{own}", "1")
    saved = b"".join(client.images.get(f"registry.test/{own}:1").save(named=f"registry.test/{own}:1"))
    client.images.remove(f"registry.test/{own}:1")
    refused(ImageNotFound, "No such image", client.images.get, f"registry.test/{own}:1")
    (loaded,) = client.images.load(saved)
    assert loaded.id == image.id and f"registry.test/{own}:1" in loaded.tags
    # Without a name, an archive holds the image alone.
    client.images.load(b"".join(image.save()))
    refused(APIError, "", image.tag, "registry.test/UPPER")


def moves(client, image, own, minor):
    there = f"{registry}/docker-py/{own}"
    assert image.tag(there, "1")
    pushed = list(client.images.push(there, tag="1", auth_config=auth, stream=True, decode=True))
    assert any(line.get("status", "").startswith(f"1: digest: {image.id}") for line in pushed), pushed
    client.images.remove(f"{there}:1")
    refused(APIError, "", client.images.pull, there, tag="1", auth_config={**auth, "password": "wrong"})
    assert client.images.pull(there, tag="1", auth_config=auth).id == image.id
    lines = list(client.api.pull(there, tag=image.id, stream=True, decode=True, auth_config=auth))
    assert lines[-1]["status"].startswith("Status: "), lines
    client.images.remove(f"{there}:1")
    # What was logged in to is used from then on.
    assert client.login(username, password, registry=registry, reauth=True)["Status"] == "Login Succeeded"
    assert [found.id for found in client.images.pull(there, all_tags=True)] == [image.id]
    if minor >= 32:
        assert client.images.pull(there, tag="1", platform="linux/arm64").attrs["Os"] == "linux"
    if minor >= 30:
        data = client.images.get_registry_data(f"{there}:1", auth_config=auth)
        assert data.id == image.id and data.has_platform("linux/arm64"), data.attrs
        refused(NotFound, "", client.images.get_registry_data, f"{registry}/nope:1", auth_config=auth)


def finds(client, own):
    rootfs = f"{others}/rootfs.tar"
    changes = ['CMD ["/bin/true"]', "ENV A=b"]
    said = client.api.import_image(rootfs, repository="imported", tag=own, changes=changes)
    image = client.images.get(f"imported:{own}")
    assert image.id in said, said
    assert image.attrs["Config"]["Cmd"] == ["/bin/true"] and image.attrs["Config"]["Env"] == ["A=b"], image.attrs
    with open(rootfs, "rb") as data:
        said = client.api.import_image_from_data(data.read(), repository="imported", tag=f"{own}-data")
    assert client.images.get(f"imported:{own}-data").id in said, said
    hits = client.images.search(f"{index}/app", limit=2)
    assert [(hit["name"], hit["star_count"]) for hit in hits] == [("app", 100), ("team/app", 3)], hits


def frees(client, image, minor):
    if minor < 25:
        refused(InvalidVersion, "", client.images.prune)
        for row in client.images.list():
            client.images.remove(row.id, force=True)
        return
    usage = client.df()
    assert image.id in [found["Id"] for found in usage["Images"]], usage
    assert client.images.prune()["SpaceReclaimed"] == 0
    pruned = client.images.prune(filters={"dangling": False})
    assert pruned["SpaceReclaimed"] > 1000000, pruned
    assert {"Deleted": image.id} in pruned["ImagesDeleted"], pruned


def tells(client, since, minor):
    events = list(client.events(since=since, until=int(time.time()) + 1, filters={"type": "image"}, decode=True))
    actions = {event["Action"] for event in events}
    assert {"load", "tag", "untag", "delete", "push", "pull", "save"} <= actions, actions
    assert ("status" in events[0]) == (minor < 52), events[0]


def run(client, version):
    own, minor = f"v{version}", int(version.split(".")[1])
    assert client.api._version == version, client.api._version
    since = int(time.time())
    asks_who_answers(client)
    assert name in [tag for image in load(client) for tag in image.tags]
    image = client.images.get(name)
    reads(client, image, minor)
    renames(client, image, own)
    moves(client, image, own, minor)
    finds(client, own)
    frees(client, image, minor)
    assert client.images.list() == []
    tells(client, since, minor)


def follows(client):
    """Events as they happen, until the client hangs up."""
    stream = client.events(decode=True, filters={"event": ["tag"]})
    load(client)
    client.images.get(name).tag("registry.test/followed", "1")
    assert next(stream)["Type"] == "image"
    stream.close()


for version in ["1.24", "1.41", "1.44", NEWEST]:
    run(docker.DockerClient(base_url=base, version=version), version)
automatic = docker.DockerClient(base_url=base, version="auto")
with open(f"{others}/incomplete.tar", "rb") as data:
    automatic.images.load(data)
with open(f"{others}/docker.tar", "rb") as data:
    assert automatic.images.load(data)[0].tags == ["registry.test/archive:1"]
# An image of which nothing is here does not break the others.
assert len(automatic.images.list()) == 2
follows(automatic)
refused(APIError, "client version 1.99 is too new", docker.DockerClient(base_url=base, version="1.99").ping)
print("done")
