package valuation

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Method says how the sizes of subsets are weighed. The zero Method is Shapley's.
type Method struct {
	kind kind
	a, b float64 // banzhaf: W; beta: A and B
}

type kind uint8

const (
	shapley kind = iota
	banzhaf
	beta
	leaveOneOut
	truncated
)

// ParseMethod reads shapley, banzhaf, banzhaf:W with 0 < W < 1, beta:A:B with A and B
// above 0 and at most 1e6, loo or tmc, in capitals or not.
func ParseMethod(text string) (Method, error) {
	name, rest, given := strings.Cut(strings.ToLower(text), ":")
	var numbers []float64
	for part := range strings.SplitSeq(rest, ":") {
		if !given {
			break
		}
		x, err := strconv.ParseFloat(part, 64)
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			return Method{}, fmt.Errorf("method %q: %q is no number", text, part)
		}
		numbers = append(numbers, x)
	}
	switch {
	case name == "shapley" && !given:
		return Method{}, nil
	case name == "loo" && !given:
		return Method{kind: leaveOneOut}, nil
	case name == "tmc" && !given:
		return Method{kind: truncated}, nil
	case name == "banzhaf" && !given:
		return Method{kind: banzhaf, a: 0.5}, nil
	case name == "banzhaf" && len(numbers) == 1:
		if w := numbers[0]; w <= 0 || w >= 1 {
			return Method{}, fmt.Errorf("method %q: the weight has to lie between 0 and 1", text)
		}
		return Method{kind: banzhaf, a: numbers[0]}, nil
	case name == "beta" && len(numbers) == 2:
		// Of larger ones log-gamma is so large that its rounding is seen in the weights.
		if min(numbers[0], numbers[1]) <= 0 || max(numbers[0], numbers[1]) > 1e6 {
			return Method{}, fmt.Errorf("method %q: both numbers have to be above 0, and 1e6 at most", text)
		}
		return Method{kind: beta, a: numbers[0], b: numbers[1]}, nil
	}
	return Method{}, fmt.Errorf("method %q: give shapley, banzhaf, banzhaf:W, beta:A:B, loo or tmc", text)
}

// String is what ParseMethod reads.
func (m Method) String() string {
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	switch m.kind {
	case banzhaf:
		if m.a == 0.5 {
			return "banzhaf"
		}
		return "banzhaf:" + number(m.a)
	case beta:
		return "beta:" + number(m.a) + ":" + number(m.b)
	case leaveOneOut:
		return "loo"
	case truncated:
		return "tmc"
	}
	return "shapley"
}

// LeaveOneOut is whether the method asks a subset for each player, and no other.
func (m Method) LeaveOneOut() bool { return m.kind == leaveOneOut }

// Sampled is whether the method draws subsets by size: all but loo and tmc.
func (m Method) Sampled() bool { return m.kind < leaveOneOut }

// Truncated is whether the method is tmc, whose bias is in no standard error.
func (m Method) Truncated() bool { return m.kind == truncated }

// Weights returns p_0 … p_(n-1): p_k weighs, over all subsets of k of the other players,
// the mean of what a player adds to them. They add up to 1.
//
//	shapley, tmc  p_k = 1/n                                        Shapley 1953
//	banzhaf:W     p_k = C(n-1,k)·W^k·(1-W)^(n-1-k)                 Wang and Jia 2023, Li and Yu 2023
//	beta:A:B      p_k = C(n-1,k)·Beta(k+B, n-1-k+A) / Beta(A,B)    Kwon and Zou 2022
//	loo           p_(n-1) = 1
//
// They are computed by log-gamma, so that no binomial overflows; those below 10^-308
// are 0.
func (m Method) Weights(n int) []float64 {
	p := make([]float64, n)
	switch m.kind {
	case leaveOneOut:
		p[n-1] = 1
		return p
	case banzhaf:
		up, down := math.Log(m.a), math.Log1p(-m.a)
		for k := range p {
			p[k] = math.Exp(logChoose(n-1, k) + float64(k)*up + float64(n-1-k)*down)
		}
	case beta:
		whole := logBeta(m.a, m.b)
		for k := range p {
			p[k] = math.Exp(logChoose(n-1, k) + logBeta(float64(k)+m.b, float64(n-1-k)+m.a) - whole)
		}
	default:
		for k := range p {
			p[k] = 1
		}
	}
	sum := 0.0
	for _, x := range p {
		sum += x
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

// logChoose is the logarithm of n over k.
func logChoose(n, k int) float64 {
	return logGamma(float64(n)+1) - logGamma(float64(k)+1) - logGamma(float64(n-k)+1)
}

func logBeta(a, b float64) float64 { return logGamma(a) + logGamma(b) - logGamma(a+b) }

func logGamma(x float64) float64 {
	l, _ := math.Lgamma(x)
	return l
}
