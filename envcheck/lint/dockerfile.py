"""Dockerfile text to instructions and stages, each with its place. Pure; the form is that of BuildKit's frontend.

https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from envcheck.lint.shell import expanded
from envcheck.lint.source import Unreadable
from envcheck.lint.textual import Text, Words, joined

KEYWORDS = frozenset(
    """
    ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER
    VOLUME WORKDIR
    """.split()  # noqa: SIM905 (it reads better so)
)
DIRECTIVE = re.compile(r"#\s*(?P<name>[A-Za-z]+)\s*=\s*(?P<value>\S+)\s*$")
HEREDOC = re.compile(r"(?<!<)<<(?P<dash>-?)\s*(?P<quote>[\"']?)(?P<name>[A-Za-z_][\w.]*)(?P=quote)")
MOST_STAGES = 200
WITH_HEREDOC = frozenset(("RUN", "COPY", "ADD"))
FLAG = re.compile(r"\s*--(?P<name>[a-z-]+)(?:=(?P<value>\S*))?(?=\s|$)")
PAIR = re.compile(r"\s*(?P<name>[^\s=]+)=(?P<value>(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|\\.|[^\s\"'\\])*)")
FROM = re.compile(r"\s*(?P<image>\S+)(?:\s+AS\s+(?P<name>\S+))?\s*$", re.IGNORECASE)


class Instruction(NamedTuple):
    """One instruction. `words`: what follows the keyword and the flags; `heredocs`: (delimiter, text) of each."""

    keyword: str
    flags: tuple[tuple[str, str], ...]
    words: Words
    heredocs: tuple[tuple[str, Words], ...]
    start: int
    end: int

    def flag(self, name: str) -> str:
        """The value of a flag, or ""."""
        return next((value for flag, value in self.flags if flag == name), "")

    def array(self) -> list[str] | None:
        """The exec form; None for the shell form."""
        if not self.words.text.lstrip().startswith("["):
            return None
        try:
            found = json.loads(self.words.text)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else None


class Stage(NamedTuple):
    """What follows one FROM. `image` has its ARGs put in; `globals` are the ARGs before the first FROM."""

    image: str
    name: str
    platform: str
    origin: Instruction
    body: tuple[Instruction, ...]
    globals: dict[str, str]


def instructions(text: Text) -> list[Instruction]:
    """The instructions of a file. Raises Unreadable at the first that is none."""
    lines = [(text.line(number), text.starts[number - 1]) for number in range(1, len(text.starts) + 1)]
    escape = escape_of(text)
    found: list[Instruction] = []
    number = 0
    while number < len(lines):
        line, offset = lines[number]
        if not line.strip() or line.lstrip().startswith("#"):
            number += 1
            continue
        parts, number = continued(lines, number, escape)
        one = instruction(text, parts, offset + len(line) - len(line.lstrip()))
        heredocs, number = bodies(lines, number, one)
        end = heredocs[-1][2] if heredocs else one.end
        found.append(one._replace(heredocs=tuple((name, body) for name, body, _ in heredocs), end=end))
    return found


def escape_of(text: Text) -> str:
    """The escape character: only directives may stand before its directive."""
    for number in range(1, len(text.starts) + 1):
        directive = DIRECTIVE.match(text.line(number).strip())
        if directive is None:
            break
        if directive["name"].lower() == "escape" and directive["value"] in ("\\", "`"):
            return directive["value"]
    return "\\"


def continued(lines: list[tuple[str, int]], number: int, escape: str) -> tuple[list[tuple[str, int]], int]:
    """The pieces of an instruction without its line continuations and comments, and the number of the next line."""
    parts: list[tuple[str, int]] = []
    first = True
    while number < len(lines):
        line, offset = lines[number]
        number += 1
        bare = line.rstrip()
        if not first and (not bare or bare.lstrip().startswith("#")):
            continue
        first = False
        if not bare.endswith(escape):
            parts.append((bare, offset))
            break
        parts.append((bare[:-1], offset))
    return parts, number


def instruction(text: Text, parts: list[tuple[str, int]], start: int) -> Instruction:
    """An instruction from its pieces."""
    whole = joined(parts)
    keyword = re.match(r"\s*(\S+)", whole.text)
    name = keyword[1].upper() if keyword else ""
    if keyword is None or name not in KEYWORDS:
        raise Unreadable(f"{name[:40]!r} is no instruction of a Dockerfile", *text.at(start))
    flags, at = flags_of(whole.text, keyword.end())
    last, offset = parts[-1]
    return Instruction(name, flags, cut(whole, at), (), start, offset + len(last))


def flags_of(text: str, at: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """The flags from an index on, and where they end."""
    flags = []
    while flag := FLAG.match(text, at):
        flags.append((flag["name"], flag["value"] or ""))
        at = flag.end()
    return tuple(flags), at


def trigger_of(one: Instruction) -> Instruction | None:
    """What an ONBUILD asks of whatever is built on its stage, with its heredocs; None for any other instruction."""
    keyword = re.match(r"\S+", one.words.text) if one.keyword == "ONBUILD" else None
    if keyword is None:
        return None
    flags, at = flags_of(one.words.text, keyword.end())
    return one._replace(keyword=keyword[0].upper(), flags=flags, words=cut(one.words, at))


def cut(words: Words, at: int) -> Words:
    """Words from an index on."""
    at += len(words.text[at:]) - len(words.text[at:].lstrip())
    kept = [(start - at, there) for start, there in words.pieces if start > at]
    return Words(words.text[at:], ((0, words.offset(at)), *kept))


def bodies(lines: list[tuple[str, int]], number: int, one: Instruction) -> tuple[list[tuple[str, Words, int]], int]:
    """The heredocs of an instruction, with where each ends, and the number of the next line."""
    one = trigger_of(one) or one
    if one.keyword not in WITH_HEREDOC or one.array() is not None:
        return [], number
    found = []
    for heredoc in HEREDOC.finditer(one.words.text):
        body = []
        while number < len(lines):
            line, offset = lines[number]
            number += 1
            bare = line.rstrip("\r\n")
            if (bare.lstrip("\t") if heredoc["dash"] else bare) == heredoc["name"]:
                break
            body.append((line, offset))
        line, offset = lines[number - 1]
        found.append((heredoc["name"], joined(body), offset + len(line.rstrip())))
    return found, number


def stages(text: Text, found: list[Instruction]) -> list[Stage]:
    """The stages of a file. Raises Unreadable where there is none, or where one has no image."""
    given: dict[str, str] = {}
    heads: list[Stage] = []
    contents: list[list[Instruction]] = []
    for one in found:
        if one.keyword == "FROM":
            heads.append(stage(text, one, given))
            contents.append([])
        elif contents:
            contents[-1].append(one)
        elif one.keyword == "ARG":
            given.update(pairs(one, given))
    if len(heads) > MOST_STAGES:
        raise Unreadable(f"has more than {MOST_STAGES} stages: it was not read")
    if not heads:
        raise Unreadable("has no FROM: it is no Dockerfile")
    return [head._replace(body=tuple(body)) for head, body in zip(heads, contents, strict=True)]


def stage(text: Text, one: Instruction, given: dict[str, str]) -> Stage:
    """A stage without its body."""
    match = FROM.match(one.words.text)
    if match is None:
        raise Unreadable("FROM wants an image: FROM IMAGE [AS NAME]", *text.at(one.start))
    image = expanded(match["image"].strip("\"'"), given)
    return Stage(image, (match["name"] or "").lower(), expanded(one.flag("platform"), given), one, (), given)


def pairs(one: Instruction, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The names and values of ENV, ARG or LABEL, with what is known put in. An ARG without a value is left out."""
    text = one.words.text
    if one.keyword == "ENV" and not re.match(r"[^\s=]+=", text):
        name, _, value = text.partition(" ")
        yield name, expanded(value.strip(), known)
        return
    for pair in PAIR.finditer(text):
        yield pair["name"], expanded(unquoted(pair["value"]), known)


def unquoted(text: str) -> str:
    """A value without its quotes."""
    return re.sub(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'", lambda m: m[1] if m[1] is not None else m[2], text)
