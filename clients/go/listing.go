package bellwire

import "context"

// Page is one page of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next is the cursor that continues it; nil at the end. The log of events, oldest first, always has one: to ask again
	// with, later.
	Next *string `json:"next"`
	// More, in the log of events, says whether there is more right now.
	More *bool `json:"more"`
}

// Listing is a list that turns its pages by itself:
//
//	list := client.Deliveries.List(bellwire.DeliveryListOptions{State: "dead"})
//	for list.Next(ctx) {
//		fmt.Println(list.Item().ID)
//	}
//	if err := list.Err(); err != nil { … }
//
// It is used once, by one goroutine.
type Listing[T any] struct {
	ask    func(ctx context.Context, cursor string) (Page[T], error)
	cursor string
	items  []T
	item   T
	ended  bool
	err    error
}

// Next moves to the next item, the first one to begin with; false at the end, or where a page could not be had.
func (l *Listing[T]) Next(ctx context.Context) bool {
	for len(l.items) == 0 && !l.ended && l.err == nil {
		var page Page[T]
		if page, l.err = l.ask(ctx, l.cursor); l.err != nil {
			return false
		}
		l.items = page.Items
		l.ended = page.Next == nil || (page.More != nil && !*page.More)
		if page.Next != nil {
			l.cursor = *page.Next
		}
	}
	if len(l.items) == 0 {
		return false
	}
	l.item, l.items = l.items[0], l.items[1:]
	return true
}

// Item is the item that Next moved to.
func (l *Listing[T]) Item() T { return l.item }

// Err is why Next said false, nil at the end of the list.
func (l *Listing[T]) Err() error { return l.err }

// All is what is left of the list.
func (l *Listing[T]) All(ctx context.Context) ([]T, error) {
	var all []T
	for l.Next(ctx) {
		all = append(all, l.Item())
	}
	return all, l.Err()
}

// Page is one page alone: the first, or the one that the list's cursor names.
func (l *Listing[T]) Page(ctx context.Context) (Page[T], error) { return l.ask(ctx, l.cursor) }
