#!/usr/bin/env bash
# Installs what the tests need and runs them all; the runners' own summaries end the output.
#
#   ./test.sh                     everything
#   ./test.sh lint|rust|sanitizer|web|system
set -euo pipefail
cd "$(dirname "$0")"
. scripts/needs.sh

kinds=(lint rust sanitizer web system)
if [ $# -gt 0 ]; then
    for kind in "$@"; do
        case "$kind" in
            lint|rust|sanitizer|web|system) ;;
            *) echo "test.sh: $kind is not known; allowed: ${kinds[*]}" >&2; exit 2 ;;
        esac
    done
    kinds=("$@")
fi

need_packages gcc g++ make cmake nasm pkg-config libvpx-dev libx264-dev "${SOUND_PACKAGES[@]}" "${GSTREAMER_PACKAGES[@]}" clang xvfb xauth xterm openbox xdotool imagemagick x11-utils x11-apps xclip xsel \
    x11-xserver-utils x11-xkb-utils libx11-dev libglib2.0-dev fonts-dejavu-core fonts-noto-cjk chromium firefox-esr coturn pulseaudio pulseaudio-utils openssl procps python3 python3-pip python3-venv unzip \
    joystick evtest libsdl2-dev python3-gi gir1.2-gtk-3.0 python3-pyqt5
# For 32-bit programs under the interposer.
[ "$(dpkg --print-architecture)" != amd64 ] || need_packages gcc-multilib
need_cargo
need_node

logs=target/test-logs
rm -rf "$logs"
mkdir -p "$logs"
summaries=()

# Runs a command, keeps its output, and remembers the runner's summary lines (pattern $2).
run() {
    local name=$1 pattern=$2
    shift 2
    echo "== $name: $*"
    if ! "$@" 2>&1 | tee "$logs/$name.log"; then
        echo "== $name failed; its output is in $logs/$name.log" >&2
        exit 1
    fi
    if [ -n "$pattern" ]; then
        local found
        # A runner without a summary ran nothing, and that is a failure.
        if ! found=$(sed 's/\x1b\[[0-9;]*m//g' "$logs/$name.log" | grep -E "$pattern"); then
            echo "== $name printed no summary" >&2
            exit 1
        fi
        summaries+=("== $name" "$found")
    else
        summaries+=("== $name" "ok")
    fi
}

lint() {
    run fmt '' cargo fmt --all --check
    run clippy '' cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS='-D warnings' run rustdoc '' cargo doc --workspace --no-deps --locked
}

rust() {
    run rust '^test result' cargo test --workspace --locked --no-fail-fast
}

# A minute or two: it has a build folder of its own.
sanitizer() {
    run sanitizer '^(test result|caught: |sanitizer passed)' scripts/asan.sh
}

web() {
    run web-install '' npm --prefix web ci --no-audit --no-fund --loglevel=error
    run web '^ *Tests ' npm --prefix web test
    run web-build '' npm --prefix web run build
    run web-browser '^[1-9][0-9]* steps passed$' npm --prefix web run check:browser
}

system() {
    run build '^built:' ./run.sh --build-only
    run system-install '' npm --prefix tests ci --no-audit --no-fund --loglevel=error
    run system '^. (tests|pass|fail|skipped) ' npm --prefix tests test
    # A test that skips itself is a test that was not run.
    if grep -qE '^. skipped [1-9]' "$logs/system.log"; then
        echo "== system tests were skipped" >&2
        exit 1
    fi
}

for kind in "${kinds[@]}"; do
    "$kind"
done
printf '%s\n' "${summaries[@]}"
