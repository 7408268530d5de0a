package bellwire

// The client against a server that answers what a test says: repeats, waits, problems, pages.

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

type asked struct {
	method, address, body string
	header                http.Header
}

type scripted struct {
	status      int
	body, after string
}

// Answers what it is told, one after the other (status 0: none), and keeps what it was asked.
func newServer(t *testing.T, answers ...scripted) (*Client, *[]asked) {
	t.Helper()
	kept := &[]asked{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*kept = append(*kept, asked{r.Method, r.URL.String(), string(body), r.Header})
		answer := scripted{status: 500}
		if len(*kept) <= len(answers) {
			answer = answers[len(*kept)-1]
		}
		if answer.status == 0 {
			panic(http.ErrAbortHandler)
		}
		if answer.after != "" {
			w.Header().Set("Retry-After", answer.after)
		}
		if answer.status == 302 {
			w.Header().Set("Location", "http://127.0.0.1:1/")
		}
		w.WriteHeader(answer.status)
		_, _ = io.WriteString(w, answer.body)
	}))
	t.Cleanup(server.Close)
	client, err := NewClient(ClientOptions{URL: server.URL + "/", Key: "bw_x"})
	if err != nil {
		t.Fatal(err)
	}
	return client, kept
}

const accepted = `{"accepted":[{"id":"1","source":"//s","event":"evt_1","duplicate":false}]}`

var (
	ctx = context.Background()
	one = NewEvent{Source: "//s", Type: "t"}
)

func problem(code string) string { return `{"code":"` + code + `","detail":"It is ` + code + `."}` }

