"""The HPE GreenLake challenge: a receiver proves that it holds the secret before any event is sent to it."""

import hashlib
import hmac
import re
from typing import Any, Dict, Optional

# Delivery signatures are the same HMAC under the same secret, so a free choice of text would let a stranger have
# event bodies signed. Tokens only: no JSON object is one. UUIDs, hex and both alphabets of base64 are.
_ANSWERABLE = re.compile(r"[A-Za-z0-9+/=._~-]{1,128}")


def verification_of(secret: str, challenge: str) -> str:
    """The value a challenge is answered with: lower-case hex HMAC-SHA256, keyed with the secret's UTF-8 bytes as they
    are (never trimmed, a ``whsec_`` prefix included), over the challenge exactly as sent (R66, R70, R71)."""
    return hmac.new(secret.encode(), challenge.encode(), hashlib.sha256).hexdigest()


def answer_challenge(secret: str, body: Any) -> Optional[Dict[str, str]]:
    """The answer to a challenge, to be sent as JSON with status 200; None where the body is no challenge.

    ``body`` is the request's body, parsed from JSON. A challenge is told by ``data.challengeRequest``, not by its event
    type (R95). Only tokens of 1 to 128 characters of ``A-Z a-z 0-9 + / = . _ ~ -`` are answered: anything else could
    make this the signature of a forged delivery.
    """
    data = body.get("data") if isinstance(body, dict) else None
    challenge = data.get("challengeRequest") if isinstance(data, dict) else None
    if not isinstance(challenge, str) or _ANSWERABLE.fullmatch(challenge) is None:
        return None
    return {"verification": verification_of(secret, challenge)}
