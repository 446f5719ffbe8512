#!/usr/bin/env python3
"""Takes the facts that Loadline's API documents are held to out of Docker's own ones.

    scripts/docker_facts.py DIRECTORY > tests/checks/docker_facts.txt

DIRECTORY holds Docker's documents (OpenAPI 2), one file `v1.NN.yaml` for each version at hand. Only names, types,
required-ness and versions leave them, none of their prose. `tests/checks/docker_facts.rs` reads the table.
"""

import re
import sys
from pathlib import Path

import yaml

# What Loadline serves: the answer and the query parameters of these operations are compared.
OPERATIONS = [
    "ImageList", "ImageInspect", "ImageHistory", "ImageAttestations", "ImageLoad", "ImageTag", "ImageDelete", "ImagePrune",
    "ImageCreate", "ImagePush", "ImageSearch", "ImageGet", "ImageGetAll", "DistributionInspect", "SystemAuth",
    "SystemPing", "SystemVersion", "SystemInfo", "SystemDataUsage", "SystemEvents",
    "ContainerList", "ContainerPrune", "VolumeList", "VolumePrune", "NetworkList", "NetworkPrune", "BuildPrune",
]

# Where an answer never holds anything, because Loadline has none of these things, what could stand there is left out.
CLOSED = {
    ("SystemDataUsage", "Containers[]"), ("SystemDataUsage", "Volumes[]"), ("SystemDataUsage", "BuildCache[]"),
    ("SystemDataUsage", "ContainerUsage"), ("SystemDataUsage", "VolumeUsage"), ("SystemDataUsage", "BuildCacheUsage"),
    ("ContainerList", "[]"), ("NetworkList", "[]"), ("VolumeList", "Volumes[]"),
    ("SystemInfo", "Swarm.Cluster"), ("SystemInfo", "Swarm.RemoteManagers[]"), ("SystemInfo", "Runtimes{}"),
    ("SystemInfo", "GenericResources[]"), ("SystemInfo", "DiscoveredDevices[]"), ("SystemInfo", "DefaultAddressPools[]"),
}


def merged(document, schema):
    """The schema without `$ref` and `allOf`: properties and required names of all parts together."""
    nullable = schema.get("x-nullable", False)
    while "$ref" in schema:
        schema = document["definitions"][schema["$ref"].removeprefix("#/definitions/")]
        nullable = nullable or schema.get("x-nullable", False)
    if "allOf" in schema:
        whole = {key: value for key, value in schema.items() if key != "allOf"}
        whole.update(properties=dict(schema.get("properties") or {}), required=list(schema.get("required") or []))
        for part in (merged(document, part) for part in schema["allOf"]):
            whole["properties"].update(part.get("properties") or {})
            whole["required"] += part.get("required") or []
            whole.setdefault("type", part.get("type"))
        schema = whole
    if set(schema.get("properties") or ()) == {"additionalProperties"}:  # a slip in the older documents
        schema = {**schema, "additionalProperties": schema["properties"]["additionalProperties"], "properties": {}}
    return {**schema, "x-nullable": nullable}


def type_of(document, schema):
    schema = merged(document, schema)
    if schema.get("properties"):
        name = "object"
    elif schema.get("type") == "array":
        name = f"array<{type_of(document, schema.get('items') or {})}>"
    elif isinstance(schema.get("additionalProperties"), dict):
        name = f"map<{type_of(document, schema['additionalProperties'])}>"
    else:
        name = schema.get("type") or "any"
    if isinstance(name, list):  # some documents write the JSON Schema form
        schema["x-nullable"] = schema["x-nullable"] or "null" in name
        name = "|".join(one for one in name if one != "null")
    return name + ("?" if schema["x-nullable"] else "")


def walk(document, operation, schema, path, facts, above=()):
    """Adds a fact (path, type, required) for every property below a schema."""
    if (operation, path) in CLOSED:
        return
    name = schema.get("$ref")
    if name and name in above:
        return
    above += (name,)
    schema = merged(document, schema)
    if schema.get("type") == "array" and not schema.get("properties"):
        walk(document, operation, schema.get("items") or {}, path + "[]", facts, above)
    elif isinstance(schema.get("additionalProperties"), dict):
        walk(document, operation, schema["additionalProperties"], path + "{}", facts, above)
    for key, value in (schema.get("properties") or {}).items():
        below = f"{path}.{key}" if path else key
        facts.append((below, type_of(document, value), key in (schema.get("required") or [])))
        walk(document, operation, value, below, facts, above)


def facts_of(document):
    """Every fact (operation, path, type, required) of one document."""
    for item in document["paths"].values():
        for operation in item.values():
            name = operation.get("operationId") if isinstance(operation, dict) else None
            if name not in OPERATIONS:
                continue
            facts = []
            for parameter in operation.get("parameters") or []:
                if parameter["in"] == "query":
                    required = parameter.get("required", False)
                    facts.append((f"?{parameter['name']}", type_of(document, parameter), required))
            answer = operation["responses"].get(200) or operation["responses"].get("200") or {}
            if "schema" in answer and (operation.get("produces") or ["application/json"]) != ["text/plain"]:
                walk(document, name, answer["schema"], "", facts)
            yield from ((name, *fact) for fact in facts)
    facts = []
    walk(document, "ErrorResponse", {"$ref": "#/definitions/ErrorResponse"}, "", facts)
    yield from (("ErrorResponse", *fact) for fact in facts)


def ranges(versions, among):
    """`25-41,44` for a set of versions, where neighbours are neighbours among the documents at hand."""
    runs = []
    for version in among:
        if version not in versions:
            continue
        at = among.index(version)
        if runs and among.index(runs[-1][1]) == at - 1:
            runs[-1][1] = version
        else:
            runs.append([version, version])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs) or "-"


def main():
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    present, required = {}, {}
    versions = []
    for file in sorted(Path(sys.argv[1]).glob("v1.*.yaml"), key=lambda file: int(re.search(r"\.(\d+)\.", file.name)[1])):
        version = int(re.search(r"\.(\d+)\.", file.name)[1])
        versions.append(version)
        for operation, path, kind, needed in facts_of(yaml.load(file.read_text(), loader)):
            present.setdefault((operation, path, kind), set()).add(version)
            if needed:
                required.setdefault((operation, path, kind), set()).add(version)
    print("# Facts of Docker's Engine API, by scripts/docker_facts.py: operation, property (?parameter), type, the 1.NN")
    print("# versions that have it, those that require it. Neighbours in a range are neighbours in this list of documents:")
    print("documents", *versions)
    for operation in ["ErrorResponse", *OPERATIONS]:
        for key in sorted(key for key in present if key[0] == operation):
            print(*key, ranges(present[key], versions), ranges(required.get(key, ()), versions))


main()
