package cache

import (
	"reflect"
	"strings"

	"github.com/tidwall/gjson"
)

// lacks names the first field of a line that isn't there although an export always
// has it: what JSON leaves out would be a 0 that nobody wrote. It is empty if there is
// none.
func lacks(v gjson.Result, t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return lacks(v, t.Elem())
	case reflect.Slice:
		for _, item := range v.Array() {
			if name := lacks(item, t.Elem()); name != "" {
				return name
			}
		}
	case reflect.Struct:
		for i := range t.NumField() {
			field := t.Field(i)
			if field.Anonymous { // its fields are the line's
				if name := lacks(v, field.Type); name != "" {
					return name
				}
				continue
			}
			name, rest, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch value := v.Get(name); {
			case value.Exists():
				if inner := lacks(value, field.Type); inner != "" {
					return strings.TrimSuffix(name+"."+inner, ".")
				}
			case rest != "omitempty":
				return name
			}
		}
	}
	return ""
}
