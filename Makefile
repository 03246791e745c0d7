# Groundwell. 'make help' lists what can be asked for.

SHELL := /bin/bash
PREFIX ?= /usr/local
# One build for everything: numeric loops need the optimiser, tests need @testable.
CONFIGURATION := -c release -Xswiftc -enable-testing
IMPORTS := --explicit-target-dependency-import-check error
BIN = $(shell swift build $(CONFIGURATION) --show-bin-path)
PYTHON := .venv/bin/python
ROUNDS ?= 200

.PHONY: help bootstrap build demo test test-swift test-python test-crash check lint bench install \
  uninstall clean golden fixtures fuzz parity torch pretrain pretrain-small show-crash show-scenes show-balance \
  show-fixtures show-parity show-unet bench-kernels show-stickers show-samplers show-codec show-serve \
  fuzz-codec show-clients show-soak sanitize show-draw show-forks examples show-limit show-fairness \
  show-gradients show-train-step show-fuzz train-grounding show-protocol-1 show-ablations show-drawn show-tokens \
  show-power show-errors show-failpoints show-flips show-scale show-ingest simulate

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

bootstrap: ## Installs what is missing: libraries, headers, a Python environment
	@scripts/bootstrap

build: bootstrap ## Builds the three programs
	swift build $(CONFIGURATION) $(IMPORTS) --product groundwelld
	swift build $(CONFIGURATION) $(IMPORTS) --product groundwell
	swift build $(CONFIGURATION) $(IMPORTS) --product groundwell-generator

demo: build ## Fills a store, streams balanced batches, draws pictures into demo-output/
	$(PYTHON) scripts/demo.py --bin $(BIN) --output demo-output

test: test-swift test-python test-crash ## Runs every test (Swift, Python, 20 rounds of kill -9)

test-swift: build
	swift test $(CONFIGURATION) $(IMPORTS)

test-python: build
	$(PYTHON) -m pytest python/tests -q

test-crash: build
	$(PYTHON) Benchmarks/show_crash.py --bin $(BIN) --rounds 20

golden: build ## Writes the golden frames and plans again, after a deliberate change
	GROUNDWELL_WRITE_GOLDEN=1 swift test $(CONFIGURATION) $(IMPORTS) --filter GoldenTests

lint: ## Checks the format of the Swift sources
	swift format lint --strict -r Sources schema Tests Package.swift

check: lint test ## Format, build without warnings, import directions, all tests

bench: build show-scenes ## Runs the benchmarks

show-crash: build ## Random kill -9 of daemon and workers: nothing lost (ROUNDS=200)
	$(PYTHON) Benchmarks/show_crash.py --bin $(BIN) --rounds $(ROUNDS)

POWER_CASES ?= 500
show-power: build ## 500 simulated power losses with torn and dropped writes: nothing lost (POWER_CASES)
	$(PYTHON) Benchmarks/show_power.py --bin $(BIN) --cases $(POWER_CASES)

show-failpoints: build ## Killed at every failpoint and opened again; every call of a commit refused once
	$(PYTHON) Benchmarks/show_failpoints.py --bin $(BIN)
	$(PYTHON) Benchmarks/show_errors.py --bin $(BIN)

show-errors: build ## ENOSPC, EIO, EMFILE, ENOMEM at each call of a commit and of an open: nothing lost
	$(PYTHON) Benchmarks/show_errors.py --bin $(BIN)

show-flips: build ## 1,000 random bit flips in packs and catalog: harmless or reported, none served
	$(PYTHON) Benchmarks/show_flips.py --bin $(BIN)

SCALE_COUNT ?= 1000000
show-scale: build ## 1,000,000 triplets: opens in 3 s, 400 MB, counts as quick as with 1,000 (SCALE_COUNT)
	$(PYTHON) Benchmarks/show_scale.py --bin $(BIN) --count $(SCALE_COUNT)

show-ingest: build ## Durable triplets per second against append and fdatasync of the same bytes
	$(PYTHON) Benchmarks/show_ingest.py --bin $(BIN)

show-scenes: build ## Scenes per second per core at 64 and 512; masks exact
	Benchmarks/show-scenes.sh $(BIN)

show-balance: build ## 1,000 streams of every policy: the rule at every prefix, same bytes after kill -9
	$(PYTHON) Benchmarks/show_balance.py --bin $(BIN)

show-draw: ## Drawing from 10,000 and from 10,000,000 triplets: the same time; memory of the index
	swift build $(CONFIGURATION) $(IMPORTS) --product DrawBenchmark
	$(BIN)/DrawBenchmark

show-fixtures: build ## Layers, networks, samplers and pictures against diffusers, from files
	Benchmarks/show-fixtures.sh $(CONFIGURATION) $(IMPORTS)

show-gradients: build ## Grounding: values and gradients against PyTorch, overfitting, exact resume
	Benchmarks/show-gradients.sh $(CONFIGURATION) $(IMPORTS)

show-train-step: build torch ## A training step of the 18.80 M module: time and memory against PyTorch
	PYTHONPATH=python $(TORCH) Benchmarks/show_train_step.py --bin $(BIN)

