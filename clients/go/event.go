package bellwire

// CloudEvents 1.0, on their way out and in.

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"unicode/utf8"
)

// NewEvent is a CloudEvent to publish. An ID that is left out is random, so that a repeat is recognised.
type NewEvent struct {
	ID     string
	Source string
	Type   string
	// Subject, Time (RFC 3339), DataContentType and DataSchema are left out where they are empty.
	Subject         string
	Time            string
	DataContentType string
	DataSchema      string
	// Data is sent as JSON, DataBytes in Base64 instead. A nil Data is left out.
	Data      any
	DataBytes []byte
	// Extensions are further attributes: lower-case letters and digits.
	Extensions map[string]any
}

// MarshalJSON writes it in structured mode. An empty ID stays empty here; Publish fills it in.
func (e NewEvent) MarshalJSON() ([]byte, error) {
	members := map[string]any{"specversion": "1.0", "id": e.ID, "source": e.Source, "type": e.Type}
	for name, value := range e.Extensions {
		if _, taken := members[name]; !taken {
			members[name] = value
		}
	}
	for name, value := range map[string]string{
		"subject": e.Subject, "time": e.Time, "datacontenttype": e.DataContentType, "dataschema": e.DataSchema,
	} {
		if value != "" {
			members[name] = value
		}
	}
	if e.Data != nil {
		members["data"] = e.Data
	}
	if e.DataBytes != nil {
		members["data_base64"] = e.DataBytes
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(members)
	return text.Bytes(), err
}

func randomID() string {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		panic(err) // a machine without randomness
	}
	return hex.EncodeToString(id[:])
}

// Event is a CloudEvent that was delivered.
type Event struct {
	ID     string
	Source string
	Type   string
	// Attributes are all members but data and data_base64, as they came.
	Attributes map[string]json.RawMessage
	// Data is the JSON of data, or, of data_base64, the JSON string; nil without either.
	Data json.RawMessage
	// IsBase64 says that Data is a JSON string of Base64: unmarshal it into a []byte.
	IsBase64 bool
}

// No control characters.
var attributeText = regexp.MustCompile(`\A[^\x00-\x1f\x7f-\x{9f}]+\z`)

// UnmarshalJSON reads structured mode. What is no CloudEvent is an error.
func (e *Event) UnmarshalJSON(text []byte) error {
	// A map, not a struct: encoding/json would take ID for id.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	var version string
	for name, into := range map[string]*string{"specversion": &version, "id": &e.ID, "source": &e.Source, "type": &e.Type} {
		if json.Unmarshal(members[name], into) != nil || !attributeText.MatchString(*into) {
			return errors.New("bellwire: a CloudEvent has a text for " + name)
		}
	}
	if version != "1.0" {
		return errors.New("bellwire: the specversion of a CloudEvent is 1.0")
	}
	e.Data = given(members["data"])
	if base64 := given(members["data_base64"]); base64 != nil {
		if e.Data != nil {
			return errors.New("bellwire: data and data_base64 exclude each other")
		}
		e.Data, e.IsBase64 = base64, true
	} else if e.Data == nil {
		e.Data = members["data"]
	}
	delete(members, "data")
	delete(members, "data_base64")
	e.Attributes = members
	return nil
}

func given(value json.RawMessage) json.RawMessage {
	if string(value) == "null" {
		return nil
	}
	return value
}

var errNotJSON = errors.New("the body is not JSON")

// JSON as it is meant: UTF-8, and no object that says the same thing twice, which encoding/json lets pass.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) || !json.Valid(body) {
		return errNotJSON
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	// One entry for each array (nil) and object that is open: the names it has had, and whether a name is next.
	type open struct {
		names  map[string]bool
		isName bool
	}
	var stack []*open
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return errNotJSON
		}
		top := &open{}
		if len(stack) > 0 {
			top = stack[len(stack)-1]
		}
		switch delimiter, _ := token.(json.Delim); {
		case delimiter == '}' || delimiter == ']':
			stack = stack[:len(stack)-1]
			continue
		case top.names != nil && top.isName:
			name := token.(string)
			if top.names[name] {
				return errNotJSON
			}
			top.names[name], top.isName = true, false
			continue
		case delimiter == '{':
			stack = append(stack, &open{names: map[string]bool{}, isName: true})
		case delimiter == '[':
			stack = append(stack, &open{})
		}
		top.isName = true
	}
}
