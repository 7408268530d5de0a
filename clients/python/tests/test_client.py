"""The client against a server that answers what a test says: repeats, waits, problems, pages."""

import json
import os
import socket
import threading
import traceback
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

from bellwire import BellwireError, Client
from bellwire.request import wait_of


def problem(status, code, headers=None, **more):
    body = {"status": status, "code": code, "detail": f"It is {code}.", **more}
    return status, body, {"content-type": "application/problem+json", **(headers or {})}


class Server:
    """Answers what it is told, one after the other, and keeps what it was asked."""

    def __init__(self, *answers):
        self.asked = []
        waiting = list(answers)
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                server.asked.append((self.command, self.path, dict(self.headers.items()), body))
                answer = waiting.pop(0) if waiting else (500, {}, {})
                if answer is None:
                    return self.connection.close()
                status, document, headers = answer
                text = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=[0.01], daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()


ACCEPTED = (202, {"accepted": [{"id": "1", "source": "//s", "event": "evt_1", "duplicate": False}]}, {})
EVENT = {"source": "//s", "type": "t"}


class Repeats(unittest.TestCase):
    def setUp(self):
        self.waits = []
        patched = mock.patch("bellwire.request.time.sleep", self.waits.append)
        patched.start()
        self.addCleanup(patched.stop)

    def test_r121_a_repeated_publish_carries_the_same_id(self):
        with Server(problem(503, "unavailable", {"retry-after": "3"}), None, ACCEPTED) as server:
            Client(server.url, "bw_x").events.publish(EVENT)
        bodies = {body for _, _, _, body in server.asked}
        self.assertEqual((len(server.asked), len(bodies)), (3, 1))
        sent = json.loads(bodies.pop())
        self.assertEqual(sent["specversion"], "1.0")
        self.assertEqual(len(sent["id"]), 36)
        self.assertEqual(self.waits[0], 3.0)
        self.assertEqual(server.asked[0][2]["Authorization"], "Bearer bw_x")
        self.assertEqual(server.asked[0][2]["Content-Type"], "application/cloudevents+json")

    def test_r121_429_is_repeated_always_and_what_asks_for_long_is_not(self):
        made = (201, {"id": "wh_1"}, {})
        with Server(problem(429, "too-many-requests", {"retry-after": "0"}), made) as server:
            self.assertEqual(Client(server.url, "k").webhooks.create({"name": "n"}), {"id": "wh_1"})
        with Server(problem(429, "too-many-requests", {"retry-after": "60"})) as server:
            with self.assertRaises(BellwireError) as caught:
                Client(server.url, "k").events.publish(EVENT)
            self.assertEqual((caught.exception.retry_after, len(server.asked)), (60.0, 1))

    def test_r121_what_may_not_be_done_twice_is_repeated_with_a_key_only(self):
        with Server(None, (201, {}, {})) as server:
            with self.assertRaises(BellwireError) as caught:
                Client(server.url, "k").webhooks.create({"name": "n"})
            self.assertEqual((caught.exception.code, caught.exception.status), ("unreachable", 0))
        with Server(None, (201, {"id": "wh_1"}, {})) as server:
            Client(server.url, "k").webhooks.create({"name": "n"}, idempotency_key="once")
            self.assertEqual([headers["Idempotency-Key"] for _, _, headers, _ in server.asked], ["once", "once"])

    def test_r121_repeats_are_bounded(self):
        with Server(*[problem(503, "unavailable")] * 9) as server:
            with self.assertRaises(BellwireError):
                Client(server.url, "k", retries=3).events.publish(EVENT)
            self.assertEqual(len(server.asked), 4)

    def test_a_delete_whose_answer_was_lost_is_done(self):
        with Server(None, problem(404, "not-found")) as server:
            self.assertIsNone(Client(server.url, "k").subscriptions.delete("sub_1"))


