package bellwire

// The client of the HTTP API: one method per operation, the same words as the API.

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// The platform's own limit for one try of an endpoint is 120 s.
const tryTimeout = 150 * time.Second

// ClientOptions say how to reach a platform. The zero value is that of the environment.
type ClientOptions struct {
	// URL is where the API is, with a path where a proxy adds one; or BELLWIRE_URL, or http://127.0.0.1:8470.
	URL string
	// Key is an API key (bw_…); or BELLWIRE_KEY.
	Key string
	// Workspace is the id or name of the one to act on, needed by keys of several; or BELLWIRE_WORKSPACE.
	Workspace string
	// Retries is how often a request that may safely be repeated is repeated: 2 when nil.
	Retries *int
	// Timeout is how long one try may take; 60 s when zero.
	Timeout time.Duration
	// HTTP sends the requests; one of its own when nil. Redirects are never followed.
	HTTP *http.Client
}

// Client is safe for concurrent use. Every method's error is an *Error, or the end of its context.
//
// What may be done twice is repeated when no answer comes, or 502, 503, 504: reads, PUT, PATCH, DELETE, publish (an event
// carries its id, so a repeat is a duplicate), subscribe, pause and resume. What may not (create, test, rotate, retry) is
// repeated only WithIdempotencyKey. 429 is repeated. Retry-After is obeyed up to 10 s.
type Client struct {
	Events        Events
	EventTypes    EventTypes
	Webhooks      Webhooks
	Subscriptions Subscriptions
	Deliveries    Deliveries
}

// NewClient makes a client. Nothing is sent yet. Its error is of a URL that is none.
func NewClient(options ClientOptions) (*Client, error) {
	r := &requester{
		origin:    strings.TrimRight(first(options.URL, os.Getenv("BELLWIRE_URL"), "http://127.0.0.1:8470"), "/"),
		key:       first(options.Key, os.Getenv("BELLWIRE_KEY")),
		workspace: first(options.Workspace, os.Getenv("BELLWIRE_WORKSPACE")),
		retries:   2,
		timeout:   options.Timeout,
	}
	parsed, err := url.Parse(r.origin)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
		return nil, &Error{Code: "unreachable", Detail: r.origin + " is no http or https address", cause: err}
	}
	// The address is named in what goes wrong.
	if parsed.User != nil {
		return nil, &Error{Code: "unreachable", Detail: "The address has a user or a password in it; the key says who asks."}
	}
	if options.Retries != nil {
		r.retries = *options.Retries
	}
	if r.timeout == 0 {
		r.timeout = time.Minute
	}
	used := http.Client{}
	if options.HTTP != nil {
		used = *options.HTTP
	}
	// A key must not follow a redirect to a stranger.
	used.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r.http = &used
	return &Client{Events{r}, EventTypes{r}, Webhooks{r}, Subscriptions{r}, Deliveries{r}}, nil
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// ListOptions are what every list takes. Limit is the size of a page.
type ListOptions struct {
	Cursor string
	Limit  int
}

func list[T any](r *requester, where string, options ListOptions, filters map[string]string) *Listing[T] {
	ask := func(ctx context.Context, cursor string) (page Page[T], err error) {
		query := url.Values{}
		for name, value := range filters {
			if value != "" {
				query.Set(name, value)
			}
		}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		if options.Limit != 0 {
			query.Set("limit", strconv.Itoa(options.Limit))
		}
		err = r.send(ctx, call{method: http.MethodGet, path: where, query: query}, &page)
		return page, err
	}
	return &Listing[T]{ask: ask, cursor: options.Cursor}
}

func fetch[T any](ctx context.Context, r *requester, c call) (out T, err error) {
	err = r.send(ctx, c, &out)
	return out, err
}

// Events are client.Events.
type Events struct{ r *requester }

