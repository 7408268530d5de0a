"""One request to the platform and its answer: addresses, problems as one exception, and repeats where they are safe."""

import http.client
import json
import random
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, List, Mapping, Optional
from urllib.parse import quote, urlencode, urlsplit

LONGEST_WAIT = 10.0
"""Longest wait before a repeat, in seconds: what asks for more is given up on, and says how much it asked for."""
_FIRST_WAIT = 0.2


@dataclass(frozen=True)
class Fault:
    """One of several faults of a request."""

    code: str
    detail: str
    index: Optional[int] = None
    """Place of the event in its batch, from 0."""
    pointer: Optional[str] = None
    """JSON pointer, or the name of a header or query parameter."""


class BellwireError(Exception):
    """Every failure of a call. ``code`` is one of docs/errors.md, or, where no such answer came: ``unreachable``
    (status 0: no answer at all), ``unexpected-answer`` (something answered that is not the platform)."""

    def __init__(self, status: int, code: str, detail: str, retry_after: Optional[float] = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        """The HTTP status; 0 without an answer."""
        self.code = code
        self.detail = detail
        """What is wrong with this very request, for people."""
        self.errors: List[Fault] = []
        """The faults one by one, where there can be several."""
        self.instance: Optional[str] = None
        """URN of the request, on faults of the platform: its log names it, too."""
        self.retry_after = retry_after
        """How long the platform asks to wait, in seconds."""


@dataclass
class Call:
    """One call, before it is sent. ``repeatable``: doing it twice is the same as doing it once."""

    method: str
    path: str
    query: Optional[Mapping[str, Any]] = None
    body: Optional[bytes] = None
    media_type: str = "application/json"
    repeatable: Optional[bool] = None
    idempotency_key: Optional[str] = None
    timeout: Optional[float] = None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A key must not follow a redirect to a stranger."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Requester:
    """Sends calls. Safe for several threads."""

    def __init__(self, *, url: str, headers: Mapping[str, str], retries: int, timeout: float) -> None:
        self._origin = url.rstrip("/")
        parts = urlsplit(self._origin)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BellwireError(0, "unreachable", f"{url} is no http or https address")
        if "@" in parts.netloc:  # the address is named in what goes wrong
            detail = "The address has a user or a password in it; the key says who asks."
            raise BellwireError(0, "unreachable", detail)
        self._headers = dict(headers)
        self._retries = retries
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_NoRedirects)

    def json(self, call: Call) -> Any:
        """The answer's JSON; None where there is no body."""
        for attempt in range(1, self._retries + 2):
            try:
                return self._once(call)
            except BellwireError as error:
                # The first answer was lost, and what it had done is found done.
                if call.method == "DELETE" and attempt > 1 and error.code == "not-found":
                    return None
                wait = error.retry_after
                if wait is None:
                    wait = _FIRST_WAIT * 2 ** (attempt - 1) * (0.5 + random.random())
                if attempt > self._retries or wait > LONGEST_WAIT or not _may_repeat(call, error):
                    raise
                time.sleep(wait)
        raise AssertionError("unreachable")

    def _once(self, call: Call) -> Any:
        query = urlencode({name: value for name, value in (call.query or {}).items() if value is not None})
        address = f"{self._origin}{call.path}{'?' + query if query else ''}"
        headers = {"Accept": "application/json", **self._headers}
        if call.body is not None:
            headers["Content-Type"] = call.media_type
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        request = urllib.request.Request(address, data=call.body, headers=headers, method=call.method)
        try:
            with self._opener.open(request, timeout=call.timeout or self._timeout) as response:
                status, content = response.status, response.read()
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise BellwireError(0, "unreachable", f"{self._origin} does not answer: {_reason_of(error)}") from error
        except ValueError:  # which would name the key
            raise BellwireError(0, "unreachable", "The key, another header or the address is nothing HTTP can carry.") from None
        if not content:
            return None
        try:
            return json.loads(content)
        except ValueError:
            raise self._unexpected(status) from None

    def _refusal(self, answer: urllib.error.HTTPError) -> BellwireError:
        retry_after = wait_of(answer.headers.get("Retry-After"), time.time())
        try:
            problem = json.loads(answer.read())
            error = BellwireError(answer.code, str(problem["code"]), str(problem["detail"]), retry_after)
            error.errors = [
                Fault(fault["code"], fault["detail"], fault.get("index"), fault.get("pointer"))
                for fault in problem.get("errors", [])
            ]
            error.instance = problem.get("instance")
            return error
        except (ValueError, KeyError, TypeError, AttributeError, OSError, http.client.HTTPException):
            return self._unexpected(answer.code, retry_after)
        finally:
            answer.close()

    def _unexpected(self, status: int, retry_after: Optional[float] = None) -> BellwireError:
        detail = f"{self._origin} answered {status} in a form that is not Bellwire's; is this its address?"
        return BellwireError(status, "unexpected-answer", detail, retry_after)


def path(*parts: str) -> str:
    """A path below ``/v1`` whose parts are encoded. Nothing has an empty name, or dots for one."""
    for part in parts:
        if part in ("", ".", ".."):
            raise BellwireError(404, "not-found", "Nothing here has an empty name, or dots for one.")
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _may_repeat(call: Call, error: BellwireError) -> bool:
    # These were refused before anything was done. Otherwise a lost answer may hide a deed: only what may be done twice
    # is repeated.
    if error.status == 429 or error.code == "idempotency-running":
        return True
    repeatable = call.method != "POST" if call.repeatable is None else call.repeatable
    if not repeatable and call.idempotency_key is None:
        return False
    return error.code == "unreachable" or error.status in (502, 503, 504)


def wait_of(retry_after: Optional[str], now: float) -> Optional[float]:
    """``Retry-After`` in seconds: a number, or a date. None for anything else."""
    if retry_after is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now)
    except (TypeError, ValueError, IndexError):
        return None


def _reason_of(error: BaseException) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, (socket.timeout, TimeoutError)):
        return "no answer within the time allowed"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(cause, socket.gaierror):
        return "its name is not known"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate does not stand: {cause.verify_message}"
    return str(cause) or type(cause).__name__


def json_bytes(value: Any) -> bytes:
    """JSON as it is sent: UTF-8, and no NaN or Infinity (ValueError)."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
