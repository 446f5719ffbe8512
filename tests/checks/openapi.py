"""Holds OpenAPI documents to the specification, and their examples to their schemas."""

import json
import sys

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT = "document"


def examples(node, at):
    """Every example that stands beside its schema, and where."""
    if isinstance(node, list):
        for index, member in enumerate(node):
            yield from examples(member, [*at, index])
    elif isinstance(node, dict):
        if "x-itemSchema" in node:
            for line in node["example"].strip().split("\n"):
                yield at, [*at, "x-itemSchema"], json.loads(line.removeprefix("\x1e"))
        elif "example" in node and isinstance(node.get("schema"), dict):
            yield at, [*at, "schema"], node["example"]
        for name, member in node.items():
            if name != "example":
                yield from examples(member, [*at, name])


def pointer(steps):
    return "#/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in steps)


faults = []
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    faults += [f"{path}: {list(fault.absolute_path)}: {fault.message}" for fault in OpenAPIV31SpecValidator(document).iter_errors()]
    registry = Registry().with_resource(DOCUMENT, Resource(contents=document, specification=DRAFT202012))
    properties = [
        (["components", "schemas", name, "properties", member], described["example"])
        for name, schema in document["components"]["schemas"].items()
        for member, described in schema.get("properties", {}).items()
        if "example" in described
    ]
    shown = [(at, at, example) for at, example in properties]
    for at, schema, example in [*examples(document["paths"], ["paths"]), *shown]:
        validator = OAS31Validator({"$ref": DOCUMENT + pointer(schema)}, registry=registry)
        faults += [f"{path}: {pointer(at)}: {fault.message}" for fault in validator.iter_errors(example)]
if faults:
    sys.exit("\n".join(faults))
