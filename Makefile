# The commands a person needs. `make` alone lists them; what needs more than a line is in scripts/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
# Cargo and the tests share the machine among themselves; two targets at once would only queue.
.NOTPARALLEL:
.PHONY: help run setup test lint bench soak coverage breaking release-protos deny clean-data

BUF := clients/node_modules/.bin/buf
RELEASED := proto/released.binpb
TARGET := $(or $(CARGO_TARGET_DIR),target)

## Settings, as in `make soak SOAK_TESTS=kill STELLWERK_SOAK=20`:
# Arguments for `stellwerk dev`.
ARGS ?=
# How many rounds the long runs make, and the part of a name that chooses among them.
STELLWERK_SOAK ?= 1
SOAK_TESTS ?= soak
# Lines covered, in per cent, below which `make coverage` fails.
COVERAGE_MIN ?= 92

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## set up what is missing, build, and run everything on this machine (Ctrl-C stops it)
	@scripts/setup run
	cargo build --release --locked
	@# exec: no shell stays between make and stellwerk, so that a signal reaches it.
	@exec $(TARGET)/release/stellwerk dev $(ARGS)

setup: ## only set up what is missing: PostgreSQL's programs, the npm tools
	@scripts/setup all

test: setup lint ## lint, then every test: Rust, TypeScript, browser
	@# Named kinds instead of --all-targets, which would run the benches too.
	cargo test --locked --all-features --lib --bins --tests
	@# With the examples, the dependencies are those that the tests were built with.
	cargo build --locked --all-features --bins --examples
	cd clients/typescript && npm run build && npm run check && npm run size && npm test

lint: ## formatting, clippy, rustdoc and buf; warnings are errors
	@scripts/setup tools
	cargo fmt --check -p stellwerk -p stellwerk-proto
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --all-features
	$(BUF) lint
	$(BUF) format --diff --exit-code --path proto/stellwerk
	@$(MAKE) --no-print-directory breaking

bench: ## measure, fsync on; prints figures and ratios
	@scripts/setup database
	cargo bench --locked

soak: ## the long, repeated fault runs (STELLWERK_SOAK rounds of the tests named like SOAK_TESTS)
	@scripts/setup database
	@# A filter that names no test would pass in silence.
	@listed=$$(cargo test --locked --release --test it -- --list $(SOAK_TESTS)); \
	grep -q ': test$$' <<<"$$listed" || { echo "no test is named like $(SOAK_TESTS)" >&2; exit 1; }
	STELLWERK_SOAK=$(STELLWERK_SOAK) cargo test --locked --release --test it -- $(SOAK_TESTS) --nocapture --test-threads=1
	@# A client's test that fails once in twenty runs fails here.
	@scripts/setup all
	cargo build --locked --all-features --bins --examples
	cd clients/typescript && npm run build && for round in $$(seq 20); do npm test || exit 1; done

coverage: ## line coverage of the tests; the report is coverage/html/index.html
	@scripts/setup database
	@scripts/coverage --fail-under-lines $(COVERAGE_MIN)

breaking: ## would these protos break callers of the last release?
	@scripts/setup tools
	@# Built first: buf compares image with image, and there are two modules here.
	$(BUF) build -o - | $(BUF) breaking - --against $(RELEASED)

release-protos: ## part of a release: from now on `make breaking` compares with the protos as they are
	@scripts/setup tools
	$(BUF) build --exclude-source-info -o $(RELEASED)

deny: ## licences, banned crates and sources of the dependencies (installs cargo-deny: minutes)
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny --version 0.20.2
	cargo deny check licenses bans sources

clean-data: ## delete the data of `make run`: its PostgreSQL cluster, its keys and what the doubles remember
	@scripts/clean-data
