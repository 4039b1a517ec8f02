# The commands of this project. `make help` lists them.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
PRESET ?= dev
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)

.PHONY: help setup setup-build setup-test setup-check build test demo bench bench-record bench-micro build-bench check soak samplers format clean install

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: setup-build ## release binary: build/release/fluoro
	@cmake --preset release >build/release-configure.log 2>&1 || { cat build/release-configure.log; exit 1; }
	@cmake --build --preset release

demo: build ## builds, starts a server on a fresh folder, sends real traffic through it, shows the answer
	@build/release/fluoro demo

test: setup-test ## all tests: unit, property, crash, fuzz replay, layers, system with real clients
	@cmake --preset dev >build/dev-configure.log 2>&1 || { cat build/dev-configure.log; exit 1; }
	@cmake --build --preset dev
	@cd build/dev && ctest --output-on-failure -j $(JOBS)

bench: build-bench ## Fluoro beside ClickHouse, Jaeger and VictoriaLogs on the same spans, in turns: two tables (BENCH_ROUNDS=3; bench/README.md)
	@bench/side_by_side.py build/bench

bench-record: build-bench ## bench, and its tables go into docs/benchmarks.md
	@bench/side_by_side.py build/bench --record docs/benchmarks.md

bench-micro: build-bench ## micro benchmarks of single parts (Google Benchmark)
	@cmake --build --preset bench --target benches
	@bench/micro.sh build/bench

build-bench: setup-test
	@cmake --preset bench >build/bench-configure.log 2>&1 || { cat build/bench-configure.log; exit 1; }
	@cmake --build --preset bench --target fluoro

samplers: setup-test ## real samplers of every kind that can be had here, driven for minutes against a fresh server (SAMPLER_SECONDS=240)
	@cmake --preset $(PRESET) >build/$(PRESET)-configure.log 2>&1 || { cat build/$(PRESET)-configure.log; exit 1; }
	@cmake --build --preset $(PRESET) --target fluoro
	@scripts/sampler_clients.sh
	@FLUORO_BINARY=build/$(PRESET)/fluoro build/clients/python/bin/python tests/samplers/judge.py --seconds $(or $(SAMPLER_SECONDS),240)

soak: setup-test ## longer runs with new seeds: crashes, bit flips, fuzzing, abuse at full size, real samplers (SOAK_SECONDS=600, PRESET=dev or asan)
	@cmake --preset $(PRESET) >build/$(PRESET)-configure.log 2>&1 || { cat build/$(PRESET)-configure.log; exit 1; }
	@cmake --build --preset $(PRESET)
	@JOBS=$(JOBS) scripts/soak.sh build/$(PRESET)

check: setup-check ## before a push: format, tidy, dev, asan, tsan
	@scripts/check.sh

format: setup-check ## clang-format in place
	@git ls-files '*.h' '*.cc' | xargs clang-format-19 -i

install: build ## copies the binary to $(PREFIX)/bin
	@install -D -m 755 build/release/fluoro $(DESTDIR)$(PREFIX)/bin/fluoro

clean: ## removes all build trees
	@rm -rf build

setup: setup-test
setup-build setup-test setup-check: setup-%:
	@mkdir -p build
	@scripts/setup.sh $*
