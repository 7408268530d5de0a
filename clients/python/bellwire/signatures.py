"""Whether a request was signed by somebody who holds the secret: Standard Webhooks v1, and the HPE signature."""

import base64
import binascii
import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

Headers = Union[Mapping[str, str], Iterable[Tuple[str, str]]]
"""Names in any case. Hand over pairs where a header may stand twice: what must be single is then refused."""

TOLERANCE_SECONDS = 300


class SecretError(ValueError):
    """A secret that cannot be used as it stands. The message never contains it."""


class VerificationError(Exception):
    """A request that was not accepted. ``reason`` is for programs: ``unsigned``, ``missing-header``,
    ``repeated-header``, ``no-key``, ``bad-timestamp``, ``too-old``, ``too-new`` or ``no-match``. ``detail`` is for
    logs."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Verified:
    """What a verified request proved."""

    schemes: Tuple[str, ...]
    """``v1``, ``hpe``, or both."""
    id: Optional[str]
    """``webhook-id``, where a Standard Webhooks signature vouches for it: the same over all tries of a delivery."""


def verify(
    headers: Headers,
    body: bytes,
    secret: Union[str, Sequence[str]],
    *,
    now: Optional[float] = None,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> Verified:
    """Verifies a delivery: every signature the sender put must fit, and there must be one.

    ``body`` is the bytes exactly as they arrived. ``secret`` is one secret or several (a rotation): ``whsec_…`` serves
    Standard Webhooks and, as text, the HPE signature; any other text the HPE signature. ``now`` is in seconds since
    1970. Raises VerificationError on what the request contains, SecretError on an unusable secret.
    """
    secrets = _secrets_of(secret)
    known = lower_names(headers)
    standard = "webhook-signature" in known
    hpe = "hpe-webhook-signature" in known
    if not standard and not hpe:
        raise VerificationError("unsigned", "the request carries neither webhook-signature nor HPE-Webhook-Signature")
    delivery = None
    if standard:
        delivery = _verify_standard(known, body, secrets, (time.time() if now is None else now, tolerance_seconds))
    if hpe:
        sent = parse_hex(single(known, "hpe-webhook-signature").removeprefix("sha256="))
        check_mac([sent], body, [one.encode() for one in secrets], "HPE-Webhook-Signature")
    return Verified(("v1",) * standard + ("hpe",) * hpe, delivery)


def _verify_standard(
    known: Mapping[str, List[str]], body: bytes, secrets: Sequence[str], clock: Tuple[float, int]
) -> str:
    keys = [key_of(one) for one in secrets if one.startswith("whsec_")]
    listed = single(known, "webhook-signature")
    delivery = single(known, "webhook-id")
    timestamp = single(known, "webhook-timestamp")
    check_timestamp("webhook-timestamp", timestamp, clock)
    if not keys:
        raise VerificationError("no-key", "signed by Standard Webhooks, and no whsec_ secret is configured here")
    content = _bytes_of(f"{delivery}.{timestamp}.") + body
    fits = False
    for entry in listed.split(" "):
        if entry.startswith("v1,"):
            for key in keys:
                expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
                fits |= hmac.compare_digest(_bytes_of(entry[3:]), expected)
    if not fits:
        raise VerificationError("no-match", "no entry of webhook-signature fits under a secret configured here")
    return delivery


def _bytes_of(text: str) -> bytes:
    """A header as bytes. Some servers make lone surrogates of what is no UTF-8; nothing that was signed has them."""
    return text.encode("utf-8", "surrogatepass")


def key_of(secret: str) -> bytes:
    """The HMAC key of a ``whsec_…`` secret. Any length is taken, so that old and short secrets still verify."""
    text = secret[len("whsec_") :].rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise SecretError("what follows whsec_ is not base64") from None


def _secrets_of(secret: Union[str, Sequence[str], None]) -> List[str]:
    secrets = [secret] if isinstance(secret, str) else list(secret or ())
    if not secrets or not all(isinstance(one, str) and one for one in secrets):
        raise SecretError("at least one secret is needed, and none may be empty")
    for one in secrets:
        if one.startswith(("whsk_", "whpk_")):
            raise SecretError("whsk_ and whpk_ keys (v1a, ed25519) are not served here: use the whsec_ secret")
        if one.startswith("whsec_"):
            key_of(one)
    return secrets


def lower_names(headers: Headers) -> Dict[str, List[str]]:
    """Headers by lower-case name, each with all its values."""
    pairs = headers.items() if hasattr(headers, "items") else headers
    known: Dict[str, List[str]] = {}
    for name, value in pairs:
        known.setdefault(name.lower(), []).append(value.strip(" \t"))
    return known


def single(known: Mapping[str, List[str]], name: str, absent: str = "missing-header") -> str:
    """The value of a header that must stand there once."""
    values = known.get(name, [])
    if not values or (values == [""] and absent != "unsigned"):
        raise VerificationError(absent, f"the request carries no {name}")
    # Some servers join repetitions so, and none of the values read here may contain it.
    if len(values) > 1 or ", " in values[0]:
        raise VerificationError("repeated-header", f"{name} stands in the request more than once")
    return values[0]


def check_timestamp(header: str, text: str, clock: Tuple[float, int]) -> None:
    """A strict integer of seconds, not further from the clock than is tolerated, bounds included."""
    if re.fullmatch(r"0|[1-9][0-9]{0,14}", text) is None:
        raise VerificationError("bad-timestamp", f"{header} is not an integer")
    now, tolerance = clock
    age = int(now // 1) - int(text)
    if age > tolerance:
        raise VerificationError("too-old", f"{header} lies {age} s back, {tolerance} s are tolerated")
    if -age > tolerance:
        raise VerificationError("too-new", f"{header} lies {-age} s ahead, {tolerance} s are tolerated")


def parse_hex(text: str) -> Optional[bytes]:
    """64 hex digits of either case as bytes; None for anything else."""
    return bytes.fromhex(text) if re.fullmatch(r"[0-9A-Fa-f]{64}", text) else None


def check_mac(sent: Iterable[Optional[bytes]], content: bytes, keys: Sequence[bytes], header: str) -> None:
    """Raises unless one of ``sent`` is the HMAC-SHA256 of the content under one of the keys. All are tried, in constant
    time."""
    expected = [hmac.new(key, content, hashlib.sha256).digest() for key in keys]
    fits = False
    for one in sent:
        for mac in expected:
            fits |= hmac.compare_digest(one or b"", mac)
    if not fits:
        raise VerificationError("no-match", f"{header} does not fit the body under a secret configured here")
