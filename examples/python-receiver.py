"""A webhook handler on Python's standard library alone: BELLWIRE_SECRET=... PORT=8080 python3 examples/python-receiver.py

It shows that the wire protocol is enough, no library of ours is needed. It answers challenges, verifies deliveries
(Standard Webhooks v1 and the HPE signature), handles every event once, and reads structured and batched CloudEvents.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ.get("BELLWIRE_SECRET", "")
PORT = int(os.environ.get("PORT", "8080"))
MAX_BYTES = 4 * 1024 * 1024
TOLERANCE_SECONDS = 300
CONTENT_TYPES = {"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"}
SINGLE_HEADERS = (
    "content-length",
    "content-type",
    "hpe-webhook-signature",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
)

seen = {}  # the latest events handled, oldest first
lock = threading.Lock()


def handle(event):
    """The work for one event. Raising means: not handled, deliver it again."""
    print(event["type"], event["id"], flush=True)


class Refused(Exception):
    """An answer other than 200: (status, reason)."""


def hmac_of(key, message):
    return hmac.new(key, message, hashlib.sha256)


def challenge_of(body):
    """data.challengeRequest, whatever the type. Only tokens are answered: the HPE signature of a delivery is the same
    HMAC under the same secret, so a free choice of text would let strangers have deliveries signed."""
    data = body.get("data") if isinstance(body, dict) else None
    challenge = data.get("challengeRequest") if isinstance(data, dict) else None
    if isinstance(challenge, str) and re.fullmatch(r"[A-Za-z0-9+/=._~-]{1,128}", challenge):
        return challenge
    return None


def verify(headers, body):
    """Every signature the sender put must fit the raw bytes, and there must be one. Returns the delivery's own id."""
    standard = headers.get("webhook-signature")
    hpe = headers.get("hpe-webhook-signature")
    if standard is None and hpe is None:
        raise Refused(401, "the request is not signed")
    if hpe is not None:
        expected = hmac_of(SECRET.encode(), body).hexdigest()
        if not hmac.compare_digest(hpe.removeprefix("sha256=").lower().encode(), expected.encode()):
            raise Refused(401, "HPE-Webhook-Signature does not fit")
    if standard is None:
        return None
    delivery, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not SECRET.startswith("whsec_") or not delivery or not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise Refused(401, "webhook-id, webhook-timestamp or the whsec_ secret is missing or malformed")
    if abs(int(time.time()) - int(timestamp)) > TOLERANCE_SECONDS:
        raise Refused(401, "webhook-timestamp is too far from now")
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac_of(key, f"{delivery}.{timestamp}.".encode() + body).digest())
    if not any(hmac.compare_digest(entry.encode(), b"v1," + expected) for entry in standard.split(" ")):
        raise Refused(401, "webhook-signature does not fit")
    return delivery


def is_event(event):
    def is_text(value):
        return isinstance(value, str) and re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]+", value) is not None

    return (
        isinstance(event, dict)
        and event.get("specversion") == "1.0"
        and all(is_text(event.get(name)) for name in ("id", "source", "type"))
    )


def handle_once(event, delivery):
    """An event counts as seen only after its handler succeeded; True if it is handled now or was before."""
    key = (delivery, event["source"], event["id"])
    with lock:
        if key in seen:
            return True
        try:
            handle(event)
        except Exception as error:  # whatever it is, the sender shall try again
            print("failed:", error, flush=True)
            return False
        seen[key] = None
        if len(seen) > 10_000:
            seen.pop(next(iter(seen)))
        return True


def parse(body):
    """JSON as it is meant: UTF-8, no NaN, and no object that says the same thing twice."""

    def unique(pairs):
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("duplicate key")
        return dict(pairs)

    def refuse(constant):
        raise ValueError(constant)

    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body is not valid JSON") from error


def answer(headers, body):
    """The JSON to answer 200 with, or None for an empty 200."""
    document = parse(body)
    challenge = challenge_of(document)
    if challenge is not None:
        return {"verification": hmac_of(SECRET.encode(), challenge.encode()).hexdigest()}
    delivery = verify(headers, body)
    events = document if isinstance(document, list) else [document]
    handled = [is_event(event) and handle_once(event, delivery) for event in events]
    if not all(is_event(event) for event in events):
        raise Refused(400, "not a CloudEvent")
    if not all(handled):
        raise Refused(500, "not every event was handled")
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds a client may stay silent

    def do_POST(self):
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.read_body(headers)
            if any(len(self.headers.get_all(name, [])) > 1 for name in SINGLE_HEADERS):
                raise Refused(400, "a header that must be single is repeated")
            if headers.get("content-type", "").split(";")[0].strip().lower() not in CONTENT_TYPES:
                raise Refused(415, "send application/json or application/cloudevents+json")
            result = answer(headers, body)
            self.reply(200, b"" if result is None else json.dumps(result).encode(), "application/json")
        except Refused as refused:
            status, reason = refused.args
            self.reply(status, f"{reason}\n".encode(), "text/plain; charset=utf-8")

    def read_body(self, headers):
        length = headers.get("content-length", "")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            self.close_connection = True
            raise Refused(411, "Content-Length is needed")
        if int(length) > MAX_BYTES:
            self.close_connection = True
            raise Refused(413, f"the body is larger than {MAX_BYTES} bytes")
        return self.rfile.read(int(length))

    def not_allowed(self):
        self.close_connection = True
        self.reply(405, b"send a POST\n", "text/plain; charset=utf-8")

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = not_allowed

    def reply(self, status, body, content_type):
        self.send_response(status)
        if status == 405:
            self.send_header("Allow", "POST")
        if self.close_connection:
            self.send_header("Connection", "close")
        if body:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        """One line per event is enough."""


if __name__ == "__main__":
    if not SECRET:
        raise SystemExit("set BELLWIRE_SECRET to the secret the webhook is registered with")
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
