package key

import (
	"context"
	"fmt"
)

// Descriptor is an open file that a command inherits.
type Descriptor struct {
	Number int
	Name   string // of what it is open on, for messages
	Offset int64  // from which it will be read
	// Once says that what it holds can be read once only, as of a pipe.
	Once bool
}

// addDescriptors adds what is left open for the command: it can be read without a name.
func (c *Call) addDescriptors(ctx context.Context, list []Descriptor) error {
	for _, d := range list {
		if d.Once {
			return &UnreadableError{fmt.Sprintf("descriptor %d (%s), which was left open for it,", d.Number, d.Name), ErrPipe}
		}
		path := fmt.Sprintf("/proc/self/fd/%d", d.Number)
		sum, err := c.track(ctx, path)
		if err != nil {
			return unreadable(path, err)
		}
		c.add(Part{Kind: PartDescriptor, Items: []Item{{Text: fmt.Sprintf("%d from %d", d.Number, d.Offset), Digest: &sum}}})
	}
	return nil
}
