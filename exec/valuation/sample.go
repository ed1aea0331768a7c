package valuation

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"sort"
)

// A sampler draws subsets without replacement within each size: the j-th of size s is a
// function of the seed, s and j, so nothing has to be kept to make it again.
//
//   - Where there are at most 2^16 subsets of a size they are numbered, and the numbers
//     shuffled.
//   - Up to 2^62 the numbers are permuted by a Feistel network on the next even number of
//     bits, applied until it gives a number that is in use (Black and Rogaway 2002), and the
//     number made a subset by the combinatorial number system (Lehmer).
//   - Beyond, each is drawn by itself, by Floyd's algorithm (Bentley and Floyd 1987): of a
//     million draws two agree with a probability of 10^-7.
//
// Of a size above n/2 the complement is drawn. It isn't for concurrent use.
type sampler struct {
	n        int
	seed     uint64
	choose   [][]uint64 // choose[k][c] is c over k, for the k whose n over k is at most most
	shuffled map[int][]uint32
	source   rand.PCG
	members  []int32 // what draw returned
	held     []uint64
}

const (
	shuffledMost = 1 << 16
	numberedMost = 1 << 62
)

func newSampler(n int, seed uint64) *sampler {
	s := &sampler{n: n, seed: seed, shuffled: map[int][]uint32{}, held: make([]uint64, (n+63)/64)}
	column := make([]uint64, n+1) // c over 0
	for c := range column {
		column[c] = 1
	}
	for k := 0; 2*k <= n && column[n] <= numberedMost; k++ {
		s.choose = append(s.choose, column)
		next := make([]uint64, n+1)
		for c := 1; c <= n; c++ {
			// c over k+1; what is too large stays too large.
			sum, carry := bits.Add64(next[c-1], column[c-1], 0)
			if carry != 0 || sum > numberedMost {
				sum = numberedMost + 1
			}
			next[c] = sum
		}
		column = next
	}
	return s
}

// total is how many subsets of a size there are, or the largest float64 where they are more.
func (s *sampler) total(size int) float64 {
	k := min(size, s.n-size)
	if k < len(s.choose) {
		return float64(s.choose[k][s.n])
	}
	return min(math.MaxFloat64, math.Round(math.Exp(logChoose(s.n, size))))
}

// draw returns the members of the j-th subset of a size, or, where outside is true, the
// players that are not in it: whichever are fewer, in no order. They are good until the
// next draw.
func (s *sampler) draw(size, j int) (members []int32, outside bool) {
	k := min(size, s.n-size)
	s.members = s.members[:0]
	switch {
	case k >= len(s.choose):
		s.independent(size, k, j)
	default:
		all := s.choose[k][s.n]
		if all <= shuffledMost {
			s.unrank(uint64(s.shuffle(size, int(all))[j]), k)
		} else {
			s.unrank(s.permute(size, all, uint64(j)), k)
		}
	}
	return s.members, k < size
}

// subset is the j-th of a size, in order.
func (s *sampler) subset(size, j int, into Subset) Subset {
	members, outside := s.draw(size, j)
	clear(s.held)
	for _, i := range members {
		s.held[i/64] |= 1 << (i % 64)
	}
	return collect(s.held, s.n, outside, into)
}

// collect lists the players that are in held, or, where outside is true, the others.
func collect(held []uint64, n int, outside bool, into Subset) Subset {
	into = into[:0]
	for w, word := range held {
		if outside {
			word = ^word
			if rest := n - 64*w; rest < 64 {
				word &= 1<<rest - 1
			}
		}
		for ; word != 0; word &= word - 1 {
			into = append(into, int32(64*w+bits.TrailingZeros64(word)))
		}
	}
	return into
}

// independent draws k of n: Floyd's algorithm.
func (s *sampler) independent(size, k, j int) {
	s.source.Seed(mix(s.seed, forSubsets, uint64(size), uint64(j)), mix(s.seed, forSubsets+1, uint64(size), uint64(j)))
	clear(s.held)
	for i := s.n - k; i < s.n; i++ {
		t := below(&s.source, uint64(i)+1)
		if s.held[t/64]>>(t%64)&1 == 1 {
			t = uint64(i)
		}
		s.held[t/64] |= 1 << (t % 64)
		s.members = append(s.members, int32(t))
	}
}

// unrank makes a number below n over k a subset of k players.
func (s *sampler) unrank(rank uint64, k int) {
	for ; k > 0; k-- {
		column := s.choose[k]
		c := sort.Search(len(column), func(c int) bool { return column[c] > rank }) - 1
		rank -= column[c]
		s.members = append(s.members, int32(c))
	}
}

// shuffle numbers the subsets of a size in the order in which they are drawn.
func (s *sampler) shuffle(size, all int) []uint32 {
	order := s.shuffled[size]
	if order == nil {
		order = make([]uint32, all)
		s.source.Seed(mix(s.seed, forSubsets, uint64(size)), mix(s.seed, forSubsets+1, uint64(size)))
		for i := range order {
			// Inside out (Durstenfeld 1964).
			j := below(&s.source, uint64(i)+1)
			order[i] = order[j]
			order[j] = uint32(i)
		}
		s.shuffled[size] = order
	}
	return order
}

// permute is a permutation of the numbers below all.
func (s *sampler) permute(size int, all, x uint64) uint64 {
	half := (bits.Len64(all-1) + 1) / 2
	mask := uint64(1)<<half - 1
	key := mix(s.seed, forSubsets, uint64(size))
	for {
		left, right := x>>half, x&mask
		for round := range uint64(8) {
			left, right = right, left^(scramble(key+round*golden^right)&mask)
		}
		if x = left<<half | right; x < all {
			return x
		}
	}
}

// What numbers are drawn for, so that no two uses draw the same.
const (
	forSubsets = 2 * iota
	forRounds
	forOrders
)

const golden = 0x9e3779b97f4a7c15

// mix makes one number of the seed and others.
func mix(seed uint64, others ...uint64) uint64 {
	h := scramble(seed + golden)
	for _, x := range others {
		h = scramble(h ^ scramble(x+golden))
	}
	return h
}

// scramble is the last step of SplitMix64 (Steele, Lea and Flood 2014), a permutation.
func scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below draws a number below n, each with the same probability (Lemire 2019). Package
// rand promises the source's numbers to stay what they are, and not those of a Rand.
func below(source *rand.PCG, n uint64) uint64 {
	for {
		high, low := bits.Mul64(source.Uint64(), n)
		if low >= n || low >= -n%n {
			return high
		}
	}
}

// unit draws a number from 0 to 1, 1 left out.
func unit(x uint64) float64 { return float64(x>>11) / (1 << 53) }
