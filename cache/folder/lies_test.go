package folder

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/cache/storetest"
)

var (
	lieCount = flag.Int("lies", 0, "tell the store this many lies (0: as many as 40 worlds have)")
	lieSeed  = flag.Uint64("lies.seed", 1, "where the lies come from")
	lieWorld = flag.Int("lies.world", -1, "only the world of this number, with all that happens to it")
)

// TestFolderOnLiar: all that a backend has to do, on a file system that lies of what can be
// found out: what isn't there, what is, what was done.
func TestFolderOnLiar(t *testing.T) {
	for _, noLinks := range []bool{false, true} {
		t.Run(fmt.Sprintf("no links %v", noLinks), func(t *testing.T) {
			t.Parallel()
			l := newLiar(*lieSeed)
			l.gentle, l.noLinks = true, noLinks
			storetest.Run(t, func(t *testing.T) cache.Store { return newStore("", l.client()) })
			if len(l.lies) < 5 {
				t.Errorf("it told no more lies than these: %v", l.lies)
			}
		})
	}
}

// TestLies: machines that share a disk which lies store, refresh, delete and clear, are
// killed, and the disk crashes. Then nobody is told a number that is wrong, or was cleared,
// and what an Update said is stored is there, each sample once.
func TestLies(t *testing.T) {
	told := map[string]int{}
	total := 0
	for n := range math.MaxInt {
		if *lieWorld >= 0 {
			n = *lieWorld
		}
		w := newWorld(t, *lieSeed, n)
		w.run()
		for kind, times := range w.lies {
			told[kind] += times
			total += times
		}
		if t.Failed() {
			t.Fatalf("world %d of seed %d: go test ./cache/folder -run 'TestLies$' -lies.seed=%d -lies.world=%d -v", n, *lieSeed, *lieSeed, n)
		}
		if *lieWorld >= 0 || *lieCount == 0 && n >= 39 || *lieCount > 0 && total >= *lieCount {
			break
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(told)) {
		t.Logf("%8d %s", told[kind], kind)
	}
	t.Logf("%8d in all", total)
}

// A task is what a client does at a time. Of all tasks one goes on at a time, from one
// operation of the file system to the next.
type task struct {
	resume chan bool     // false: it is killed
	event  chan struct{} // it waits, or has ended
	ended  bool
	client *simulated
	what   string
	unsure []func() // what to do where it is killed
}

type killed struct{}

func (k *task) wait() {
	k.event <- struct{}{}
	if !<-k.resume {
		panic(killed{})
	}
}

// simulated is a client of the world.
type simulated struct {
	*client
	number int
	store  *Store
	skew   time.Duration // of its clock
	task   *task
}

// evaluation is a sample on its way into the store.
type evaluation struct {
	id       uint64
	at       cache.ID
	refresh  bool
	gen      int64 // when its generation was known
	ended    int64
	outcome  outcome
	existing bool // another's number was there
}

type outcome int

const (
	unknown outcome = iota // it failed, or nobody lived to see it
	stored
	refused
)

// removal is what may have removed samples.
type removal struct {
	what         string
	namespace    string
	key          *key.Key // nil: all
	begun, ended int64
	outcome      outcome
	prune        bool // no promise that they are gone
	evaluation   *evaluation
}

func (r *removal) concerns(id cache.ID) bool {
	return (r.namespace == "*" || r.namespace == id.Namespace) && (r.key == nil || *r.key == id.Key)
}

type world struct {
	*liar
	t           *testing.T
	rng         *rand.Rand
	clients     []*simulated
	ids         []cache.ID
	evaluations map[uint64]*evaluation
	removals    []*removal
	loud        bool // it tells all that happens
}

func newWorld(t *testing.T, seed uint64, n int) *world {
	w := &world{liar: newLiar(seed<<32 + uint64(n)), t: t, rng: rand.New(rand.NewPCG(seed, uint64(n)^0x9e3779b9)), evaluations: map[uint64]*evaluation{}, loud: *lieWorld >= 0}
	for i := range 6 {
		w.ids = append(w.ids, cache.ID{Namespace: []string{"a", "b"}[i%2], Key: key.Key{byte(i / 4), byte(i)}})
	}
	for i := range 4 {
		c := &simulated{number: i, skew: time.Duration(w.rng.IntN(1200)-600) * time.Second}
		w.clients = append(w.clients, c)
		w.boot(c)
	}
	w.before = func(c *client) {
		if c.task != nil {
			c.task.wait()
		}
	}
	return w
}

// boot has a client begin anew, as a process on a machine that believes nothing yet.
func (w *world) boot(c *simulated) {
	c.client = w.client()
	w.restart(c)
}

// restart has a process of a client begin anew.
func (w *world) restart(c *simulated) {
	c.store = newStore("", c.client)
	c.store.random = func(b []byte) {
		for i := range b {
			b[i] = byte(w.rng.Uint32())
		}
	}
}

func (w *world) tell(format string, args ...any) {
	if w.loud {
		w.t.Logf("%6d %s", w.ops, fmt.Sprintf(format, args...))
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Errorf("after %d operations: %s", w.ops, fmt.Sprintf(format, args...))
	if w.loud {
		w.show(".", w.root)
	}
}

// show tells what is on the disk.
func (w *world) show(name string, n *node) {
	if n.names == nil {
		w.t.Logf("%s: %d bytes", name, len(n.data))
	}
	for _, below := range sortedNames(n.names) {
		w.show(name+"/"+below, n.names[below])
	}
}

// averaged reports whether there is a mean of an entry's samples.
func (w *world) averaged(id cache.ID) bool { return id.Key[1] < 4 }

// valueOf is what an evaluation of a call prints.
func valueOf(id cache.ID, sample uint64) float64 {
	h := fnv.New64a()
	h.Write([]byte(id.Namespace))
	h.Write(id.Key[:])
	h.Write(binary.BigEndian.AppendUint64(nil, sample))
	return float64(h.Sum64()%100000) / 1000
}

// run lets the world go on for a while, and looks at the end whether all is right.
func (w *world) run() {
	for range 2 + w.rng.IntN(3) {
		for range 2500 {
			if w.t.Failed() {
				return
			}
			w.step()
		}
		w.settle()
		w.checkAll()
	}
}

// step lets one task go on, begins one, or breaks something.
func (w *world) step() {
	switch n := w.rng.IntN(4000); {
	case n < 2:
		w.crashNow()
	case n < 12:
		c := w.clients[w.rng.IntN(len(w.clients))]
		w.kill(c)
		w.restart(c)
	}
	c := w.clients[w.rng.IntN(len(w.clients))]
	if c.task == nil {
		w.start(c)
	}
	w.resume(c)
}

func (w *world) resume(c *simulated) {
	k := c.task
	k.resume <- true
	<-k.event
	if k.ended {
		c.task, c.client.task = nil, nil
	}
}

// kill ends what a client is doing, as SIGKILL does.
func (w *world) kill(c *simulated) {
	if k := c.task; k != nil {
		w.tell("client %d is killed: %s", c.number, k.what)
		k.resume <- false
		<-k.event
		c.task, c.client.task = nil, nil
	}
}

func (w *world) crashNow() {
	for _, c := range w.clients {
		w.kill(c)
	}
	w.tell("crash")
	w.crash()
	for _, c := range w.clients {
		w.boot(c)
	}
}

// start begins a task.
func (w *world) start(c *simulated) {
	k := &task{resume: make(chan bool), event: make(chan struct{}), client: c}
	do := w.draw(c, k)
	c.task, c.client.task = k, k
	go func() {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(killed); !ok {
					panic(r)
				}
				for _, f := range k.unsure {
					f()
				}
			}
			k.ended = true
			k.event <- struct{}{}
		}()
		if <-k.resume {
			do()
		}
	}()
}

