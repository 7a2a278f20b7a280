#!/usr/bin/env bash
# Installs what is missing, builds, and starts the host on a display of its own with a small desktop on it.
#
#   ./run.sh                     build and start; prints the address to open
#   ./run.sh --build-only        build only: dist/selkies-host, dist/plugins/, dist/web/, and for vendors of plugins
#                                dist/include/ and dist/templates/, for programs with gamepads dist/interposer/
#   ./run.sh -- --port 9000      what follows -- goes to the host
set -euo pipefail
cd "$(dirname "$0")"
. scripts/needs.sh

build_only=no
while [ $# -gt 0 ]; do
    case "$1" in
        --build-only) build_only=yes ;;
        --) shift; break ;;
        -h|--help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "run.sh: $1 is not known; allowed: --build-only, --help, -- HOST OPTIONS" >&2; exit 2 ;;
    esac
    shift
done

need_packages gcc g++ make cmake nasm pkg-config libvpx-dev libx264-dev "${SOUND_PACKAGES[@]}" "${GSTREAMER_PACKAGES[@]}"
[ "$build_only" = yes ] || need_packages xvfb openbox xterm fonts-dejavu-core x11-xkb-utils x11-xserver-utils procps
need_cargo
need_node

echo "== web client"
(cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build)

echo "== host and plugins"
cargo build --release --locked -p selkies-cli "${PLUGIN_CRATES[@]/#/-p}"

rm -rf dist
mkdir -p dist/plugins dist/include
cp target/release/selkies-host dist/
cp -r web/dist dist/web
cp plugin-api/include/*.h dist/include/
# Without what was built in them.
tar -C plugin-api --exclude=target --exclude=build --exclude=Cargo.lock -c templates | tar -C dist -x
for manifest in plugins/*/selkies-plugin.json; do
    name=$(basename "$(dirname "$manifest")")
    library=$(sed -n 's/.*"library": *"\([^"]*\)".*/\1/p' "$manifest" | head -n 1)
    mkdir -p "dist/plugins/$name"
    cp "$manifest" "target/release/$library" "dist/plugins/$name/"
done
plugins/interposer/build.sh dist/interposer
echo "built: dist/selkies-host, dist/plugins/, dist/web/, dist/include/, dist/templates/, dist/interposer/"
[ "$build_only" = yes ] && exit 0

# The host starts its own display when there is none in the environment.
exec env -u DISPLAY dist/selkies-host --plugins dist/plugins --desktop scripts/desktop.sh "$@"