// Publish publishes one event, or several as a batch: all of it or nothing. It returns when events and deliveries are
// committed. The events are not changed.
func (e Events) Publish(ctx context.Context, events ...NewEvent) (PublishOut, error) {
	complete := make([]NewEvent, len(events))
	for index, event := range events {
		if event.ID == "" {
			event.ID = randomID()
		}
		complete[index] = event
	}
	publish := call{method: http.MethodPost, path: path("events"), repeatable: true}
	publish.mediaType, publish.body = "application/cloudevents-batch+json", complete
	if len(complete) == 1 {
		publish.mediaType, publish.body = "application/cloudevents+json", complete[0]
	}
	return fetch[PublishOut](ctx, e.r, publish)
}

// Get is an event by the platform's own id of it (evt_…).
func (e Events) Get(ctx context.Context, event string) (EventOut, error) {
	return fetch[EventOut](ctx, e.r, call{method: http.MethodGet, path: path("events", event)})
}

// EventListOptions are what the list of events takes. Instants are RFC 3339; Order is oldest-first or newest-first.
type EventListOptions struct {
	ListOptions
	Type, Source, Since, Until, Order string
}

// List is the log, from its beginning or its end.
func (e Events) List(options EventListOptions) *Listing[EventOut] {
	return list[EventOut](e.r, path("events"), options.ListOptions, map[string]string{
		"type": options.Type, "source": options.Source, "since": options.Since, "until": options.Until, "order": options.Order,
	})
}

// EventTypes are client.EventTypes: the catalog.
type EventTypes struct{ r *requester }

// Put registers or replaces an event type; the same again is harmless.
func (t EventTypes) Put(ctx context.Context, name string, eventType EventTypeIn) (EventTypeOut, error) {
	return fetch[EventTypeOut](ctx, t.r, call{method: http.MethodPut, path: path("event-types", name), body: eventType})
}

// Get is an event type by its name.
func (t EventTypes) Get(ctx context.Context, name string) (EventTypeOut, error) {
	return fetch[EventTypeOut](ctx, t.r, call{method: http.MethodGet, path: path("event-types", name)})
}

// EventTypeListOptions are what the list of event types takes.
type EventTypeListOptions struct {
	ListOptions
	Service string
}

// List is the catalog.
func (t EventTypes) List(options EventTypeListOptions) *Listing[EventTypeOut] {
	return list[EventTypeOut](t.r, path("event-types"), options.ListOptions, map[string]string{"service": options.Service})
}

// Delete takes an event type out of the catalog.
func (t EventTypes) Delete(ctx context.Context, name string) error {
	return t.r.send(ctx, call{method: http.MethodDelete, path: path("event-types", name)}, nil)
}

// Webhooks are client.Webhooks.
type Webhooks struct{ r *requester }

// Create registers a webhook; it is challenged at once. A generated secret is in this answer and nowhere else.
func (w Webhooks) Create(ctx context.Context, webhook WebhookIn) (WebhookOut, error) {
	return fetch[WebhookOut](ctx, w.r, call{method: http.MethodPost, path: path("webhooks"), body: webhook})
}

// Get is a webhook by its id.
func (w Webhooks) Get(ctx context.Context, id string) (WebhookOut, error) {
	return fetch[WebhookOut](ctx, w.r, call{method: http.MethodGet, path: path("webhooks", id)})
}

// List is all webhooks.
func (w Webhooks) List(options ListOptions) *Listing[WebhookOut] {
	return list[WebhookOut](w.r, path("webhooks"), options, nil)
}

// Change changes what is named. A changed Signing may generate a key that is shown once, so that change is not repeated
// by itself.
func (w Webhooks) Change(ctx context.Context, id string, changes WebhookPatchIn) (WebhookOut, error) {
	fragile := changes.Signing != nil
	change := call{method: http.MethodPatch, path: path("webhooks", id), body: changes, fragile: fragile}
	return fetch[WebhookOut](ctx, w.r, change)
}

// Delete is refused (in-use) while the webhook has subscriptions; ForceDelete takes them away, too.
func (w Webhooks) Delete(ctx context.Context, id string) error {
	return w.r.send(ctx, call{method: http.MethodDelete, path: path("webhooks", id)}, nil)
}

// ForceDelete deletes a webhook with its subscriptions.
func (w Webhooks) ForceDelete(ctx context.Context, id string) error {
	query := url.Values{"force": {"true"}}
	return w.r.send(ctx, call{method: http.MethodDelete, path: path("webhooks", id), query: query}, nil)
}