func codeOf(err error) string {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func TestR121ARepeatedPublishCarriesTheSameId(t *testing.T) {
	client, kept := newServer(t, scripted{503, problem("unavailable"), "0"}, scripted{}, scripted{202, accepted, ""})
	out, err := client.Events.Publish(ctx, one)
	if err != nil || out.Accepted[0].Event != "evt_1" || len(*kept) != 3 {
		t.Fatal(out, err, len(*kept))
	}
	first, last := (*kept)[0], (*kept)[2]
	var sent map[string]any
	if json.Unmarshal([]byte(first.body), &sent) != nil || first.body != last.body || len(sent["id"].(string)) != 32 {
		t.Error(first.body, last.body)
	}
	if first.header.Get("Authorization") != "Bearer bw_x" || first.header.Get("Content-Type") != "application/cloudevents+json" {
		t.Error(first.header)
	}
}

func Test429IsRepeatedAlwaysAndWhatAsksForLongIsNot(t *testing.T) {
	client, kept := newServer(t, scripted{429, problem("too-many-requests"), "0"}, scripted{201, `{"id":"wh_1"}`, ""})
	if made, err := client.Webhooks.Create(ctx, WebhookIn{Name: "n"}); err != nil || made.ID != "wh_1" || len(*kept) != 2 {
		t.Error(made, err)
	}
	client, kept = newServer(t, scripted{429, problem("too-many-requests"), "60"})
	_, err := client.Events.Publish(ctx, one)
	var refused *Error
	if !errors.As(err, &refused) || *refused.RetryAfter != time.Minute || len(*kept) != 1 {
		t.Error(err)
	}
}

func TestR121WhatMayNotBeDoneTwiceIsRepeatedWithAKeyOnly(t *testing.T) {
	client, kept := newServer(t, scripted{503, problem("unavailable"), "0"}, scripted{201, `{}`, ""})
	if _, err := client.Webhooks.Create(ctx, WebhookIn{Name: "n"}); codeOf(err) != "unavailable" || len(*kept) != 1 {
		t.Error(err)
	}
	client, kept = newServer(t, scripted{503, problem("unavailable"), "0"}, scripted{201, `{"id":"wh_1"}`, ""})
	if _, err := client.Webhooks.Create(WithIdempotencyKey(ctx, "once"), WebhookIn{Name: "n"}); err != nil {
		t.Error(err)
	}
	if len(*kept) != 2 || (*kept)[1].header.Get("Idempotency-Key") != "once" {
		t.Error(*kept)
	}
	again := scripted{503, problem("unavailable"), "0"}
	client, kept = newServer(t, again, again, again, again, again)
	if _, err := client.Events.Publish(ctx, one); codeOf(err) != "unavailable" || len(*kept) != 3 {
		t.Error(err, len(*kept))
	}
}

func TestADeleteWhoseAnswerWasLostIsDone(t *testing.T) {
	client, _ := newServer(t, scripted{503, problem("unavailable"), "0"}, scripted{404, problem("not-found"), ""})
	if err := client.Subscriptions.Delete(ctx, "sub_1"); err != nil {
		t.Error(err)
	}
}

func TestABatchIsOneRequest(t *testing.T) {
	client, kept := newServer(t, scripted{202, accepted, ""})
	extended := NewEvent{ID: "1", Source: "//s", Type: "t", Data: "<>", Extensions: map[string]any{"tenant": "a", "id": "x"}}
	if _, err := client.Events.Publish(ctx, extended, one); err != nil {
		t.Fatal(err)
	}
	var sent []map[string]any
	if json.Unmarshal([]byte((*kept)[0].body), &sent) != nil || len(sent) != 2 || sent[0]["tenant"] != "a" || sent[0]["id"] != "1" {
		t.Error((*kept)[0].body)
	}
	if (*kept)[0].header.Get("Content-Type") != "application/cloudevents-batch+json" {
		t.Error((*kept)[0].header)
	}
}

func TestProblemsAreOneErrorWithItsFaults(t *testing.T) {
	body := `{"status":422,"code":"unknown-type","detail":"No.","instance":"urn:x","errors":[{"index":1,"pointer":"/type","code":"c","detail":"d"}]}`
	client, _ := newServer(t, scripted{422, body, ""})
	_, err := client.Events.Publish(ctx, one)
	var refused *Error
	if !errors.As(err, &refused) || refused.Status != 422 || refused.Instance != "urn:x" || *refused.Errors[0].Index != 1 {
		t.Error(err)
	}
	for _, answer := range []scripted{{418, "<html>", ""}, {200, "<html>", ""}, {302, "", ""}} {
		client, _ := newServer(t, answer)
		_, err := client.Webhooks.Get(ctx, "wh_1")
		if !errors.As(err, &refused) || refused.Code != "unexpected-answer" || refused.Status != answer.status {
			t.Error(err)
		}
	}
}

func TestAListTurnsItsPagesAndEndsWhereThereIsNoMore(t *testing.T) {
	client, kept := newServer(t, scripted{200, `{"items":[{"id":"a"}],"next":"c&1"}`, ""},
		scripted{200, `{"items":[],"next":"c2"}`, ""}, scripted{200, `{"items":[{"id":"b"}],"next":"c3","more":false}`, ""})
	options := DeliveryListOptions{ListOptions: ListOptions{Limit: 1}, State: "dead"}
	all, err := client.Deliveries.List(options).All(ctx)
	if err != nil || len(all) != 2 || all[1].ID != "b" || len(*kept) != 3 {
		t.Fatal(all, err)
	}
	if (*kept)[1].address != "/v1/deliveries?cursor=c%261&limit=1&state=dead" {
		t.Error((*kept)[1].address)
	}
}

func TestNamesThatAUrlWouldSwallowReachNothing(t *testing.T) {
	client, kept := newServer(t)
	for _, name := range []string{"", ".", ".."} {
		if err := client.Webhooks.Delete(ctx, name); codeOf(err) != "not-found" {
			t.Error(err)
		}
	}
	if len(*kept) != 0 {
		t.Error(*kept)
	}
}

func TestTheEnvironmentSaysWhatOptionsDoNot(t *testing.T) {
	_, kept := newServer(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*kept = append(*kept, asked{header: r.Header})
		_, _ = io.WriteString(w, `{}`)
	}))
	defer server.Close()
	t.Setenv("BELLWIRE_URL", server.URL)
	t.Setenv("BELLWIRE_KEY", "bw_env")
	t.Setenv("BELLWIRE_WORKSPACE", "a b")
	client, err := NewClient(ClientOptions{})
	if err == nil {
		_, err = client.Webhooks.Change(ctx, "wh_1", WebhookPatchIn{Authorization: Null[string]()})
	}
	if err != nil || (*kept)[0].header.Get("Authorization") != "Bearer bw_env" || (*kept)[0].header.Get("Bellwire-Workspace") != "a%20b" {
		t.Error(err, *kept)
	}
	patch, _ := json.Marshal(WebhookPatchIn{Authorization: Null[string](), OAuth: Value(OAuthIn{Scope: Value("x")})})
	if string(patch) != `{"authorization":null,"oauth":{"scope":"x"}}` {
		t.Error(string(patch))
	}
}

func TestASilentServerIsGivenUpOnAndAContextEndsACall(t *testing.T) {
	hold := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	defer server.Close()
	defer close(hold)
	none := 0
	client, _ := NewClient(ClientOptions{URL: server.URL, Retries: &none, Timeout: 50 * time.Millisecond})
	_, err := client.Webhooks.Get(ctx, "wh_1")
	var refused *Error
	if !errors.As(err, &refused) || refused.Detail != server.URL+" does not answer: no answer within the time allowed" {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := client.Webhooks.Get(ended, "wh_1"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := NewClient(ClientOptions{URL: "ftp://example.com"}); err == nil {
		t.Error("ftp is taken")
	}
	if _, err := NewClient(ClientOptions{URL: "http://bell:hunter2@example.com"}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Unix(4, 0)
	if *waitOf("7", now) != 7*time.Second || *waitOf("Thu, 01 Jan 1970 00:00:09 GMT", now) != 5*time.Second {
		t.Error("a number, or a date")
	}
	if waitOf("", now) != nil || waitOf("soon", now) != nil || waitOf("-1", now) != nil {
		t.Error("garbage is not ignored")
	}
}
