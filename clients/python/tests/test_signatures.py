"""Signatures and challenges against published values, and what must be refused."""

import base64
import hashlib
import hmac
import json
import unittest

from bellwire import SecretError, VerificationError, answer_challenge, verification_of, verify, verify_sender

from .vectors import STANDARD, VECTORS, standard_headers

FIRST = STANDARD[0]
GREENLAKE = VECTORS["greenlake"]


def reason_of(headers, vector, secret=None, now=None):
    """Why it is refused; None when it is not."""
    at = vector["timestamp"] if now is None else now
    try:
        verify(headers, vector["body"].encode(), secret or vector["verifyWith"], now=at)
        return None
    except VerificationError as error:
        return error.reason


class Challenges(unittest.TestCase):
    def test_r61_r66_r70_r71_verification_is_lower_case_hex_under_the_untrimmed_secret(self):
        for secret, challenge, verification in VECTORS["challenges"]:
            self.assertEqual(verification_of(secret, challenge), verification)
            answer = answer_challenge(secret, {"data": {"challengeRequest": challenge}})
            self.assertEqual(answer, {"verification": verification})

    def test_r66_r70_the_challenge_of_the_source_document_is_answered(self):
        answer = answer_challenge(GREENLAKE["secret"], json.loads(GREENLAKE["body"]))
        self.assertEqual(answer, {"verification": VECTORS["challenges"][0][2]})

    def test_r66_what_is_no_token_is_not_answered(self):
        for challenge in ['{"a":1}', "a b", "v0:1:{}", "", "x" * 129, "a\n", 7, None, {"a": 1}]:
            self.assertIsNone(answer_challenge("s3cr3tKey", {"data": {"challengeRequest": challenge}}), challenge)
        for body in [None, [], "x", {"data": None}, {"data": []}, {"challengeRequest": "abc"}]:
            self.assertIsNone(answer_challenge("s3cr3tKey", body))


class StandardWebhooks(unittest.TestCase):
    def test_r56_the_vectors_of_the_specification_verify(self):
        for vector in STANDARD:
            found = verify(
                standard_headers(vector), vector["body"].encode(), vector["verifyWith"], now=vector["timestamp"]
            )
            self.assertEqual((found.schemes, found.id), (("v1",), vector["id"]))

    def test_r56_rotation_any_secret_and_any_entry_may_fit(self):
        other = STANDARD[1]["verifyWith"]
        self.assertIsNone(reason_of(standard_headers(FIRST), FIRST, [other, FIRST["verifyWith"]]))
        listed = "v2,abc v1,AAAA " + FIRST["signature"]
        self.assertIsNone(reason_of(standard_headers(FIRST, **{"webhook-signature": listed}), FIRST))
        self.assertEqual(reason_of(standard_headers(FIRST), FIRST, other), "no-match")

    def test_r56_what_must_fail_fails(self):
        signature = FIRST["signature"]
        other = "v1," + "A" * 43 + "="
        for wrong in ["v1,", "garbage", signature[:8], f"{signature},{signature}", "", signature[3:], other, "v1,ü", "v1,\udcff"]:
            headers = standard_headers(FIRST, **{"webhook-signature": wrong})
            self.assertIsNotNone(reason_of(headers, FIRST), wrong)
        for wrong in ["hello", "1614265330abc", "", " 1614265330.0", "+1614265330", "01614265330", "１６１４２６５３３０"]:
            headers = standard_headers(FIRST, **{"webhook-timestamp": wrong})
            self.assertIn(reason_of(headers, FIRST), ("bad-timestamp", "missing-header"), wrong)
        changed = {**FIRST, "body": FIRST["body"] + " "}
        self.assertEqual(reason_of(standard_headers(FIRST), changed), "no-match")
        for name in ["webhook-id", "webhook-timestamp"]:
            headers = standard_headers(FIRST)
            del headers[name]
            self.assertEqual(reason_of(headers, FIRST), "missing-header")
        self.assertEqual(reason_of(standard_headers(FIRST, **{"webhook-id": "\udcff"}), FIRST), "no-match")
        self.assertEqual(reason_of({}, FIRST), "unsigned")
        twice = list(standard_headers(FIRST).items()) + [("Webhook-Id", FIRST["id"])]
        self.assertEqual(reason_of(twice, FIRST), "repeated-header")

    def test_r56_300_seconds_are_tolerated_inclusive_either_way(self):
        for offset, reason in [(300, None), (301, "too-old"), (-300, None), (-301, "too-new")]:
            self.assertEqual(reason_of(standard_headers(FIRST), FIRST, now=FIRST["timestamp"] + offset), reason)

    def test_r56_a_secret_that_cannot_be_used_says_so_and_is_not_repeated(self):
        for secret in ["", [], [""], "whsec_%%%", "whsk_abc", "whpk_abc", None]:
            with self.assertRaises(SecretError) as caught:
                verify(standard_headers(FIRST), b"", secret)
            self.assertNotIn("%%%", str(caught.exception))
        self.assertEqual(reason_of(standard_headers(FIRST), FIRST, "text"), "no-key")


