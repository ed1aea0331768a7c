//go:build !linux

package watch

// Inherited tells of no descriptors: this system doesn't list them.
func Inherited() ([]Descriptor, error) { return nil, nil }
