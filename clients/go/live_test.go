package bellwire

// The client and the receiver against a platform that runs: BELLWIRE_TEST_URL and BELLWIRE_TEST_KEY say which.

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

const liveType = "com.example.go.order.created"

type live struct {
	*Client
	mu      sync.Mutex
	handled []string
}

func newLive(t *testing.T) *live {
	t.Helper()
	address, key := os.Getenv("BELLWIRE_TEST_URL"), os.Getenv("BELLWIRE_TEST_KEY")
	if address == "" || key == "" {
		t.Skip("no platform runs: BELLWIRE_TEST_URL and BELLWIRE_TEST_KEY are not set")
	}
	client, err := NewClient(ClientOptions{URL: address, Key: key})
	must(t, err)
	_, err = client.EventTypes.Put(ctx, liveType, EventTypeIn{Description: "An order was made."})
	must(t, err)
	return &live{Client: client}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, look func() bool) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if look() {
			return
		}
	}
	t.Fatal("still not so: " + what)
}

// A webhook of ours that is active and subscribed.
func (l *live) subscribed(t *testing.T, secret string) string {
	t.Helper()
	receiver, err := NewReceiver(ReceiverOptions{
		Secrets: []string{secret},
		Handle: func(_ context.Context, event Event, delivery Delivery) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.handled = append(l.handled, event.ID+" "+strings.Join(delivery.Schemes, ","))
			return nil
		},
	})
	must(t, err)
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	webhook, err := l.Webhooks.Create(ctx, WebhookIn{Name: "go " + randomID()[:8], URL: server.URL, Secret: secret})
	must(t, err)
	t.Cleanup(func() { must(t, l.Webhooks.ForceDelete(ctx, webhook.ID)) })
	eventually(t, "it is active", func() bool {
		shown, err := l.Webhooks.Get(ctx, webhook.ID)
		return err == nil && shown.State == "active"
	})
	_, err = l.Subscriptions.Create(ctx, SubscriptionIn{Webhook: webhook.ID, Type: liveType})
	must(t, err)
	return webhook.ID
}

func (l *live) delivered(t *testing.T, webhook string, count int) (found []DeliveryOut) {
	t.Helper()
	eventually(t, "all is delivered", func() bool {
		var err error
		options := DeliveryListOptions{ListOptions: ListOptions{Limit: 2}, Webhook: webhook, State: "delivered"}
		found, err = l.Deliveries.List(options).All(ctx)
		return err == nil && len(found) == count
	})
	return found
}

func TestR54R61R66R121ChallengedSubscribedPublishedDeliveredVerified(t *testing.T) {
	for secret, scheme := range map[string]string{testSecret: "v1", "ключ-Ωµ-🔑": "hpe"} {
		l := newLive(t)
		webhook := l.subscribed(t, secret)
		event := NewEvent{ID: randomID(), Source: "//shop", Type: liveType, Data: map[string]string{"name": "Łódź €"}}
		once, err := l.Events.Publish(ctx, event)
		must(t, err)
		again, err := l.Events.Publish(ctx, event)
		must(t, err)
		if once.Accepted[0].Duplicate || !again.Accepted[0].Duplicate || once.Accepted[0].Event != again.Accepted[0].Event {
			t.Error(once, again)
		}
		delivery := l.delivered(t, webhook, 1)[0].ID
		shown, err := l.Deliveries.Get(ctx, delivery)
		must(t, err)
		retried, err := l.Deliveries.Retry(ctx, delivery)
		must(t, err)
		if *shown.Attempts[0].Status != 200 || !retried.Outcome.OK || retried.Delivery.AttemptCount != 2 {
			t.Error(shown, retried)
		}
		if len(l.handled) != 1 || l.handled[0] != event.ID+" "+scheme {
			t.Error(l.handled)
		}
		kept, err := l.Events.Get(ctx, once.Accepted[0].Event)
		must(t, err)
		var read Event
		if json.Unmarshal(kept.Envelope, &read) != nil || string(read.Data) != `{"name":"Łódź €"}` {
			t.Error(string(kept.Envelope))
		}
		_, err = l.Webhooks.Disable(ctx, webhook)
		must(t, err)
	}
}

func TestR36ABatchGoesInWholeOrNotAtAllAndListsTurnPages(t *testing.T) {
	l := newLive(t)
	webhook := l.subscribed(t, "s3cr3tKey")
	source := "//shop/" + randomID()
	var batch []NewEvent
	for range [5]int{} {
		batch = append(batch, NewEvent{Source: source, Type: liveType, Data: 1})
	}
	_, err := l.Events.Publish(ctx, append(batch, NewEvent{Source: source, Type: "com.example.nobody.knows"})...)
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != "unknown-type" || *refused.Errors[0].Index != 5 {
		t.Error(err)
	}
	_, err = l.Events.Publish(ctx, batch...)
	must(t, err)
	l.delivered(t, webhook, 5)
	events, err := l.Events.List(EventListOptions{ListOptions: ListOptions{Limit: 2}, Source: source}).All(ctx)
	if err != nil || len(events) != 5 {
		t.Error(events, err)
	}
}

