package bellwire

// What travels: the JSON of requests and answers, as the platform's OpenAPI document has it. A pointer is null, or was
// left out. Instants are RFC 3339, spans milliseconds.

import "encoding/json"

// Nullable is a member of a request that may be left out (a nil pointer), null, or a value.
type Nullable[T any] struct{ value *T }

// Value is a Nullable with a value.
func Value[T any](value T) *Nullable[T] { return &Nullable[T]{&value} }

// Null is a Nullable that takes away what is there.
func Null[T any]() *Nullable[T] { return &Nullable[T]{} }

// MarshalJSON writes the value, or null.
func (n Nullable[T]) MarshalJSON() ([]byte, error) { return json.Marshal(n.value) }

// Accepted is what became of one event of a publish. Duplicate: (source, id) had been accepted before.
type Accepted struct {
	ID        string `json:"id"`
	Source    string `json:"source"`
	Event     string `json:"event"`
	Duplicate bool   `json:"duplicate"`
	Note      string `json:"note"`
}

// PublishOut is what became of the events of one publish, in their order.
type PublishOut struct {
	Accepted []Accepted `json:"accepted"`
}

// EventOut is an event as it is shown.
type EventOut struct {
	Event       string          `json:"event"`
	AcceptedAt  string          `json:"acceptedAt"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Note        *string         `json:"note"`
	Traceparent *string         `json:"traceparent"`
	Tracestate  *string         `json:"tracestate"`
	Envelope    json.RawMessage `json:"envelope"`
	ErasedAt    *string         `json:"erasedAt"`
}

// EventTypeIn is what may be said about an event type; what is left out is as if it had never been said.
type EventTypeIn struct {
	// Service publishes it; without one the type belongs to the workspace alone.
	Service     string `json:"service,omitempty"`
	Description string `json:"description,omitempty"`
	// Schema is a JSON Schema of data.
	Schema any `json:"schema,omitempty"`
	// SchemaCheck is off, warn or block.
	SchemaCheck string `json:"schemaCheck,omitempty"`
	Example     any    `json:"example,omitempty"`
	Deprecation string `json:"deprecation,omitempty"`
}

// EventTypeOut is an event type as it is shown.
type EventTypeOut struct {
	Type        string          `json:"type"`
	Owner       string          `json:"owner"`
	Service     *string         `json:"service"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
	SchemaCheck string          `json:"schemaCheck"`
	Example     json.RawMessage `json:"example"`
	Deprecation *string         `json:"deprecation"`
	CreatedAt   string          `json:"createdAt"`
	UpdatedAt   string          `json:"updatedAt"`
}

// OrderIn says in which order a webhook is delivered to: any, or fifo.
type OrderIn struct {
	Kind      string            `json:"kind"`
	Key       *Nullable[string] `json:"key,omitempty"`
	OnFailure string            `json:"onFailure,omitempty"`
	Tries     *Nullable[int]    `json:"tries,omitempty"`
}

// BatchIn has several events sent in one request.
type BatchIn struct {
	Events int  `json:"events,omitempty"`
	WaitMs *int `json:"waitMs,omitempty"`
	Bytes  int  `json:"bytes,omitempty"`
}

// PolicyIn is how a webhook is delivered to; what is left out stays, or is as it is by itself.
type PolicyIn struct {
	RetryDelaysMs *Nullable[[]int]   `json:"retryDelaysMs,omitempty"`
	TimeoutMs     *Nullable[int]     `json:"timeoutMs,omitempty"`
	Rate          *Nullable[int]     `json:"rate,omitempty"`
	Recovery      string             `json:"recovery,omitempty"`
	Order         *OrderIn           `json:"order,omitempty"`
	Batch         *Nullable[BatchIn] `json:"batch,omitempty"`
}

// OAuthIn is a client of OAuth 2 client credentials.
type OAuthIn struct {
	TokenURL     string            `json:"tokenUrl,omitempty"`
	ClientID     string            `json:"clientId,omitempty"`
	ClientSecret string            `json:"clientSecret,omitempty"`
	Scope        *Nullable[string] `json:"scope,omitempty"`
	Audience     *Nullable[string] `json:"audience,omitempty"`
	Resource     *Nullable[string] `json:"resource,omitempty"`
	Auth         string            `json:"auth,omitempty"`
}

