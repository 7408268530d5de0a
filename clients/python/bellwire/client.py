"""The client of the HTTP API: one method per operation, the same words as the API."""

import os
import uuid
from typing import Any, Dict, Mapping, Optional, Sequence, Union
from urllib.parse import quote

from .listing import Listing
from .request import Call, Requester, json_bytes, path
from .wire import (
    DeliveryDetailOut,
    DeliveryOut,
    EventOut,
    EventTypeIn,
    EventTypeOut,
    NewEvent,
    PublishOut,
    RetryOut,
    SubscriptionOut,
    TestOut,
    WebhookIn,
    WebhookOut,
    WebhookPatchIn,
    WebhookSecretOut,
)

TRY_SECONDS = 150.0
"""How long the platform may take to try an endpoint (its own limit for one try is 120 s)."""


class Client:
    """A client. Nothing is sent until a method is called; every method raises BellwireError. Safe for several threads.

    ``url`` is where the API is, with a path where a proxy adds one; or BELLWIRE_URL, or ``http://127.0.0.1:8470``.
    ``key`` is an API key (``bw_…``); or BELLWIRE_KEY. ``workspace`` is the id or name of the one to act on, needed by
    keys of several; or BELLWIRE_WORKSPACE. ``timeout`` in seconds is for one try to connect, and for each wait for bytes.

    What may be done twice is repeated, at most ``retries`` times, when no answer comes, or 502, 503, 504: reads, PUT,
    PATCH, DELETE, publish (an event carries its id, so a repeat is a duplicate), subscribe, pause and resume. What may
    not (create, retry) is repeated only with an ``idempotency_key``. 429 is repeated. ``Retry-After`` is obeyed up to
    10 s.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        key: Optional[str] = None,
        *,
        workspace: Optional[str] = None,
        retries: int = 2,
        timeout: float = 60.0,
    ) -> None:
        env = os.environ
        key = key or env.get("BELLWIRE_KEY")
        workspace = workspace or env.get("BELLWIRE_WORKSPACE")
        headers: Dict[str, str] = {}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if workspace:
            headers["Bellwire-Workspace"] = quote(workspace)
        url = url or env.get("BELLWIRE_URL") or "http://127.0.0.1:8470"
        calls = _Calls(Requester(url=url, headers=headers, retries=retries, timeout=timeout))
        self.events = Events(calls)
        self.event_types = EventTypes(calls)
        self.webhooks = Webhooks(calls)
        self.subscriptions = Subscriptions(calls)
        self.deliveries = Deliveries(calls)


class _Calls:
    """Calls by method; each answers the JSON."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def send(self, method: str, where: str, value: Any = None, **more: Any) -> Any:
        body = None if value is None else json_bytes(value)
        return self._requester.json(Call(method, where, body=body, **more))

    def list(self, where: str, query: Mapping[str, Any]) -> Listing[Any]:
        def ask(cursor: Optional[str]) -> Dict[str, Any]:
            page: Dict[str, Any] = self._requester.json(Call("GET", where, query={**query, "cursor": cursor}))
            return page

        return Listing(ask, query.get("cursor"))


class Events:
    """``client.events``."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls

    def publish(
        self, event: Union[NewEvent, Sequence[NewEvent]], *, idempotency_key: Optional[str] = None
    ) -> PublishOut:
        """Publishes one event, or a batch (all of it or nothing). An event without ``id`` gets a random one, so that a
        repeat is recognised. Returns when events and deliveries are committed."""
        is_one = isinstance(event, Mapping)
        given: Any = event
        events: Any = _complete(given) if is_one else [_complete(one) for one in given]
        kind = "cloudevents" if is_one else "cloudevents-batch"
        out: PublishOut = self._calls.send(
            "POST",
            path("events"),
            events,
            media_type=f"application/{kind}+json",
            repeatable=True,
            idempotency_key=idempotency_key,
        )
        return out

    def get(self, event: str) -> EventOut:
        """An event by the platform's own id of it (``evt_…``)."""
        out: EventOut = self._calls.send("GET", path("events", event))
        return out

    def list(
        self,
        *,
        type: Optional[str] = None,
        source: Optional[str] = None,
        since: Optional[str] = None,
        until: Optional[str] = None,
        order: Optional[str] = None,
        cursor: Optional[str] = None,
        limit: Optional[int] = None,
    ) -> "Listing[EventOut]":
        """The log, from its beginning (``oldest-first``) or its end (``newest-first``). Instants are RFC 3339."""
        query = {"type": type, "source": source, "since": since, "until": until, "order": order}
        return self._calls.list(path("events"), {**query, "cursor": cursor, "limit": limit})


