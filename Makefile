# make help lists the targets.

GO     ?= go
PYTHON ?= /usr/bin/python3
PORT   ?= 8000
ifeq ($(origin CC),default)
CC := gcc
endif

MODULE := build/mod_wsgi.so
DAEMON := build/mod_wsgi-daemon

# What compiling any package of this repository needs. Python's folder is in the flags a second time (pkg-config gives it
# too) because Go's build cache looks at the flags, not at what pkg-config says.
export CC
export CGO_ENABLED     := 1
export CGO_CFLAGS       = -O2 -g -I$(shell apxs -q INCLUDEDIR 2>/dev/null) $(shell apr-1-config --includes --cppflags 2>/dev/null) $(PYTHON_CFLAGS)
export PKG_CONFIG_PATH := $(CURDIR)/build/pkgconfig
PYTHON_CFLAGS           = $(shell cat build/pkgconfig/cflags 2>/dev/null)

.PHONY: help
help:
	@echo 'make build    build/mod_wsgi.so and build/mod_wsgi-daemon   (PYTHON=/path/to/python3.x chooses the Python)'
	@echo 'make run      serve a demonstration on http://127.0.0.1:$(PORT)/   (APP=/path/app.wsgi PORT=9000)'
	@echo 'make install  into the Apache of apxs; DESTDIR is honoured'
	@echo 'make test     everything that must pass before a commit'
	@echo 'make soak     1,100 graceful restarts and other long checks'
	@echo 'make bench    measure against the classic module, write docs/performance.md'
	@echo 'make deps     install what is missing (Debian); run and test do this themselves'
	@echo 'make clean    remove build/'

.DEFAULT_GOAL := build

# One build at a time: `make run` and `make test` may both be in this tree.
.PHONY: build
build: prepare
	@flock build/lock $(MAKE) --no-print-directory module daemon

# Also leaves build/env, for calling Go by hand: `. build/env && go test ./interp/`.
.PHONY: prepare
prepare:
	@.ci/prerequisites "$(GO)" "$(CC)" "$(PYTHON)"
	@mkdir -p build/pkgconfig
	@flags=$$("$(PYTHON)" .ci/embed.py build/pkgconfig) && echo "$$flags" >build/pkgconfig/cflags
	@printf "export CC='%s' CGO_ENABLED=1 CGO_CFLAGS='%s' PKG_CONFIG_PATH='%s'\n" "$$CC" \
	    "$$CGO_CFLAGS $$(cat build/pkgconfig/cflags)" "$$PKG_CONFIG_PATH" >build/env

.PHONY: module
module:
	@$(GO) build -trimpath -buildmode=c-archive -o build/archive/mod_wsgi.a ./cmd/mod_wsgi
	@.ci/link-module build/archive/mod_wsgi.a $(MODULE) "$(CC)" $$(pkg-config --libs python3-embed)

.PHONY: daemon
daemon:
	@$(GO) build -trimpath -o $(DAEMON) ./cmd/mod_wsgi-daemon

.PHONY: clean
clean:
	rm -rf build
