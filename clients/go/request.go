package bellwire

// One request to the platform and its answer: addresses, problems as one error, and repeats where they are safe.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// What asks for a longer wait is given up on, and says how much it asked for.
	longestWait = 10 * time.Second
	firstWait   = 200 * time.Millisecond
)

// Fault is one of several faults of a request.
type Fault struct {
	// Index is the place of the event in its batch, from 0; nil where there is no batch.
	Index *int `json:"index"`
	// Pointer is a JSON pointer, or the name of a header or query parameter.
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Error is every failure of a call but the end of its context. Code is one of docs/errors.md, or, where no such answer
// came: unreachable (status 0: no answer at all), unexpected-answer (something answered that is not the platform).
type Error struct {
	// Status is the HTTP status; 0 without an answer.
	Status int    `json:"-"`
	Code   string `json:"code"`
	// Detail says what is wrong with this very request, for people.
	Detail string `json:"detail"`
	// Errors are the faults one by one, where there can be several.
	Errors []Fault `json:"errors"`
	// Instance is the URN of the request, on faults of the platform: its log names it, too.
	Instance string `json:"instance"`
	// RetryAfter is how long the platform asks to wait; nil where it does not say.
	RetryAfter *time.Duration `json:"-"`
	cause      error
}

func (e *Error) Error() string { return "bellwire: " + e.Code + ": " + e.Detail }

// Unwrap is what lies beneath, where no answer came.
func (e *Error) Unwrap() error { return e.cause }

type idempotencyKey struct{}

// WithIdempotencyKey makes the writes of a context repeatable: the same key with the same body gets the first answer
// again, without the secrets in it. With a key the client also repeats by itself what it otherwise would not.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, idempotencyKey{}, key)
}

type call struct {
	method, path, mediaType string
	query                   url.Values
	body                    any
	// Doing it twice is the same as doing it once. Left out, it is so for all methods but POST, unless fragile says no.
	repeatable, fragile bool
	timeout             time.Duration
}

type requester struct {
	origin, key, workspace string
	http                   *http.Client
	retries                int
	timeout                time.Duration
}

// The answer's JSON goes into out, unless that is nil.
func (r *requester) send(ctx context.Context, c call, out any) error {
	if strings.Contains(c.path, nowhere) {
		return &Error{Status: 404, Code: "not-found", Detail: "Nothing here has an empty name, or dots for one."}
	}
	var body []byte
	if c.body != nil {
		var err error
		if body, err = json.Marshal(c.body); err != nil {
			return fmt.Errorf("bellwire: %w", err)
		}
	}
	for tries := 1; ; tries++ {
		err := r.once(ctx, c, body, out)
		var refused *Error
		if err == nil || !errors.As(err, &refused) {
			return err
		}
		// The first answer was lost, and what it had done is found done.
		if c.method == http.MethodDelete && tries > 1 && refused.Code == "not-found" {
			return nil
		}
		wait := time.Duration(float64(firstWait<<min(tries-1, 10)) * (0.5 + rand.Float64()))
		if refused.RetryAfter != nil {
			wait = *refused.RetryAfter
		}
		if tries > r.retries || wait > longestWait || !mayRepeat(ctx, c, refused) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (r *requester) once(ctx context.Context, c call, body []byte, out any) error {
	timeout := r.timeout
	if c.timeout != 0 {
		timeout = c.timeout
	}
	trying, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := r.request(trying, c, body)
	if err != nil {
		return err
	}
	answer, err := r.http.Do(request)
	if err != nil {
		return r.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return r.unreachable(ctx, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return r.refusal(answer, content)
	}
	if out == nil || len(content) == 0 {
		return nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return r.unexpected(answer.StatusCode)
	}
	return nil
}

func (r *requester) request(ctx context.Context, c call, body []byte) (*http.Request, error) {
	address := r.origin + c.path
	if len(c.query) > 0 {
		address += "?" + c.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, c.method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("bellwire: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		mediaType := c.mediaType
		if mediaType == "" {
			mediaType = "application/json"
		}
		request.Header.Set("Content-Type", mediaType)
	}
	if r.key != "" {
		request.Header.Set("Authorization", "Bearer "+r.key)
	}
	if r.workspace != "" {
		request.Header.Set("Bellwire-Workspace", url.PathEscape(r.workspace))
	}
	if key, ok := ctx.Value(idempotencyKey{}).(string); ok {
		request.Header.Set("Idempotency-Key", key)
	}
	return request, nil
}

// These were refused before anything was done: 429, idempotency-running. Otherwise a lost answer may hide a deed: only
// what may be done twice is.
func mayRepeat(ctx context.Context, c call, refused *Error) bool {
	if refused.Status == http.StatusTooManyRequests || refused.Code == "idempotency-running" {
		return true
	}
	_, keyed := ctx.Value(idempotencyKey{}).(string)
	if !c.repeatable && (c.method == http.MethodPost || c.fragile) && !keyed {
		return false
	}
	return refused.Code == "unreachable" || refused.Status == 502 || refused.Status == 503 || refused.Status == 504
}

func (r *requester) refusal(answer *http.Response, content []byte) error {
	refused := &Error{}
	if json.Unmarshal(content, refused) != nil || refused.Code == "" || refused.Detail == "" {
		refused = r.unexpected(answer.StatusCode)
	}
	refused.Status = answer.StatusCode
	refused.RetryAfter = waitOf(answer.Header.Get("Retry-After"), time.Now())
	return refused
}

func (r *requester) unexpected(status int) *Error {
	detail := fmt.Sprintf("%s answered %d in a form that is not Bellwire's; is this its address?", r.origin, status)
	return &Error{Status: status, Code: "unexpected-answer", Detail: detail}
}

func (r *requester) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	reason := err.Error()
	var failed *url.Error
	if errors.As(err, &failed) {
		reason = failed.Err.Error()
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		reason = "no answer within the time allowed"
	}
	return &Error{Code: "unreachable", Detail: r.origin + " does not answer: " + reason, cause: err}
}

var seconds = regexp.MustCompile(`\A[0-9]{1,9}\z`)

// Retry-After is a number of seconds, or a date; anything else is nothing.
func waitOf(text string, now time.Time) *time.Duration {
	var wait time.Duration
	if seconds.MatchString(text) {
		count, _ := strconv.Atoi(text)
		wait = time.Duration(count) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = max(0, at.Sub(now))
	} else {
		return nil
	}
	return &wait
}

// Stands for a part that a URL would swallow (..): nothing is called so, and nothing may be reached that way.
const nowhere = "\x00"

// A path below /v1 whose parts are encoded.
func path(parts ...string) string {
	built := "/v1"
	for _, part := range parts {
		if part == "" || part == "." || part == ".." {
			return nowhere
		}
		built += "/" + url.PathEscape(part)
	}
	return built
}
