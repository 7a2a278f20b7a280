#!/bin/sh
# Builds the interposer for this machine, and for 32-bit programs where gcc can (package gcc-multilib on Debian):
#
#   build.sh FOLDER    FOLDER/lib/TRIPLET/selkies_joystick_interposer.so, so that LD_PRELOAD may say 'FOLDER/$LIB/...';
#                      FOLDER/lib/TRIPLET/udev/libudev.so.1, the stand-in for udev
set -eu
here=$(dirname "$0")
out=${1:?build.sh: name a folder}

options="-std=gnu11 -O2 -g -Wall -Wextra -Wno-unused-parameter -Wno-nonnull-compare -U_FORTIFY_SOURCE -fPIC -fvisibility=hidden
    -shared -pthread -Wl,-z,now -Wl,-z,noexecstack"

build() {
    triplet=$1
    shift
    mkdir -p "$out/lib/$triplet"
    # In a folder of its own, so that LD_LIBRARY_PATH can name it.
    mkdir -p "$out/lib/$triplet/udev"
    gcc "$@" $options -Wl,-soname,libudev.so.1 "$here"/real.c "$here"/devices.c "$here"/udev.c "$here"/udev-device.c \
        "$here"/udev-monitor.c \
        -o "$out/lib/$triplet/udev/libudev.so.1" -ldl
    gcc "$@" $options "$here"/real.c "$here"/devices.c "$here"/handles.c "$here"/joystick.c "$here"/event.c "$here"/effects.c \
        "$here"/calls.c "$here"/stats.c -o "$out/lib/$triplet/selkies_joystick_interposer.so" -ldl
}

build "$(gcc -print-multiarch)"
case $(gcc -dumpmachine) in
    x86_64-*)
        if echo 'int main(void) { return 0; }' | gcc -m32 -x c - -o /dev/null 2>/dev/null; then
            build i386-linux-gnu -m32
        else
            echo "build.sh: gcc cannot build 32-bit programs here (gcc-multilib): their interposer is left out" >&2
        fi ;;
esac
