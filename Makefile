# Redwing. `make help` lists the targets.
GO        ?= go
VERSION   ?= $(shell git describe --tags --always 2>/dev/null || echo dev)
LDFLAGS   := -s -w -X github.com/redwingdb/redwing/internal/node.Version=$(VERSION)
FUZZTIME  ?= 10s
PACKAGES  := ./...
# The tests of whole nodes run one package after the other: times count there, and two of
# them at once starve each other on a machine with two processors.
UNITS     = $$($(GO) list $(PACKAGES) | grep -v '/test/')
WHOLE     := ./test/...

.DEFAULT_GOAL := build
.PHONY: help build dev dev-down test test-long race lint fuzz bench bench-types fmt image redis

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 14

build: ## build bin/node and bin/clusterctl
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/node ./cmd/node
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/clusterctl ./cmd/clusterctl

dev: build ## start a local cluster of 3 primaries and 3 replicas in the background
	bin/clusterctl dev up

dev-down: build ## stop the local cluster and remove its data
	bin/clusterctl dev down

test: redis build ## run the tests (installs redis-server where it can)
	$(GO) test -short -timeout 10m $(UNITS)
	$(GO) test -short -timeout 10m -p 1 $(WHOLE)

test-long: redis build ## run the tests with all their seeds and rounds
	$(GO) test -timeout 60m $(UNITS)
	$(GO) test -timeout 60m -p 1 $(WHOLE)

race: redis build ## run the tests with the race detector and checked arenas
	$(GO) test -short -race -tags arenacheck -timeout 30m $(UNITS)
	$(GO) test -short -race -tags arenacheck -timeout 30m -p 1 $(WHOLE)

lint: ## gofmt, go vet, staticcheck, go mod tidy
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt:"; echo "$$out"; exit 1; fi
	$(GO) vet $(PACKAGES)
	$(GO) vet -tags arenacheck $(PACKAGES)
	$(GO) tool staticcheck $(PACKAGES)
	$(GO) mod tidy -diff

fuzz: ## run every fuzz target for FUZZTIME (default 10s)
	@for pkg in $$($(GO) list $(PACKAGES)); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

bench: redis build ## compare bin/node with redis-server side by side
	$(GO) run ./bench

bench-types: redis build ## compare what each type of value costs, BENCH='-quick -only CPU'
	$(GO) run ./bench -types $(BENCH)

image: build ## build the container image redwing:dev
	docker build -t redwing:dev -f deploy/Dockerfile .

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

# The tests ask the real redis-server how Redis behaves.
redis:
	@if command -v redis-server >/dev/null && command -v redis-cli >/dev/null && command -v redis-benchmark >/dev/null; then exit 0; fi; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq redis-server redis-tools >/dev/null; \
	else \
	  echo "redis-server, redis-cli or redis-benchmark is missing: install the packages redis-server and redis-tools" >&2; exit 1; \
	fi
