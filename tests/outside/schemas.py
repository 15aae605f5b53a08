"""Holds the schemas of events and the AsyncAPI document against jsonschema, apart from the implementation.

Arguments: the binary, and the folder of wire cases. What a case changes of a valid event must be valid for the schema
exactly where the decoder takes it.
"""

import json
import pathlib
import subprocess
import sys

import jsonschema

BINARY, CASES = sys.argv[1], pathlib.Path(sys.argv[2])
# What a schema cannot say of a text: how long a month is, which numbers are finite, how often a key stands in it.
BEYOND_SCHEMAS = {"22_timestamps.jsonl", "13_not_finite.jsonl", "11_duplicate_keys.jsonl"}


def printed(*arguments):
    return json.loads(subprocess.run([BINARY, "schema", *arguments], check=True, capture_output=True).stdout)


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolved(document, reference):
    node = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def check_events():
    bases = [json.loads(line) for line in (CASES / "events.jsonl").read_text().splitlines()]
    by_name = {base["event_type"]: base for base in bases}
    every = printed("events")
    jsonschema.Draft202012Validator.check_schema(every)
    one_of_all = jsonschema.Draft202012Validator(every)
    single = {}
    for name, base in by_name.items():
        schema = printed("events", name)
        jsonschema.Draft202012Validator.check_schema(schema)
        single[name] = jsonschema.Draft202012Validator(schema)
        single[name].validate(base)
        one_of_all.validate(base)
        for other, validator in single.items():
            assert other == name or not validator.is_valid(base), (other, name)
        # Without its own word only the schema of the type takes it.
        nameless = {key: value for key, value in base.items() if key != "event_type"}
        single[name].validate(nameless)
        assert not one_of_all.is_valid(nameless), name
        for key in base:
            lacking = {other: value for other, value in base.items() if other != key}
            if key not in single[name].schema["required"]:
                single[name].validate(lacking)
            else:
                assert not single[name].is_valid(lacking), (name, key)
    compared = 0
    for path in sorted(CASES.glob("[0-9]*.jsonl")):
        for line in path.read_text().splitlines():
            case = json.loads(line)
            if "base" not in case or case.keys() & {"raw", "headers", "array", "lane"} or path.name in BEYOND_SCHEMAS:
                continue
            event = by_name[case["base"]] | case.get("set", {})
            event = {key: value for key, value in event.items() if key not in case.get("drop", [])}
            name, verdict = case["expect"][0].split()[:2]
            if name not in single or verdict not in ("event", "invalid_field"):
                continue
            valid = single[name].is_valid(event)
            assert valid == (verdict == "event"), (path.name, case["case"], list(single[name].iter_errors(event)))
            compared += 1
    assert compared > 100, compared


def check_asyncapi():
    document = printed("asyncapi")
    assert document["asyncapi"] == "3.0.0"
    for reference in references(document):
        resolved(document, reference)
    receiving = [it for it in document["operations"].values() if it["action"] == "receive"]
    assert len(receiving) == 28
    for operation in document["operations"].values():
        channel = resolved(document, operation["channel"]["$ref"])
        assert [it["$ref"].rsplit("/", 1)[1] for it in operation["messages"]] == list(channel["messages"])
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert len(addresses) == len(document["channels"])
    assert document["channels"]["JobQueued"]["address"] == "events.queue.JobQueued"
    for schema in document["components"]["schemas"].values():
        # AsyncAPI reads schemas as draft 7.
        jsonschema.Draft7Validator.check_schema(schema)


check_events()
check_asyncapi()
