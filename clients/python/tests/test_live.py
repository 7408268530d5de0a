"""The client and the receiver against a platform that runs: BELLWIRE_TEST_URL and BELLWIRE_TEST_KEY say which."""

import json
import os
import threading
import time
import unittest
import urllib.request
import uuid
from http.server import ThreadingHTTPServer

from bellwire import BellwireError, Client, Receiver, http_handler, wire

URL = os.environ.get("BELLWIRE_TEST_URL", "")
KEY = os.environ.get("BELLWIRE_TEST_KEY", "")
TYPE = "com.example.python.order.created"


def eventually(what, look):
    """Looks until something is so."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"still not so: {what}")


@unittest.skipUnless(URL and KEY, "no platform runs: BELLWIRE_TEST_URL and BELLWIRE_TEST_KEY are not set")
class Live(unittest.TestCase):
    def setUp(self):
        self.client = Client(URL, KEY)
        self.client.event_types.put(TYPE, {"description": "An order was made."})
        self.handled = []

    def listen(self, secret):
        """A receiver on a free port; its URL."""
        receiver = Receiver(secret, lambda event, delivery: self.handled.append((event["id"], delivery.schemes)))
        server = ThreadingHTTPServer(("127.0.0.1", 0), http_handler(receiver))
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/hook"

    def subscribed(self, secret):
        """A webhook that is active and subscribed."""
        wish = {"name": f"python {uuid.uuid4().hex[:8]}", "url": self.listen(secret), "secret": secret}
        webhook = self.client.webhooks.create(wish)
        self.assertNotIn("secret", webhook)
        self.addCleanup(self.client.webhooks.delete, webhook["id"], force=True)
        eventually("it is active", lambda: self.client.webhooks.get(webhook["id"])["state"] == "active")
        self.client.subscriptions.create(webhook["id"], TYPE)
        return webhook["id"]

    def delivered(self, webhook, count):
        def look():
            found = self.client.deliveries.list(webhook=webhook, state="delivered", limit=2).all()
            return found if len(found) == count else None

        return eventually(f"{count} are delivered", look)

    def test_r54_r61_r66_r121_challenged_subscribed_published_delivered_verified(self):
        for secret, schemes in [("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ("v1",)), ("ключ-Ωµ-🔑", ("hpe",))]:
            webhook = self.subscribed(secret)
            event = {"id": str(uuid.uuid4()), "source": "//shop", "type": TYPE, "data": {"name": "Łódź €"}}
            once = self.client.events.publish(event)["accepted"][0]
            again = self.client.events.publish(event)["accepted"][0]
            self.assertEqual((once["duplicate"], again["duplicate"], again["event"]), (False, True, once["event"]))
            self.delivered(webhook, 1)
            self.assertEqual(self.handled, [(event["id"], schemes)])
            self.assertEqual(self.client.events.get(once["event"])["envelope"]["data"], event["data"])
            self.handled.clear()
            self.client.webhooks.disable(webhook)

    def test_r36_a_batch_goes_in_whole_or_not_at_all_and_lists_turn_pages(self):
        webhook = self.subscribed("s3cr3tKey")
        source = f"//shop/{uuid.uuid4()}"
        batch = [{"source": source, "type": TYPE, "data": {"order": number}} for number in range(5)]
        with self.assertRaises(BellwireError) as caught:
            self.client.events.publish([*batch, {"source": source, "type": "com.example.nobody.knows"}])
        self.assertEqual((caught.exception.code, caught.exception.status), ("unknown-type", 422))
        self.assertEqual(caught.exception.errors[0].index, 5)
        accepted = self.client.events.publish(batch)["accepted"]
        self.assertEqual(len({one["event"] for one in accepted}), 5)
        deliveries = self.delivered(webhook, 5)
        self.assertEqual({one["event"] for one in deliveries}, {one["event"] for one in accepted})
        listed = self.client.events.list(source=source, limit=2).all()
        self.assertEqual([one["envelope"]["data"]["order"] for one in listed], [0, 1, 2, 3, 4])
        self.assertEqual(len(self.client.deliveries.list(webhook=webhook, limit=3).page()["items"]), 3)

    def test_a_delivery_is_shown_with_its_attempts_and_retried(self):
        webhook = self.subscribed("s3cr3tKey")
        self.client.events.publish({"source": "//shop", "type": TYPE, "data": None})
        delivery = self.delivered(webhook, 1)[0]["id"]
        self.assertEqual([one["status"] for one in self.client.deliveries.get(delivery)["attempts"]], [200])
        retried = self.client.deliveries.retry(delivery)
        self.assertEqual((retried["outcome"]["ok"], retried["delivery"]["attemptCount"]), (True, 2))
        self.assertEqual(len(self.handled), 1)

    def test_webhooks_are_changed_paused_tested_rotated_and_deleted(self):
        webhook = self.subscribed("s3cr3tKey")
        webhooks = self.client.webhooks
        self.assertEqual(webhooks.change(webhook, {"description": "Feeds a sheet."})["description"], "Feeds a sheet.")
        self.assertEqual(webhooks.pause(webhook)["state"], "paused")
        self.assertEqual(webhooks.resume(webhook)["intent"], "enabled")
        tested = webhooks.test(webhook)
        self.assertEqual((tested["state"], tested["challenge"]["ok"]), ("active", True))
        self.assertEqual(webhooks.disable(webhook)["state"], "disabled")
        self.assertEqual(webhooks.enable(webhook)["intent"], "enabled")
        self.assertTrue(webhooks.rotate(webhook, grace_ms=60_000)["secret"].startswith("whsec_"))
        self.assertIn(webhook, [one["id"] for one in webhooks.list(limit=1)])
        subscription = self.client.subscriptions.list(webhook=webhook).all()[0]
        self.assertEqual(self.client.subscriptions.get(subscription["id"])["type"], TYPE)
        self.assertEqual(self.client.subscriptions.create(webhook, TYPE)["id"], subscription["id"])
        self.client.subscriptions.delete(subscription["id"])
        wish = {"name": f"once {uuid.uuid4().hex[:8]}", "url": self.listen("some secret")}
        key = str(uuid.uuid4())
        first = webhooks.create(wish, idempotency_key=key)
        self.assertEqual(webhooks.create(wish, idempotency_key=key)["id"], first["id"])
        webhooks.delete(first["id"])
        with self.assertRaises(BellwireError) as caught:
            webhooks.get(first["id"])
        self.assertEqual((caught.exception.code, caught.exception.status), ("not-found", 404))

    def test_the_catalog_is_kept(self):
        types = self.client.event_types
        name = f"com.example.t{uuid.uuid4().hex}"
        types.put(name, {"schema": {"type": "object"}, "schemaCheck": "block"})
        self.assertEqual(types.get(name)["schemaCheck"], "block")
        self.assertIn(name, [one["type"] for one in types.list(limit=1)])
        with self.assertRaises(BellwireError) as caught:
            self.client.events.publish({"source": "//s", "type": name, "data": 1})
        self.assertEqual(caught.exception.status, 422)
        types.delete(name)

    def test_a_wrong_key_is_a_problem_too(self):
        with self.assertRaises(BellwireError) as caught:
            Client(URL, "bw_wrong").webhooks.list().page()
        self.assertEqual((caught.exception.status, caught.exception.code), (401, "unauthenticated"))

    def test_the_types_have_every_member_of_the_openapi_document(self):
        with urllib.request.urlopen(f"{URL}/openapi.json") as answer:
            paths = json.load(answer)["paths"]

        def body(operation):
            return operation["requestBody"]["content"]["application/json"]["schema"]

        def out(operation, status="200"):
            return operation["responses"][status]["content"]["application/json"]["schema"]

        webhook = paths["/v1/webhooks"]
        for schema, typed in [
            (body(webhook["post"]), wire.WebhookIn),
            (out(webhook["post"], "201"), wire.WebhookSecretOut),
            (out(webhook["get"])["properties"]["items"]["items"], wire.WebhookOut),
            (body(paths["/v1/webhooks/{webhook}"]["patch"]), wire.WebhookPatchIn),
            (out(paths["/v1/webhooks/{webhook}/test"]["post"]), wire.TestOut),
            (out(paths["/v1/subscriptions/{subscription}"]["get"]), wire.SubscriptionOut),
            (body(paths["/v1/event-types/{type}"]["put"]), wire.EventTypeIn),
            (out(paths["/v1/event-types/{type}"]["get"]), wire.EventTypeOut),
            (out(paths["/v1/events/{event}"]["get"]), wire.EventOut),
            (out(paths["/v1/deliveries/{delivery}"]["get"]), wire.DeliveryDetailOut),
            (out(paths["/v1/deliveries/{delivery}/retry"]["post"]), wire.RetryOut),
        ]:
            self.assertEqual(set(schema["properties"]), set(typed.__annotations__), typed.__name__)




if __name__ == "__main__":
    unittest.main()
