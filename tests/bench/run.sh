#!/usr/bin/env bash
# Measures this host beside selkies==2.1.0 in one run, with the measuring rig, and prints ratios.
#
#   RIG=DIR SELKIES_VENV=DIR [MODES="jpeg h264 h264-striped webrtc"] [SIZE=1920x1080] tests/bench/run.sh [SECONDS [REPETITIONS]]
#
# RIG is the folder of the rig (rig.py, set up as its README says), SELKIES_VENV a virtual environment with selkies==2.1.0.
# H.264 is measured beside its parts, too: floor.c, which needs libxdamage-dev, libx264-dev and libyuv-dev.
# Needs dist/ (./run.sh --build-only), root, and a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${RIG:?RIG names the folder of the measuring rig}"
: "${SELKIES_VENV:?SELKIES_VENV names a virtual environment with selkies==2.1.0}"
export SELKIES_VENV
seconds=${1:-10} reps=${2:-2}
modes=${MODES:-jpeg h264 h264-striped webrtc}
# Both sides encode at the same quality, and nothing while nothing changes; the rig's clients ask for it, too.
quality=60 crf=25

out=target/bench
mkdir -p "$out"
adapter=$PWD/$out/selkies-host.json
mode() {
    cat <<JSON
  "$1": {
    "argv": ["$PWD/dist/selkies-host", "--plugins", "$PWD/dist/plugins", "--addr", "127.0.0.1", "--port", "{port}",
             "--encoder", "$2", "--framerate", "{fps},8-240", "--jpeg-quality", "$quality", "--h264-crf", "$crf",
             "--enable-resize", "false", "--rate-control-mode", "crf", "--mode", "$3"],
    "page": "http://127.0.0.1:{port}/"$4}
JSON
}
# Servers stand in a network namespace with nothing but loopback, which browsers leave out unless they are told.
flags='"--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns"'
bare=', "ws": "selkies"'
{
    echo '{"name": "selkies-host", "browser_flags": ['"$flags"'], "modes": {'
    mode jpeg jpeg websockets "$bare"; echo ,
    mode h264 x264enc websockets "$bare"; echo ,
    mode h264-striped x264enc-striped websockets "$bare"; echo ,
    mode webrtc x264enc webrtc ""
    echo '}}'
} > "$adapter"
results=$PWD/$out/$(date +%Y%m%d-%H%M%S).jsonl
python=$RIG/venv/bin/python
sweep() {
    (cd "$RIG" && "$python" rig.py sweep --adapters "$adapter,selkies" --sizes "${SIZE:-1920x1080}" --seconds "$seconds" \
        --reps "$reps" --quiet-wait 20 --out "$results" "$@")
}
for mode in $modes; do
    if [ "$mode" = jpeg ]; then
        same=(--opt "jpeg_quality=$quality" --opt "set_jpeg_quality=$quality")
    else
        same=()
        for option in rate_control_mode=crf video_crf=$crf video_streaming_mode=false; do
            same+=(--opt "$option" --opt "set_$option")
        done
    fi
    if [ "$mode" = webrtc ]; then
        # Its packets reach a browser only.
        sweep --modes "$mode" "${same[@]}" --fps 60 --scenes motion,scroll,static --clients browser --latency 20
        continue
    fi
    sweep --modes "$mode" "${same[@]}" --fps 60 --scenes motion,scroll,static --clients ws --latency 20
    sweep --modes "$mode" "${same[@]}" --fps 60 --scenes motion,scroll --clients browser --latency 20
    sweep --modes "$mode" "${same[@]}" --fps 60 --scenes motion,scroll,static --clients quality --latency 0
    [ "$mode" = jpeg ] || sweep --modes "$mode" "${same[@]}" --fps 240 --scenes motion,scroll --clients ws --latency 0
done
# What streaming H.264 cannot cost less than, with the same scenes on the same machine, minutes later.
floor() {
    local size=${SIZE:-1920x1080} display scene xvfb
    cc -O2 -march=native -o "$out/floor" tests/bench/floor.c -lX11 -lXext -lXdamage -lx264 -lyuv
    exec {number}<> <(:)
    Xvfb -displayfd "$number" -screen 0 "${size}x24" -nolisten tcp -noreset 2> /dev/null & xvfb=$!
    read -r display <&"$number"
    for scene in motion scroll; do
        DISPLAY=:$display "$RIG/scene/scene" "$scene" > /dev/null & local shown=$!
        sleep 2
        DISPLAY=:$display "$out/floor" 600 "$scene"
        kill "$shown"
        wait "$shown" || true
    done
    kill "$xvfb"
    wait "$xvfb" || true
}
parts=()
if [[ " $modes " == *" h264 "* ]]; then
    floor > "$results.floor"
    parts=("$results.floor")
fi
(cd "$RIG" && "$python" rig.py table "$results")
"$python" tests/bench/ratios.py "$results" "${parts[@]}"
