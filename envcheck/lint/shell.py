"""Shell text to simple commands with their places. It runs nothing and expands only what is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from envcheck.lint.textual import Words

TOKEN = re.compile(
    r"(?P<blank>[ \t\r]+|\\\n)|(?P<end>&&|\|\||;;|[;&|\n(){}])|(?P<redirect>[0-9]?(?:<<<|<<-?|>>|>&|<&|[<>]))"
    r"|(?P<comment>\#[^\n]*)|(?P<text>[^\s'\"\\;&|<>(){}#$`]+|\$\w+|\$\([^()]*\)|\$\{[^{}]*\}|\#)"
    r"|(?P<single>'[^']*'?)|(?P<double>\"(?:[^\"\\]|\\.)*\"?)|(?P<escape>\\.?)|(?P<back>`[^`]*`?)|(?P<other>.)",
    re.DOTALL,
)
VARIABLE = re.compile(r"\$(?:(?P<name>\w+)|\{(?P<braced>\w+)(?:(?P<operator>:?[-+?])(?P<other>[^{}]*))?\})")
UNESCAPED = re.compile(r"\\([\"\\$`\n])")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
BEFORE = frozenset(
    ("sudo", "exec", "time", "nohup", "command", "then", "do", "else", "if", "while", "!", "env", "elif")
)
"""Words before a command that are not its name."""
OPTIONS_OF = {
    "sudo": frozenset(
        "-u -g -h -p -C -D -R -T -r -t -U --user --group --chdir --host --prompt".split()  # noqa: SIM905 (it reads better so)
    ),
    "env": frozenset(("-u", "-C", "--unset", "--chdir")),
    "time": frozenset(("-f", "-o")),
    "exec": frozenset(("-a",)),
}
"""Their options whose value is the next word; other words before a command have no options."""


class Word(NamedTuple):
    """A word with quotes taken off, and its place in the file."""

    text: str
    start: int
    end: int


Command = tuple[Word, ...]


def commands(words: Words, variables: Mapping[str, str] | None = None) -> Iterator[Command]:
    """The simple commands of a text, without redirections, and without what stands before their names."""
    command: list[Word] = []
    for word in tokens(words, variables or {}):
        if word is None:
            yield from named(command)
            command = []
        else:
            command.append(word)
    yield from named(command)


def named(command: list[Word]) -> Iterator[Command]:
    """A command from its name on."""
    start = 0
    while start < len(command) and (command[start].text in BEFORE or ASSIGNMENT.match(command[start].text)):
        valued = OPTIONS_OF.get(command[start].text)
        start += 1
        while valued is not None and start < len(command) and command[start].text.startswith("-"):
            start += 2 if command[start].text in valued else 1
    if start < len(command):
        yield tuple(command[start:])


def tokens(words: Words, variables: Mapping[str, str]) -> Iterator[Word | None]:
    """Words, and None where a command ends. The target of a redirection is no word."""
    parts: list[str] = []
    begin = end = 0
    dropped = False
    for match in TOKEN.finditer(words.text):
        kind = match.lastgroup
        if kind == "comment" and parts:
            kind, rest = "text", match[0]  # a # inside a word
            if " " in rest or "\t" in rest:
                rest = re.split(r"[ \t]", rest, maxsplit=1)[0]
            parts.append(rest)
            end = match.end()
            continue
        if kind in ("blank", "end", "redirect", "comment"):
            if parts:
                if not dropped:
                    yield Word("".join(parts), words.offset(begin), words.offset(end - 1) + 1)
                parts, dropped = [], False
            if kind == "end":
                dropped = False
                yield None
            dropped = dropped or kind == "redirect"
            continue
        if not parts:
            begin = match.start()
        parts.append(plain(match, variables))
        end = match.end()
    if parts and not dropped:
        yield Word("".join(parts), words.offset(begin), words.offset(end - 1) + 1)


def plain(match: re.Match[str], variables: Mapping[str, str]) -> str:
    """A piece of a word as the shell would pass it; variables that are not known stay as written."""
    text = match[0]
    if match.lastgroup == "single":
        return text.strip("'")
    if match.lastgroup == "double":
        return expanded(
            UNESCAPED.sub(r"\1", text[1:-1] if len(text) > 1 and text.endswith('"') else text[1:]), variables
        )
    if match.lastgroup == "escape":
        return text[1:]
    return expanded(text, variables)


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """A text with the variables that are known put in."""
    return VARIABLE.sub(lambda match: value(match, variables), text) if "$" in text else text


def value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    """What stands for a variable; itself where nobody knows."""
    known = variables.get(match["name"] or match["braced"])
    operator, other = match["operator"] or "", match["other"] or ""
    if operator.endswith("+"):
        return other if known else ""
    if operator.endswith("-"):
        return known or other
    return match[0] if known is None else known
