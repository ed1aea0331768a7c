package memcached

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"time"

	"dvlcache/cache"
)

// Names of what is stored.
const (
	memcachedPrefix = "dvlcache:"
	allTokenName    = memcachedPrefix + "g"
)

func hashName(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

func tokenName(namespace string) string { return allTokenName + ":" + hashName(namespace) }
func entryName(id cache.ID) string {
	return memcachedPrefix + "e:" + hashName(id.Namespace) + ":" + id.Key.String()
}
func leaseName(id cache.ID) string { return memcachedPrefix + "l:" + id.String() }

// A value is
//
//	kind | tokens | [signature] | record
//
// where kind says whether there is a signature: an HMAC-SHA256 over namespace,
// key, tokens and record.
const (
	kindPlain  = 'p'
	kindSigned = 's'
)

func (m *Store) sign(id cache.ID, tokens cache.Token, rec []byte) []byte {
	h := hmac.New(sha256.New, m.config.Secret)
	h.Write(binary.AppendUvarint(nil, uint64(len(id.Namespace))))
	h.Write([]byte(id.Namespace))
	h.Write(id.Key[:])
	h.Write(tokens[:])
	h.Write(rec)
	return h.Sum(nil)
}

// wrap makes a value of a record.
func (m *Store) wrap(id cache.ID, tokens cache.Token, rec []byte) []byte {
	if len(m.config.Secret) == 0 {
		return slices.Concat([]byte{kindPlain}, tokens[:], rec)
	}
	return slices.Concat([]byte{kindSigned}, tokens[:], m.sign(id, tokens, rec), rec)
}

// open returns the record of a value, or nil if it was cleared. Its error is a
// *RecordError.
func (m *Store) open(id cache.ID, tokens cache.Token, value []byte) ([]byte, error) {
	bad := func(reason string) ([]byte, error) { return nil, &cache.RecordError{ID: id, Reason: reason} }
	signed := len(m.config.Secret) > 0
	size := 1 + len(tokens)
	if signed {
		size += sha256.Size
	}
	switch {
	case len(value) > 0 && value[0] == kindSigned && !signed:
		return bad("it is signed, and DVLCACHE_SECRET is not set")
	case len(value) > 0 && value[0] == kindPlain && signed:
		return bad("it is not signed with DVLCACHE_SECRET")
	case len(value) < size || value[0] != kindPlain && value[0] != kindSigned:
		return bad("it is no record")
	}
	under, rec := cache.Token(value[1:1+len(tokens)]), value[size:]
	if signed && !hmac.Equal(value[1+len(tokens):size], m.sign(id, under, rec)) {
		return bad("it is signed with another DVLCACHE_SECRET, or was changed")
	}
	if under != tokens {
		return nil, nil
	}
	return rec, nil
}

// expiration is when an entry expires, in memcached's terms: beyond 30 days a
// time is absolute.
func (m *Store) expiration() int32 {
	seconds := int64((m.config.TTL + time.Second - 1) / time.Second)
	if seconds > 30*24*3600 {
		seconds += time.Now().Unix()
	}
	return int32(min(seconds, math.MaxInt32))
}
