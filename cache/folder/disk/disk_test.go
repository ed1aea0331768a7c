package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestReplacedMeanwhile: what is made while another folder takes the place of the one that is
// open has the modes of one of them.
func TestReplacedMeanwhile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d := New(dir)
	defer d.Close()
	var all sync.WaitGroup
	ended := make(chan struct{})
	all.Go(func() {
		defer close(ended)
		for i := range 200 {
			if err := os.Rename(dir, fmt.Sprint(dir, i)); err != nil {
				t.Error(err)
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Error(err)
			}
			d.Reopen()
		}
	})
	for worker := range 2 {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-ended:
					return
				default:
				}
				if f, err := d.Create(fmt.Sprint(worker, "-", i)); err == nil {
					f.Close()
				}
				d.Mkdir(fmt.Sprint("of ", worker, "-", i))
			}
		})
	}
	all.Wait()
	f, err := d.Create("after")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