# Store, checkpoints and logs of grounding modules; a second call goes on where the first was stopped.
GROUNDING ?= $(HOME)/groundwell-training/grounding
train-grounding: build ## Trains the grounding modules of the three splits and installs them (long)
	$(PYTHON) Benchmarks/train_grounding.py --bin $(BIN) --out $(GROUNDING) --install

show-protocol-1: build ## Masks of the shipped modules on held-out scenes, three splits, against two baselines
	$(PYTHON) Benchmarks/show_protocol_1.py --bin $(BIN) --out $(GROUNDING)/protocol-1

show-tokens: build ## What a token tuned on one picture gains for the unseen categories found worst
	$(PYTHON) Benchmarks/show_tokens.py --bin $(BIN) --out $(GROUNDING)/tokens --store $(GROUNDING)/store

ABLATIONS ?= strategy size
show-ablations: build ## Modules by missed masks and data-set size (ABLATIONS="timestep level loss seen-count")
	@$(PYTHON) -c 'import matplotlib' 2>/dev/null \
	  || $(PYTHON) -m pip install -q --disable-pip-version-check matplotlib
	$(PYTHON) Benchmarks/show_ablations.py --bin $(BIN) --out $(GROUNDING)/ablations \
	  --store $(GROUNDING)/store --only $(ABLATIONS)

# PyTorch for the CPU, diffusers and transformers, in an environment of their own.
TORCH := .venv-torch/bin/python
torch:
	@test -x $(TORCH) || { echo "making the Python environment .venv-torch (PyTorch, diffusers)"; \
	  python3 -m venv .venv-torch && .venv-torch/bin/pip install -q --disable-pip-version-check \
	  -r python/fixtures/requirements.txt && .venv-torch/bin/pip install -q --no-deps -e python; }

fixtures: torch ## Writes Tests/Fixtures again, from small random models run by diffusers
	$(TORCH) python/fixtures/make_fixtures.py
	PYTHONPATH=python $(TORCH) python/fixtures/make_grounding_fixtures.py

parity: show-parity

show-parity: build torch ## Full-size random models side by side with diffusers: U-Net and VAE
	$(TORCH) Benchmarks/show_parity.py --bin $(BIN)

show-unet: build torch ## Seconds and memory of SD 1.5 shapes against PyTorch in the same run
	$(TORCH) Benchmarks/show_unet.py --bin $(BIN)

show-forks: build torch ## fork, spawn, forkserver, killed parents, 1,000 client deaths: nothing left
	$(TORCH) Benchmarks/show_forks.py --bin $(BIN)

examples: build torch ## Runs the two training examples, a short version of each
	PATH=$(BIN):$$PATH $(TORCH) examples/train_numpy.py --quick
	PATH=$(BIN):$$PATH $(TORCH) examples/train_segmentation.py --quick

# Pillow and the photographs of two wheels, which need none of their dependencies here.
CODEC := .venv-codec/bin/python
.venv-codec/bin/python:
	python3 -m venv .venv-codec
	.venv-codec/bin/pip install -q --disable-pip-version-check numpy pillow
	.venv-codec/bin/pip install -q --disable-pip-version-check --no-deps scikit-image scikit-learn

show-codec: build $(CODEC) ## Sizes and speeds of image codecs on photographs and scenes
	@dpkg-query -W libzstd-dev >/dev/null 2>&1 || { echo "show-codec: install libzstd-dev" >&2; exit 1; }
	$(CODEC) Benchmarks/show_codec.py --bin $(BIN)

FUZZ_COUNT ?= 1000000
show-fuzz: bootstrap ## 1,000,000 damaged inputs each for frames, JSON, importers, packs (FUZZ_COUNT)
	swift build $(CONFIGURATION) $(IMPORTS) --product FuzzBenchmark
	$(PYTHON) Benchmarks/show_fuzz.py --bin $(BIN) --count $(FUZZ_COUNT)

