package process

import (
	"strings"
	"testing"
)

func TestTailIsBounded(t *testing.T) {
	kept := &Tail{Limit: 1000}
	block := []byte(strings.Repeat("0123456789\n", 100))
	for range 10000 {
		kept.Write(block)
	}
	if cap(kept.buf) > 2000 {
		t.Errorf("it holds %d bytes", cap(kept.buf))
	}
	lines, cut := kept.Lines()
	if !cut || string(lines) != "…\a"+strings.Repeat("0123456789\n", 91)[1:] {
		t.Errorf("cut: %v, %d bytes", cut, len(lines))
	}
}
