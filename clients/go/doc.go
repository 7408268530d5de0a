// Package bellwire publishes events to Bellwire, manages webhooks, and receives what is delivered. It needs the
// standard library only.
//
//	client, err := bellwire.NewClient(bellwire.ClientOptions{URL: "http://127.0.0.1:8470"})
//	out, err := client.Events.Publish(ctx, bellwire.NewEvent{Source: "//shop", Type: "com.example.order.created"})
package bellwire