// TLSIn is mutual TLS, and private authorities, as PEM.
type TLSIn struct {
	Certificate *Nullable[string] `json:"certificate,omitempty"`
	PrivateKey  string            `json:"privateKey,omitempty"`
	CA          *Nullable[string] `json:"ca,omitempty"`
}

// WebhookPatchIn is what may change about a webhook; what is left out stays. A changed URL or secret has to be proved
// again.
type WebhookPatchIn struct {
	Name          string             `json:"name,omitempty"`
	Description   *string            `json:"description,omitempty"`
	URL           string             `json:"url,omitempty"`
	Secret        string             `json:"secret,omitempty"`
	Verification  string             `json:"verification,omitempty"`
	Signing       []string           `json:"signing,omitempty"`
	Authorization *Nullable[string]  `json:"authorization,omitempty"`
	Headers       *map[string]string `json:"headers,omitempty"`
	Format        string             `json:"format,omitempty"`
	Policy        *PolicyIn          `json:"policy,omitempty"`
	OAuth         *Nullable[OAuthIn] `json:"oauth,omitempty"`
	TLS           *Nullable[TLSIn]   `json:"tls,omitempty"`
}

// WebhookIn is what a webhook is made of. A Secret that is left out is generated, and in the answer, this once.
type WebhookIn struct {
	Name          string            `json:"name"`
	Description   string            `json:"description,omitempty"`
	Mode          string            `json:"mode,omitempty"`
	URL           string            `json:"url,omitempty"`
	Secret        string            `json:"secret,omitempty"`
	Verification  string            `json:"verification,omitempty"`
	Signing       []string          `json:"signing,omitempty"`
	Authorization string            `json:"authorization,omitempty"`
	Headers       map[string]string `json:"headers,omitempty"`
	Format        string            `json:"format,omitempty"`
	Policy        *PolicyIn         `json:"policy,omitempty"`
	OAuth         *OAuthIn          `json:"oauth,omitempty"`
	TLS           *TLSIn            `json:"tls,omitempty"`
}

// OrderOut is an OrderIn as it is shown.
type OrderOut struct {
	Kind      string  `json:"kind"`
	Key       *string `json:"key"`
	OnFailure string  `json:"onFailure"`
	Tries     *int    `json:"tries"`
}

// BatchOut is a BatchIn as it is shown.
type BatchOut struct {
	Events int `json:"events"`
	WaitMs int `json:"waitMs"`
	Bytes  int `json:"bytes"`
}

// PolicyOut is a PolicyIn as it is shown.
type PolicyOut struct {
	RetryDelaysMs []int     `json:"retryDelaysMs"`
	TimeoutMs     *int      `json:"timeoutMs"`
	Rate          *int      `json:"rate"`
	Recovery      string    `json:"recovery"`
	Order         OrderOut  `json:"order"`
	Batch         *BatchOut `json:"batch"`
}

// OAuthOut is an OAuthIn as it is shown: without its secret.
type OAuthOut struct {
	TokenURL string  `json:"tokenUrl"`
	ClientID string  `json:"clientId"`
	Scope    *string `json:"scope"`
	Audience *string `json:"audience"`
	Resource *string `json:"resource"`
	Auth     string  `json:"auth"`
}

// TLSOut is a TLSIn as it is shown: without its key.
type TLSOut struct {
	Certificate *string `json:"certificate"`
	CA          *string `json:"ca"`
	ExpiresAt   *string `json:"expiresAt"`
}

// Challenge is the last attempt at a challenge.
type Challenge struct {
	At       string  `json:"at"`
	OK       bool    `json:"ok"`
	Error    *string `json:"error"`
	Attempt  int     `json:"attempt"`
	Attempts int     `json:"attempts"`
	NextAt   *string `json:"nextAt"`
	Secret   *string `json:"secret"`
}

