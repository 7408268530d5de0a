package bellwire

// The HPE GreenLake challenge: a receiver proves that it holds the secret before any event is sent to it.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
)

// Delivery signatures are the same HMAC under the same secret, so a free choice of text would let a stranger have event
// bodies signed. Tokens only: no JSON object is one. UUIDs, hex and both alphabets of base64 are.
var answerable = regexp.MustCompile(`\A[A-Za-z0-9+/=._~-]{1,128}\z`)

// VerificationOf is the value a challenge is answered with: lower-case hex HMAC-SHA256, keyed with the secret's bytes as
// they are (never trimmed, a whsec_ prefix included), over the challenge exactly as sent (R66, R70, R71).
func VerificationOf(secret, challenge string) string {
	return hex.EncodeToString(macOf([]byte(secret), []byte(challenge)))
}

// AnswerChallenge is the JSON to answer a challenge with, as application/json with status 200; false where the body is
// no challenge. A challenge is told by data.challengeRequest, not by its event type (R95). Only tokens of 1 to 128
// characters of A-Z a-z 0-9 + / = . _ ~ - are answered: anything else could make this the signature of a forged delivery.
func AnswerChallenge(secret string, body []byte) ([]byte, bool) {
	// Maps, not structs: encoding/json would take DATA for data.
	var event, data map[string]json.RawMessage
	var challenge string
	if json.Unmarshal(body, &event) != nil || json.Unmarshal(event["data"], &data) != nil {
		return nil, false
	}
	if json.Unmarshal(data["challengeRequest"], &challenge) != nil || !answerable.MatchString(challenge) {
		return nil, false
	}
	return []byte(`{"verification":"` + VerificationOf(secret, challenge) + `"}`), true
}

func macOf(key, content []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return mac.Sum(nil)
}
