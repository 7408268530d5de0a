package bellwire

// Signatures and challenges against published values, and what must be refused.

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"
)

type signatureVector struct {
	Scheme, VerifyWith, ID, Body, Signature string
	Timestamp                               int64
}

// The same file that the Python client is tested with.
var vectors = func() (read struct {
	Challenges       [][3]string
	Greenlake        struct{ Secret, Body, Signature string }
	StandardWebhooks []signatureVector
	Senders          []struct {
		Sender, Secret, Body string
		Headers              map[string]string
		Now                  int64
	}
	Zoom struct{ Secret, PlainToken, EncryptedToken string }
}) {
	text, err := os.ReadFile("../testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if err != nil {
		panic(err)
	}
	return read
}()

func (v signatureVector) headers() http.Header {
	header := http.Header{}
	header.Set("webhook-id", v.ID)
	header.Set("webhook-timestamp", strconv.FormatInt(v.Timestamp, 10))
	header.Set("webhook-signature", v.Signature)
	return header
}

// Why it is refused, "" when it is not.
func reasonOf(t *testing.T, v signatureVector, header http.Header, now int64, secrets ...string) string {
	t.Helper()
	verifier, err := NewVerifier(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	verifier.Now = func() time.Time { return time.Unix(now, 0) }
	_, err = verifier.Verify(header, []byte(v.Body))
	var refused *VerificationError
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

func TestR61R66R70R71VerificationIsLowerCaseHexUnderTheUntrimmedSecret(t *testing.T) {
	for _, one := range vectors.Challenges {
		answer, ok := AnswerChallenge(one[0], []byte(`{"data":{"challengeRequest":"`+one[1]+`"}}`))
		if !ok || string(answer) != `{"verification":"`+one[2]+`"}` {
			t.Errorf("%v: %s", one, answer)
		}
	}
	answer, ok := AnswerChallenge(vectors.Greenlake.Secret, []byte(vectors.Greenlake.Body))
	if !ok || string(answer) != `{"verification":"`+vectors.Challenges[0][2]+`"}` {
		t.Errorf("the challenge of the source document: %s", answer)
	}
	if VerificationOf(vectors.Zoom.Secret, vectors.Zoom.PlainToken) != vectors.Zoom.EncryptedToken {
		t.Error("Zoom's vector")
	}
}

func TestR66WhatIsNoTokenIsNotAnswered(t *testing.T) {
	for _, body := range []string{
		`{"data":{"challengeRequest":"{}"}}`, `{"data":{"challengeRequest":"a b"}}`, `{"data":{"challengeRequest":""}}`,
		`{"data":{"challengeRequest":"a\n"}}`, `{"data":{"challengeRequest":7}}`, `{"data":{"challengeRequest":null}}`,
		`{"data":{"ChallengeRequest":"a"}}`, `{"Data":{"challengeRequest":"a"}}`, `{"data":null}`, `[]`, `null`, ``, `{`,
	} {
		if answer, ok := AnswerChallenge("s3cr3tKey", []byte(body)); ok {
			t.Errorf("%s is answered: %s", body, answer)
		}
	}
}

func TestR56TheVectorsOfStandardWebhooksVerify(t *testing.T) {
	for _, v := range vectors.StandardWebhooks {
		if reason := reasonOf(t, v, v.headers(), v.Timestamp, v.VerifyWith); reason != "" {
			t.Errorf("%s %s: %s", v.Scheme, v.ID, reason)
		}
		changed := v
		changed.Body += " "
		if reason := reasonOf(t, changed, v.headers(), v.Timestamp, v.VerifyWith); reason != "no-match" {
			t.Errorf("another body: %q", reason)
		}
	}
}

func TestR56RotationAnySecretAndAnyEntryMayFit(t *testing.T) {
	v, other := vectors.StandardWebhooks[0], vectors.StandardWebhooks[1].VerifyWith
	header := v.headers()
	header.Set("webhook-signature", "v2,abc v1,AAAA "+v.Signature)
	if reason := reasonOf(t, v, header, v.Timestamp, other, v.VerifyWith); reason != "" {
		t.Error(reason)
	}
	if reason := reasonOf(t, v, header, v.Timestamp, other); reason != "no-match" {
		t.Error(reason)
	}
	if reason := reasonOf(t, v, header, v.Timestamp, "text"); reason != "no-key" {
		t.Error(reason)
	}
}

func TestR56WhatMustFailFails(t *testing.T) {
	v := vectors.StandardWebhooks[0]
	for _, wrong := range []string{"v1,", "garbage", v.Signature[:8], v.Signature + "," + v.Signature, "", v.Signature[3:]} {
		header := v.headers()
		header.Set("webhook-signature", wrong)
		if reasonOf(t, v, header, v.Timestamp, v.VerifyWith) == "" {
			t.Errorf("the signature %q passes", wrong)
		}
	}
	for _, wrong := range []string{"hello", "1614265330abc", "", "+1614265330", "01614265330", "1614265330.0"} {
		header := v.headers()
		header.Set("webhook-timestamp", wrong)
		if reasonOf(t, v, header, v.Timestamp, v.VerifyWith) == "" {
			t.Errorf("the timestamp %q passes", wrong)
		}
	}
	for _, name := range []string{"webhook-id", "webhook-timestamp"} {
		header := v.headers()
		header.Del(name)
		if reason := reasonOf(t, v, header, v.Timestamp, v.VerifyWith); reason != "missing-header" {
			t.Errorf("without %s: %q", name, reason)
		}
		header = v.headers()
		header.Add(name, header.Get(name))
		if reason := reasonOf(t, v, header, v.Timestamp, v.VerifyWith); reason != "repeated-header" {
			t.Errorf("%s twice: %q", name, reason)
		}
	}
	if reason := reasonOf(t, v, http.Header{}, v.Timestamp, v.VerifyWith); reason != "unsigned" {
		t.Error(reason)
	}
}

func TestR56Tolerates300SecondsInclusiveEitherWay(t *testing.T) {
	v := vectors.StandardWebhooks[0]
	for offset, expected := range map[int64]string{300: "", 301: "too-old", -300: "", -301: "too-new"} {
		if reason := reasonOf(t, v, v.headers(), v.Timestamp+offset, v.VerifyWith); reason != expected {
			t.Errorf("%d s: %q", offset, reason)
		}
	}
}

func TestR56UnusableSecretsSaySo(t *testing.T) {
	for _, secrets := range [][]string{{}, {""}, {"whsec_%%%"}, {"whsk_abc"}, {"whpk_abc"}} {
		if _, err := Verify(http.Header{}, nil, secrets...); !errors.Is(err, ErrSecret) {
			t.Errorf("%v: %v", secrets, err)
		}
	}
}

func TestR56TheHpeSignatureOfTheSourceDocumentVerifies(t *testing.T) {
	g := vectors.Greenlake
	for _, signature := range []string{g.Signature, g.Signature[7:]} {
		header := http.Header{}
		header.Set("HPE-Webhook-Signature", signature)
		if found, err := Verify(header, []byte(g.Body), "other", g.Secret); err != nil || found.Schemes[0] != "hpe" {
			t.Error(found, err)
		}
		// Every signature that is there must fit.
		header.Set("webhook-signature", "v1,AAAA")
		if _, err := Verify(header, []byte(g.Body), g.Secret); err == nil {
			t.Error("a wrong signature beside it passes")
		}
	}
	for _, wrong := range []string{"", "sha256=", "sha256=00", g.Signature[:70], "sha1=" + g.Signature[7:]} {
		header := http.Header{}
		header.Set("HPE-Webhook-Signature", wrong)
		if _, err := Verify(header, []byte(g.Body), g.Secret); err == nil {
			t.Errorf("%q passes", wrong)
		}
	}
}

func TestWireSection7OtherSendersVerify(t *testing.T) {
	check := func(sender string, headers map[string]string, body string, now int64, secrets ...string) error {
		header := http.Header{}
		for name, value := range headers {
			header.Set(name, value)
		}
		return VerifySender(sender, header, []byte(body), time.Unix(now, 0), secrets...)
	}
	for _, one := range vectors.Senders {
		if err := check(one.Sender, one.Headers, one.Body, one.Now, "x", one.Secret); err != nil {
			t.Errorf("%s: %v", one.Sender, err)
		}
		if check(one.Sender, one.Headers, one.Body+" ", one.Now, one.Secret) == nil ||
			check(one.Sender, one.Headers, one.Body, one.Now, "wrong") == nil ||
			check(one.Sender, nil, one.Body, one.Now, one.Secret) == nil {
			t.Errorf("%s: what is wrong passes", one.Sender)
		}
	}
	signature := "v0=" + VerificationOf("key", "v0:1614265330:{}")
	slack := map[string]string{"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": "1614265330"}
	zoom := map[string]string{"x-zm-signature": signature, "x-zm-request-timestamp": "1614265330"}
	for sender, headers := range map[string]map[string]string{"slack": slack, "zoom": zoom} {
		if err := check(sender, headers, "{}", 1614265630, "key"); err != nil {
			t.Errorf("%s: %v", sender, err)
		}
		if check(sender, headers, "{}", 1614265631, "key") == nil {
			t.Errorf("%s: what is old passes", sender)
		}
	}
	if check("unknown", nil, "", 0, "key") == nil || !errors.Is(check("github", nil, "", 0), ErrSecret) {
		t.Error("an unknown sender, or no secret, passes")
	}
}
