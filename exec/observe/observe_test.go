package observe

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
)

// TestStoreCommon: entries of one program share a list each of what is installed and of
// the experiment's, though each reads a file of its own and one an edited module.
func TestStoreCommon(t *testing.T) {
	for _, absent := range []int{3, 40} {
		t.Run(fmt.Sprint(absent, " names looked for"), func(t *testing.T) { storeCommon(t, absent) })
	}
}

func storeCommon(t *testing.T, absent int) {
	ctx := context.Background()
	store := cache.NewMemory()
	marks := inputs.NewMarks(t.TempDir() + "/marks")
	defer marks.Close()
	places := inputs.Places{Home: "/home/u", Tmp: "/tmp", Dir: "/proj"}
	lists := map[string]bool{}
	for i := range 20 {
		list := []inputs.Observation{{Name: fmt.Sprintf("/proj/fold%d.csv", i), By: "train.py"}}
		for j := range absent {
			list = append(list, inputs.Observation{Name: fmt.Sprintf("/proj/module%d.py", j), Kind: inputs.Absent, By: "train.py"})
		}
		for j := range 3000 {
			list = append(list, inputs.Observation{Name: fmt.Sprintf("/usr/lib/python3/%d.py", j), By: "python3"})
		}
		helpers := inputs.Observation{Name: "/proj/helpers.py", By: "train.py"}
		helpers.Sum[0] = byte(i / 10)
		set, ok := inputs.NewSet(append(list, helpers))
		if !ok {
			t.Fatal("it disagrees with itself")
		}
		// Each in a process of its own.
		o := &Observer{Options: inputs.Options{Places: places, Marks: marks}}
		in, err := o.Store(ctx, store, "default", cache.Token{}, set)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range in.Shared {
			lists[k.String()] = true
		}
		if i > 0 && len(in.Own) > 150 {
			t.Errorf("entry %d has %d bytes of its own", i, len(in.Own))
		}
		o = &Observer{Options: o.Options}
		if got, ok, err := o.Load(ctx, store, "default", in); err != nil || !ok || !got.Equal(set) {
			t.Fatalf("entry %d has %d names instead of %d; %v, %v", i, got.Len(), set.Len(), ok, err)
		}
	}
	// What is installed; the first, without its file, without the module that was edited.
	if len(lists) > 4 {
		t.Errorf("there are %d lists", len(lists))
	}
}

// TestStoreApart: entries that have nothing in common have no list each.
func TestStoreApart(t *testing.T) {
	ctx := context.Background()
	marks := inputs.NewMarks(t.TempDir() + "/marks")
	defer marks.Close()
	lists := map[string]bool{}
	o := &Observer{Options: inputs.Options{Places: inputs.Places{Dir: "/proj"}, Marks: marks}}
	store := cache.NewMemory()
	for i := range 20 {
		set, _ := inputs.NewSet([]inputs.Observation{{Name: fmt.Sprintf("/proj/a%d", i)}, {Name: fmt.Sprintf("/proj/b%d", i)}})
		in, err := o.Store(ctx, store, "default", cache.Token{}, set)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range in.Shared {
			lists[k.String()] = true
		}
	}
	if len(lists) > 1 {
		t.Errorf("there are %d lists", len(lists))
	}
}

// TestStoreAfterClear: what others have cleared since is stored again for what is evaluated
// after that, and a list of one namespace is none of another.
func TestStoreAfterClear(t *testing.T) {
	ctx := context.Background()
	marks := inputs.NewMarks(t.TempDir() + "/marks")
	defer marks.Close()
	o := &Observer{Options: inputs.Options{Places: inputs.Places{Dir: "/proj"}, Marks: marks}}
	store := cache.NewMemory()
	set, _ := inputs.NewSet([]inputs.Observation{{Name: "/proj/a"}, {Name: "/proj/b"}})
	for _, step := range []string{"first", "again", "cleared", "elsewhere"} {
		namespace := "default"
		switch step {
		case "cleared":
			if _, err := store.Clear(ctx, namespace); err != nil {
				t.Fatal(err)
			}
		case "elsewhere":
			namespace = "other"
		}
		_, gen, err := store.Get(ctx, cache.ID{Namespace: namespace})
		if err != nil {
			t.Fatal(err)
		}
		in, err := o.Store(ctx, store, namespace, gen.Namespace, set)
		if err != nil {
			t.Fatal(err)
		}
		if len(in.Shared) == 0 {
			t.Fatal("nothing is shared")
		}
		another := &Observer{Options: o.Options}
		if got, ok, err := another.Load(ctx, store, namespace, in); err != nil || !ok || !got.Equal(set) {
			t.Errorf("%s: it isn't there: %v, %v", step, ok, err)
		}
	}
}

// TestStoreAfterPrune: a list that was pruned, with all entries that shared it, is stored
// again for what is evaluated later.
func TestStoreAfterPrune(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		o := &Observer{Options: inputs.Options{Places: inputs.Places{Dir: "/proj"}}}
		store := cache.NewMemory()
		set, _ := inputs.NewSet([]inputs.Observation{{Name: "/proj/a"}, {Name: "/proj/b"}})
		_, gen, err := store.Get(ctx, cache.ID{Namespace: "default"})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			in, err := o.Store(ctx, store, "default", gen.Namespace, set)
			if err != nil || len(in.Shared) == 0 {
				t.Fatal(in, err)
			}
			another := &Observer{Options: o.Options}
			if got, ok, err := another.Load(ctx, store, "default", in); err != nil || !ok || !got.Equal(set) {
				t.Errorf("it isn't there: %v, %v", ok, err)
			}
			for _, k := range in.Shared {
				if _, err := store.Delete(ctx, cache.ID{Namespace: "default", Key: k}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
		}
	})
}
