# The two commands to begin with are "make demo" and "make test".

BIN     := bin/dvlcache
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go') go.mod go.sum
# A static binary starts faster.
BUILD   := CGO_ENABLED=0 go build -trimpath -ldflags='-s -w'

.PHONY: all build docs install dist demo examples test race test-deps lint bench fuzz torture clean

all: build docs

build: $(BIN)

# Man pages and completions, as the commands describe themselves.
docs: bin/share

bin/share: $(SOURCES)
	rm -rf $@
	go run ./cmd/internal/release docs $@

# make install PREFIX=$$HOME/.local, or with DESTDIR for packages.
PREFIX ?= /usr/local
install: $(BIN) bin/share
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/dvlcache
	cd bin/share && find . -type d -exec install -d $(DESTDIR)$(PREFIX)/share/{} \;
	cd bin/share && find . -type f -exec install -m 644 {} $(DESTDIR)$(PREFIX)/share/{} \;

# An archive for each platform, and checksums. One commit makes the same bytes
# anywhere with the same Go.
dist:
	go run ./cmd/internal/release dist bin/dist

$(BIN): $(SOURCES)
	$(BUILD) -o $@ .

# One call on real data, twice: the second answer comes from the cache.
demo: $(BIN)
	@sh docs/examples/iris/demo.sh "$(CURDIR)/$(BIN)"

# Each of docs/examples twice: what the first run took, and the second.
examples: $(BIN)
	@sh .ci/deps bash awk memcached parallel python3
	@sh .ci/examples $(BIN)

# Lint beside all tests. What they need beyond Go they get.
test: test-deps
	@$(MAKE) --no-print-directory -j2 lint race

# All tests, under the race detector; lint vets them. The limit is for tests that
# hang. What make hands to another make is not for those that the tests start.
race:
	MAKEFLAGS= MFLAGS= MAKELEVEL= go test -race -vet=off -timeout 30m ./...

test-deps:
	@sh .ci/deps gcc bash awk memcached ip parallel python3 strace
	@sh .ci/deps git tar gdb perl mpirun rsync sqlite3 sudo Rscript python3-tests python3-matplotlib fc-list || echo 'tests with these programs are left out' >&2

lint:
	@sh .ci/lint

# Whole processes, side by side, as ratios within one run. UPDATE=1 writes the
# figures into docs/performance.md.
bench: $(BIN)
	@sh .ci/deps bash hyperfine memcached parallel
	@sh .ci/bench $(BIN) $(if $(UPDATE),-update)
	go test ./cache/bolt -run "^$$" -bench Guards

# Each fuzz target for a minute, or FUZZTIME.
FUZZTIME ?= 1m
fuzz:
	@sh .ci/fuzz $(FUZZTIME)

# Faults for TIME, drawn from SEED; UPDATE=1 writes their counts into
# docs/guarantees.md. TORTURE is for further flags: -torture.faults=5000,
# -torture.only=17, -torture.kind=memcached.
TIME ?= 10m
SEED ?= 1
torture: test-deps
	go test ./cmd -run '^TestTorture$$' -v -timeout 0 -torture.time=$(TIME) -torture.seed=$(SEED) $(if $(UPDATE),-torture.update) $(TORTURE)

clean:
	rm -rf bin
