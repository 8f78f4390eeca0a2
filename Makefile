# The short way to everything: each target is one call of meson or of a script in tools/.
PREFIX ?= /usr/local
BUILD = build-rel

all:
	@tools/deps.sh build run
	@tools/build.sh $(BUILD)

# Runs the WordPress example, shows its page, and takes it down again (KEEP=1 leaves it running).
demo:
	@tools/demo.sh

test:
	@tools/ci.sh full

install:
	@tools/deps.sh build
	@tools/build.sh $(BUILD) -Dprefix=$(PREFIX)
	@meson install -C $(BUILD) --no-rebuild --strip --quiet $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

bench:
	@bench/run.py

fmt:
	@clang-format-14 -i $$(git ls-files '*.c' '*.h')

check:
	@tools/check.py

clean:
	rm -rf build build-*

.PHONY: all demo test install bench fmt check clean
