# What the scripts need from the machine; sourced by run.sh and test.sh.

# Every first-party plugin's crate.
PLUGIN_CRATES=()
for manifest in plugins/*/selkies-plugin.json; do
    PLUGIN_CRATES+=("$(sed -n 's/^name = "\(selkies-plugin-[^"]*\)"/\1/p' "${manifest%/*}/Cargo.toml" | head -n 1)")
done

# What the plugins over GStreamer link (of -bad: WebRTC), and the elements that they use. -bad brings a GPL library (x265): it is
# installed beside the host, and no part of it.
GSTREAMER_PACKAGES=(libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstreamer-plugins-bad1.0-dev
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-nice)

# What the plugin of PulseAudio links; it talks to pipewire-pulse as well. libopus comes with the crate, cmake builds it.
SOUND_PACKAGES=(libpulse0 libpulse-dev)

# Installs Debian packages that are missing, with sudo when not root.
need_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if ! command -v apt-get >/dev/null; then
        echo "These packages are missing and there is no apt-get to install them: ${missing[*]}" >&2
        exit 1
    fi
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    echo "== installing ${missing[*]}"
    "${sudo[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "${missing[@]}" >/dev/null
}

# True when version $1 is at least $2.
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

need_cargo() {
    local wanted=1.95.0 found
    [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
    found=$(cargo --version 2>/dev/null | awk '{print $2}') || found=
    if [ -z "$found" ] || ! at_least "$found" "$wanted"; then
        echo "cargo >= $wanted is needed, found: ${found:-none}. This brings it (apt-get install curl first if it is missing):" >&2
        echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --default-toolchain 1.95.0 && . \"\$HOME/.cargo/env\"" >&2
        exit 1
    fi
}

need_node() {
    local wanted=20.0.0 found
    found=$(node --version 2>/dev/null | tr -d v) || found=
    if [ -z "$found" ] || ! at_least "$found" "$wanted" || ! command -v npm >/dev/null; then
        echo "Node >= $wanted with npm is needed, found: ${found:-none}. This brings it:" >&2
        local sudo=
        [ "$(id -u)" -eq 0 ] || sudo="sudo -E "
        echo "  curl -fsSL https://deb.nodesource.com/setup_22.x | ${sudo}bash - && ${sudo}apt-get install -y nodejs" >&2
        exit 1
    fi
}
