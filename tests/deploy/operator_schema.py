"""Validates manifests of the Prometheus operator against its models, unknown keys refused; exit 1 with what is wrong."""

import sys

import jsonschema
import yaml
from cloudcoil.models.prometheus_operator import v1

wrong = 0
for document in yaml.safe_load_all(sys.stdin):
    schema = getattr(v1, document["kind"]).model_json_schema()
    for part in [schema, *schema["$defs"].values()]:
        if "properties" in part:
            part["additionalProperties"] = False
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        print("/".join(map(str, error.absolute_path)), error.message)
        wrong = 1
sys.exit(wrong)