// draw draws what a client does next.
func (w *world) draw(c *simulated, k *task) func() {
	id := w.ids[w.rng.IntN(len(w.ids))]
	ctx := context.Background()
	switch n := w.rng.IntN(100); {
	case n < 55:
		k.what = "evaluate"
		return func() { w.evaluate(c, k, []cache.ID{id}, false) }
	case n < 70:
		k.what = "evaluate several"
		return func() { w.evaluate(c, k, w.ids, false) }
	case n < 76:
		k.what = "refresh"
		return func() { w.evaluate(c, k, []cache.ID{id}, true) }
	case n < 80:
		return w.removing(c, k, &removal{what: "delete", namespace: id.Namespace, key: &id.Key}, func() error {
			_, err := c.store.Delete(ctx, id)
			return err
		})
	case n < 83:
		return w.removing(c, k, &removal{what: "clear", namespace: id.Namespace}, func() error {
			_, err := c.store.Clear(ctx, id.Namespace)
			return err
		})
	case n < 84:
		return w.removing(c, k, &removal{what: "clear all", namespace: "*"}, func() error {
			_, err := c.store.ClearAll(ctx)
			return err
		})
	case n < 86:
		return w.removing(c, k, &removal{what: "prune", namespace: id.Namespace, key: &id.Key, prune: true}, func() error {
			_, err := c.store.Drop(ctx, []cache.ID{id}, func(cache.ID, *cache.Entry) bool { return true })
			return err
		})
	case n < 90:
		k.what = "compact"
		return func() {
			err := c.store.Compact(ctx)
			w.tell("client %d: compact: %v", c.number, err)
		}
	default:
		k.what = "look"
		return func() {
			begun := w.ops
			for i, got := range c.store.GetAll(ctx, w.ids) {
				w.checkGot(c, w.ids[i], got, begun)
			}
		}
	}
}

