"""One file of known size and hash, fetched over HTTPS with the user's certificates and proxies."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Protocol

from envcheck.errors import InfrastructureError

_CHUNK = 1 << 16
_SILENCE_S = 15.0


@dataclass(frozen=True)
class Remote:
    """A published file: `size` in bytes, `sha256` in hexadecimal."""

    url: str
    size: int
    sha256: str

    def fits(self, data: bytes) -> bool:
        """Whether `data` is this file."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256


class Stream(Protocol):
    """The part of an HTTP response that is read here."""

    def read1(self, n: int = -1, /) -> bytes:
        """At most `n` bytes, from at most one read of the socket; empty at the end."""


def fetch(remote: Remote, *, remedy: str, deadline_s: float = 180.0, silence_s: float = _SILENCE_S) -> bytes:
    """The bytes of `remote`, complete and checked.

    `silence_s` bounds each wait on the connection, `deadline_s` the whole. SSL_CERT_FILE, HTTPS_PROXY and their kin
    hold, as for every urllib request. Raises InfrastructureError with `remedy` where the file cannot be had.
    """
    until = time.monotonic() + deadline_s
    try:
        with urllib.request.urlopen(remote.url, timeout=silence_s) as response:  # noqa: S310 - callers pass constants
            data = read_bounded(response, remote.size, until)
    except urllib.error.HTTPError as error:
        error.close()
        raise InfrastructureError(f"{remote.url} answered {error.code} {error.reason}", remedy=remedy) from error
    except (OSError, http.client.HTTPException) as error:
        raise InfrastructureError(f"{remote.url} cannot be downloaded: {_reason(error)}", remedy=remedy) from error
    if not remote.fits(data):
        seen = f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}"
        expected = f"{remote.size} bytes, sha256 {remote.sha256}"
        raise InfrastructureError(f"{remote.url} gave another file: {seen}; expected {expected}", remedy=remedy)
    return data


def read_bounded(stream: Stream, size: int, until: float) -> bytes:
    """What `stream` gives, but never more than one byte above `size`, and never past `until` on the monotonic clock.

    Raises TimeoutError past `until`: a server that sends a byte now and then keeps every single wait short.
    """
    data = bytearray()
    while len(data) <= size:
        if time.monotonic() > until:
            raise TimeoutError(f"too slow: {len(data)} of {size} bytes came before the deadline")
        chunk = stream.read1(min(_CHUNK, size + 1 - len(data)))
        if not chunk:
            break
        data += chunk
    return bytes(data)


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause) or type(cause).__name__
