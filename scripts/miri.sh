#!/usr/bin/env bash
# Runs the ABI's layouts and the SDK's guards under miri, which finds undefined behaviour in unsafe Rust. Only tests
# that run no foreign code can: the others load libraries or start compilers.
#
# Ends with 3 where miri is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/needs.sh
need_cargo

if ! cargo +nightly miri --version >/dev/null 2>&1; then
    echo "miri.sh: miri is not installed, nothing was checked; this brings it:" >&2
    echo "  rustup toolchain install nightly --component miri" >&2
    exit 3
fi
# The sources are read by the tests of the lists, and threads of the SDK hand instances over as numbers.
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance"
cargo +nightly miri test --locked --target-dir target/miri -p selkies-plugin-abi --test layout
cargo +nightly miri test --locked --target-dir target/miri -p selkies-plugin-sdk --no-default-features --lib guard::
echo "miri passed"