// evaluate gets entries, evaluates, and stores a sample in each.
func (w *world) evaluate(c *simulated, k *task, ids []cache.ID, refresh bool) {
	ctx := context.Background()
	begun := w.ops
	var changes []cache.Change
	var all []*evaluation
	for i, got := range c.store.GetAll(ctx, ids) {
		if !w.checkGot(c, ids[i], got, begun) {
			continue
		}
		e := &evaluation{id: w.rng.Uint64() | 1, at: ids[i], refresh: refresh, gen: w.ops}
		w.evaluations[e.id] = e
		all = append(all, e)
		var removes *removal
		if refresh {
			removes = &removal{what: "refresh", namespace: e.at.Namespace, key: &e.at.Key, begun: w.ops, evaluation: e}
			w.removals = append(w.removals, removes)
		}
		k.unsure = append(k.unsure, func() {
			e.ended = w.ops + longestDelay
			if removes != nil {
				removes.ended = e.ended
			}
		})
		changes = append(changes, cache.Change{ID: e.at, Gen: got.Gen, Change: func(old *cache.Entry) *cache.Entry { return w.merge(c, e, old) }})
	}
	for range w.rng.IntN(3) * w.rng.IntN(20) { // the program runs
		k.wait()
	}
	errs := cache.UpdateAll(ctx, c.store, changes)
	for i, e := range all {
		e.ended, e.outcome = w.ops, stored
		if errs != nil && errs[i] != nil {
			if e.outcome = unknown; errors.Is(errs[i], cache.ErrSuperseded) {
				e.outcome = refused
			} else {
				e.ended += longestDelay
			}
		}
		w.tell("client %d: %s %x of %s: %v, outcome %d, existing %v", c.number, k.what, e.id, name(e.at), errOf(errs, i), e.outcome, e.existing)
	}
	for _, r := range w.removals {
		if r.evaluation != nil && slices.Contains(all, r.evaluation) {
			r.ended, r.outcome = r.evaluation.ended, r.evaluation.outcome
		}
	}
}

func errOf(errs []error, i int) error {
	if errs == nil {
		return nil
	}
	return errs[i]
}

func name(id cache.ID) string { return fmt.Sprintf("%s/%d", id.Namespace, id.Key[1]) }

// merge is the change of an Update, as package exec has it.
func (w *world) merge(c *simulated, e *evaluation, old *cache.Entry) *cache.Entry {
	at := time.Unix(w.now, 0).Add(c.skew)
	if old == nil || e.refresh {
		old = &cache.Entry{Created: at}
		if e.refresh {
			old.Token = c.store.newToken()
		}
	}
	under := byte(0)
	if w.averaged(e.at) {
		under = byte(e.id>>8) % 2
	}
	old.Begin(cache.Inputs{Own: []byte{under}})
	s := old.FindOrAdd("last")
	if e.existing = !w.averaged(e.at) && s.Count > 0; e.existing {
		return nil
	}
	s.Repeated = s.Repeated || w.averaged(e.at)
	s.Add(cache.Sample{ID: e.id, Value: valueOf(e.at, e.id), Seconds: 1, Time: at}, fmt.Sprint(valueOf(e.at, e.id)))
	return old
}

// removing does what removes samples.
func (w *world) removing(c *simulated, k *task, r *removal, do func() error) func() {
	k.what = r.what
	return func() {
		r.begun = w.ops
		w.removals = append(w.removals, r)
		k.unsure = append(k.unsure, func() { r.ended = w.ops + longestDelay })
		err := do()
		if r.ended, r.outcome = w.ops, stored; err != nil {
			r.ended, r.outcome = w.ops+longestDelay, unknown
		}
		of := r.namespace
		if r.key != nil {
			of += fmt.Sprintf("/%d", r.key[1])
		}
		w.tell("client %d: %s %s, begun at %d: %v", c.number, r.what, of, r.begun, err)
	}
}

