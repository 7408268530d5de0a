package bellwire

// A webhook receiver: an http.Handler that verifies, answers challenges and hands events to a function, each once.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Delivery is what a handler is told about the request that brought an event.
type Delivery struct {
	Verified
	// Key is what duplicates are told by.
	Key string
}

// Seen is where handled events are remembered. Bring one to share it or to keep it over restarts. What it answers with
// an error makes the answer a 500: deliver again.
type Seen interface {
	Has(ctx context.Context, key string) (bool, error)
	Add(ctx context.Context, key string) error
}

// ReceiverOptions are the settings of a receiver.
type ReceiverOptions struct {
	// Secrets are one or several, as NewVerifier takes them. The first that is no whpk_ key answers challenges: during a
	// rotation put the one first that the sender has registered.
	Secrets []string
	// Handle does the work for one event. An error, or a panic, means: deliver it again.
	Handle func(ctx context.Context, event Event, delivery Delivery) error
	// OnFailure is told what Handle and Seen came back with; nobody is when nil.
	OnFailure func(err error, event Event)
	// Seen is the memory for duplicates; 10,000 events of this process when nil.
	Seen Seen
	// MaxBytes is the greatest body accepted; 4 MiB when zero.
	MaxBytes int64
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Receiver is an http.Handler.
//
//	200, empty       every event is handled, or a duplicate
//	200, JSON        a challenge, at any time, signed or not
//	400, 401         no JSON, no CloudEvent; not signed, or wrongly
//	405, 413, 415    not POST, too large, content type not understood
//	500              the handler failed: deliver again
type Receiver struct {
	options   ReceiverOptions
	verifier  *Verifier
	challenge string
	mu        sync.Mutex
	running   map[string]chan struct{}
}

// NewReceiver makes one. Its error wraps ErrSecret, or says that there is no Handle.
func NewReceiver(options ReceiverOptions) (*Receiver, error) {
	verifier, err := NewVerifier(options.Secrets...)
	if err != nil {
		return nil, err
	}
	if options.Handle == nil {
		return nil, errors.New("bellwire: a receiver needs Handle")
	}
	if options.Seen == nil {
		options.Seen = NewSeen(10_000)
	}
	if options.MaxBytes == 0 {
		options.MaxBytes = 4 << 20
	}
	verifier.Now = options.Now
	r := &Receiver{options: options, verifier: verifier, running: map[string]chan struct{}{}}
	for _, secret := range options.Secrets {
		if r.challenge == "" && !strings.HasPrefix(secret, "whpk_") {
			r.challenge = secret
		}
	}
	return r, nil
}

var mediaTypes = []string{"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"}

// ServeHTTP receives a request.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "send a POST", http.StatusMethodNotAllowed)
		return
	}
	mediaType, _, _ := strings.Cut(strings.Join(request.Header.Values("Content-Type"), ", "), ";")
	if !slices.Contains(mediaTypes, strings.ToLower(strings.TrimSpace(mediaType))) {
		http.Error(w, "the content type must be one of "+strings.Join(mediaTypes, ", "), http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, r.options.MaxBytes))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		http.Error(w, fmt.Sprintf("the body is larger than %d bytes", r.options.MaxBytes), http.StatusRequestEntityTooLarge)
		return
	}
	if err == nil {
		err = checkJSON(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.challenge != "" {
		if answer, ok := AnswerChallenge(r.challenge, body); ok {
			answerJSON(w, http.StatusOK, answer)
			return
		}
	}
	verified, err := r.verifier.Verify(request.Header, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	r.dispatch(w, request.Context(), body, verified)
}

func (r *Receiver) dispatch(w http.ResponseWriter, ctx context.Context, body []byte, verified Verified) {
	documents := []json.RawMessage{body}
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		if err := json.Unmarshal(body, &documents); err != nil {
			http.Error(w, errNotJSON.Error(), http.StatusBadRequest)
			return
		}
	}
	failed, malformed := []int{}, []int{}
	for index, document := range documents {
		var event Event
		if event.UnmarshalJSON(document) != nil {
			malformed = append(malformed, index)
		} else if err := r.once(ctx, event, verified); err != nil {
			failed = append(failed, index)
			if r.options.OnFailure != nil {
				r.options.OnFailure(err, event)
			}
		}
	}
	if len(failed)+len(malformed) == 0 {
		w.WriteHeader(http.StatusOK)
		return
	}
	status := http.StatusBadRequest
	if len(failed) > 0 {
		status = http.StatusInternalServerError
	}
	answer, _ := json.Marshal(map[string][]int{"failed": failed, "malformed": malformed})
	answerJSON(w, status, answer)
}

// Handles an event once. Copies that arrive meanwhile wait, and look then whether they are still needed.
func (r *Receiver) once(ctx context.Context, event Event, verified Verified) (err error) {
	named, _ := json.Marshal([]string{verified.ID, event.Source, event.ID})
	key := string(named)
	done := make(chan struct{})
	for {
		r.mu.Lock()
		running, taken := r.running[key]
		if !taken {
			r.running[key] = done
		}
		r.mu.Unlock()
		if !taken {
			break
		}
		select {
		case <-running:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("bellwire: the handler panicked: %v", cause)
		}
		r.mu.Lock()
		delete(r.running, key)
		r.mu.Unlock()
		close(done)
	}()
	if known, err := r.options.Seen.Has(ctx, key); known || err != nil {
		return err
	}
	if err := r.options.Handle(ctx, event, Delivery{Verified: verified, Key: key}); err != nil {
		return err
	}
	return r.options.Seen.Add(ctx, key)
}

func answerJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked is gone
}

// NewSeen is the memory for duplicates in this process: the latest events, so many.
func NewSeen(limit int) Seen { return &seen{keys: map[string]bool{}, limit: max(limit, 1)} }

type seen struct {
	mu    sync.Mutex
	keys  map[string]bool
	order []string
	limit int
}

func (s *seen) Has(_ context.Context, key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[key], nil
}

func (s *seen) Add(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[key] {
		return nil
	}
	if len(s.order) >= s.limit {
		delete(s.keys, s.order[0])
		s.order = s.order[1:]
	}
	s.keys[key] = true
	s.order = append(s.order, key)
	return nil
}
