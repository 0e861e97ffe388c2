# `make run` is all that it takes; `make help` names the rest.
SHELL := /bin/bash
export PATH := $(HOME)/.cargo/bin:$(PATH)

CONFIG ?= etc/intercom.toml
TARGET := $(or $(CARGO_TARGET_DIR),target)
DRIVERS := $(shell sed -n 's/^\(\(camera\|microphone\|speaker\|display\)-[a-z0-9-]*\) = .*/\1/p' drivers/Cargo.toml)

.PHONY: help run build test fmt page lint drivers bench bench-audio check

help:
	@echo 'make run      install what is missing, build, and start the intercom (CONFIG=FILE for other settings)'
	@echo 'make check    tell what the config would run, or what is wrong with it'
	@echo 'make test     run all tests, the ones with a real browser as well'
	@echo 'make bench    measure latency, rate, CPU and memory with a real browser, as one table'
	@echo 'make bench-audio  measure echo, double talk and CPU of the sound in simulated rooms, as one table'
	@echo 'make build    only build'

build:
	@.ci/prepare build
	cargo build --release

run: build
	@exec $(TARGET)/release/intercom run --config $(CONFIG)

check: build
	@$(TARGET)/release/intercom check $(CONFIG)

# The quick ones come first, so that a slip is told early; the slow ones all run, so that one failure hides no other. What
# failed far above is told once more at the end.
test: fmt page lint drivers
	@rm -f tests/artefacts/failures
	cargo test --release --workspace --no-fail-fast || { cat tests/artefacts/failures 2>/dev/null; exit 1; }

fmt:
	@.ci/prepare test
	cargo fmt --all --check

# What the page decides by itself, without a browser.
page: fmt
	node --test $(wildcard tests/page/*.test.mjs)

lint: page
	cargo clippy --release --workspace --all-targets -- -D warnings

# Each driver must build without the others, and the crate without any.
drivers: lint
	@set -e; for feature in '' $(DRIVERS); do \
		echo "cargo check --package intercom-drivers --no-default-features --features '$$feature'"; \
		cargo check --quiet --release --package intercom-drivers --no-default-features --features "$$feature"; \
	done

bench:
	@.ci/prepare test
	cargo bench --bench browser

# Offline and faster than real time. `ONLY=words` takes the lines of the table that have these words in them.
bench-audio:
	@.ci/prepare test
	cargo bench --bench audio -- $(if $(ONLY),'$(ONLY)')
