"""Document -> structural problems, by the JSON schema that is shipped for editors too."""

from __future__ import annotations

import difflib
import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from envcheck.matrix.document import Scalar
from envcheck.matrix.problems import STRUCTURE, Path, Problem, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envcheck.matrix.document import Document

SCHEMA = "matrix.schema.json"


@cache
def schema() -> dict[str, Any]:
    """The schema of matrix.yaml (JSON Schema, draft 2020-12), as shipped in envcheck/data."""
    text = resources.files("envcheck").joinpath("data", SCHEMA).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def structure_problems(document: Document) -> tuple[Problem, ...]:
    """Everything the schema refuses, in words; places that are no sound YAML already are not named a second time."""
    from jsonschema import Draft202012Validator

    known = {problem.path for problem in document.problems}
    errors = Draft202012Validator(schema()).iter_errors(document.data)
    found = (problem for error in errors for problem in _problems(error, document))
    # jsonschema has one error per missing key, and each names all the keys required.
    return tuple(dict.fromkeys(problem for problem in found if problem.path not in known))


def settings_fault(settings: Mapping[str, Any]) -> str:
    """What the schema refuses first in the settings of a matrix, such as `gate`; an empty text where all is well."""
    from jsonschema import Draft202012Validator

    found = Draft202012Validator(schema()).iter_errors({"version": 1, "axes": {"python": ["3.11"]}, **settings})
    return next((f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found), "")


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`; did you mean X?`, or else the words known."""
    words = list(known)
    close = difflib.get_close_matches(str(word), words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else f"; known are: {', '.join(words)}"


def _problems(error: Any, document: Document) -> Iterator[Problem]:
    """The problems of one schema error. Schema paths name the definition meant: `$defs/version/pattern`."""
    path: Path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", ()))
        for key in error.instance.keys() - set(known):
            message = f"unknown key {shown(key)}{did_you_mean(key, known)}"
            yield Problem(STRUCTURE, (*path, key), message, document.keys[(*path, key)])
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                yield Problem(STRUCTURE, path, f"the key {key} is missing{_hint(key)}")
    elif "propertyNames" in error.absolute_schema_path:
        key_path = (*path, str(error.instance))
        yield Problem(STRUCTURE, key_path, _bad_name(error), document.keys[key_path])
    else:
        yield Problem(STRUCTURE, path, _message(error, document.raw.get(path)))


def _hint(key: str) -> str:
    return {
        "version": "; the first line of the file is version: 1",
        "because": "; say why in a few words",
    }.get(key, "")


def _bad_name(error: Any) -> str:
    return f"the key {shown(error.instance)} does not have the form {_form(error.validator_value)}"


_FORMS = {
    "^[a-z]": "of a name: small letters, digits, - and _, a letter first, at most 32",
    "^[0-9][0": 'of a version such as "1.2.2", at most 32 characters',
    "^[0-9A": "of letters, digits, dots, underscores and plus signs, at most 32",
    "^(any|": 'of a driver: a branch such as "570", a version such as "570.124.06", or any',
    "^[1-9]": "WIDTHxHEIGHT such as 640x480, each from 16 to 8192",
    "^[^": "of one word without blanks",
    "\\S": "of a text that says something",
}


def _form(pattern: str) -> str:
    return next((form for start, form in _FORMS.items() if pattern.startswith(start)), pattern)


def _message(error: Any, raw: Scalar | None) -> str:
    wanted, instance = error.validator_value, error.instance
    seen = raw.text if raw else shown(instance)
    match error.validator:
        case "type":
            said = _wrong_type(wanted, instance, raw)
        case "enum":
            said = _not_among(instance, wanted, raw)
        case "const":
            said = f"{seen} is not {wanted}; this envcheck reads version {wanted}"
        case "pattern":
            said = f"{seen} does not have the form {_form(wanted)}"
        case "minItems" | "minProperties" | "minLength":
            said = f"has {len(instance)} entries; at least {wanted} must be given" if instance else "is empty"
        case "maxItems" | "maxProperties" | "maxLength":
            said = f"has a length of {len(instance)}; at most {wanted} is read"
        case bound if bound in _BOUNDS:
            said = f"{seen} is out of range; it must be {_BOUNDS[bound]} {wanted}"
        case _:
            said = str(error.message)
    return said


_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_NOUNS = {
    "object": "a mapping (key: value)",
    "array": "a list ([...])",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "null": "null",
}


def _wrong_type(wanted: str | Sequence[str], instance: object, raw: Scalar | None) -> str:
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    expected = " or ".join(_NOUNS[kind] for kind in kinds)
    if raw and raw.text == "":
        return f"is empty; expected {expected}"
    if isinstance(instance, Scalar) and "number" in kinds:
        return f"{instance.text} is no finite decimal number"
    if raw and "string" in kinds and instance is not None:
        return f"{raw.text} is {raw.kind}; write it as a string: {shown(raw.text)}"
    if isinstance(instance, str) and kinds == ["array"]:
        return f"{shown(instance)} is text; expected a list: [{shown(instance)}]"
    return f"{raw.text if raw else _what(instance)} is {raw.kind if raw else 'wrong here'}; expected {expected}"


def _what(instance: object) -> str:
    if isinstance(instance, (dict, list)):
        return "a mapping" if isinstance(instance, dict) else "a list"
    return shown(instance)


def _not_among(instance: object, wanted: Sequence[str], raw: Scalar | None) -> str:
    if raw:
        return f"{raw.text or 'nothing'} is {raw.kind}; expected one of {', '.join(wanted)}"
    if not isinstance(instance, str):
        return f"{_what(instance)} is wrong here; expected one of {', '.join(wanted)}"
    return f"{shown(instance)} is unknown{did_you_mean(instance, wanted)}"
