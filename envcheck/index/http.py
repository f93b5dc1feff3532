"""Reading from a package index over HTTP, with the user's proxies, certificates and passwords; whole or in parts."""

from __future__ import annotations

import base64
import contextlib
import http.client
import netrc
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from envcheck.errors import InfrastructureError
from envcheck.redact import redact

_CHUNK = 1 << 18
_SILENCE_S = 20.0
_TRIES = 3
_PAUSE_S = 0.5
_GONE = (404, 410)
_NO_PARTS = (416, 501)
_FOR_A_MOMENT = (429, 500, 502, 503, 504)

REMEDY = "Check the connection and the index settings of uv or pip, try again, or give a wheel file."

Tick = Callable[[int, int | None], None]
"""Called with the bytes that came and the bytes expected."""


class MissingError(Exception):
    """The server has no such page."""


class NoPartsError(Exception):
    """The server does not give parts of that file."""


@dataclass
class Client:
    """One user's way to servers. `env` are uv's variables, from the settings of uv and pip. `fetched` counts bytes."""

    env: Mapping[str, str]
    fetched: int = 0
    _opener: dict[str, urllib.request.OpenerDirector] = field(default_factory=dict)
    _logins: dict[str, tuple[str, str]] = field(default_factory=dict)

    def text(self, url: str, accept: str, limit: int) -> tuple[str, str, str]:
        """A page: its text, its type, and the address it came from in the end.

        Raises MissingError where there is none, InfrastructureError where the server does not give it.
        """
        with self.open(url, {"Accept": accept}) as answer:
            data = self._read(answer, limit + 1)
            if len(data) > limit:
                raise InfrastructureError(f"{shown(url)} is larger than {limit} bytes", remedy=REMEDY)
            kind = answer.headers.get_content_type() if answer.headers else ""
            return data.decode("utf-8", "replace"), kind, answer.geturl()

    def _read(self, answer: Any, limit: int) -> bytes:
        data: bytes = answer.read(limit)
        self.fetched += len(data)
        return data

    @contextlib.contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """An answer of the server, asked again where it fails for a moment."""
        if self.env.get("UV_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
            raise InfrastructureError(f"{shown(url)} is not asked: UV_OFFLINE is set", remedy="Give a wheel file.")
        try:
            with self._answer(url, headers) as answer:
                yield answer
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise InfrastructureError(f"{shown(url)} cannot be read: {_reason(error)}", remedy=REMEDY) from error

    def _answer(self, url: str, headers: Mapping[str, str]) -> Any:
        bare = self._remembered(url)
        request = urllib.request.Request(bare, headers=dict(headers))  # noqa: S310 - http and https by then
        if login := self._logins.get(urlsplit(bare).netloc) or _of_netrc(urlsplit(bare).hostname or ""):
            request.add_unredirected_header("Authorization", _basic(*login))  # another host must not see it
        for attempt in range(1, _TRIES + 1):
            try:
                return self._of(bare).open(request, timeout=self._timeout())
            except urllib.error.HTTPError as error:
                error.close()
                if error.code in _GONE:
                    raise MissingError(shown(url)) from error
                if "Range" in headers and error.code in _NO_PARTS:
                    raise NoPartsError(shown(url)) from error
                if error.code not in _FOR_A_MOMENT or attempt == _TRIES:
                    raise InfrastructureError(
                        f"{shown(url)} answered {error.code} {error.reason}", remedy=REMEDY
                    ) from error
            except (OSError, http.client.HTTPException) as error:
                if attempt == _TRIES or _is_silence(error):
                    raise
            time.sleep(_PAUSE_S * attempt)
        raise AssertionError(url)

    def _remembered(self, url: str) -> str:
        """The address without its login, which holds for every page and file of that host."""
        bare, login = without_login(url)
        if urlsplit(bare).scheme not in {"http", "https"}:
            raise InfrastructureError(f"{shown(url)} is no http address", remedy=REMEDY)
        if login:
            self._logins[urlsplit(bare).netloc] = login
        return bare

    def _timeout(self) -> float:
        named = self.env.get("UV_HTTP_TIMEOUT") or self.env.get("UV_REQUEST_TIMEOUT") or ""
        return min(float(named), 3600.0) if named.isdigit() and int(named) else _SILENCE_S

    def _of(self, url: str) -> urllib.request.OpenerDirector:
        host = urlsplit(url).hostname or ""
        trusted = {part.rsplit(":", 1)[0] for part in self.env.get("UV_INSECURE_HOST", "").split()}
        key = "insecure" if host in trusted else "secure"
        if key not in self._opener:
            context = self._certificates(verify=key == "secure")
            handlers = [urllib.request.ProxyHandler(self._proxies()), urllib.request.HTTPSHandler(context=context)]
            self._opener[key] = urllib.request.build_opener(*handlers)
        return self._opener[key]

    def _proxies(self) -> dict[str, str]:
        known = urllib.request.getproxies()
        everywhere = self.env.get("ALL_PROXY") or self.env.get("all_proxy") or ""
        if everywhere.startswith("http"):
            known = {"http": everywhere, "https": everywhere, **known}
        return known

    def _certificates(self, *, verify: bool) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.env.get("SSL_CERT_FILE") or None)
        if own := self.env.get("SSL_CLIENT_CERT"):
            context.load_cert_chain(own)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def part(self, url: str, start: int, end: int) -> tuple[bytes, int] | None:
        """The bytes from `start` up to `end` (negative `start`: the last ones), and the size of the whole file.

        None where the server does not give parts.
        """
        with self.part_stream(url, start, end) as found:
            if found is None:
                return None
            answer, first, total = found
            return self._read(answer, end - start if start >= 0 else min(-start, total - first)), total

    @contextlib.contextmanager
    def part_stream(self, url: str, start: int, end: int) -> Iterator[tuple[Any, int, int] | None]:
        """An answer that gives a part, where that part begins, and the size of the whole; or None."""
        wanted = f"bytes={start}-{end - 1}" if start >= 0 else f"bytes={start}"
        with self.open(url, {"Range": wanted, "Accept-Encoding": "identity"}) as answer:
            place = _content_range(answer.headers.get("Content-Range") or "") if answer.status == 206 else None
            if place is None or (start >= 0 and place[:2] != (start, end - 1)):
                yield None
            else:
                yield answer, place[0], place[2]

    def copy(self, answer: Any, target: IO[bytes], length: int | None, limit: int, tick: Tick) -> int:
        """Copy an answer into a file, never more than `limit` bytes. Returns how many came."""
        done = 0
        while chunk := answer.read(min(_CHUNK, limit + 1 - done)):
            target.write(chunk)
            done += len(chunk)
            self.fetched += len(chunk)
            if done > limit:
                raise InfrastructureError(f"the server sent more than {limit} bytes", remedy=REMEDY)
            tick(len(chunk), length)
        return done


def without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """The address without user and password, and these."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url, None
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _of_netrc(host: str) -> tuple[str, str] | None:
    try:
        found = netrc.netrc().authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return (found[0], found[2] or "") if found else None


def _content_range(text: str) -> tuple[int, int, int] | None:
    unit, _, rest = text.partition(" ")
    place, _, total = rest.partition("/")
    first, _, last = place.partition("-")
    if unit != "bytes" or not (first.isdigit() and last.isdigit() and total.isdigit()):
        return None
    return int(first), int(last), int(total)


def shown(url: str) -> str:
    """An address without what must not be seen."""
    return redact(url.partition("#")[0], {})


def _is_silence(error: Exception) -> bool:
    """True if the server kept quiet until the timeout: it was waited for long enough."""
    return isinstance(error.reason if isinstance(error, urllib.error.URLError) else error, TimeoutError)


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause) or type(cause).__name__
