#!/usr/bin/env bash
# Installs what the tests need and runs them all. The runners' own summaries end the output.
set -euo pipefail
cd "$(dirname "$0")"

packages=(gcc g++ clang pkg-config)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get -qq -o DPkg::Lock::Timeout=300 update
  $sudo apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "${missing[@]}"
fi

cargo test -p selkies-plugin-abi