// WebhookOut is a webhook as it is shown. Secret and StandardKey are there only in the answer that generated them.
type WebhookOut struct {
	ID             string            `json:"id"`
	Name           string            `json:"name"`
	Description    string            `json:"description"`
	Mode           string            `json:"mode"`
	URL            string            `json:"url"`
	State          string            `json:"state"`
	Intent         string            `json:"intent"`
	Health         string            `json:"health"`
	Reason         string            `json:"reason"`
	Verification   string            `json:"verification"`
	Signing        []string          `json:"signing"`
	Format         string            `json:"format"`
	Headers        map[string]string `json:"headers"`
	Policy         PolicyOut         `json:"policy"`
	OAuth          *OAuthOut         `json:"oauth"`
	TLS            *TLSOut           `json:"tls"`
	AllowedRate    *int              `json:"allowedRate"`
	PublicKey      *string           `json:"publicKey"`
	SecondaryUntil *string           `json:"secondaryUntil"`
	Challenge      *Challenge        `json:"challenge"`
	ListenedUntil  *string           `json:"listenedUntil"`
	LastSuccessAt  *string           `json:"lastSuccessAt"`
	CreatedAt      string            `json:"createdAt"`
	UpdatedAt      string            `json:"updatedAt"`
	Secret         string            `json:"secret"`
	StandardKey    string            `json:"standardKey"`
}

// Outcome is what one request to an endpoint came to. Status is nil without an answer.
type Outcome struct {
	OK         bool    `json:"ok"`
	Status     *int    `json:"status"`
	DurationMs float64 `json:"durationMs"`
	Error      *string `json:"error"`
}

// TestOut is what a test of a webhook came to.
type TestOut struct {
	State     string    `json:"state"`
	Outcome   Outcome   `json:"outcome"`
	Challenge Challenge `json:"challenge"`
}

// RotateIn turns a secret over: to a generated one when it is left out. The former is honoured for GraceMs, 24 hours
// when left out.
type RotateIn struct {
	Secret  string `json:"secret,omitempty"`
	GraceMs *int   `json:"graceMs,omitempty"`
}

// SubscriptionIn is a webhook, an event type or a pattern of them, and a filter.
type SubscriptionIn struct {
	Webhook string `json:"webhook"`
	Type    string `json:"type"`
	Filter  string `json:"filter,omitempty"`
}

// SubscriptionOut is a subscription as it is shown.
type SubscriptionOut struct {
	ID        string  `json:"id"`
	Webhook   string  `json:"webhook"`
	Type      string  `json:"type"`
	Filter    *string `json:"filter"`
	CreatedAt string  `json:"createdAt"`
	Note      string  `json:"note"`
}

// DeliveryOut is one event for one webhook; a report goes to a post-processing instead. Attempts are there only in the answer
// for a single delivery.
type DeliveryOut struct {
	ID             string    `json:"id"`
	Event          string    `json:"event"`
	Webhook        string    `json:"webhook"`
	PostProcessing string    `json:"postProcessing"`
	State          string    `json:"state"`
	Type           string    `json:"type"`
	Source         string    `json:"source"`
	EventID        string    `json:"eventId"`
	Tries          int       `json:"tries"`
	AttemptCount   int       `json:"attemptCount"`
	CreatedAt      string    `json:"createdAt"`
	DueAt          *string   `json:"dueAt"`
	FirstTryAt     *string   `json:"firstTryAt"`
	EndedAt        *string   `json:"endedAt"`
	Reason         *string   `json:"reason"`
	Batch          *string   `json:"batch"`
	Attempts       []Attempt `json:"attempts"`
}

// Attempt is one HTTP try, as it was. Secrets are masked.
type Attempt struct {
	ID              string         `json:"id"`
	Attempt         int            `json:"attempt"`
	Manual          bool           `json:"manual"`
	StartedAt       string         `json:"startedAt"`
	DurationMs      float64        `json:"durationMs"`
	Status          *int           `json:"status"`
	Error           *string        `json:"error"`
	RequestHeaders  map[string]any `json:"requestHeaders"`
	ResponseHeaders [][]string     `json:"responseHeaders"`
	Response        *string        `json:"response"`
	ResponseBase64  string         `json:"responseBase64"`
}

// RetryOut is what a retry by hand came to, and the delivery afterwards.
type RetryOut struct {
	Outcome  Outcome     `json:"outcome"`
	Delivery DeliveryOut `json:"delivery"`
}