fuzz-codec: ## 60,000 damaged blobs under the address sanitizer
	@mkdir -p .build
	clang -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	  Benchmarks/codec/fuzz.c Sources/CCodec/*.c -llz4 -o .build/fuzz-codec 2>/dev/null
	.build/fuzz-codec 1 30000

show-serve: build ## Balanced batches per second against other loaders (installs them once)
	@test -s .venv-serve/peers.txt || Benchmarks/serve/setup.sh
	.venv-serve/bin/python Benchmarks/show_serve.py --bin $(BIN)

bench-kernels: build ## Kernels in C against the same in Swift; each must gain 1.3 times
	$(BIN)/groundwell-generator bench kernels --compare-swift --runs 50

# SIMULATION_SEED=N runs one again.
SIMULATIONS ?= 200
simulate: build ## 200 seeded runs of workers, clients, compaction and crashes on one store (SIMULATIONS)
	GROUNDWELL_SIMULATIONS=$(SIMULATIONS) GROUNDWELL_SIMULATION_SEED=$(SIMULATION_SEED) \
	  swift test $(CONFIGURATION) $(IMPORTS) --filter SimulationTests

fuzz: build ## 1,000,000 mutated weight files, none of which may trap
	GROUNDWELL_FUZZ=1000000 swift test $(CONFIGURATION) $(IMPORTS) --filter SafetensorsFileTests

# PyTorch and the model classes, in an environment of their own; OUT keeps checkpoints outside git.
PRETRAIN := PYTHONPATH=python .venv-pretrain/bin/python
OUT ?= $(HOME)/groundwell-training/stickers
.venv-pretrain/bin/python:
	python3 -m venv .venv-pretrain
	.venv-pretrain/bin/pip install -q --disable-pip-version-check -r python/pretrain/requirements.txt

pretrain: build .venv-pretrain/bin/python ## Trains the stickers model, or goes on with it (OUT=folder)
	$(PRETRAIN) -m pretrain train --out $(OUT) --bin $(BIN)

pretrain-small: build .venv-pretrain/bin/python ## A minute's training of a tiny model: all stages, exact resume
	$(PRETRAIN) -m pretrain.smoke --bin $(BIN)

# The model that ships, unless MODEL names another; RUN_THREADS for judges and runtime.
MODEL ?= Sources/Generator/Resources/stickers
RUN_THREADS ?= 2
show-stickers: build .venv-pretrain/bin/python ## Judges the shipped model, drawn by the Swift runtime, against its bounds
	$(PRETRAIN) -m pretrain.evaluate $(MODEL) --bin $(BIN) --runtime $(BIN)/groundwell-generator \
	  --threads $(RUN_THREADS) --out $(OUT)/evaluation

SPLIT ?= stickers-1
show-drawn: build .venv-pretrain/bin/python ## Grounding on drawn pictures, against the judges' network (SPLIT=stickers-1)
	$(PRETRAIN) -m pretrain.labelled $(MODEL) --runtime $(BIN)/groundwell-generator --out $(OUT)/drawn-$(SPLIT) \
	  --judges $(OUT)/evaluation/judges-256.pt --split Sources/Generator/Resources/splits/$(SPLIT).json
	$(BIN)/groundwell-generator evaluate protocol-1 --split $(SPLIT) --model $(MODEL) \
	  --folder $(OUT)/drawn-$(SPLIT)/pictures --out $(OUT)/drawn-$(SPLIT)

show-samplers: build .venv-pretrain/bin/python ## Every sampler on the shipped weights against diffusers, pixel by pixel
	$(PRETRAIN) Benchmarks/show_samplers.py --bin $(BIN) --model $(MODEL)

show-limit: build ## Bytes delivered per second against decoding alone and memcpy, at least 0.7 of the smaller
	$(PYTHON) Benchmarks/show_limit.py --bin $(BIN)

show-fairness: build ## A fast client beside one that holds on to its batches loses less than 5 %
	$(PYTHON) Benchmarks/show_fairness.py --bin $(BIN)

# Seconds that the soak lasts.
SECONDS_LONG = $(or $(SOAK_SECONDS),1200)
# Each in a build folder of its own; SANITIZERS=address for one, FILTER=WireTests for some suites.
SANITIZERS ?= address thread
sanitize: bootstrap ## The whole Swift test suite under the address and the thread sanitizer (long)
	scripts/sanitize $(SANITIZERS)

show-clients: build ## 1,000 idle clients, 50 active ones, and some that misbehave: the others are unharmed
	$(PYTHON) Benchmarks/show_clients.py --bin $(BIN)

show-soak: build ## Everything at once for 20 minutes (SOAK_SECONDS=1200): steady, promises hold
	$(PYTHON) Benchmarks/show_soak.py --bin $(BIN) --seconds $(SECONDS_LONG)

# What runs at other people's places has no failpoints.
install: export GROUNDWELL_FAILPOINTS = 0
install: build ## Installs programs, model, manual, completions and units under PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/groundwell
	install -m 755 $(BIN)/groundwelld $(BIN)/groundwell $(BIN)/groundwell-generator \
	  $(DESTDIR)$(PREFIX)/bin/
	cp -r $(addprefix Sources/Generator/Resources/,sprites stickers splits) \
	  $(DESTDIR)$(PREFIX)/share/groundwell/
	scripts/install-extras $(BIN) $(DESTDIR)$(PREFIX) $(PREFIX) $(PYTHON)

uninstall: ## Removes what install put under PREFIX
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,groundwelld groundwell groundwell-generator)
	rm -rf $(DESTDIR)$(PREFIX)/share/groundwell
	cd $(DESTDIR)$(PREFIX) && rm -f lib/systemd/user/groundwelld.service \
	  lib/systemd/user/groundwelld.socket share/man/man5/groundwelld.toml.5 \
	  share/man/man8/groundwelld.8 $(addprefix share/man/man1/,groundwell.1 groundwell-generator.1) \
	  $(foreach name,groundwell groundwelld groundwell-generator, \
	  share/bash-completion/completions/$(name) share/zsh/site-functions/_$(name) \
	  share/fish/vendor_completions.d/$(name).fish)

clean: ## Removes what was built
	rm -rf .build .venv demo-output
