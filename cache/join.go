package cache

import (
	"cmp"
	"slices"
)

// Join adds what another state of the same entry has, of the same period, which was
// stored side by side with this one. It is commutative, associative and idempotent, but
// for the order of samples of the same second and for Own, as Series.Merge is; and as
// long as there are no more than MaxVariants variants. Of two single numbers of one call
// the later one stays; whether the other is among the samples, should they be averaged
// later on, hangs on the order. o is not changed, and may share memory with e then.
func (e *Entry) Join(o *Entry) {
	if e.Created.IsZero() || !o.Created.IsZero() && o.Created.Before(e.Created) {
		e.Created = o.Created
	}
	if e.List == nil {
		e.List = o.List
	}
	if e.List != nil || o.Empty() {
		return
	}
	all := make([]Variant, 0, MaxVariants)
	for _, v := range e.Variants() {
		all = append(all, *v)
	}
	for _, from := range o.Variants() {
		i := slices.IndexFunc(all, func(v Variant) bool { return v.Inputs.Equal(from.Inputs) })
		if i < 0 {
			all = append(all, from.clone())
		} else {
			all[i].joinState(from)
		}
	}
	if len(all) > 1 {
		slices.SortStableFunc(all, func(a, b Variant) int { return b.latest().compare(a.latest()) })
	}
	e.Variant, e.Earlier = all[0], all[1:min(len(all), MaxVariants)]
}

// joinState adds what another state of the same variant has.
func (v *Variant) joinState(o *Variant) {
	if o.Output != nil && (v.Output == nil || v.Output.moment().compare(o.Output.moment()) < 0) {
		v.Output, v.command = o.Output, o.command
	}
	for i := range o.Series {
		from := &o.Series[i]
		switch s := v.Find(from.Extraction); {
		case s == nil:
			v.Series = append(v.Series, *from)
		case s.Repeated || from.Repeated:
			s.Merge(from)
		case s.latest().compare(from.latest()) < 0:
			*s = *from
		}
	}
}

// Absorb joins the variant with these inputs, if there is one besides, into the latest.
func (e *Entry) Absorb(in Inputs) {
	i := slices.IndexFunc(e.Earlier, func(v Variant) bool { return v.Inputs.Equal(in) })
	if i < 0 || e.Inputs.Equal(in) {
		return
	}
	e.Variant.joinState(&e.Earlier[i])
	e.Earlier = slices.Delete(e.Earlier, i, i+1)
}

// moment is when an evaluation ended, and, of two in one second, which.
type moment struct {
	seconds int64
	id      uint64
}

func (m moment) compare(o moment) int {
	return cmp.Or(cmp.Compare(m.seconds, o.seconds), cmp.Compare(m.id, o.id))
}

func (o *Output) moment() moment { return moment{unix(o.Time), o.ID} }

// latest is that of the samples that are kept.
func (s *Series) latest() (m moment) {
	for i := range s.Samples {
		if at := (moment{unix(s.Samples[i].Time), s.Samples[i].ID}); at.compare(m) > 0 {
			m = at
		}
	}
	return m
}

// latest is that of all evaluations that are known.
func (v *Variant) latest() (m moment) {
	if v.Output != nil {
		m = v.Output.moment()
	}
	for i := range v.Series {
		if at := v.Series[i].latest(); at.compare(m) > 0 {
			m = at
		}
	}
	return m
}

// Extend has new samples of each series go to an origin of which mine says that this
// many samples of it are the caller's latest, and nobody else's; or to a new one.
func (e *Entry) Extend(mine func(origin uint64) int64) {
	for _, v := range e.Variants() {
		for i := range v.Series {
			s := &v.Series[i]
			s.Own = 0
			for _, o := range s.Origins {
				if mine(o.ID) == o.Count {
					s.Own = o.ID
				}
			}
		}
	}
}

// Extended calls f with each origin that new samples of e may have gone to.
func (e *Entry) Extended(f func(origin uint64, count int64)) {
	for _, v := range e.Variants() {
		for i := range v.Series {
			if s := &v.Series[i]; s.Repeated {
				if at, ok := s.origin(s.Own); ok {
					f(s.Own, s.Origins[at].Count)
				}
			}
		}
	}
}
