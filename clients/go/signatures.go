package bellwire

// Whether a request was signed by somebody who holds the secret: Standard Webhooks v1 and v1a, and the HPE signature.

import (
	"crypto/ed25519"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far a timestamp may be off, inclusive, unless said otherwise.
const Tolerance = 300 * time.Second

// ErrSecret is the error of a secret that cannot be used as it stands. What wraps it never contains the secret.
var ErrSecret = errors.New("bellwire: unusable secret")

// VerificationError says why a request was not accepted.
type VerificationError struct {
	// Reason is for programs: unsigned, missing-header, repeated-header, no-key, bad-timestamp, too-old, too-new, no-match.
	Reason string
	// Detail is for logs.
	Detail string
}

func (e *VerificationError) Error() string { return e.Detail }

// Verified is what a verified request proved.
type Verified struct {
	// Schemes are v1, v1a and hpe, those that signed.
	Schemes []string
	// ID is webhook-id where a Standard Webhooks signature vouches for it: the same over all tries of a delivery.
	ID string
}

// Verifier verifies deliveries under some secrets. It is safe for concurrent use.
type Verifier struct {
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Tolerance is how far webhook-timestamp may be off, inclusive; Tolerance when zero.
	Tolerance time.Duration

	shared [][]byte
	public []ed25519.PublicKey
	texts  [][]byte
}

// NewVerifier takes one secret or several (a rotation): whsec_… serves Standard Webhooks v1 and, as text, the HPE
// signature; whpk_… serves v1a; any other text serves the HPE signature. Its error wraps ErrSecret.
func NewVerifier(secrets ...string) (*Verifier, error) {
	v := &Verifier{}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%w: at least one is needed", ErrSecret)
	}
	for _, secret := range secrets {
		switch {
		case secret == "":
			return nil, fmt.Errorf("%w: it is empty", ErrSecret)
		case strings.HasPrefix(secret, "whsk_"):
			return nil, fmt.Errorf("%w: a whsk_ key belongs to the sender, verify with its whpk_ key", ErrSecret)
		case strings.HasPrefix(secret, "whpk_"):
			key, err := decodeKey(secret[5:])
			if err != nil || len(key) != ed25519.PublicKeySize {
				return nil, fmt.Errorf("%w: what follows whpk_ is not 32 bytes in base64", ErrSecret)
			}
			v.public = append(v.public, key)
			continue
		case strings.HasPrefix(secret, "whsec_"):
			key, err := decodeKey(secret[6:])
			if err != nil {
				return nil, fmt.Errorf("%w: what follows whsec_ is not base64", ErrSecret)
			}
			v.shared = append(v.shared, key)
		}
		v.texts = append(v.texts, []byte(secret))
	}
	return v, nil
}

// Verify judges a delivery once; NewVerifier for many. The error is a *VerificationError, or wraps ErrSecret.
func Verify(header http.Header, body []byte, secrets ...string) (Verified, error) {
	v, err := NewVerifier(secrets...)
	if err != nil {
		return Verified{}, err
	}
	return v.Verify(header, body)
}

// Verify judges a delivery: every signature the sender put must fit, and there must be one. The body is the bytes exactly
// as they arrived. The error is a *VerificationError.
func (v *Verifier) Verify(header http.Header, body []byte) (Verified, error) {
	var found Verified
	standard, hpe := len(header.Values("webhook-signature")) > 0, len(header.Values("hpe-webhook-signature")) > 0
	if !standard && !hpe {
		return found, refuse("unsigned", "the request carries neither webhook-signature nor HPE-Webhook-Signature")
	}
	if standard {
		id, scheme, err := v.verifyStandard(header, body)
		if err != nil {
			return Verified{}, err
		}
		found.ID, found.Schemes = id, append(found.Schemes, scheme)
	}
	if hpe {
		sent, err := single(header, "hpe-webhook-signature", "missing-header")
		if err != nil {
			return Verified{}, err
		}
		if !fits(body, v.texts, parseHex(strings.TrimPrefix(sent, "sha256="))) {
			return Verified{}, refuse("no-match", "HPE-Webhook-Signature does not fit the body under a secret configured here")
		}
		found.Schemes = append(found.Schemes, "hpe")
	}
	return found, nil
}

