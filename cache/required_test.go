package cache_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/storetest"
)

// TestImportLacking: a line without one of the fields that an export always has is
// refused, and one without what it has at times isn't.
func TestImportLacking(t *testing.T) {
	e := &cache.Entry{Created: time.Unix(1.7e9, 0)}
	x := cache.Sample{ID: cache.NewSampleID(), Value: 0.913, Seconds: 1.5, Time: e.Created}
	e.Output = &cache.Output{Text: []byte("0.9130\n"), ID: x.ID, Seconds: x.Seconds, Time: x.Time}
	e.FindOrAdd("last").Add(x, "0.9130")
	e.SetCommand(storetest.ExampleCommand(1))
	text := cache.Export(cache.ID{Namespace: "n"}, e)
	optional := []string{"command", "output", "text", "args", "depends_on", "form", "name", "style", "whole", "digest", "items", "place"}
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	tried := 0
	var without func(v any, path string)
	without = func(v any, path string) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				without(item, path)
			}
		case map[string]any:
			for name, value := range v {
				without(value, path+"."+name)
				delete(v, name)
				line, _ := json.Marshal(whole)
				v[name] = value
				tried++
				_, _, err := cache.ParseExport(line)
				if may := slices.Contains(optional, name) && path+name != ".outputtext"; err == nil && !may {
					t.Errorf("without %s.%s it is imported", path, name)
				}
			}
		}
	}
	without(whole, "")
	if tried < 40 {
		t.Errorf("only %d fields", tried)
	}
}
