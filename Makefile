# `make run` is all that it takes; `make help` names the rest.
SHELL := /bin/bash
export PATH := $(HOME)/.cargo/bin:$(PATH)

CONFIG ?= etc/intercom.toml
TARGET := $(or $(CARGO_TARGET_DIR),target)
DRIVERS := $(shell sed -n 's/^\(\(camera\|microphone\|speaker\|display\)-[a-z0-9-]*\) = .*/\1/p' drivers/Cargo.toml)

.PHONY: help run build check quick test unit sim parts package browser guest test-image test-long fuzz fmt style supply page lint drivers bench bench-audio bench-image image update deb

help:
	@echo 'make run      install what is missing, build, and start the intercom (CONFIG=FILE for other settings)'
	@echo 'make check    tell what the config would run, or what is wrong with it'
	@echo 'make quick    run the tests of units, simulation and page: no further packages, two minutes'
	@echo 'make test     run all tests in tiers, with a real browser and virtual machines; a table says how long each tier took'
	@echo 'make fmt      format the source'
	@echo 'make test-image  run all tests of the flashed image: pair, power cuts, updates, recovery, missing parts'
	@echo 'make test-long  the same with thirty power cuts (SEED=N for other moments)'
	@echo 'make fuzz     look for input that breaks something, guided by coverage, MINUTES=10 for each target (ONLY="offer call")'
	@echo 'make bench    measure latency, rate, CPU and memory with a real browser, and bad paths beside libwebrtc, as tables (RUNS=5 ONLY="path of" SEED=N)'
	@echo 'make bench-audio  measure echo, double talk and CPU of the sound in simulated rooms, as one table'
	@echo 'make bench-image  print what of the image takes how much, and how it starts, phase by phase, as two tables'
	@echo 'make image    build the image that is flashed, target/image/intercom-VERSION.img.zst'
	@echo 'make update   build what updates machines with that image, target/image/intercom-VERSION.update'
	@echo 'make deb      build a package for this release of Debian or Ubuntu, target/deb/intercom_VERSION_….deb'
	@echo 'make build    only build'

build:
	@.ci/prepare build
	cargo build --release

run: build
	@exec $(TARGET)/release/intercom run --config $(CONFIG)

check: build
	@$(TARGET)/release/intercom check $(CONFIG)

# One recipe makes both.
image update: build
	@.ci/prepare image
	image-build/build $(TARGET)/release/intercom $(TARGET)/image

deb: build
	@.ci/prepare image
	etc/deb/build $(TARGET)/release/intercom $(TARGET)/deb

# The inner loop: it installs nothing.
quick:
	@tests/run quick

test:
	@.ci/prepare test
	@tests/run

unit:
	cargo test --release --workspace --no-fail-fast --lib --bins
	cargo test --release --workspace --no-fail-fast --doc

sim:
	cargo test --release --workspace --no-fail-fast --test sim

# All that has no tier of its own.
PARTS := $(filter-out sim deb browser guest,$(patsubst tests/%/main.rs,%,$(wildcard tests/*/main.rs)))
parts:
	cargo test --release --workspace --no-fail-fast $(PARTS:%=--test %)

package:
	cargo test --release --workspace --test deb

browser:
	cargo test --release --workspace --test browser

guest:
	cargo test --release --workspace --test guest

# Guided by coverage, on stable Rust. What is learnt stays in tests/fuzz/corpus, what fails in tests/fuzz/crashes; make test
# replays both.
fuzz:
	@.ci/prepare fuzz
	@MINUTES='$(or $(MINUTES),10)' ONLY='$(ONLY)' tests/fuzz/run

# The very file that is flashed, in a machine of QEMU's.
test-image:
	@.ci/prepare test
	cargo test --release --test guest -- appliance updates recovery bare disks

# What is too long for each change: all of that, and a plug that is pulled thirty times. `SEED=7` takes other moments.
test-long:
	@.ci/prepare test
	CUTS=30 cargo test --release --test guest -- appliance updates recovery bare disks

fmt:
	cargo fmt --all

# Scripts run on the appliance, and make it.
style:
	cargo fmt --all --check
	shellcheck .ci/prepare .ci/run tests/run tests/fuzz/run tests/fuzz/engine/cc image-build/build image-build/debs image-build/steps/* image-build/initrd/init \
		image-build/recovery/recovery image-build/overlay/usr/lib/intercom/* etc/deb/build etc/deb/p* etc/notices/build tests/guest/build tests/guest/visitor \
		tests/guest/variant tests/bench/yardstick/prepare

# What the program is made of, by deny.toml, which also says why known vulnerabilities are asked for by hand.
supply:
	cargo deny check -D warnings licenses bans sources

# What the page decides by itself, without a browser.
page:
	@command -v node >/dev/null || { echo 'page tests NOT RUN: node is missing'; exit 0; }; \
	node --test $(wildcard tests/page/*.test.mjs)

lint:
	cargo clippy --release --workspace --all-targets -- -D warnings

# Each driver must build without the others, and the crate without any.
drivers:
	@set -e; for feature in '' $(DRIVERS); do \
		echo "cargo check --package intercom-drivers --no-default-features --features '$$feature'"; \
		cargo check --quiet --release --package intercom-drivers --no-default-features --features "$$feature"; \
	done

# Medians of three, or of `RUNS=5`. `ONLY=words` takes the lines that have these words in them: `ONLY='path of 300'`.
bench:
	@.ci/prepare test
	cargo bench --bench browser -- $(if $(RUNS),--runs $(RUNS)) $(if $(ONLY),--only '$(ONLY)') $(if $(SEED),--seed $(SEED))

# Offline and faster than real time. `ONLY=words` takes the lines of the table that have these words in them.
bench-audio:
	@.ci/prepare test
	cargo bench --bench audio -- $(if $(ONLY),'$(ONLY)')

# In a machine of QEMU's that counts instructions, and so is much the same on each host.
bench-image:
	@.ci/prepare test
	cargo bench --bench image
