"""Prints the ratios of docs/performance.md from one results file of the measuring rig.

    ratios.py RESULTS.jsonl
"""

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


# What is compared: title, clients, scenes, path in the rig's row, the goal for ours / peer's.
RATIOS = [
    ("CPU per frame (ms)", ["ws"], ["motion", "scroll"], ["server_ms_per_frame"], 0.65),
    ("CPU of the server (cores)", ["ws"], ["static"], ["cores", "server"], 0.2),
    ("input to picture, p50 (ms)", ["ws"], ["motion", "scroll", "static"], ["latency", "p50"], 0.6),
    ("start to first frame (s)", ["ws"], ["motion", "scroll", "static"], ["start_to_first_frame_s"], 0.3),
    ("peak memory (MiB)", ["ws"], ["motion", "scroll", "static"], ["server_hwm_mb"], 0.5),
    ("age of the picture, p50 (ms)", ["browser"], ["motion", "scroll"], ["age_ms", "p50"], 0.15),
    ("input to picture, p50 (ms)", ["browser"], ["motion", "scroll"], ["latency", "p50"], None),
]
# What stands for itself: title, client, scenes, path, limit.
ABSOLUTE = [
    ("age of the picture, p95 (ms)", "browser", ["motion", "scroll"], ["age_ms", "p95"], 100),
    ("frames per second", "ws", ["motion", "scroll"], ["fps"], None),
    ("frames per second", "browser", ["motion", "scroll"], ["fps"], None),
    ("luma PSNR (dB)", "quality", ["motion", "scroll"], ["quality", "psnr_mean"], None),
]


def main(path):
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    rows = [row for row in rows if row.get("ok")]

    def pick(name, client, scene):
        return [row for row in rows if (row["adapter"], row["client"], row["scene"]) == (name, client, scene)]

    print("\n| measured | client | scene | ours | selkies 2.1.0 | ratio | goal |\n|---|---|---|---|---|---|---|")
    missed = 0
    for title, clients, scenes, where, goal in RATIOS:
        for client in clients:
            for scene in scenes:
                ours, peer = (median(pick(name, client, scene), where) for name in (OURS, PEER))
                ratio = ours / peer if ours is not None and peer else None
                met = goal is None or (ratio is not None and ratio <= goal)
                missed += not met
                print_row(title, client, scene, ours, peer, ratio, "" if goal is None else f"{goal}{'' if met else ' MISSED'}")
    for title, client, scenes, where, limit in ABSOLUTE:
        for scene in scenes:
            ours, peer = (median(pick(name, client, scene), where) for name in (OURS, PEER))
            met = limit is None or (ours is not None and ours < limit)
            missed += not met
            print_row(title, client, scene, ours, peer, None, "" if limit is None else f"< {limit}{'' if met else ' MISSED'}")
    return 1 if missed else 0


def print_row(title, client, scene, ours, peer, ratio, goal):
    text = ["-" if number is None else f"{number:.3g}" for number in (ours, peer, ratio)]
    print(f"| {title} | {client} | {scene} | {text[0]} | {text[1]} | {text[2]} | {goal} |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