class Calls(unittest.TestCase):
    def test_a_batch_is_one_request(self):
        with Server(ACCEPTED) as server:
            Client(server.url, "k").events.publish([{**EVENT, "id": "1"}, EVENT])
        _, _, headers, body = server.asked[0]
        self.assertEqual(headers["Content-Type"], "application/cloudevents-batch+json")
        self.assertEqual([len(json.loads(body)), json.loads(body)[0]["id"]], [2, "1"])

    def test_problems_are_one_exception_with_their_faults(self):
        errors = [{"index": 1, "pointer": "/type", "code": "unknown-type", "detail": "No."}]
        with Server(problem(422, "unknown-type", errors=errors, instance="urn:x")) as server:
            with self.assertRaises(BellwireError) as caught:
                Client(server.url, "k").events.publish(EVENT)
        error = caught.exception
        self.assertEqual((error.status, error.code, error.detail), (422, "unknown-type", "It is unknown-type."))
        self.assertEqual((error.errors[0].index, error.errors[0].pointer, error.instance), (1, "/type", "urn:x"))

    def test_an_answer_of_something_else_says_so(self):
        for answer in [(502, b"<html>", {}), (200, b"<html>", {}), (302, b"", {"location": "http://127.0.0.1:1/"})]:
            with Server(answer) as server:
                with self.assertRaises(BellwireError) as caught:
                    Client(server.url, "k", retries=0).webhooks.get("wh_1")
            self.assertEqual((caught.exception.code, caught.exception.status), ("unexpected-answer", answer[0]))

    def test_a_list_turns_its_pages_and_ends_where_there_is_no_more(self):
        pages = [
            (200, {"items": [{"id": "a"}], "next": "c&1"}, {}),
            (200, {"items": [], "next": "c2"}, {}),
            (200, {"items": [{"id": "b"}], "next": "c3", "more": False}, {}),
        ]
        with Server(*pages) as server:
            listed = Client(server.url, "k").deliveries.list(state="dead", limit=1)
            self.assertEqual([one["id"] for one in listed], ["a", "b"])
        self.assertEqual(server.asked[1][1], "/v1/deliveries?state=dead&cursor=c%261&limit=1")

    def test_names_that_a_url_would_swallow_reach_nothing(self):
        with Server() as server:
            for name in ["", ".", ".."]:
                with self.assertRaises(BellwireError) as caught:
                    Client(server.url, "k").webhooks.delete(name)
                self.assertEqual(caught.exception.code, "not-found")
            self.assertEqual(server.asked, [])

    def test_the_environment_says_what_arguments_do_not(self):
        with Server(ACCEPTED, ACCEPTED) as server:
            settings = {"BELLWIRE_URL": server.url, "BELLWIRE_KEY": "bw_env", "BELLWIRE_WORKSPACE": "a b"}
            with mock.patch.dict(os.environ, settings):
                Client().events.publish(EVENT)
                Client(key="bw_given").events.publish(EVENT)
        sent = [(headers["Authorization"], headers["Bellwire-Workspace"]) for _, _, headers, _ in server.asked]
        self.assertEqual(sent, [("Bearer bw_env", "a%20b"), ("Bearer bw_given", "a%20b")])

    def test_a_silent_server_is_given_up_on(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            with self.assertRaises(BellwireError) as caught:
                Client(url, "k", retries=0, timeout=0.2).webhooks.get("wh_1")
        self.assertIn("within the time allowed", caught.exception.detail)
        with self.assertRaises(BellwireError):
            Client("ftp://example.com")

    def test_a_failure_names_neither_key_nor_password(self):
        with self.assertRaises(BellwireError) as caught:
            Client("http://bell:hunter2@127.0.0.1:1", "k")
        self.assertNotIn("hunter2", str(caught.exception))
        for key in ["hunter2\n", "hunter2\u20ac"]:
            with self.assertRaises(BellwireError) as caught:
                Client("http://127.0.0.1:1", key, retries=0).webhooks.get("wh_1")
            self.assertNotIn("hunter2", "".join(traceback.format_exception(None, caught.exception, None)))

    def test_retry_after_is_seconds_or_a_date(self):
        self.assertEqual(wait_of("7", 0), 7.0)
        self.assertEqual(wait_of("Thu, 01 Jan 1970 00:00:09 GMT", 4), 5.0)
        self.assertEqual([wait_of(text, 0) for text in (None, "soon", "-1", "")], [None] * 4)


if __name__ == "__main__":
    unittest.main()
