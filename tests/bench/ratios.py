"""Prints the ratios of docs/performance.md from one results file of the measuring rig.

    ratios.py RESULTS.jsonl [FLOOR.jsonl]

FLOOR.jsonl is what tests/bench/floor.c printed in the same run: what the parts of a streamer cost alone.
"""

import itertools
import json
import statistics
import sys

OURS, PEER = "selkies-host", "selkies"


def value(row, path):
    for key in path:
        row = row.get(key) if isinstance(row, dict) else None
    return row


def median(rows, path):
    found = [value(row, path) for row in rows]
    found = [number for number in found if isinstance(number, (int, float))]
    return statistics.median(found) if found else None


# What is compared: title, client, frame rate, scenes, path in the rig's row, and the most that ours may be of the peer's, or,
# negative, the least.
JPEG = [
    ("CPU per frame (ms)", "ws", 60, ["motion", "scroll"], ["server_ms_per_frame"], 0.65),
    ("CPU of the server (cores)", "ws", 60, ["static"], ["cores", "server"], 0.2),
    ("input to picture, p50 (ms)", "ws", 60, ["motion", "scroll", "static"], ["latency", "p50"], 0.6),
    ("start to first frame (s)", "ws", 60, ["motion", "scroll", "static"], ["start_to_first_frame_s"], 0.3),
    ("peak memory (MiB)", "ws", 60, ["motion", "scroll", "static"], ["server_hwm_mb"], 0.5),
    ("age of the picture, p50 (ms)", "browser", 60, ["motion", "scroll"], ["age_ms", "p50"], 0.15),
    ("input to picture, p50 (ms)", "browser", 60, ["motion", "scroll"], ["latency", "p50"], None),
    ("frames per second", "browser", 60, ["motion", "scroll"], ["fps"], None),
    ("luma PSNR (dB)", "quality", 60, ["motion", "scroll"], ["quality", "psnr_mean"], None),
]


def h264(cpu, age):
    return [
        ("CPU per frame (ms)", "ws", 60, ["motion", "scroll"], ["server_ms_per_frame"], cpu),
        ("CPU of the server (cores)", "ws", 60, ["static"], ["cores", "server"], 0.03),
        ("bytes on the wire (B/s)", "ws", 60, ["motion", "scroll"], ["wire_bytes_s"], 1),
        ("input to picture, p50 (ms)", "ws", 60, ["motion", "scroll", "static"], ["latency", "p50"], 0.6),
        ("input to picture, p95 (ms)", "ws", 60, ["motion", "scroll", "static"], ["latency", "p95"], 0.7),
        ("longest gap (ms)", "ws", 60, ["motion", "scroll"], ["result", "gap_max"], None),
        ("frames per second", "ws", 240, ["motion", "scroll"], ["fps"], -1.2),
        ("age of the picture, p50 (ms)", "browser", 60, ["motion", "scroll"], ["age_ms", "p50"], age),
        ("input to picture, p50 (ms)", "browser", 60, ["motion", "scroll"], ["latency", "p50"], age),
        ("frames per second", "browser", 60, ["motion", "scroll"], ["fps"], None),
        ("luma PSNR (dB)", "quality", 60, ["motion", "scroll", "static"], ["quality", "psnr_mean"], -1),
    ]


WEBRTC = [
    ("CPU per frame (ms)", "browser", 60, ["motion", "scroll"], ["server_ms_per_frame"], 0.85),
    ("CPU of the server (cores)", "browser", 60, ["static"], ["cores", "server"], None),
    ("bytes on the wire (B/s)", "browser", 60, ["motion", "scroll"], ["wire_bytes_s"], 1),
    ("input to picture, p50 (ms)", "browser", 60, ["motion", "scroll", "static"], ["latency", "p50"], 0.8),
    ("input to picture, p95 (ms)", "browser", 60, ["motion", "scroll", "static"], ["latency", "p95"], None),
    ("start to first frame (s)", "browser", 60, ["motion", "scroll", "static"], ["start_to_first_frame_s"], 0.3),
    ("age of the picture, p50 (ms)", "browser", 60, ["motion", "scroll"], ["age_ms", "p50"], None),
    ("frames per second", "browser", 60, ["motion", "scroll"], ["fps"], None),
    ("peak memory (MiB)", "browser", 60, ["motion"], ["server_hwm_mb"], None),
]

RATIOS = {"jpeg": JPEG, "h264": h264(0.9, 0.7), "h264-striped": h264(0.8, None), "webrtc": WEBRTC}


# Where libx264 itself leaves no room, ours may cost so much of its parts.
FLOOR_GOAL = 1.05


def lines_of(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def floor_of(parts, *wanted):
    return next((part["cpu_ms"] for part in parts if (part["scene"], part["size"]) == wanted), None)


def main(path, floor=None):
    rows = [row for row in lines_of(path) if row.get("ok")]
    parts = lines_of(floor) if floor else []

    def pick(name, *wanted):
        keys = ("mode", "size", "client", "fps_target", "scene")
        return [row for row in rows if row["adapter"] == name and tuple(row[key] for key in keys) == wanted]

    print("\n| mode | measured | client | scene | ours | selkies 2.1.0 | ratio | goal |\n|---|---|---|---|---|---|---|---|")
    missed = 0
    for mode, size in itertools.product(RATIOS, sorted({row["size"] for row in rows}, reverse=True)):
        if not any((row["mode"], row["size"]) == (mode, size) for row in rows):
            continue
        shown = f"{mode} {size}"
        for title, client, fps, scenes, where, goal in RATIOS[mode]:
            for scene in scenes:
                ours, peer = (median(pick(name, mode, size, client, fps, scene), where) for name in (OURS, PEER))
                ratio = ours / peer if ours is not None and peer else None
                if goal is None:
                    text = ""
                else:
                    met = ratio is not None and (ratio <= goal if goal > 0 else ratio >= -goal)
                    missed += not met
                    text = f"{'<=' if goal > 0 else '>='} {abs(goal)}{'' if met else ' MISSED'}"
                print_row(f"{shown} | {title}", client if fps == 60 else f"{client}, {fps} fps asked", scene, ours, peer, ratio, text)
        for scene in ["motion", "scroll"] if parts and mode == "h264" else []:
            ours = median(pick(OURS, mode, size, "ws", 60, scene), ["server_ms_per_frame"])
            floor = floor_of(parts, scene, size)
            if ours is None or floor is None:
                continue
            text = f"<= {FLOOR_GOAL}{'' if ours / floor <= FLOOR_GOAL else ' MISSED'}"
            print_row(f"{shown} | CPU per frame beside its parts alone (ms)", "ws", scene, ours, floor, ours / floor, text)
    return 1 if missed else 0


def print_row(title, client, scene, ours, peer, ratio, goal):
    text = ["-" if number is None else f"{number:.3g}" for number in (ours, peer, ratio)]
    print(f"| {title} | {client} | {scene} | {text[0]} | {text[1]} | {text[2]} | {goal} |")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
