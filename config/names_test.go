package config

import "testing"

// Variables that look like ours and are none, and what may have been meant.
func TestStrays(t *testing.T) {
	const list = "'dvlcache config' lists the settings"
	for _, c := range []struct {
		name, value string
		hint        string // empty: it isn't one
	}{
		{"DVLCACHE_NAMESPACE", "x", ""},
		{"DVLCACHE_NO_CACHE", "1", ""},
		{"DVLCACHE_DISABLE", "1", ""},
		{"DVLCACHE_SECRET", "x", ""},
		{"DVLCACHE_NAMESPCE", "", ""},
		{"DVLCACHEX", "x", ""},
		{"dvlcache_dir", "x", ""},
		{"DVLCACHE_NAMESPCE", "x", "did you mean DVLCACHE_NAMESPACE?"},
		{"DVLCACHE_Namespace", "x", "did you mean DVLCACHE_NAMESPACE?"},
		{"DVLCACHE_IGNOREARG", "x", "did you mean DVLCACHE_IGNORE_ARG?"},
		{"DVLCACHE_TIME_TRESHOLD", "x", "did you mean DVLCACHE_TIME_THRESHOLD?"},
		{"DVLCACHE_DISABLED", "1", "did you mean DVLCACHE_DISABLE?"},
		{"DVLCACHE_SECRETS", "x", "did you mean DVLCACHE_SECRET?"},
		{"DVLCACHE_PROGRAMS", "x", list},
		{"DVLCACHE_QQQQQQQQ", "x", list},
		{"DVLCACHE_", "x", list},
	} {
		newWorld(t)
		t.Setenv(c.name, c.value)
		strays := Strays([]string{"DVLCACHE_SECRET", "DVLCACHE_SESSION"})
		if c.hint == "" {
			if len(strays) > 0 {
				t.Errorf("%s=%s: %v", c.name, c.value, strays[0])
			}
			continue
		}
		if len(strays) != 1 || strays[0].Error() != c.name+": there is no such setting" || strays[0].Hint != c.hint {
			t.Errorf("%s=%s: %+v, not hint %s", c.name, c.value, strays, c.hint)
		}
	}
}
