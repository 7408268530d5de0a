"""A webhook receiver: one function from request to answer that verifies, answers challenges and dispatches events."""

import json
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple, Union

from .challenge import answer_challenge
from .signatures import Headers, VerificationError, Verified, lower_names, verify

Event = Dict[str, Any]
"""A CloudEvent as it came: ``event["type"]``, ``event["data"]``."""

_MEDIA_TYPES = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


@dataclass(frozen=True)
class Delivery:
    """What a handler is told about the request that brought an event."""

    id: Optional[str]
    """``webhook-id`` where its signature was verified: the same over all tries of one delivery."""
    schemes: Tuple[str, ...]
    key: str
    """What duplicates are told by."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as data, for whatever server is at hand."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Handler = Callable[[Event, Delivery], Any]


class Memory(Protocol):
    """Where handled events are remembered. Hand in one of your own to share it or to keep it over restarts."""

    def has(self, key: str) -> bool: ...

    def add(self, key: str) -> None: ...


class Seen:
    """The memory for duplicates in this process: the latest ``limit`` events."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._keys: "OrderedDict[str, None]" = OrderedDict()
        self._lock = threading.Lock()

    def has(self, key: str) -> bool:
        with self._lock:
            return key in self._keys

    def add(self, key: str) -> None:
        with self._lock:
            self._keys[key] = None
            while len(self._keys) > self._limit:
                self._keys.popitem(last=False)


class Receiver:
    """Receives requests; safe for several threads.

    ``secret``: one or several, as for ``verify``; the first answers challenges, so during a rotation put the one first
    that the sender has registered. ``handle(event, delivery)`` does the work for one event; to raise means: deliver it
    again. ``on_failure`` is told what it raised. An event counts as seen only after its handler succeeded; copies that
    arrive meanwhile wait and share the answer.

    | answer | when |
    |---|---|
    | 200, empty | every event is handled, or a duplicate |
    | 200, JSON | a challenge, at any time, signed or not |
    | 400, 401 | no JSON, no CloudEvent; not signed, or wrongly |
    | 405, 413, 415 | not POST, too large, content type not understood |
    | 500 | the handler failed: deliver again |
    """

    def __init__(
        self,
        secret: Union[str, Sequence[str]],
        handle: Handler,
        *,
        seen: Optional[Memory] = None,
        max_bytes: int = 4 * 1024 * 1024,
        now: Optional[Callable[[], float]] = None,
        on_failure: Optional[Callable[[Exception, Event], None]] = None,
    ) -> None:
        self._secrets = [secret] if isinstance(secret, str) else list(secret)
        try:
            verify([("webhook-signature", "")], b"", self._secrets)
        except VerificationError:
            pass  # the secrets are fine, which is all that was asked
        self._handle = handle
        self._seen: Memory = Seen() if seen is None else seen
        self.max_bytes = max_bytes
        self._now = now
        self._on_failure = on_failure
        self._running: Dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def receive(self, method: str, headers: Headers, body: bytes) -> Answer:
        """The answer to a request. ``body`` is the bytes as they arrived. Raises nothing on what a request contains."""
        headers = list(headers.items()) if hasattr(headers, "items") else list(headers)
        if method != "POST":
            return _refusal(405, "send a POST", {"allow": "POST"})
        media_type = ", ".join(lower_names(headers).get("content-type", [])).split(";")[0].strip().lower()
        if media_type not in _MEDIA_TYPES:
            return _refusal(415, f"the content type must be one of {', '.join(_MEDIA_TYPES)}")
        if len(body) > self.max_bytes:
            return _refusal(413, f"the body is larger than {self.max_bytes} bytes")
        try:
            document = _parse(body)
        except (ValueError, RecursionError):
            return _refusal(400, "the body is not JSON")
        challenge = answer_challenge(self._secrets[0], document)
        if challenge is not None:
            return Answer(200, {"content-type": "application/json"}, json.dumps(challenge).encode())
        try:
            now = None if self._now is None else self._now()
            verified = verify(headers, body, self._secrets, now=now)
        except VerificationError as error:
            return _refusal(401, error.detail)
        return self._dispatch(document, verified)

    def _dispatch(self, document: Any, verified: Verified) -> Answer:
        events = document if isinstance(document, list) else [document]
        failed: List[int] = []
        malformed: List[int] = []
        for index, event in enumerate(events):
            if not _is_event(event):
                malformed.append(index)
            elif not self._once(event, verified):
                failed.append(index)
        if not failed and not malformed:
            return Answer(200)
        body = json.dumps({"failed": failed, "malformed": malformed}).encode()
        return Answer(500 if failed else 400, {"content-type": "application/json"}, body)

    def _once(self, event: Event, verified: Verified) -> bool:
        key = json.dumps([verified.id, event["source"], event["id"]])
        while True:
            with self._lock:
                running = self._running.get(key)
                if running is None:
                    self._running[key] = mine = threading.Event()
                    break
            running.wait()
        try:
            if not self._seen.has(key):
                self._handle(event, Delivery(verified.id, verified.schemes, key))
                self._seen.add(key)
            return True
        except Exception as error:  # whatever it is, the sender shall try again
            if self._on_failure is not None:
                self._on_failure(error, event)
            return False
        finally:
            with self._lock:
                del self._running[key]
            mine.set()


def _parse(body: bytes) -> Any:
    """JSON as it is meant: UTF-8, no NaN, and no object that says the same thing twice."""

    def unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("duplicate key")
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(body.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)


def _is_event(event: Any) -> bool:
    return (
        isinstance(event, dict)
        and event.get("specversion") == "1.0"
        and all(
            isinstance(event.get(name), str) and _TEXT.fullmatch(event[name]) is not None
            for name in ("id", "source", "type")
        )
        and (event.get("data") is None or event.get("data_base64") is None)
    )


def _refusal(status: int, reason: str, headers: Optional[Mapping[str, str]] = None) -> Answer:
    return Answer(status, {"content-type": "text/plain; charset=utf-8", **(headers or {})}, f"{reason}\n".encode())
