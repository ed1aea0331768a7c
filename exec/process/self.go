package process

// Liveness is what is known of a process that was somewhere.
type Liveness int

// What may be known.
const (
	Dead    Liveness = iota
	Alive            // or it can't be told
	Distant          // on another machine, or where processes have other IDs
)
