# make demo   environment, requirements, simulated sky, index, page at http://localhost:8501
#             and API at http://localhost:8501/api/v1
# make index  the same without the page
# make test   environment with test extras, whole suite
# make spectra  docs/spectra.md and docs/spectra.json: the tokenizer of spectra on any grid
# make quality  a sky of its own, its index, and docs/quality.md and docs/quality.json from it
# make bench-encode  objects a second of the encoder beside the package, and docs/encoding.md; a quarter of an hour
# make bench-scale  one million vectors, beside other libraries; about half an hour on two free cores
# make bench-growth  one to ten million vectors, and searches with filters; about an hour
# make bench-200m  200 million vectors of 128 dimensions, streamed; hours, and 45 GB of disk
#     These three go on where they were broken off, write benchmarks/results and docs/scale.md, and
#     compare with benchmarks/budgets.toml.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= var/demo
OBJECTS ?= 3000
SEED ?= 7
JOBS ?= 2
QUALITY ?= var/quality
SPECTRA ?= var/spectra
SCALE ?= var/scale
ENCODING ?= var/encoding
# So many sources have 2,000 spectra, and more images of either survey, in cells held out for tests.
QUALITY_OBJECTS ?= 22000
QUALITY_SEED ?= 2024

.PHONY: demo index test quality spectra bench-scale bench-growth bench-200m bench-encode lint types browser clean

demo: index
	AION_SEARCH_INDEX=$(DEMO)/index AION_SEARCH_LABELS=$(DEMO)/sky/labels.parquet \
		$(BIN)/python -m streamlit run app/asgi.py --server.port 8501

index: $(VENV)/run.done $(DEMO)/sky/labels.parquet
	$(BIN)/python -m indexer build data_manifests/demo.toml $(DEMO)/index --root $(DEMO)/sky --jobs $(JOBS)

$(DEMO)/sky/labels.parquet: | $(VENV)/run.done
	$(BIN)/python -m demo_sky write $(DEMO)/sky --objects $(OBJECTS) --seed $(SEED)

test: $(VENV)/test.done
	$(BIN)/python -m pytest -m "not browser"

quality: $(VENV)/run.done $(QUALITY)/sky/labels.parquet
	$(BIN)/python -m indexer build data_manifests/demo.toml $(QUALITY)/index --root $(QUALITY)/sky --jobs $(JOBS)
	$(BIN)/python -m benchmarks.quality $(QUALITY) --docs docs --sky-seed $(QUALITY_SEED)

spectra: $(VENV)/run.done
	$(BIN)/python -m benchmarks.spectra $(SPECTRA) --docs docs

bench-scale: $(VENV)/peers.done
	$(BIN)/python -m benchmarks.scale peers $(SCALE)
	$(BIN)/python -m benchmarks.scale rates
	$(BIN)/python -m benchmarks.scale page
	$(BIN)/python -m benchmarks.scale check peers

bench-growth: $(VENV)/run.done
	$(BIN)/python -m benchmarks.scale growth $(SCALE)
	$(BIN)/python -m benchmarks.scale filtered $(SCALE)
	$(BIN)/python -m benchmarks.scale rates
	$(BIN)/python -m benchmarks.scale page
	$(BIN)/python -m benchmarks.scale check growth filtered

bench-200m: $(VENV)/run.done
	$(BIN)/python -m benchmarks.bench_200m $(SCALE)/200m --json benchmarks/results/scale-200m.json
	$(BIN)/python -m benchmarks.scale page

bench-encode: $(VENV)/run.done
	$(BIN)/python -m benchmarks.encoding rates $(ENCODING)
	$(BIN)/python -m benchmarks.encoding whole $(ENCODING)
	$(BIN)/python -m benchmarks.encoding feeding
	$(BIN)/python -m benchmarks.encoding page
	$(BIN)/python -m benchmarks.scale rates

# Labels are written last: a sky without them was broken off, and cannot be gone on with.
$(QUALITY)/sky/labels.parquet: | $(VENV)/run.done
	rm -rf $(QUALITY)/sky
	$(BIN)/python -m demo_sky write $(QUALITY)/sky --objects $(QUALITY_OBJECTS) --seed $(QUALITY_SEED)

browser: $(VENV)/browser.done index
	$(BIN)/python -m pytest -m browser

lint: $(VENV)/test.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/test.done
	$(BIN)/mypy

# torch comes first and alone: asked for by another package, pip would take a CUDA build.
$(VENV)/run.done: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$$(grep '^torch==' requirements.txt)"
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/test.done: $(VENV)/run.done pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[test]'
	touch $@

# Constrained, so that they leave the versions alone that the indexes are made with.
$(VENV)/peers.done: $(VENV)/run.done benchmarks/requirements.txt
	$(BIN)/python -m pip install --quiet -c requirements.txt -r benchmarks/requirements.txt
	touch $@

$(VENV)/browser.done: $(VENV)/test.done
	$(BIN)/python -m pip install --quiet -e '.[browser]'
	touch $@

clean:
	rm -rf $(DEMO)
