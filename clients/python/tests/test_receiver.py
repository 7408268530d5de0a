"""The receiver: what it answers, and that every event is handled once; over http.server, too."""

import base64
import hashlib
import hmac
import http.client
import json
import threading
import unittest
from http.server import ThreadingHTTPServer

from bellwire import Receiver, SecretError, Seen, http_handler

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1614265330


def event(id="e1", **over):
    return {"specversion": "1.0", "id": id, "source": "//shop", "type": "com.example.order.created", **over}


def signed(body, id="dlv_1", at=NOW, secret=SECRET):
    """The headers of a delivery, signed as the platform does."""
    key = base64.b64decode(secret[6:])
    mac = base64.b64encode(hmac.new(key, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{mac}",
    }


class Ground(unittest.TestCase):
    def setUp(self):
        self.handled = []
        self.failures = []
        self.fails = False
        self.receiver = Receiver(
            SECRET,
            self.handle,
            now=lambda: NOW,
            max_bytes=2_000,
            on_failure=lambda error, event: self.failures.append((str(error), event["id"])),
        )

    def handle(self, event, delivery):
        if self.fails:
            raise RuntimeError("no")
        self.handled.append((event["id"], delivery.id))

    def post(self, document, headers=None, **over):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.receiver.receive("POST", {**signed(body), **(headers or {})}, body, **over)


class Answers(Ground):
    def test_r57_r58_a_signed_event_is_handled_once(self):
        for _ in range(2):
            answer = self.post(event())
            self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.handled, [("e1", "dlv_1")])

    def test_r58_a_failed_handler_is_a_500_and_the_event_is_not_seen(self):
        self.fails = True
        self.assertEqual(self.post(event()).status, 500)
        self.assertEqual(self.failures, [("no", "e1")])
        self.fails = False
        self.assertEqual(self.post(event()).status, 200)
        self.assertEqual(len(self.handled), 1)

    def test_r61_r66_r70_a_challenge_is_answered_unsigned(self):
        body = json.dumps({"data": {"challengeRequest": "8cbecfea-d708-4706-bba3-669225084a10"}}).encode()
        answer = self.receiver.receive("POST", [("Content-Type", "application/json")], body)
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "application/json"))
        expected = hmac.new(SECRET.encode(), b"8cbecfea-d708-4706-bba3-669225084a10", hashlib.sha256).hexdigest()
        self.assertEqual(json.loads(answer.body), {"verification": expected})

    def test_r36_a_batch_is_handled_event_by_event(self):
        headers = {"content-type": "application/cloudevents-batch+json"}
        self.assertEqual(self.post([event("a"), event("b")], headers).status, 200)
        self.assertEqual([id for id, _ in self.handled], ["a", "b"])
        answer = self.post([event("c"), event("d", specversion="0.3")], headers)
        self.assertEqual((answer.status, json.loads(answer.body)), (400, {"failed": [], "malformed": [1]}))
        self.fails = True
        answer = self.post([event("a"), event("e")], headers)
        self.assertEqual((answer.status, json.loads(answer.body)), (500, {"failed": [1], "malformed": []}))

    def test_r55_r56_what_must_be_refused_is(self):
        good = json.dumps(event()).encode()
        self.assertEqual(self.receiver.receive("GET", {}, b"").status, 405)
        self.assertEqual(self.post(good, {"content-type": "text/plain"}).status, 415)
        self.assertEqual(self.post(b" " * 2_001).status, 413)
        for body in [b"", good[:-1], good.replace(b"{", b'{"id":"y",'), b'{"a":NaN}', b"\xff", b"[" * 1_900]:
            self.assertEqual(self.post(body).status, 400, body)
        both = {"data": 1, "data_base64": "AA=="}
        for over in [{"id": ""}, {"id": 1}, {"source": "a\nb"}, {"specversion": "1"}, both]:
            self.assertEqual(self.post({**event(), **over}).status, 400, over)
        self.assertEqual(self.post(good, {"webhook-signature": "v1,"}).status, 401)
        self.assertEqual(self.post(good, {"webhook-timestamp": str(NOW - 301)}).status, 401)
        unsigned = self.receiver.receive("POST", {"content-type": "application/json"}, good)
        self.assertEqual(unsigned.status, 401)
        self.assertEqual(self.handled, [])
        with self.assertRaises(SecretError):
            Receiver("", self.handle)

    def test_r57_copies_at_the_same_time_wait_and_share_the_answer(self):
        begun, go_on = threading.Event(), threading.Event()

        def slow(event, delivery):
            begun.set()
            go_on.wait(10)
            self.handled.append((event["id"], delivery.id))

        self.receiver = Receiver(SECRET, slow, now=lambda: NOW)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.post(event()).status)) for _ in range(3)]
        for thread in threads:
            thread.start()
        self.assertTrue(begun.wait(10))
        go_on.set()
        for thread in threads:
            thread.join(10)
        self.assertEqual((answers, len(self.handled)), ([200, 200, 200], 1))

    def test_r57_the_memory_forgets_the_oldest(self):
        seen = Seen(2)
        for key in "abc":
            seen.add(key)
        self.assertEqual([seen.has(key) for key in "abc"], [False, True, True])


class OverHttp(Ground):
    def setUp(self):
        super().setUp()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), http_handler(self.receiver))
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)

    def tearDown(self):
        self.connection.close()
        self.server.shutdown()
        self.server.server_close()

    def ask(self, method, headers, body=None):
        self.connection.request(method, "/", body=body, headers=headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def test_r54_deliveries_and_refusals_over_one_connection(self):
        body = json.dumps(event()).encode()
        self.assertEqual(self.ask("POST", signed(body), body), (200, b""))
        self.assertEqual(self.ask("GET", {})[0], 405)
        self.assertEqual(self.ask("POST", {**signed(body), "webhook-id": "other"}, body)[0], 401)
        self.assertEqual(self.ask("POST", {"content-length": "9999"})[0], 413)
        self.assertEqual(self.ask("POST", {"content-length": "-1"})[0], 411)
        self.assertEqual(self.handled, [("e1", "dlv_1")])


if __name__ == "__main__":
    unittest.main()
