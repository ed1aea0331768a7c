# The two commands to begin with are "make demo" and "make test".

BIN     := bin/dvlcache
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go') go.mod go.sum
# A static binary starts faster.
BUILD   := CGO_ENABLED=0 go build -trimpath -ldflags='-s -w'

.PHONY: all build demo examples test test-deps lint bench fuzz clean

all: build

build: $(BIN)

$(BIN): $(SOURCES)
	$(BUILD) -o $@ .

# One call on real data, twice: the second answer comes from the cache.
demo: $(BIN)
	@sh docs/examples/iris/demo.sh "$(CURDIR)/$(BIN)"

# Each of docs/examples twice: what the first run took, and the second.
examples: $(BIN)
	@sh .ci/deps bash awk memcached parallel python3
	@sh .ci/examples $(BIN)

# All tests, under the race detector. What they need beyond Go they get.
test: test-deps lint
	go test -race -timeout 10m ./...

test-deps:
	@sh .ci/deps gcc bash awk memcached ip parallel python3

lint:
	@sh .ci/lint

# Whole processes, side by side, as ratios within one run.
bench: $(BIN)
	@sh .ci/deps hyperfine parallel
	@sh .ci/bench $(BIN)
	go test ./cache -run "^$$" -bench Guards

# Each fuzz target for a minute, or FUZZTIME.
FUZZTIME ?= 1m
fuzz:
	@sh .ci/fuzz $(FUZZTIME)

clean:
	rm -rf bin
