#!/usr/bin/env bash
# Builds the plugins with a fault, each in a folder with its manifest: OUTDIR/segfault/, OUTDIR/hang-encode/ and so on.
# Their ids are `faulty.` and the folder's name; `faulty.none` is the same encoder without a fault.
#
#   tests/faulty/build.sh OUTDIR
#
# The one in Rust (panic) is built by cargo, or taken from PANIC_LIBRARY where that names it.
set -euo pipefail
[ $# = 1 ] || { echo "usage: $0 OUTDIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

# Arguments: id, title, default of `after`, file name of the library.
manifest() {
    cat <<JSON
{
  "id": "faulty.$1",
  "name": "$2",
  "version": "0.1.0",
  "vendor": "selkies-host tests",
  "license": "MIT OR Apache-2.0",
  "library": "$4",
  "interfaces": ["selkies.encoder/1"],
  "kinds": ["encoder"],
  "config_schema": {
    "type": "object",
    "additionalProperties": false,
    "properties": { "after": { "type": "integer", "minimum": 0, "maximum": 4294967295, "default": $3 } }
  }
}
JSON
}

build_c() {
    local source=$1 name title after place
    name=$(basename "$source" .c | tr _ -)
    title=$(sed -n '1s|^/\* \(.*\)\. \*/$|\1|p' "$source")
    after=$(sed -n 's/^#define AFTER //p' "$source")
    place="$out/$name"
    mkdir -p "$place/build"
    manifest "$name" "$title" "$after" "libfaulty.so" > "$place/selkies-plugin.json"
    # The library carries the same text, as a C string.
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' "$place/selkies-plugin.json" > "$place/build/manifest.inc"
    gcc -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-empty-body -fPIC -fvisibility=hidden -shared -Wl,-z,defs -Wl,-z,now \
        -I "$root/plugin-api/include" -I "$place/build" "$source" -o "$place/libfaulty.so.new" -pthread -lm
    mv "$place/libfaulty.so.new" "$place/libfaulty.so"
    rm -r "$place/build"
}
export -f build_c manifest
export out root
printf '%s\0' *.c | xargs -0 -n 1 -P "$(nproc)" bash -euo pipefail -c 'build_c "$0"'

library=${PANIC_LIBRARY:-}
if [ -z "$library" ]; then
    (cd "$root" && cargo build --quiet --locked -p selkies-faulty-panic)
    library="${CARGO_TARGET_DIR:-$root/target}/debug/libselkies_faulty_panic.so"
fi
mkdir -p "$out/panic"
cp panic/selkies-plugin.json "$library" "$out/panic/"
