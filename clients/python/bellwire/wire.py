"""What travels: the JSON of requests and answers, as the platform's OpenAPI document has it. Answers may hold more."""

from typing import Any, Dict, List, Optional, TypedDict, Union


class _NewEventRequired(TypedDict):
    source: str
    type: str


class NewEvent(_NewEventRequired, total=False):
    """A CloudEvent to publish. What is left out of ``id`` and ``specversion`` is filled in. Extension attributes may be
    added; a type checker wants ``# type: ignore`` there."""

    id: str
    specversion: str
    subject: str
    time: str
    datacontenttype: str
    dataschema: str
    data: Any
    data_base64: str


class _AcceptedRequired(TypedDict):
    id: str
    source: str
    event: str
    duplicate: bool


class Accepted(_AcceptedRequired, total=False):
    """What became of one event. ``duplicate``: (source, id) had been accepted before."""

    note: str


class PublishOut(TypedDict):
    """What became of the events of one publish, in their order."""

    accepted: List[Accepted]


class EventOut(TypedDict):
    event: str
    acceptedAt: str
    id: str
    source: str
    type: str
    note: Optional[str]
    traceparent: Optional[str]
    tracestate: Optional[str]
    envelope: Dict[str, Any]
    erasedAt: Optional[str]


class EventTypeIn(TypedDict, total=False):
    service: Optional[str]
    description: str
    schema: Union[Dict[str, Any], bool, None]
    schemaCheck: str
    example: Any
    deprecation: Optional[str]


class EventTypeOut(TypedDict):
    type: str
    owner: str
    service: Optional[str]
    description: str
    schema: Union[Dict[str, Any], bool, None]
    schemaCheck: str
    example: Any
    deprecation: Optional[str]
    createdAt: str
    updatedAt: str


class Order(TypedDict, total=False):
    kind: str
    key: Optional[str]
    onFailure: str
    tries: Optional[int]


class Batch(TypedDict, total=False):
    events: int
    waitMs: int
    bytes: int


class Policy(TypedDict, total=False):
    """How a webhook is delivered to; what is left out of a request stays."""

    retryDelaysMs: Optional[List[int]]
    timeoutMs: Optional[int]
    rate: Optional[int]
    recovery: str
    order: Order
    batch: Optional[Batch]


class OAuth(TypedDict, total=False):
    """OAuth 2 client credentials. ``clientSecret`` only goes in."""

    tokenUrl: str
    clientId: str
    clientSecret: str
    scope: Optional[str]
    audience: Optional[str]
    resource: Optional[str]
    auth: str


class Tls(TypedDict, total=False):
    """Mutual TLS and private authorities, as PEM. ``privateKey`` only goes in, ``expiresAt`` only comes out."""

    certificate: Optional[str]
    privateKey: str
    ca: Optional[str]
    expiresAt: Optional[str]


class WebhookPatchIn(TypedDict, total=False):
    """What may change about a webhook; what is left out stays. A changed URL or secret has to be proved again."""

    name: str
    description: str
    url: str
    secret: str
    verification: str
    signing: List[str]
    authorization: Optional[str]
    headers: Dict[str, str]
    format: str
    policy: Policy
    oauth: Optional[OAuth]
    tls: Optional[Tls]


class _WebhookRequired(TypedDict):
    name: str


class WebhookIn(_WebhookRequired, total=False):
    """What a webhook is made of. ``secret`` is generated when left out, and then in the answer, this once."""

    description: str
    mode: str
    url: str
    secret: str
    verification: str
    signing: List[str]
    authorization: Optional[str]
    headers: Dict[str, str]
    format: str
    policy: Policy
    oauth: Optional[OAuth]
    tls: Optional[Tls]


class Challenge(TypedDict):
    at: str
    ok: bool
    error: Optional[str]
    attempt: int
    attempts: int
    nextAt: Optional[str]
    secret: Optional[str]


class WebhookOut(TypedDict):
    id: str
    name: str
    description: str
    mode: str
    url: str
    state: str
    intent: str
    health: str
    reason: str
    verification: str
    signing: List[str]
    format: str
    headers: Dict[str, str]
    policy: Policy
    oauth: Optional[OAuth]
    tls: Optional[Tls]
    allowedRate: Optional[int]
    publicKey: Optional[str]
    secondaryUntil: Optional[str]
    challenge: Optional[Challenge]
    listenedUntil: Optional[str]
    lastSuccessAt: Optional[str]
    createdAt: str
    updatedAt: str


class WebhookSecretOut(WebhookOut, total=False):
    """A webhook with what was generated for it: shown this once."""

    secret: str
    standardKey: str


class Outcome(TypedDict):
    """What one request to an endpoint came to. ``status`` is None without an answer."""

    ok: bool
    status: Optional[int]
    durationMs: float
    error: Optional[str]


class TestOut(TypedDict):
    state: str
    outcome: Outcome
    challenge: Challenge


class SubscriptionOut(TypedDict, total=False):
    id: str
    webhook: str
    type: str
    filter: Optional[str]
    createdAt: str
    note: str


class DeliveryOut(TypedDict):
    id: str
    event: str
    webhook: Optional[str]
    postProcessing: Optional[str]
    state: str
    type: str
    source: str
    eventId: str
    tries: int
    attemptCount: int
    createdAt: str
    dueAt: Optional[str]
    firstTryAt: Optional[str]
    endedAt: Optional[str]
    reason: Optional[str]
    batch: Optional[str]


class _AttemptRequired(TypedDict):
    id: str
    attempt: int
    manual: bool
    startedAt: str
    durationMs: float
    status: Optional[int]
    error: Optional[str]
    requestHeaders: Dict[str, Any]
    responseHeaders: Optional[List[List[str]]]
    response: Optional[str]


class Attempt(_AttemptRequired, total=False):
    responseBase64: str


class DeliveryDetailOut(DeliveryOut):
    attempts: List[Attempt]


class RetryOut(TypedDict):
    outcome: Outcome
    delivery: DeliveryOut
