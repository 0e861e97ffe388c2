# `make run` is all that it takes; `make help` names the rest.
SHELL := /bin/bash
export PATH := $(HOME)/.cargo/bin:$(PATH)

CONFIG ?= etc/intercom.toml
TARGET := $(or $(CARGO_TARGET_DIR),target)
DRIVERS := $(shell sed -n 's/^\(\(camera\|microphone\|speaker\|display\)-[a-z0-9-]*\) = .*/\1/p' drivers/Cargo.toml)

.PHONY: help run build test fmt page lint drivers bench bench-audio bench-image check image update deb scripts test-image test-long

help:
	@echo 'make run      install what is missing, build, and start the intercom (CONFIG=FILE for other settings)'
	@echo 'make check    tell what the config would run, or what is wrong with it'
	@echo 'make test     run all tests, the ones with a real browser as well'
	@echo 'make test-image  all tests of the flashed image: pair, pull its plug, update, break and bring it back, leave parts out'
	@echo 'make test-long  the same with thirty power cuts (SEED=N for other moments)'
	@echo 'make bench    measure latency, rate, CPU and memory with a real browser, as one table'
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
	etc/deb/build $(TARGET)/release/intercom $(TARGET)/deb

# The quick ones come first, so that a slip is told early; the slow ones all run, so that one failure hides no other. What
# failed far above is told once more at the end.
test: fmt scripts page lint drivers
	@rm -f tests/artefacts/failures
	cargo test --release --workspace --no-fail-fast || { cat tests/artefacts/failures 2>/dev/null; exit 1; }

# The very file that is flashed, in a machine of QEMU's.
test-image:
	@.ci/prepare test
	cargo test --release --test guest -- appliance updates recovery bare disks

# What is too long for each change: all of that, and a plug that is pulled thirty times. `SEED=7` takes other moments.
test-long:
	@.ci/prepare test
	CUTS=30 cargo test --release --test guest -- appliance updates recovery bare disks

fmt:
	@.ci/prepare test
	cargo fmt --all --check

# What runs on the appliance, and what makes it.
scripts: fmt
	shellcheck .ci/prepare .ci/run image-build/build image-build/debs image-build/steps/* image-build/initrd/init image-build/recovery/recovery \
		image-build/overlay/usr/lib/intercom/* etc/deb/build etc/deb/p* tests/guest/build tests/guest/visitor tests/guest/variant

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

# In a machine of QEMU's that counts instructions, and so is much the same on each host.
bench-image:
	@.ci/prepare test
	cargo bench --bench image
