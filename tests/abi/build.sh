#!/usr/bin/env bash
# Builds the kept plugins from today's ABI and keeps them, with today's header, under the number of a release:
#
#   tests/abi/build.sh 2         tests/abi/kept/2-x86_64-{c,rust}/, plugin-api/include/kept/selkies_plugin-2.h
#
# What is kept stays: a number is used once. plugin-api/ must be committed, since MADE names its trees.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

release=${1:-}
if ! [[ $release =~ ^[1-9][0-9]*$ ]]; then
    echo "build.sh: the number of the release is missing; kept are: $(ls tests/abi/kept)" >&2
    exit 2
fi
if [ -n "$(git status --porcelain plugin-api/abi plugin-api/sdk plugin-api/include tests/abi/source)" ]; then
    echo "build.sh: plugin-api or tests/abi/source has changes that are not committed" >&2
    exit 1
fi
arch=$(uname -m)
for kind in c rust; do
    if [ -e "tests/abi/kept/$release-$arch-$kind" ]; then
        echo "build.sh: tests/abi/kept/$release-$arch-$kind is kept already; take the next number" >&2
        exit 1
    fi
done

work=target/kept
rm -rf "$work/c" "$work/rust/crate"
mkdir -p "$work/c" "$work/rust"

echo "== c"
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' tests/abi/source/c/selkies-plugin.json > "$work/c/manifest.inc"
c_flags=(-std=c11 -O2 -Wall -Wextra -Werror -fPIC -fvisibility=hidden -shared -s -Wl,-z,defs -Wl,-z,now -Wl,--build-id=none)
gcc "${c_flags[@]}" -Iplugin-api/include -I"$work/c" tests/abi/source/c/kept.c -o "$work/c/libkept_c.so"

echo "== rust"
# The versions of this workspace; paths of this machine stay out of the file.
cp Cargo.lock tests/abi/source/rust/Cargo.lock
trap 'rm -f "$root/tests/abi/source/rust/Cargo.lock"' EXIT
rust_flags="--remap-path-prefix=$root=/selkies-host --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
RUSTFLAGS=$rust_flags cargo build --quiet --release --manifest-path tests/abi/source/rust/Cargo.toml --target-dir "$work/rust"

# What a person needs to make the file again.
made() {
    echo "library   $1"
    echo "sha256    $(sha256sum "$2" | cut -d' ' -f1)"
    echo "compiler  $3"
    echo "command   $4"
    echo "libc      $(ldd --version | sed -n 1p); it asks for $(objdump -T "$2" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)"
    for tree in plugin-api/abi plugin-api/sdk plugin-api/include "tests/abi/source/$5"; do
        echo "tree      $tree $(git rev-parse "HEAD:$tree")"
    done
}

keep() {
    local kind=$1 library=$2
    local place=tests/abi/kept/$release-$arch-$kind
    mkdir -p "$place"
    install -m 0644 "$library" "tests/abi/source/$kind/selkies-plugin.json" "$place/"
    made "$(basename "$library")" "$library" "$3" "$4" "$kind" > "$place/MADE"
    cat "$place/MADE"
}

keep c "$work/c/libkept_c.so" "$(gcc --version | sed -n 1p)" "gcc ${c_flags[*]}"
keep rust "$work/rust/release/libkept_rust.so" "$(rustc --version)" "cargo build --release, with RUSTFLAGS that name no path of the machine"

header=plugin-api/include/kept/selkies_plugin-$release.h
[ -e "$header" ] || cp plugin-api/include/selkies_plugin.h "$header"
