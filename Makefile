# Every target makes .venv first if it is not there; nothing else has to be installed by hand.
# Variables: BITS ABITS LEVELS FRAC DEPTH UNIT SIGNED_ACT CHANNELS PIXELS PRECISION LANES TOTAL BUFFER GOLDEN LAYER (the unit), CKPT (a
# trained checkpoint), TABLE (of the paper), DATA (folder of a dataset), START (full-precision weights), EPOCHS, SEEDS,
# NETWORK, JOBS, IMAGES, LIBERTY (cells for gate equivalents), WIDTHS FORMS TARGETS DSP=1 (`synth`), UNITS FRACS SIDES
# TARGETS SCHEDULER (`sweep`), DEVICE ERROR FORM (`recommend`), DEVICES PLAN (`report`), FORCE=1 (do it again although nothing changed), PYTHON (the interpreter that makes .venv).

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

# Given options only, so that the defaults stay in one place, the command line programs.
option = $(if $($(2)),--$(1) '$($(2))')
UNIT_OPTIONS = $(call option,unit,UNIT) $(call option,bits,BITS) $(call option,abits,ABITS) \
	$(call option,levels,LEVELS) $(call option,frac,FRAC) $(call option,depth,DEPTH) $(call option,signed-act,SIGNED_ACT) \
	$(call option,channels,CHANNELS) $(call option,pixels,PIXELS) $(call option,precision,PRECISION) \
	$(call option,lanes,LANES) $(call option,shared,SHARED) $(call option,gated,GATED) $(call option,rows,ROWS) \
	$(call option,columns,COLUMNS) $(call option,stages,STAGES) $(call option,total,TOTAL) $(call option,hidden,HIDDEN) $(call option,buffer,BUFFER) $(call option,golden,GOLDEN) $(call option,layer,LAYER)
NETWORK_OPTIONS = $(call option,bits,BITS) $(call option,abits,ABITS) $(call option,levels,LEVELS) \
	$(call option,ckpt,CKPT) $(call option,data-folder,DATA)
FORCE_OPTION = $(if $(FORCE),--force)
HARDWARE_OPTIONS = $(call option,seeds,SEEDS) $(call option,liberty,LIBERTY) $(call option,scheduler,SCHEDULER)
# Golden vectors of the digits network at the widths that designs are compared at.
HARDWARE_GOLDEN = golden=$$($(PY) -m asq_model golden --widths 3x3,4x4,4x8,3x4,5x4)

.DEFAULT_GOAL := help
.PHONY: help sim verilog asq synth sweep recommend report unrolled golden reproduce parity arithmetic figures test bench lint clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

sim: $(READY) ## train, export golden vectors, emit RTL, simulate it in Verilator, report (BITS, CKPT)
	@$(PY) -m sim tools
	@golden=$$($(PY) -m asq_model golden $(NETWORK_OPTIONS) $(FORCE_OPTION)) && \
		$(PY) -m sim run "$$golden" $(FORCE_OPTION)

verilog: $(READY) ## write a unit's Verilog and JSON sidecar to build/verilog (UNIT; BITS … CHANNELS …)
	@$(PY) -m hw verilog $(UNIT_OPTIONS)

asq: $(READY) ## what adaptation costs: simulate and synthesise ASQ's blocks, page in build/report (CKPT)
	@golden=$$($(PY) -m asq_model golden $(NETWORK_OPTIONS)) && $(PY) -m sim asq "$$golden"

synth: $(VENV)/.synth ## area and clock of designs side by side, as a table (WIDTHS, FORMS, TARGETS, DSP=1, LIBERTY)
	@$(HARDWARE_GOLDEN) && $(PY) -m sim synth $$golden $(call option,widths,WIDTHS) $(call option,forms,FORMS) \
		$(call option,targets,TARGETS) $(if $(DSP),--dsp) $(HARDWARE_OPTIONS)

sweep: $(VENV)/.synth ## measure a grid of designs on Dask, table in build/sweep (BITS, UNITS, FRACS …, SCHEDULER)
	@$(HARDWARE_GOLDEN) && $(PY) -m sim sweep $$golden $(call option,bits,BITS) $(call option,abits,ABITS) \
		$(call option,units,UNITS) $(call option,levels,LEVELS) $(call option,fracs,FRACS) $(call option,lanes,LANES) \
		$(call option,sides,SIDES) $(call option,targets,TARGETS) $(HARDWARE_OPTIONS)

recommend: $(VENV)/.synth ## the best design of a sweep (DEVICE, BITS, ERROR, FORM)
	@$(PY) -m sim recommend $(call option,device,DEVICE) $(call option,bits,BITS) $(call option,error,ERROR) \
		$(call option,form,FORM)

report: $(VENV)/.synth ## compare everything: page and HTML file in build/report (DEVICES, PLAN, SEEDS, LIBERTY)
	@$(HARDWARE_GOLDEN) && $(PY) -m sim report $$golden $(call option,devices,DEVICES) $(call option,plan,PLAN) \
		$(if $(KNOWN),--known) $(HARDWARE_OPTIONS)

unrolled: $(VENV)/.synth ## layers with all weights known as adder graphs, page in build/report (CASES, SEEDS)
	@golden=$$($(PY) -m asq_model golden --bits 4) && \
		$(PY) -m sim unrolled $(or $(CASES),$$golden:block3.downsample.0:16x16) $(call option,seeds,SEEDS)

golden: $(READY) ## train (or take CKPT) and export golden vectors to build/golden
	@$(PY) -m asq_model golden $(NETWORK_OPTIONS) $(FORCE_OPTION)

reproduce: $(READY) ## a table of the paper beside the figures measured here (TABLE, DATA)
	@$(PY) -m asq_model reproduce $(TABLE) $(call option,data-folder,DATA) $(call option,warm-start,START) \
		$(call option,network,NETWORK) $(call option,epochs,EPOCHS) $(call option,seeds,SEEDS) $(call option,jobs,JOBS)

parity: $(READY) ## compare a network in integers with torch, layer by layer (CKPT, DATA, IMAGES, PRECISION)
	@$(PY) -m asq_model parity $(or $(CKPT),$$($(PY) -m asq_model train)) $(call option,data-folder,DATA) \
		$(call option,images,IMAGES) $(call option,precision,PRECISION)

arithmetic: $(READY) ## what the hardware's rounding of products costs networks in accuracy (CKPT, one or more; DATA, IMAGES)
	@$(PY) -m asq_model arithmetic $(or $(CKPT),$$($(PY) -m asq_model train)) $(call option,data-folder,DATA) \
		$(call option,images,IMAGES)

figures: $(READY) ## draw the paper's figures from the checkpoints of TABLE=5 to docs/results (DATA, NETWORK)
	@$(PY) -m asq_model figures $(call option,data-folder,DATA) $(call option,network,NETWORK) \
		$(call option,warm-start,START)

test: $(VENV)/.synth ## run the whole test suite
	@sh tests/icarus.sh $(VENV)
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) -m pytest -n 2 --dist loadgroup $(PYTEST)

bench: $(VENV)/.bench ## measure what quantisation costs a training step, beside full precision and Brevitas
	@$(PY) -m asq_model bench

lint: $(READY) ## check style and formatting
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

clean: ## leave the tree as cloned
	@rm -rf build $(VENV) *.egg-info .pytest_cache .hypothesis .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.bench $(VENV)/.synth: $(READY)
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(subst $(VENV)/.,,$@)]'
	@touch $@

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than Python 3.11, or missing; set PYTHON=path" >&2; exit 1; }
	@echo "making $(VENV) (some minutes the first time)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,onnx,plot,sim,test]'
	@touch $@
