#!/usr/bin/env bash
# Builds the plugins with a fault, each in a folder with its manifest: OUTDIR/segfault/, OUTDIR/hang-encode/ and so on.
# Their ids are `faulty.` and the folder's name; `faulty.none` is the same encoder without a fault.
#
# Those of desktop/faults have another table than the encoder's in their name: OUTDIR/capture-deaf/ is
# `faulty.capture-deaf`.
#
#   tests/faulty/build.sh OUTDIR [NAME...]         all, or only these: segfault, capture-deaf
#
# Those of timing/ are for tests of the host's patience, and are built only when they are named.
#
# Those that begin with vp8- or vp9- are an encoder on top of libvpx, one of each without a fault.
#
# gtype-one and gtype-two have one GType name, which makes each of them right and both together wrong.
#
# The one in Rust (panic) is built by cargo, or taken from PANIC_LIBRARY where that names it.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: $0 OUTDIR [NAME...]" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
wanted=" $* "
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

# Arguments: name, title, table, properties of the configuration as JSON.
manifest() {
    cat <<JSON
{
  "id": "faulty.$1",
  "name": "$2",
  "version": "0.1.0",
  "vendor": "selkies-host tests",
  "license": "MIT OR Apache-2.0",
  "library": "libfaulty.so",
  "interfaces": ["selkies.$3/1"],
  "kinds": ["$3"],
  "config_schema": { "type": "object", "additionalProperties": false, "properties": $4 }
}
JSON
}

# True when the plugin of this name is to be built.
is_wanted() {
    [ "$wanted" = "  " ] || [[ "$wanted" == *" $1 "* ]]
}

# Arguments: name, title, table, properties, source, more for the compiler.
build() {
    is_wanted "$1" || return 0
    local place="$out/$1" properties=$4 source=$5
    mkdir -p "$place/build"
    manifest "$1" "$2" "$3" "$properties" > "$place/selkies-plugin.json"
    shift 5
    # The library carries the same text, as a C string.
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' "$place/selkies-plugin.json" > "$place/build/manifest.inc"
    gcc -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-empty-body -fPIC -fvisibility=hidden -shared -Wl,-z,defs -Wl,-z,now \
        -I "$root/plugin-api/include" -I "$root/tests/faulty" -I "$place/build" "$source" \
        -o "$place/libfaulty.so.new" -pthread -lm "$@"
    mv "$place/libfaulty.so.new" "$place/libfaulty.so"
    rm -r "$place/build"
}

build_encoder() {
    local title after
    title=$(sed -n '1s|^/\* \(.*\)\. \*/$|\1|p' "$1")
    after=$(sed -n 's/^#define AFTER //p' "$1")
    build "$(basename "$1" .c | tr _ -)" "$title" encoder \
        '{ "after": { "type": "integer", "minimum": 0, "maximum": 4294967295, "default": '"$after"' } }' "$1"
}

build_desktop() {
    local table fault title
    read -r table fault title <<< "$1"
    build "$table-$fault" "$title" "$table" '{}' desktop/desktop.c "-DTABLE=\"$table\"" "-DFAULT=\"$fault\""
}

build_gtype() {
    is_wanted "gtype-$1" || return 0
    local flags
    read -ra flags <<< "$(pkg-config --cflags --libs gobject-2.0)"
    build "gtype-$1" 'A GType that another plugin has, too' encoder \
        '{ "after": { "type": "integer", "minimum": 0, "maximum": 4294967295, "default": 1 } }' gtype/gtype.c "${flags[@]}"
}

# Arguments: codec, fault, title.
build_vpx() {
    build "$1-$2" "$3" encoder '{}' vpx/vpx.c "-DVP9=$([ "$1" = vp9 ] && echo 1 || echo 0)" "-DFAULT=\"$2\"" -lvpx
}
export -f manifest is_wanted build build_encoder build_desktop
export out root wanted
sources=(*.c)
for source in timing/*.c; do
    name=$(basename "$source" .c | tr _ -)
    if [[ "$wanted" == *" $name "* ]]; then sources+=("$source"); fi
done
printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -euo pipefail -c 'build_encoder "$0"'
grep -v '^#' desktop/faults | tr '\n' '\0' | xargs -0 -n 1 -P "$(nproc)" bash -euo pipefail -c 'build_desktop "$0"'

build_gtype one
build_gtype two
for codec in vp8 vp9; do
    build_vpx "$codec" none 'No fault'
    build_vpx "$codec" wrong-picture 'Encodes black instead of the picture that it was given'
    build_vpx "$codec" wrong-size 'Codes sixteen columns less than it was told to'
    build_vpx "$codec" cut-packet 'Keyframes end after their header'
    build_vpx "$codec" false-keyframe 'Begins with a delta that says it is a keyframe'
done

if ! is_wanted panic; then
    exit 0
fi
library=${PANIC_LIBRARY:-}
if [ -z "$library" ]; then
    (cd "$root" && cargo build --quiet --locked -p selkies-faulty-panic)
    library="${CARGO_TARGET_DIR:-$root/target}/debug/libselkies_faulty_panic.so"
fi
mkdir -p "$out/panic"
cp panic/selkies-plugin.json "$library" "$out/panic/"
