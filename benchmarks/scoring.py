"""How fast posts are judged: the transformers pipeline and ours, side by side on the same weights.

Each part runs in a process of its own, so that its memory and its start are its own. The rounds take
turns, so that a busy machine slows all parts alike; the best round of each is reported. Labels are
compared before calibration, which the pipeline does not have but for the shared share of the early
voice; our time includes it, and language detection. The first thousand posts cost more than those
after them (every new shape of a batch is prepared once), so that 3,000 show what a running monitor
sees; fewer show a single command.

    python benchmarks/scoring.py [--posts 3000] [--rounds 2]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))
SHARED = ROOT.parent / "shared" / "data"
LANGUAGES = ("english", "spanish", "german", "arabic", "indonesian", "thai")


def posts(count: int) -> list[str]:
    """Tweets of the val files: half English, the rest in five languages."""
    from sentiment.training.data import read_tsv

    out: list[str] = []
    for name in LANGUAGES:
        share = count // 2 if name == "english" else count // 2 // (len(LANGUAGES) - 1)
        out += [text for _, text in read_tsv(SHARED / "sentiment" / name / "val.tsv")[:share]]
    return out


def run_pipeline(texts: list[str], folder: str) -> dict[str, Any]:
    import torch
    from transformers import AutoTokenizer, pipeline

    from sentiment.model import cores
    from sentiment.text import normalise
    from sentiment.training.export import ThreeVoices

    torch.set_num_threads(cores())
    begun = time.perf_counter()
    judge = pipeline(
        "text-classification",
        model=ThreeVoices.from_pretrained(folder),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        device=-1,
    )
    judge(["warm up"])
    loaded = time.perf_counter() - begun
    begun = time.perf_counter()
    said = judge([normalise(t) for t in texts], batch_size=32, truncation=True)
    return _result([s["label"] for s in said], begun, loaded, "float32")


def run_ours(texts: list[str], name: str) -> dict[str, Any]:
    begun = time.perf_counter()
    from sentiment.calibration import added
    from sentiment.model import LABELS, Bundled, Item, load
    from sentiment.text import normalise

    judge = load(name)
    assert isinstance(judge, Bundled)
    judge.judge([Item("warm up")])
    loaded = time.perf_counter() - begun
    begun = time.perf_counter()
    judge.judge([Item(text) for text in texts])
    result = _result([], begun, loaded, str(judge.dtype).removeprefix("torch."))
    scored = judge.score([(normalise(text), ()) for text in texts])
    share = judge.calibration.shared.share
    logits = [added(s.logits, s.early, share) for s in scored]
    result["labels"] = [LABELS[max(range(3), key=three.__getitem__)] for three in logits]
    return result


def _result(labels: list[str], begun: float, loaded: float, dtype: str) -> dict[str, Any]:
    return {
        "labels": labels,
        "seconds": time.perf_counter() - begun,
        "load_seconds": loaded,
        "peak_mb": _peak_mb(),
        "dtype": dtype,
    }


def _peak_mb() -> float:
    """Peak resident memory of this process alone (ru_maxrss would count the parent's too)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def part(name: str, count: int, folder: str) -> dict[str, Any]:
    """Run one part in a fresh process and read its result."""
    command = [sys.executable, __file__, "--part", name, "--posts", str(count), "--folder", folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--part", choices=["pipeline", "bundled", "fast"])
    parser.add_argument("--folder", default="")
    asked = parser.parse_args()
    if asked.part:
        texts = posts(asked.posts)
        run = (
            run_pipeline(texts, asked.folder)
            if asked.part == "pipeline"
            else run_ours(texts, asked.part)
        )
        print(json.dumps(run))
        return
    with tempfile.TemporaryDirectory() as folder:
        from sentiment.training.export import export

        export(Path(folder))
        rounds = [
            {name: part(name, asked.posts, folder) for name in ("pipeline", "bundled", "fast")}
            for _ in range(asked.rounds)
        ]
    report(rounds, len(posts(asked.posts)))


def report(rounds: list[dict[str, Any]], count: int) -> None:
    """Print the comparison and keep it beside this script."""
    import torch

    from sentiment.model import cores

    wanted = rounds[0]["pipeline"]["labels"]
    out: dict[str, Any] = {
        "machine": f"{platform.machine()}, {cores()} cores, "
        f"{torch.cpu.get_capabilities().get('cpu_name', 'unknown CPU')}, torch {torch.__version__}",
        "load_average": [round(x, 1) for x in os.getloadavg()],
        "posts": count,
        "parts": {},
    }
    slowest = min(r["pipeline"]["seconds"] for r in rounds)
    for name in ("pipeline", "bundled", "fast"):
        seconds = min(r[name]["seconds"] for r in rounds)
        labels = rounds[0][name]["labels"]
        out["parts"][name] = {
            "posts_per_second": round(count / seconds, 1),
            "times_the_pipeline": round(slowest / seconds, 2),
            "times_by_round": [
                round(r["pipeline"]["seconds"] / r[name]["seconds"], 2) for r in rounds
            ],
            "equal_labels": round(
                sum(a == b for a, b in zip(labels, wanted, strict=True)) / count, 4
            ),
            "load_to_first_score_seconds": round(min(r[name]["load_seconds"] for r in rounds), 2),
            "peak_memory_mb": round(max(r[name]["peak_mb"] for r in rounds)),
            "dtype": rounds[0][name]["dtype"],
        }
    (HERE / "scoring.json").write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
