#!/usr/bin/env bash
# Measures this host beside selkies==2.1.0 in one run, with the measuring rig, and prints ratios.
#
#   RIG=DIR SELKIES_VENV=DIR tests/bench/run.sh [SECONDS [REPETITIONS]]
#
# RIG is the folder of the rig (rig.py, set up as its README says), SELKIES_VENV a virtual environment with selkies==2.1.0.
# Needs dist/ (./run.sh --build-only), root, and a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${RIG:?RIG names the folder of the measuring rig}"
: "${SELKIES_VENV:?SELKIES_VENV names a virtual environment with selkies==2.1.0}"
export SELKIES_VENV
seconds=${1:-10} reps=${2:-2}
# Both sides encode at the same JPEG quality; the rig's clients ask for it, too.
quality=60

out=target/bench
mkdir -p "$out"
adapter=$PWD/$out/selkies-host.json
cat > "$adapter" <<JSON
{"name": "selkies-host", "modes": {"jpeg": {
  "argv": ["$PWD/dist/selkies-host", "--plugins", "$PWD/dist/plugins", "--addr", "127.0.0.1", "--port", "{port}",
           "--encoder", "jpeg", "--framerate", "{fps},8-240", "--jpeg-quality", "$quality", "--enable-resize", "false"],
  "page": "http://127.0.0.1:{port}/", "ws": "selkies"}}, "browser_flags": []}
JSON
results=$PWD/$out/$(date +%Y%m%d-%H%M%S).jsonl
python=$RIG/venv/bin/python
sweep() {
    (cd "$RIG" && "$python" rig.py sweep --adapters "$adapter,selkies" --modes jpeg --sizes 1920x1080 --fps 60 \
        --opt jpeg_quality=$quality --opt set_jpeg_quality=$quality --seconds "$seconds" --reps "$reps" \
        --quiet-wait 20 --out "$results" "$@")
}
sweep --scenes motion,scroll,static --clients ws --latency 20
sweep --scenes motion,scroll --clients browser --latency 20
sweep --scenes motion,scroll --clients quality --latency 0
(cd "$RIG" && "$python" rig.py table "$results")
"$python" tests/bench/ratios.py "$results"