class Hpe(unittest.TestCase):
    def test_r56_the_signature_of_the_source_document_verifies_with_and_without_prefix(self):
        body = GREENLAKE["body"].encode()
        bare = GREENLAKE["signature"][7:]
        for signature in [GREENLAKE["signature"], bare, "sha256=" + bare.upper()]:
            found = verify({"HPE-Webhook-Signature": signature}, body, ["other", GREENLAKE["secret"]])
            self.assertEqual((found.schemes, found.id), (("hpe",), None))
        for wrong in ["", "sha256=", "sha256=" + "0" * 64, GREENLAKE["signature"][:-1], "sha1=" + "0" * 40]:
            with self.assertRaises(VerificationError):
                verify({"HPE-Webhook-Signature": wrong}, body, GREENLAKE["secret"])

    def test_r56_every_signature_that_is_there_must_fit(self):
        headers = standard_headers(FIRST, **{"HPE-Webhook-Signature": "0" * 64})
        self.assertEqual(reason_of(headers, FIRST), "no-match")
        key = FIRST["verifyWith"].encode()
        headers["HPE-Webhook-Signature"] = hmac.new(key, FIRST["body"].encode(), hashlib.sha256).hexdigest()
        self.assertIsNone(reason_of(headers, FIRST))


class Senders(unittest.TestCase):
    def test_wire_section_7_published_signatures_of_other_senders_verify(self):
        for one in VECTORS["senders"]:
            verify_sender(one["sender"], one["headers"], one["body"].encode(), ["x", one["secret"]], now=one["now"])
            for secret, body in [("wrong", one["body"]), (one["secret"], one["body"] + " ")]:
                with self.assertRaises(VerificationError):
                    verify_sender(one["sender"], one["headers"], body.encode(), secret, now=one["now"])
            with self.assertRaises(VerificationError):
                verify_sender(one["sender"], {}, one["body"].encode(), one["secret"], now=one["now"])

    def test_wire_section_7_slack_and_zoom_sign_a_timestamp_too(self):
        for sender, header, stamp in [
            ("slack", "X-Slack-Signature", "X-Slack-Request-Timestamp"),
            ("zoom", "x-zm-signature", "x-zm-request-timestamp"),
        ]:
            mac = hmac.new(b"key", b"v0:1614265330:{}", hashlib.sha256).hexdigest()
            headers = {header: "v0=" + mac, stamp: "1614265330"}
            verify_sender(sender, headers, b"{}", "key", now=1614265330)
            with self.assertRaises(VerificationError):
                verify_sender(sender, headers, b"{}", "key", now=1614265631)
            with self.assertRaises(VerificationError):
                verify_sender(sender, {**headers, header: mac}, b"{}", "key", now=1614265330)
        zoom = VECTORS["zoom"]
        self.assertEqual(verification_of(zoom["secret"], zoom["plainToken"]), zoom["encryptedToken"])

    def test_wire_section_7_shopify_takes_one_spelling_of_base64(self):
        one = next(one for one in VECTORS["senders"] if one["sender"] == "shopify")
        mac = base64.b64encode(hmac.new(b"k", b"{}", hashlib.sha256).digest()).decode()
        verify_sender("shopify", {"X-Shopify-Hmac-SHA256": mac}, b"{}", "k")
        for wrong in [mac.rstrip("="), mac + "=", " " * 3, one["headers"]["X-Shopify-Hmac-SHA256"]]:
            with self.assertRaises(VerificationError):
                verify_sender("shopify", {"X-Shopify-Hmac-SHA256": wrong}, b"{}", "k")
        with self.assertRaises(ValueError):
            verify_sender("unknown", {}, b"", "k")


if __name__ == "__main__":
    unittest.main()