class EventTypes:
    """``client.event_types``: the catalog."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls

    def put(self, type: str, event_type: Optional[EventTypeIn] = None) -> EventTypeOut:
        """Registers or replaces an event type; the same again is harmless."""
        out: EventTypeOut = self._calls.send("PUT", path("event-types", type), event_type or {})
        return out

    def get(self, type: str) -> EventTypeOut:
        out: EventTypeOut = self._calls.send("GET", path("event-types", type))
        return out

    def list(
        self, *, service: Optional[str] = None, cursor: Optional[str] = None, limit: Optional[int] = None
    ) -> "Listing[EventTypeOut]":
        return self._calls.list(path("event-types"), {"service": service, "cursor": cursor, "limit": limit})

    def delete(self, type: str) -> None:
        self._calls.send("DELETE", path("event-types", type))


class Webhooks:
    """``client.webhooks``."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls

    def create(self, webhook: WebhookIn, *, idempotency_key: Optional[str] = None) -> WebhookSecretOut:
        """Registers a webhook; it is challenged at once. A generated secret is in this answer and nowhere else."""
        out: WebhookSecretOut = self._calls.send(
            "POST", path("webhooks"), webhook, idempotency_key=idempotency_key
        )
        return out

    def get(self, id: str) -> WebhookOut:
        out: WebhookOut = self._calls.send("GET", path("webhooks", id))
        return out

    def list(self, *, cursor: Optional[str] = None, limit: Optional[int] = None) -> "Listing[WebhookOut]":
        return self._calls.list(path("webhooks"), {"cursor": cursor, "limit": limit})

    def change(self, id: str, changes: WebhookPatchIn) -> WebhookSecretOut:
        """Changes what is named; a changed URL or secret has to be proved again. A changed ``signing`` may generate a
        key that is shown once, so that change is not repeated by itself."""
        out: WebhookSecretOut = self._calls.send(
            "PATCH", path("webhooks", id), changes, repeatable="signing" not in changes
        )
        return out

    def delete(self, id: str, *, force: bool = False) -> None:
        """Refused (``in-use``) while it has subscriptions; ``force`` takes them away, too."""
        self._calls.send("DELETE", path("webhooks", id), query={"force": "true"} if force else None)

    def test(self, id: str) -> TestOut:
        """A new challenge now, in every state. A wrong answer is no error: it stands in the outcome."""
        out: TestOut = self._calls.send("POST", path("webhooks", id, "test"), timeout=TRY_SECONDS)
        return out

    def pause(self, id: str) -> WebhookOut:
        """What comes is held until it is resumed."""
        out: WebhookOut = self._calls.send("POST", path("webhooks", id, "pause"), repeatable=True)
        return out

    def resume(self, id: str) -> WebhookOut:
        out: WebhookOut = self._calls.send("POST", path("webhooks", id, "resume"), repeatable=True)
        return out

    def enable(self, id: str) -> WebhookOut:
        """After disable it is pending, and challenged again."""
        out: WebhookOut = self._calls.send("POST", path("webhooks", id, "enable"), repeatable=True)
        return out

    def disable(self, id: str) -> WebhookOut:
        out: WebhookOut = self._calls.send("POST", path("webhooks", id, "disable"), repeatable=True)
        return out

    def rotate(
        self, id: str, *, secret: Optional[str] = None, grace_ms: Optional[int] = None
    ) -> WebhookSecretOut:
        """Turns the secret over, to a generated one when left out; the former is honoured for ``grace_ms`` (24 h)."""
        wish = {"secret": secret, "graceMs": grace_ms}
        given = {name: value for name, value in wish.items() if value is not None}
        out: WebhookSecretOut = self._calls.send("POST", path("webhooks", id, "rotate"), given)
        return out


class Subscriptions:
    """``client.subscriptions``: a webhook, an event type or a pattern of them, and a filter."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls

    def create(self, webhook: str, type: str, filter: Optional[str] = None) -> SubscriptionOut:
        """Subscribes a webhook, from now on. The same again answers with the first one."""
        wish = {"webhook": webhook, "type": type, **({} if filter is None else {"filter": filter})}
        out: SubscriptionOut = self._calls.send("POST", path("subscriptions"), wish, repeatable=True)
        return out

    def get(self, id: str) -> SubscriptionOut:
        out: SubscriptionOut = self._calls.send("GET", path("subscriptions", id))
        return out

    def list(
        self, *, webhook: Optional[str] = None, cursor: Optional[str] = None, limit: Optional[int] = None
    ) -> "Listing[SubscriptionOut]":
        return self._calls.list(path("subscriptions"), {"webhook": webhook, "cursor": cursor, "limit": limit})

    def delete(self, id: str) -> None:
        self._calls.send("DELETE", path("subscriptions", id))


class Deliveries:
    """``client.deliveries``: one event for one webhook."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls

    def get(self, id: str) -> DeliveryDetailOut:
        """With every attempt."""
        out: DeliveryDetailOut = self._calls.send("GET", path("deliveries", id))
        return out

    def list(
        self,
        *,
        webhook: Optional[str] = None,
        event: Optional[str] = None,
        state: Optional[str] = None,
        cursor: Optional[str] = None,
        limit: Optional[int] = None,
    ) -> "Listing[DeliveryOut]":
        """Those of the newest events first. ``state``: scheduled, held, delivered or dead."""
        query = {"webhook": webhook, "event": event, "state": state, "cursor": cursor, "limit": limit}
        return self._calls.list(path("deliveries"), query)

    def retry(self, id: str, *, idempotency_key: Optional[str] = None) -> RetryOut:
        """One try now. A failed one is no error: it stands in the outcome."""
        out: RetryOut = self._calls.send(
            "POST", path("deliveries", id, "retry"), timeout=TRY_SECONDS, idempotency_key=idempotency_key
        )
        return out


def _complete(event: Mapping[str, Any]) -> Dict[str, Any]:
    return {"specversion": "1.0", "id": str(uuid.uuid4()), **event}
