# make help lists the targets.

GO     ?= go
PYTHON ?= /usr/bin/python3
PORT   ?= 8000
APP    ?= testdata/demo/environ.wsgi
ifeq ($(origin CC),default)
CC := gcc
endif

MODULE := build/mod_wsgi.so
DAEMON := build/mod_wsgi-daemon

# What compiling any package of this repository needs. Python's folder is in the flags a second time (pkg-config gives it
# too) because Go's build cache looks at the flags, not at what pkg-config says. Nor at headers of other packages: two packages that
# are not of one mind about a struct crash.
export CC
export CGO_ENABLED     := 1
export CGO_CFLAGS       = -O2 -g -I$(shell apxs -q INCLUDEDIR 2>/dev/null) $(shell apr-1-config --includes --cppflags 2>/dev/null) $(PYTHON_CFLAGS) $(HEADERS)
export PKG_CONFIG_PATH := $(CURDIR)/build/pkgconfig
export HEADERS         := -DMW_HEADERS=$(shell cat interp/*.h daemon/*.h daemon/client/client.h module/edge.h module/*.inc | cksum | cut -d ' ' -f 1)
PYTHON_CFLAGS           = $(shell cat build/pkgconfig/cflags 2>/dev/null)

.PHONY: help
help:
	@echo 'make build    build/mod_wsgi.so and build/mod_wsgi-daemon   (PYTHON=/path/to/python3.x chooses the Python)'
	@echo 'make run      serve a demonstration on http://127.0.0.1:$(PORT)/   (APP=/path/app.wsgi PORT=9000)'
	@echo 'make install  what was built, into the Apache of apxs; DESTDIR is honoured'
	@echo 'make test     everything that must pass before a commit'
	@echo 'make soak     what clients notice of changes, beside the classic module, for docs/reliability.md; 1,100 graceful restarts  (an hour)'
	@echo 'make test-trixie  build and test under Debian trixie (Python 3.13); root only  (TRIXIE=/folder RUN=TestName)'
	@echo 'make leakcheck  200,000 requests of each kind leave references and memory level (a quarter of an hour)  (REQUESTS=20000)'
	@echo 'make sanitize  the tests with the C under AddressSanitizer and UBSan  (RUN=TestName)'
	@echo 'make bench    measure against the classic module, write docs/performance.md'
	@echo 'make deps     install what is missing (Debian); run and test do this themselves'
	@echo 'make clean    remove build/'

.DEFAULT_GOAL := build

# One build at a time: `make run` and `make test` may both be in this tree.
.PHONY: build
build: prepare
	@flock build/lock $(MAKE) --no-print-directory environment module daemon

.PHONY: prepare
prepare:
	@.ci/prerequisites "$(GO)" "$(CC)" "$(PYTHON)"
	@mkdir -p build/pkgconfig
	@flags=$$("$(PYTHON)" .ci/embed.py build/pkgconfig) && echo "$$flags" >build/pkgconfig/cflags

# For calling Go by hand: `. build/env && go test ./interp/`.
.PHONY: environment
environment:
	@printf "export CC='%s' CGO_ENABLED=1 CGO_CFLAGS='%s' PKG_CONFIG_PATH='%s'\n" \
	    "$$CC" "$$CGO_CFLAGS" "$$PKG_CONFIG_PATH" >build/env

# The interpreter whose library is linked: what sys.executable is in an application, wherever Apache's PATH leads.
export EXECUTABLE := import os, sys; print(os.path.join(sys.base_exec_prefix, "bin", "python%d.%d" % sys.version_info[:2]))

LINKED = -X modwsgi/interp.executable=$$("$(PYTHON)" -c "$$EXECUTABLE")

.PHONY: module
module:
	@$(GO) build -trimpath -buildmode=c-archive -ldflags "$(LINKED)" -o build/archive/mod_wsgi.a ./cmd/mod_wsgi
	@.ci/link-module build/archive/mod_wsgi.a $(MODULE) "$(CC)" $$(pkg-config --libs python3-embed)

.PHONY: daemon
daemon:
	@$(GO) build -trimpath -ldflags "$(LINKED)" -o $(DAEMON) ./cmd/mod_wsgi-daemon

# What `make build` left, for root often has no Go; built first only when there is nothing yet.
.PHONY: install
install:
	@[ -e $(MODULE) ] && [ -e $(DAEMON) ] || $(MAKE) --no-print-directory build
	@.ci/install $(MODULE) $(DAEMON) "$(PYTHON)"

.PHONY: deps
deps:
	@.ci/deps test

.PHONY: run
run:
	@.ci/deps run
	@$(MAKE) --no-print-directory build
	@.ci/serve $(MODULE) "$(APP)" "$(PORT)"

# Packages in which neither Python nor Apache is linked: the race detector needs all of a program's memory to be Go's.
PURE := ./directives/... ./daemon/telemetry/datagram ./daemon ./daemon/errorlog/... ./daemon/life/... ./daemon/setup/... ./daemon/supervisor/... ./module/apachetest/... ./module/steadyload/...

.PHONY: test
test: deps build lint
	$(GO) test -race $(PURE)
	$(GO) test -count 1 -timeout 20m $$($(GO) list ./... | grep -vxF "$$($(GO) list $(PURE))")

.PHONY: lint
lint: prepare
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt would change: $$unformatted" >&2; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

.PHONY: soak
soak: deps build
	MODWSGI_SOAK=1 $(GO) test -count 1 -timeout 150m -v -run Soak ./module/integration/

# Where the trixie system stays between runs. Not part of the continuous integration: the first run installs half a gigabyte.
TRIXIE ?= build/trixie
.PHONY: test-trixie
test-trixie:
	@.ci/deps trixie
	@.ci/trixie "$(TRIXIE)" "$(GO)" -count 1 -timeout 30m $(if $(RUN),-run '$(RUN)') ./interp/... ./module/integration/
	@MODWSGI_OWN_GILS=1 .ci/trixie "$(TRIXIE)" "$(GO)" -count 1 -timeout 30m $(if $(RUN),-run '$(RUN)') ./interp/gatewaytest/

# What each kind of request may leave behind: nothing. Python's debug build counts references.
REQUESTS ?= 200000
.PHONY: leakcheck
leakcheck:
	@.ci/deps leakcheck
	@$(MAKE) --no-print-directory build
	@.ci/leakcheck "$(GO)" "$(PYTHON)" "$(REQUESTS)"

# RUN is a pattern for the names of tests.
.PHONY: sanitize
sanitize: deps build
	@.ci/sanitize "$(GO)" "$(PYTHON)" "$(CC)" "$(RUN)"

.PHONY: bench
bench: deps build
	MODWSGI_BENCH=1 $(GO) test -count 1 -timeout 60m -v -run Bench ./module/integration/

.PHONY: clean
clean:
	rm -rf build
