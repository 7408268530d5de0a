"""Requests that other senders sign their own way: GitHub, Stripe, Slack, Shopify, Zoom."""

import base64
import binascii
import re
import time
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from .signatures import (
    TOLERANCE_SECONDS,
    Headers,
    SecretError,
    VerificationError,
    check_mac,
    check_timestamp,
    lower_names,
    parse_hex,
    single,
)


class _Rule(NamedTuple):
    header: str
    prefix: str = ""
    is_base64: bool = False
    timestamp: Optional[str] = None


_RULES: Dict[str, _Rule] = {
    "github": _Rule("x-hub-signature-256", "sha256="),
    "shopify": _Rule("x-shopify-hmac-sha256", is_base64=True),
    "slack": _Rule("x-slack-signature", "v0=", timestamp="x-slack-request-timestamp"),
    "zoom": _Rule("x-zm-signature", "v0=", timestamp="x-zm-request-timestamp"),
}


def verify_sender(
    sender: str,
    headers: Headers,
    body: bytes,
    secret: Union[str, Sequence[str]],
    *,
    now: Optional[float] = None,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> None:
    """Verifies a request of ``github``, ``stripe``, ``slack``, ``shopify`` or ``zoom`` on its raw bytes; returns when
    it fits. A list of secrets is a rotation. Raises VerificationError, SecretError, or ValueError for another sender.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets or not all(secrets):
        raise SecretError("at least one secret is needed, and none may be empty")
    keys = [one.encode() for one in secrets]
    known = lower_names(headers)
    clock = (time.time() if now is None else now, tolerance_seconds)
    if sender == "stripe":
        _verify_stripe(known, body, (keys, clock))
    elif sender in _RULES:
        _verify_rule(_RULES[sender], known, body, (keys, clock))
    else:
        raise ValueError(f"the senders known are stripe, {', '.join(sorted(_RULES))}; this is none: {sender}")


_Judging = Tuple[List[bytes], Tuple[float, int]]


def _verify_rule(rule: _Rule, known: Mapping[str, List[str]], body: bytes, judging: _Judging) -> None:
    keys, clock = judging
    sent = single(known, rule.header, "unsigned")
    head = b""
    if rule.timestamp is not None:
        timestamp = single(known, rule.timestamp)
        check_timestamp(rule.timestamp, timestamp, clock)
        head = f"v0:{timestamp}:".encode()
    text = sent[len(rule.prefix) :] if sent.startswith(rule.prefix) else ""
    check_mac([_parse_base64(text) if rule.is_base64 else parse_hex(text)], head + body, keys, rule.header)


def _verify_stripe(known: Mapping[str, List[str]], body: bytes, judging: _Judging) -> None:
    keys, clock = judging
    entries = [entry.partition("=") for entry in single(known, "stripe-signature", "unsigned").split(",")]
    times = [value for name, _, value in entries if name == "t"]
    if len(times) != 1:
        raise VerificationError("repeated-header" if times else "missing-header", "Stripe-Signature needs one t=")
    check_timestamp("t= of Stripe-Signature", times[0], clock)
    sent = [parse_hex(value) for name, _, value in entries if name == "v1"]
    check_mac(sent, times[0].encode() + b"." + body, keys, "Stripe-Signature")


def _parse_base64(text: str) -> Optional[bytes]:
    if re.fullmatch(r"[A-Za-z0-9+/]{43}=", text) is None:
        return None
    try:
        decoded = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return decoded if base64.b64encode(decoded).decode() == text else None
