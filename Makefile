# Targets are printed by bare `make`. Everything is built inside this folder: .venv/, build/, demo/, dist/.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.built
SOURCES := setup.py pyproject.toml $(wildcard minengine/*.pyx minengine/*.pxd minengine/simd/*.h)

.PHONY: help build demo test lint debug sanitize verify site student-site lessons wheel student-wheel clean
help: ## print the targets
	@echo "make TARGET, where TARGET is one of"; \
	sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

build: $(STAMP) ## make .venv with everything in it and compile the engine

$(STAMP): $(SOURCES)
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: apt-get install python3 python3-dev python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, this is $$($(PYTHON) -V)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	@command -v $${CC:-cc} >/dev/null || { echo "a C compiler is missing: apt-get install build-essential"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' \
	  || { echo "Python's headers are missing: apt-get install python3-dev"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing what the course needs into .venv (a minute or two the first time)"
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]'
	@$(BIN)/python setup.py -q build_ext --inplace
	@touch $@

demo: build ## the main job: generate text, release an assignment, grade a class of 24, mark a quiz
	@$(BIN)/python course/demo.py

# Two at once: those that start sandboxes, kernels and browsers wait a lot, the others count.
GRADERS = tests/autograder tests/assignments
test: build lint ## run every test, the graders' beside the others
	@mkdir -p build; $(BIN)/python -m pytest $(GRADERS) >build/graders.log 2>&1 & graders=$$!; \
	  $(BIN)/python -m pytest $(addprefix --ignore=,$(GRADERS)); others=$$?; \
	  wait $$graders; code=$$?; cat build/graders.log; exit $$((others || code))

lint: build ## ruff format and lint
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .

# Other builds of the units stand beside, in build/debug and build/sanitize, with a copy of the tests.
# What stops the process says so on stderr, which pytest must not catch: --capture=sys.
BESIDE = rm -rf build/$@ && mkdir -p build/$@ \
  && cp -r setup.py pyproject.toml README.md LICENSE minengine bench course tests build/$@/ && cd build/$@ \
  && export PYTHONPATH=$(CURDIR)/build/$@ && PY="$$(cd $(CURDIR) && realpath -s $(BIN))/python"
RUNTIME = $$($${CC:-gcc} -print-file-name=libasan.so):$$($${CC:-gcc} -print-file-name=libubsan.so)

debug: build ## the engine's tests on units with bounds checks
	@$(BESIDE) && MINENGINE_DEBUG=1 $$PY setup.py -q build_ext --inplace --force \
	  && $$PY -m pytest tests/minengine

sanitize: build ## the engine's tests and 2,000 broken files under AddressSanitizer and UBSan
	@$(BESIDE) && MINENGINE_SANITIZE=1 $$PY setup.py -q build_ext --inplace --force \
	  && export LD_PRELOAD=$(RUNTIME) PYTHONMALLOC=malloc UBSAN_OPTIONS=print_stacktrace=1 \
	  && export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
	  && $$PY -m pytest --capture=sys tests/minengine && $$PY bench/fuzz_gguf.py --count 2000

verify: build ## grade the graders: the whole bank, right ones on 100 seeds; build/verify.html
	@mkdir -p build && $(BIN)/autograder verify --html build/verify.html

site: build ## the course's web site for instructors into build/site/instructors/html
	@$(BIN)/python -m course.site

student-site: build ## the students' site, closed code left out, into build/site/students/html
	@$(BIN)/python -m course.site --student

lessons: build ## the lessons as notebooks for students into build/site/students/lessons.zip
	@$(BIN)/python -m course.site --notebooks --student

wheel: build ## sdist and wheel into dist/
	@rm -rf dist && $(BIN)/python -m build --outdir dist . >build/wheel.log 2>&1 || { cat build/wheel.log; exit 1; }
	@ls dist

student-wheel: wheel ## the wheel for students into dist/student/: reference compiled, sources left out
	@MINENGINE_STUDENT=1 $(BIN)/pip wheel -q --no-deps --no-cache-dir -w dist/student dist/minengine-*.tar.gz
	@ls dist/student

clean: ## remove what was built
	rm -rf .venv build demo dist minengine/*.so *.egg-info