func TestWebhooksAreChangedPausedTestedRotatedAndDeleted(t *testing.T) {
	l := newLive(t)
	id, said := l.subscribed(t, "s3cr3tKey"), "Feeds a sheet."
	changed, err := l.Webhooks.Change(ctx, id, WebhookPatchIn{Description: &said, Policy: &PolicyIn{Rate: Value(600)}})
	if err != nil || changed.Description != said || *changed.Policy.Rate != 600 {
		t.Error(changed, err)
	}
	if paused, err := l.Webhooks.Pause(ctx, id); err != nil || paused.State != "paused" {
		t.Error(paused, err)
	}
	if resumed, err := l.Webhooks.Resume(ctx, id); err != nil || resumed.Intent != "enabled" {
		t.Error(resumed, err)
	}
	if tested, err := l.Webhooks.Test(ctx, id); err != nil || tested.State != "active" || !tested.Challenge.OK {
		t.Error(tested, err)
	}
	if rotated, err := l.Webhooks.Rotate(ctx, id, RotateIn{}); err != nil || !strings.HasPrefix(rotated.Secret, "whsec_") {
		t.Error(rotated, err)
	}
	if err := l.Webhooks.Delete(ctx, id); codeOf(err) != "in-use" {
		t.Error(err)
	}
	subscriptions, err := l.Subscriptions.List(SubscriptionListOptions{Webhook: id}).All(ctx)
	if err != nil || len(subscriptions) != 1 {
		t.Fatal(subscriptions, err)
	}
	if same, err := l.Subscriptions.Get(ctx, subscriptions[0].ID); err != nil || same.Type != liveType {
		t.Error(same, err)
	}
	must(t, l.Subscriptions.Delete(ctx, subscriptions[0].ID))
	if webhooks, err := l.Webhooks.List(ListOptions{Limit: 1}).All(ctx); err != nil || len(webhooks) == 0 {
		t.Error(err)
	}
	if _, err := l.Webhooks.Get(ctx, "wh_none"); codeOf(err) != "not-found" {
		t.Error(err)
	}
}

func TestTheCatalogIsKept(t *testing.T) {
	l := newLive(t)
	name := "com.example.t" + randomID()
	_, err := l.EventTypes.Put(ctx, name, EventTypeIn{Schema: map[string]any{"type": "object"}, SchemaCheck: "block"})
	must(t, err)
	if shown, err := l.EventTypes.Get(ctx, name); err != nil || shown.SchemaCheck != "block" {
		t.Error(shown, err)
	}
	if types, err := l.EventTypes.List(EventTypeListOptions{ListOptions: ListOptions{Limit: 1}}).All(ctx); err != nil || len(types) < 2 {
		t.Error(types, err)
	}
	must(t, l.EventTypes.Delete(ctx, name))
}

// The names of the members of a struct on the wire.
func members(value any) []string {
	var names []string
	kind := reflect.TypeOf(value)
	for at := 0; at < kind.NumField(); at++ {
		name, _, _ := strings.Cut(kind.Field(at).Tag.Get("json"), ",")
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func TestTheTypesHaveEveryMemberOfTheOpenapiDocument(t *testing.T) {
	newLive(t)
	answer, err := http.Get(os.Getenv("BELLWIRE_TEST_URL") + "/openapi.json")
	must(t, err)
	defer answer.Body.Close()
	var document map[string]any
	must(t, json.NewDecoder(answer.Body).Decode(&document))
	schema := func(steps ...string) any {
		var at any = document["paths"]
		for _, step := range steps {
			at = at.(map[string]any)[step]
		}
		return at.(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["schema"]
	}
	for _, one := range []struct {
		schema any
		typed  any
	}{
		{schema("/v1/webhooks", "post", "requestBody"), WebhookIn{}},
		{schema("/v1/webhooks", "post", "responses", "201"), WebhookOut{}},
		{schema("/v1/webhooks/{webhook}", "patch", "requestBody"), WebhookPatchIn{}},
		{schema("/v1/webhooks/{webhook}/test", "post", "responses", "200"), TestOut{}},
		{schema("/v1/webhooks/{webhook}/rotate", "post", "requestBody"), RotateIn{}},
		{schema("/v1/subscriptions", "post", "requestBody"), SubscriptionIn{}},
		{schema("/v1/subscriptions/{subscription}", "get", "responses", "200"), SubscriptionOut{}},
		{schema("/v1/event-types/{type}", "put", "requestBody"), EventTypeIn{}},
		{schema("/v1/event-types/{type}", "get", "responses", "200"), EventTypeOut{}},
		{schema("/v1/events/{event}", "get", "responses", "200"), EventOut{}},
		{schema("/v1/deliveries/{delivery}", "get", "responses", "200"), DeliveryOut{}},
		{schema("/v1/deliveries/{delivery}/retry", "post", "responses", "200"), RetryOut{}},
	} {
		var names []string
		for name := range one.schema.(map[string]any)["properties"].(map[string]any) {
			names = append(names, name)
		}
		sort.Strings(names)
		if !reflect.DeepEqual(names, members(one.typed)) {
			t.Errorf("%T: %v instead of %v", one.typed, members(one.typed), names)
		}
	}
}