func (v *Verifier) verifyStandard(header http.Header, body []byte) (id, scheme string, err error) {
	list, err := single(header, "webhook-signature", "missing-header")
	if err != nil {
		return "", "", err
	}
	if id, err = single(header, "webhook-id", "missing-header"); err != nil {
		return "", "", err
	}
	timestamp, err := single(header, "webhook-timestamp", "missing-header")
	if err != nil {
		return "", "", err
	}
	if err = v.checkTimestamp("webhook-timestamp", timestamp); err != nil {
		return "", "", err
	}
	if len(v.shared)+len(v.public) == 0 {
		return "", "", refuse("no-key", "signed by Standard Webhooks, and no whsec_ secret or whpk_ key is configured here")
	}
	content := append([]byte(id+"."+timestamp+"."), body...)
	for _, entry := range strings.Split(list, " ") {
		version, encoded, _ := strings.Cut(entry, ",")
		signature := parseBase64(encoded)
		if version == "v1" && fits(content, v.shared, signature) {
			scheme = "v1"
		}
		for _, key := range v.public {
			if version == "v1a" && ed25519.Verify(key, content, signature) {
				scheme = "v1a"
			}
		}
	}
	if scheme == "" {
		return "", "", refuse("no-match", "no entry of webhook-signature fits under a secret configured here")
	}
	return id, scheme, nil
}

var integer = regexp.MustCompile(`\A(0|[1-9][0-9]{0,14})\z`)

// A strict integer of seconds, not further from the clock than is tolerated, bounds included.
func (v *Verifier) checkTimestamp(name, text string) error {
	if !integer.MatchString(text) {
		return refuse("bad-timestamp", name+" is not an integer")
	}
	sent, _ := strconv.ParseInt(text, 10, 64)
	now, tolerance := time.Now(), Tolerance
	if v.Now != nil {
		now = v.Now()
	}
	if v.Tolerance != 0 {
		tolerance = v.Tolerance
	}
	age, most := now.Unix()-sent, int64(tolerance/time.Second)
	if age > most {
		return refuse("too-old", fmt.Sprintf("%s lies %d s back, %d s are tolerated", name, age, most))
	}
	if -age > most {
		return refuse("too-new", fmt.Sprintf("%s lies %d s ahead, %d s are tolerated", name, -age, most))
	}
	return nil
}

func refuse(reason, detail string) error { return &VerificationError{Reason: reason, Detail: detail} }

// The value of a header that must stand there once.
func single(header http.Header, name, absent string) (string, error) {
	values := header.Values(name)
	if len(values) == 0 || (len(values) == 1 && values[0] == "" && absent != "unsigned") {
		return "", refuse(absent, "the request carries no "+name)
	}
	// A proxy may have joined repetitions so, and none of the values read here may contain it.
	if len(values) > 1 || strings.Contains(values[0], ", ") {
		return "", refuse("repeated-header", name+" stands in the request more than once")
	}
	return values[0], nil
}

// Whether one of the signatures is the HMAC of the content under one of the keys. All are tried, in constant time.
func fits(content []byte, keys [][]byte, signatures ...[]byte) bool {
	found := false
	for _, key := range keys {
		expected := macOf(key, content)
		for _, signature := range signatures {
			found = hmac.Equal(signature, expected) || found
		}
	}
	return found
}

func parseHex(text string) []byte {
	decoded, err := hex.DecodeString(text)
	if err != nil {
		return nil
	}
	return decoded
}

// The one spelling that encoding these bytes gives: one signature, one way to write it.
func parseBase64(text string) []byte {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(decoded) != text {
		return nil
	}
	return decoded
}

// Any length is taken, so that old and short secrets still verify; padded or not.
func decodeKey(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}
