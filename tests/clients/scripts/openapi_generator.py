"""Uses the Python client that OpenAPI Generator generates: lists, loads, pushes, pulls and follows events.

Arguments: URL of the daemon, the name of the fixture's image.
"""

import base64
import json
import os
import sys

from loadline_generated import ApiClient, Configuration
from loadline_generated.api import image_api, system_api
from loadline_generated.exceptions import NotFoundException
from loadline_generated.models import EventMessage, LoadMessage, TransferMessage

url, name = sys.argv[1:]
registry = os.environ["REGISTRY"]
client = ApiClient(Configuration(host=f"{url}/v{os.environ['NEWEST_API']}"))
images, system = image_api.ImageApi(client), system_api.SystemApi(client)


def credentials(password):
    # The generated model would write the password as asterisks.
    auth = {"username": os.environ["USERNAME"], "password": password, "serveraddress": registry}
    return base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()


def lines(model, response):
    """The objects of a stream, as they arrive."""
    assert response.status == 200, response.data
    buffered = b""
    for piece in response.stream():
        *whole, buffered = (buffered + piece).split(b"\n")
        for line in whole:
            # Of the media types of events, this generator asks for sequences of RFC 7464, whose objects follow a separator.
            yield model.from_json(line.lstrip(b"\x1e"))


def happens(action):
    """Waits for an event; the test's limit of time is the limit."""
    while next(following).action != action:
        pass


assert system.system_version().api_version == os.environ["NEWEST_API"]

# Events, as they happen.
following = lines(EventMessage, system.system_events_without_preload_content(filters=json.dumps({"event": ["load", "pull", "push"]})))
with open(os.environ["ARCHIVE"], "rb") as archive:
    loaded = list(lines(LoadMessage, images.image_load_without_preload_content(archive.read())))
assert f"Loaded image: {name}\n" in [line.stream for line in loaded], loaded
happens("load")

# The list, whose digests and references the client holds to their patterns.
[image] = [image for image in images.image_list(manifests=True) if name in image.repo_tags]
assert image.descriptor.digest == image.id and image.manifests

# A push, and a pull of the same.
repository = f"{registry}/generated/generator"
images.image_tag(name, repo=repository, tag="1")
auth = credentials(os.environ["PASSWORD"])
pushed = list(lines(TransferMessage, images.image_push_without_preload_content(repository, tag="1", x_registry_auth=auth)))
assert pushed[-1].status.startswith(f"1: digest: {image.id}"), pushed
happens("push")
images.image_delete(f"{repository}:1")
# This generator's client cannot send a request without the body that it could have.
pull = {"from_image": repository, "tag": "1", "body": b""}
pulled = list(lines(TransferMessage, images.image_create_without_preload_content(x_registry_auth=auth, **pull)))
assert pulled[-1].status == f"Status: Downloaded newer image for {repository}:1" and pulled[0].id == "1", pulled
happens("pull")
assert images.image_inspect(f"{repository}:1").id == image.id

# A stream as a whole, and a failure before it begins.
again = images.image_create(x_registry_auth=auth, **pull)
assert TransferMessage.from_json(again.splitlines()[-1]).status.startswith("Status: Image is up to date"), again
try:
    images.image_create(x_registry_auth=credentials("wrong"), **pull)
    raise AssertionError("a pull with a wrong password succeeds")
except NotFoundException as failure:
    assert failure.data.message, failure
print("done")
