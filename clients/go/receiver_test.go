package bellwire

// The receiver: what it answers, and that every event is handled once.

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	goodEvent  = `{"specversion":"1.0","id":"e1","source":"//shop","type":"com.example.order.created","data":{"order":7}}`
)

type ground struct {
	receiver *Receiver
	mu       sync.Mutex
	handled  []string
	fails    error
	failures []error
}

func newGround(t *testing.T) *ground {
	g := &ground{}
	receiver, err := NewReceiver(ReceiverOptions{
		Secrets: []string{testSecret},
		Handle: func(_ context.Context, event Event, delivery Delivery) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			if event.Type == "panic" {
				panic("no")
			}
			if g.fails == nil {
				g.handled = append(g.handled, event.ID+" "+delivery.ID)
			}
			return g.fails
		},
		OnFailure: func(err error, _ Event) { g.failures = append(g.failures, err) },
		MaxBytes:  2_000,
		Now:       func() time.Time { return time.Unix(1614265330, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	g.receiver = receiver
	return g
}

// Posts a body, signed unless the headers say otherwise; what came back.
func (g *ground) post(body string, headers ...string) *httptest.ResponseRecorder {
	key, _ := base64.StdEncoding.DecodeString(testSecret[6:])
	signature := base64.StdEncoding.EncodeToString(macOf(key, []byte("dlv_1.1614265330."+body)))
	request := httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	request.Header.Set("webhook-id", "dlv_1")
	request.Header.Set("webhook-timestamp", "1614265330")
	request.Header.Set("webhook-signature", "v1,"+signature)
	for at := 0; at+1 < len(headers); at += 2 {
		request.Header.Set(headers[at], headers[at+1])
	}
	answer := httptest.NewRecorder()
	g.receiver.ServeHTTP(answer, request)
	return answer
}

func (g *ground) expect(t *testing.T, status int, body string, headers ...string) string {
	t.Helper()
	answer := g.post(body, headers...)
	if answer.Code != status {
		t.Errorf("%d %s instead of %d: %s", answer.Code, answer.Body, status, body)
	}
	return answer.Body.String()
}

func TestR57R58ASignedEventIsHandledOnceAndAFailureIsNot(t *testing.T) {
	g := newGround(t)
	g.fails = errors.New("no")
	g.expect(t, 500, goodEvent)
	g.fails = nil
	g.expect(t, 200, goodEvent)
	if text := g.expect(t, 200, goodEvent); text != "" || len(g.handled) != 1 || g.handled[0] != "e1 dlv_1" {
		t.Error(text, g.handled)
	}
	g.expect(t, 500, `{"specversion":"1.0","id":"p","source":"s","type":"panic"}`)
	if len(g.failures) != 2 {
		t.Error(g.failures)
	}
}

func TestR61R66R70AChallengeIsAnsweredUnsigned(t *testing.T) {
	g := newGround(t)
	answer := g.post(`{"data":{"challengeRequest":"abc"}}`, "webhook-signature", "v1,", "Content-Type", "Application/JSON")
	expected := `{"verification":"` + VerificationOf(testSecret, "abc") + `"}`
	if answer.Code != 200 || answer.Body.String() != expected || answer.Header().Get("Content-Type") != "application/json" {
		t.Error(answer.Code, answer.Body, answer.Header())
	}
}

func TestR36ABatchIsHandledEventByEvent(t *testing.T) {
	g := newGround(t)
	other := strings.Replace(goodEvent, "e1", "e2", 1)
	old := strings.Replace(goodEvent, `"1.0"`, `"0.3"`, 1)
	g.expect(t, 200, " ["+goodEvent+","+other+"]", "Content-Type", "application/cloudevents-batch+json")
	if text := g.expect(t, 400, "["+goodEvent+","+old+"]"); text != `{"failed":[],"malformed":[1]}` {
		t.Error(text)
	}
	g.fails = errors.New("no")
	if text := g.expect(t, 500, "["+goodEvent+","+strings.Replace(goodEvent, "e1", "e3", 1)+"]"); text != `{"failed":[1],"malformed":[]}` {
		t.Error(text)
	}
	g.expect(t, 200, "[]")
	if strings.Join(g.handled, ",") != "e1 dlv_1,e2 dlv_1" {
		t.Error(g.handled)
	}
}

func TestR55R56WhatMustBeRefusedIs(t *testing.T) {
	g := newGround(t)
	answer := httptest.NewRecorder()
	g.receiver.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/hook", nil))
	if answer.Code != 405 || answer.Header().Get("Allow") != "POST" {
		t.Error(answer.Code)
	}
	g.expect(t, 415, goodEvent, "Content-Type", "text/plain")
	g.expect(t, 413, strings.Repeat(" ", 2_001))
	for _, body := range []string{
		"", goodEvent[:20], strings.Replace(goodEvent, "{", `{"id":"y",`, 1), "\xff", `{"a":NaN}`, `{} {}`, `[[[[`,
		strings.Replace(goodEvent, `{"order"`, `{"a":[{"b":1,"b":2}],"order"`, 1), `7`, `null`, `"x"`,
		strings.Replace(goodEvent, `"e1"`, `""`, 1), strings.Replace(goodEvent, `"e1"`, `7`, 1),
		strings.Replace(goodEvent, `"id"`, `"ID"`, 1), strings.Replace(goodEvent, `"e1"`, `"a\nb"`, 1),
		strings.Replace(goodEvent, `"data"`, `"data_base64":"AA==","data"`, 1),
	} {
		g.expect(t, 400, body)
	}
	g.expect(t, 401, goodEvent, "webhook-signature", "v1,")
	g.expect(t, 401, goodEvent, "webhook-timestamp", "1614265029")
	if len(g.handled) != 0 {
		t.Error(g.handled)
	}
	if _, err := NewReceiver(ReceiverOptions{Secrets: []string{testSecret}}); err == nil {
		t.Error("a receiver without Handle")
	}
}

func TestR57CopiesAtTheSameTimeWaitAndShareTheAnswer(t *testing.T) {
	g := newGround(t)
	g.mu.Lock() // the handler waits here
	var wait sync.WaitGroup
	for range [3]int{} {
		wait.Add(1)
		go func() {
			defer wait.Done()
			g.expect(t, 200, goodEvent)
		}()
	}
	g.mu.Unlock()
	wait.Wait()
	if len(g.handled) != 1 {
		t.Error(g.handled)
	}
	memory, ctx := NewSeen(2), context.Background()
	for _, key := range []string{"a", "b", "b", "c"} {
		_ = memory.Add(ctx, key)
	}
	if known, _ := memory.Has(ctx, "a"); known {
		t.Error("the oldest is not forgotten")
	}
	if known, _ := memory.Has(ctx, "b"); !known {
		t.Error("one of the two latest is forgotten")
	}
}