// checkGot looks at what a client was told, be it old. It reports whether it was told
// something.
func (w *world) checkGot(c *simulated, id cache.ID, got cache.Got, begun int64) bool {
	if got.Err != nil {
		var bad *cache.RecordError
		if errors.As(got.Err, &bad) {
			w.fail("client %d: %s: %v", c.number, name(id), bad)
		}
		return false
	}
	for sample := range w.samples(id, got.Entry) {
		e := w.evaluations[sample]
		for _, r := range w.removals {
			if r.key == nil && r.concerns(id) && r.outcome == stored && e.gen < r.begun && r.ended < begun {
				w.fail("client %d is told of %x of %s, which was cleared before", c.number, sample, name(id))
			}
		}
	}
	return true
}

// samples are those of an entry, each of which has to be one of that call.
func (w *world) samples(id cache.ID, e *cache.Entry) map[uint64]bool {
	all := map[uint64]bool{}
	for _, v := range e.Variants() {
		for i := range v.Series {
			s := &v.Series[i]
			var m cache.Moments
			for _, x := range s.Samples {
				known := w.evaluations[x.ID]
				if known == nil || known.at != id || x.Value != valueOf(id, x.ID) {
					w.fail("%s holds %x, %v, which is not its own", name(id), x.ID, x.Value)
					continue
				}
				if all[x.ID] {
					w.fail("%s holds %x twice", name(id), x.ID)
				}
				all[x.ID] = true
				m = m.Add(x.Value)
			}
			if s.Count != int64(len(s.Samples)) && len(s.Samples) < cache.MaxSamples || math.Abs(s.Mean-m.Mean) > 1e-9 && len(s.Samples) < cache.MaxSamples {
				w.fail("%s counts %d samples of mean %v, and there are %d of mean %v", name(id), s.Count, s.Mean, len(s.Samples), m.Mean)
			}
			if !w.averaged(id) && s.Count > 1 {
				w.fail("%s is a mean of %d", name(id), s.Count)
			}
		}
	}
	return all
}

// settle has all that goes on come to an end.
func (w *world) settle() {
	if w.rng.IntN(2) == 0 {
		w.crashNow()
	}
	for _, c := range w.clients {
		for c.task != nil {
			w.resume(c)
		}
	}
	for range longestDelay + 1 {
		w.clients[0].begin()
		w.mu.Unlock()
	}
}

// checkAll looks at what somebody is told who comes new to the disk.
func (w *world) checkAll() {
	w.honest = true
	defer func() { w.honest = false }()
	s := newStore("", w.client())
	w.check(s, "")
	if err := s.Compact(context.Background()); err != nil {
		w.fail("compact: %v", err)
	}
	w.check(s, "after compact: ")
	report, err := s.Check(context.Background())
	if err != nil || !report.Sound() {
		w.fail("check: %+v, %v", report, err)
	}
}

func (w *world) check(s *Store, when string) {
	for i, got := range s.GetAll(context.Background(), w.ids) {
		id := w.ids[i]
		if got.Err != nil {
			w.fail("%s%s: %v", when, name(id), got.Err)
			continue
		}
		there := w.samples(id, got.Entry)
		needed := 0
		for _, sample := range slices.Sorted(maps.Keys(w.evaluations)) {
			e := w.evaluations[sample]
			if e.at != id {
				continue
			}
			gone, mayBe := w.removed(e)
			switch {
			case there[sample] && gone != nil:
				w.fail("%s%s holds %x, begun at %d, in spite of %s at %d", when, name(id), sample, e.gen, gone.what, gone.begun)
			case e.outcome != stored || e.existing || mayBe:
			case w.averaged(id) && !there[sample]:
				w.fail("%s%s lacks %x, begun at %d, stored at %d", when, name(id), sample, e.gen, e.ended)
			default:
				needed++
			}
		}
		if needed > 0 && len(there) == 0 {
			w.fail("%s%s has no number", when, name(id))
		}
	}
}

// removed says what has removed a sample for sure, and whether something may have.
func (w *world) removed(e *evaluation) (gone *removal, mayBe bool) {
	for _, r := range w.removals {
		if r.evaluation == e || !r.concerns(e.at) {
			continue
		}
		if r.ended > e.gen {
			mayBe = true
		}
		// Of two that refresh at the same time either may be the last.
		beside := e.refresh && r.evaluation != nil && e.ended > r.begun
		if r.outcome == stored && !r.prune && e.gen < r.begun && !beside {
			gone = r
		}
	}
	return gone, mayBe
}
