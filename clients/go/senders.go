package bellwire

// Requests that other senders sign their own way: GitHub, Stripe, Slack, Shopify, Zoom.

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

type rule struct {
	header, prefix string
	decode         func(string) []byte
	// The header of a timestamp that is signed, too.
	timestamp string
}

var rules = map[string]rule{
	"github":  {header: "X-Hub-Signature-256", prefix: "sha256=", decode: parseHex},
	"shopify": {header: "X-Shopify-Hmac-SHA256", decode: parseBase64},
	"slack":   {header: "X-Slack-Signature", prefix: "v0=", decode: parseHex, timestamp: "X-Slack-Request-Timestamp"},
	"zoom":    {header: "x-zm-signature", prefix: "v0=", decode: parseHex, timestamp: "x-zm-request-timestamp"},
}

// VerifySender verifies a request of github, stripe, slack, shopify or zoom on its raw bytes at an instant (time.Now()).
// Several secrets are a rotation. The error is a *VerificationError, wraps ErrSecret, or names a sender that is not known.
func VerifySender(sender string, header http.Header, body []byte, now time.Time, secrets ...string) error {
	var keys [][]byte
	for _, secret := range secrets {
		if secret != "" {
			keys = append(keys, []byte(secret))
		}
	}
	if len(keys) == 0 || len(keys) < len(secrets) {
		return fmt.Errorf("%w: at least one is needed, and none may be empty", ErrSecret)
	}
	clock := &Verifier{Now: func() time.Time { return now }}
	if sender == "stripe" {
		return verifyStripe(header, body, keys, clock)
	}
	one, known := rules[sender]
	if !known {
		return fmt.Errorf("bellwire: the senders known are github, stripe, slack, shopify and zoom; this is none: %s", sender)
	}
	sent, err := single(header, one.header, "unsigned")
	if err != nil {
		return err
	}
	content := body
	if one.timestamp != "" {
		timestamp, err := single(header, one.timestamp, "missing-header")
		if err != nil {
			return err
		}
		if err := clock.checkTimestamp(one.timestamp, timestamp); err != nil {
			return err
		}
		content = append([]byte("v0:"+timestamp+":"), body...)
	}
	encoded, prefixed := strings.CutPrefix(sent, one.prefix)
	if !prefixed || !fits(content, keys, one.decode(encoded)) {
		return refuse("no-match", one.header+" does not fit the body under a secret configured here")
	}
	return nil
}

func verifyStripe(header http.Header, body []byte, keys [][]byte, clock *Verifier) error {
	list, err := single(header, "Stripe-Signature", "unsigned")
	if err != nil {
		return err
	}
	var times []string
	var signatures [][]byte
	for _, entry := range strings.Split(list, ",") {
		switch name, value, _ := strings.Cut(entry, "="); name {
		case "t":
			times = append(times, value)
		case "v1":
			signatures = append(signatures, parseHex(value))
		}
	}
	if len(times) == 0 {
		return refuse("missing-header", "Stripe-Signature has no t=")
	}
	if len(times) > 1 {
		return refuse("repeated-header", "Stripe-Signature has t= more than once")
	}
	if err := clock.checkTimestamp("t= of Stripe-Signature", times[0]); err != nil {
		return err
	}
	if !fits(append([]byte(times[0]+"."), body...), keys, signatures...) {
		return refuse("no-match", "Stripe-Signature does not fit the body under a secret configured here")
	}
	return nil
}
