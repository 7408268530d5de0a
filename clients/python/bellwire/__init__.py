"""Bellwire for Python: publish events, manage webhooks, and verify what it delivers. Standard library only."""

from .challenge import answer_challenge, verification_of
from .client import Client
from .listing import Listing
from .receiver import Answer, Delivery, Event, Receiver, Seen
from .request import BellwireError, Fault
from .senders import verify_sender
from .server import http_handler
from .signatures import SecretError, VerificationError, Verified, verify

__all__ = [
    "Answer",
    "BellwireError",
    "Client",
    "Delivery",
    "Event",
    "Fault",
    "Listing",
    "Receiver",
    "SecretError",
    "Seen",
    "VerificationError",
    "Verified",
    "answer_challenge",
    "http_handler",
    "verification_of",
    "verify",
    "verify_sender",
]
