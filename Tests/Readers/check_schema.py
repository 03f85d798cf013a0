"""Checks files of YAML, JSON or lines of JSON by a JSON Schema, with jsonschema.

check_schema.py SCHEMA FILE...

Prints a line for each file: `NAME: good`, or `NAME: ` and the first mistake with where it is.
"""

import json
import pathlib
import sys

import jsonschema
import yaml

schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for name in sys.argv[2:]:
    path = pathlib.Path(name)
    text = path.read_text()
    values = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [yaml.safe_load(text)]
    mistake = next((mistake for value in values for mistake in validator.iter_errors(value)), None)
    where = "/".join(str(part) for part in mistake.absolute_path) if mistake else ""
    print(f"{path.name}: {'good' if mistake is None else f'{where}: {mistake.message[:200]}'}")