// Test sends a new challenge now, in every state. A wrong answer is no error: it stands in the outcome.
func (w Webhooks) Test(ctx context.Context, id string) (TestOut, error) {
	return fetch[TestOut](ctx, w.r, call{method: http.MethodPost, path: path("webhooks", id, "test"), timeout: tryTimeout})
}

// Pause has what comes held until Resume.
func (w Webhooks) Pause(ctx context.Context, id string) (WebhookOut, error) {
	return w.wish(ctx, id, "pause")
}

// Resume ends a pause.
func (w Webhooks) Resume(ctx context.Context, id string) (WebhookOut, error) {
	return w.wish(ctx, id, "resume")
}

// Enable ends Disable: the webhook is pending, and challenged again.
func (w Webhooks) Enable(ctx context.Context, id string) (WebhookOut, error) {
	return w.wish(ctx, id, "enable")
}

// Disable has nothing sent to it.
func (w Webhooks) Disable(ctx context.Context, id string) (WebhookOut, error) {
	return w.wish(ctx, id, "disable")
}

func (w Webhooks) wish(ctx context.Context, id, wish string) (WebhookOut, error) {
	return fetch[WebhookOut](ctx, w.r, call{method: http.MethodPost, path: path("webhooks", id, wish), repeatable: true})
}

// Rotate turns the secret over.
func (w Webhooks) Rotate(ctx context.Context, id string, rotation RotateIn) (WebhookOut, error) {
	return fetch[WebhookOut](ctx, w.r, call{method: http.MethodPost, path: path("webhooks", id, "rotate"), body: rotation})
}

// Subscriptions are client.Subscriptions.
type Subscriptions struct{ r *requester }

// Create subscribes a webhook, from now on. The same again answers with the first one.
func (s Subscriptions) Create(ctx context.Context, subscription SubscriptionIn) (SubscriptionOut, error) {
	create := call{method: http.MethodPost, path: path("subscriptions"), body: subscription, repeatable: true}
	return fetch[SubscriptionOut](ctx, s.r, create)
}

// Get is a subscription by its id.
func (s Subscriptions) Get(ctx context.Context, id string) (SubscriptionOut, error) {
	return fetch[SubscriptionOut](ctx, s.r, call{method: http.MethodGet, path: path("subscriptions", id)})
}

// SubscriptionListOptions are what the list of subscriptions takes.
type SubscriptionListOptions struct {
	ListOptions
	Webhook string
}

// List is the subscriptions, of all webhooks or of one.
func (s Subscriptions) List(options SubscriptionListOptions) *Listing[SubscriptionOut] {
	return list[SubscriptionOut](s.r, path("subscriptions"), options.ListOptions, map[string]string{"webhook": options.Webhook})
}

// Delete ends a subscription.
func (s Subscriptions) Delete(ctx context.Context, id string) error {
	return s.r.send(ctx, call{method: http.MethodDelete, path: path("subscriptions", id)}, nil)
}

// Deliveries are client.Deliveries.
type Deliveries struct{ r *requester }

// Get is a delivery with every attempt.
func (d Deliveries) Get(ctx context.Context, id string) (DeliveryOut, error) {
	return fetch[DeliveryOut](ctx, d.r, call{method: http.MethodGet, path: path("deliveries", id)})
}

// DeliveryListOptions are what the list of deliveries takes. State is scheduled, held, delivered or dead.
type DeliveryListOptions struct {
	ListOptions
	Webhook, Event, State string
}

// List is the deliveries, those of the newest events first.
func (d Deliveries) List(options DeliveryListOptions) *Listing[DeliveryOut] {
	return list[DeliveryOut](d.r, path("deliveries"), options.ListOptions, map[string]string{
		"webhook": options.Webhook, "event": options.Event, "state": options.State,
	})
}

// Retry is one try now. A failed one is no error: it stands in the outcome.
func (d Deliveries) Retry(ctx context.Context, id string) (RetryOut, error) {
	return fetch[RetryOut](ctx, d.r, call{method: http.MethodPost, path: path("deliveries", id, "retry"), timeout: tryTimeout})
}
