#!/usr/bin/env bash
# Runs the host's plugin layer and a C plugin under AddressSanitizer, and shows that it finds what it should.
#
# The plugin layer's tests are built with rustc's sanitizer, whose runtime stands in the test's program; a C plugin is
# compiled for the sanitizer and linked without a runtime of its own, so that there is one. Plugins that are not built
# for it are watched where they meet the heap.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_cargo

target=x86_64-unknown-linux-gnu
[ "$(uname -m)" = x86_64 ] || { echo "asan.sh: the kept plugins are for x86_64" >&2; exit 3; }
runtime=$(rustc --print sysroot)/lib/rustlib/$target/lib
ls "$runtime"/librustc-*_rt.asan.a >/dev/null 2>&1 || { echo "asan.sh: no AddressSanitizer runtime in $runtime" >&2; exit 3; }

work=$PWD/target/asan
plugins=$work/plugins
rm -rf "$plugins"
mkdir -p "$plugins"
manifest=tests/abi/source/c/selkies-plugin.json
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' "$manifest" > "$work/manifest.inc"

# c_plugin PLACE SOURCE FLAGS...: a folder of kept plugins with that one and the kept Rust one.
c_plugin() {
    local place=$plugins/$1 source=$2
    shift 2
    mkdir -p "$place/1-x86_64-c"
    gcc -std=c11 -O1 -g -fno-omit-frame-pointer -fPIC -fvisibility=hidden "$@" -Iplugin-api/include -I"$work" -c "$source" -o "$work/plugin.o"
    gcc -shared "$work/plugin.o" -o "$place/1-x86_64-c/libkept_c.so"
    cp "$manifest" "$place/1-x86_64-c/"
    cp -r tests/abi/kept/1-x86_64-rust "$place/"
}
c_plugin good tests/abi/source/c/kept.c -fsanitize=address
c_plugin overrun tests/abi/faults/overrun.c -fsanitize=address
c_plugin double-free tests/abi/faults/double_free.c -Wno-use-after-free

# A sanitizer is not in the stable language; the compiler has it all the same. -rdynamic: plugins find the runtime's
# functions in the program. Without optimisation, since the tests are short and the build is not.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address -Clink-arg=-rdynamic"
export ASAN_OPTIONS="detect_leaks=0:abort_on_error=0:exitcode=99:handle_abort=0"
test_plugins() {
    cargo test --quiet --locked -p selkies-plugin-host --target $target --target-dir "$work" \
        --config 'profile.dev.package."*".opt-level=0' "$@"
}

echo "== plugin layer under AddressSanitizer"
SELKIES_KEPT_PLUGINS=$plugins/good test_plugins --test kept --test instance_capture --test instance_desktop \
    --test instance_encoder --test instance_services --test instance_transport --test refusals

# caught NAME WHAT: the sanitizer ends the test of this plugin and says so.
caught() {
    local log=$work/$1.log
    if SELKIES_KEPT_PLUGINS=$plugins/$1 test_plugins --test kept every_kept_plugin_works >"$log" 2>&1; then
        echo "asan.sh: the plugin with a fault ($1) passed; see $log" >&2
        exit 1
    fi
    if ! grep -q "ERROR: AddressSanitizer: $2" "$log" || ! grep -q 'kept\.c' "$log"; then
        echo "asan.sh: the fault ($1) was not reported as $2 in kept.c; see $log" >&2
        exit 1
    fi
    echo "caught: $1 ($(grep -o "ERROR: AddressSanitizer: [a-z-]*" "$log" | head -n 1))"
}
caught overrun heap-buffer-overflow
caught double-free 'attempting double-free'
echo "sanitizer passed"
