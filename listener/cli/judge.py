"""Judging from the command line: texts from standard input, labelled files, stored mentions again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from listener.cli.common import (
    echo_json,
    open_config,
    open_store,
    print_table,
    progress,
    shown,
    stdin_lines,
)

if TYPE_CHECKING:
    from listener.store import Store
    from sentiment.model import Judge, Judgement
    from sentiment.rules import PhraseRule

BATCH = 512
MODEL_HELP = "bundled, fast, a local folder, or a hub id (owner/name[@revision])."


@click.command(
    epilog="""\b
Examples:
  echo "The update broke my phone" | groundswell sentiment
  groundswell sentiment --json < posts.txt > judged.jsonl
  groundswell sentiment --threshold 0.6 --model fast < posts.txt
"""
)
@click.option("--model", default="bundled", show_default=True, help=MODEL_HELP)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help='Say "unsure" below this confidence. Without it, the likeliest label is always given.',
)
@click.option("--language", help="ISO code of the texts' language; told from each text otherwise.")
@click.option("--threads", type=click.IntRange(min=1), help="Cores to use; all by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def sentiment(
    model: str, threshold: float | None, language: str | None, threads: int | None, as_json: bool
) -> None:
    """Judge texts from standard input, one a line; a line out for each line in, in order.

    Each gets a label (negative, neutral or positive), three probabilities, the confidence of the label
    and the language. An empty line gets an answer too, so that line numbers keep their meaning.
    """
    from sentiment.model import Item, load

    lines = stdin_lines()
    judge = load(model, threads=threads)
    while batch := list(islice(lines, BATCH)):
        items = [Item(text, language=language) for text in batch]
        for text, said in zip(batch, judge.judge(items, threshold=threshold), strict=True):
            if as_json:
                echo_json(_as_json(said))
            else:
                short = text if len(text) <= 80 else text[:79] + "…"
                click.echo(
                    f"{said.label:<8} {said.confidence:4.2f}  {said.language:<7} {shown(short)}"
                )


def _as_json(said: Judgement) -> dict[str, Any]:
    return {
        "label": said.label,
        "negative": round(said.negative, 4),
        "neutral": round(said.neutral, 4),
        "positive": round(said.positive, 4),
        "confidence": round(said.confidence, 4),
        "language": said.language,
        "intent": said.intent,
        "intent_confidence": None if said.intent is None else round(said.intent_confidence or 0, 4),
    }


@click.group(
    epilog="""\b
Examples:
  groundswell evaluate sentiment labelled.tsv
  groundswell evaluate sentiment labelled.tsv --json"""
)
def evaluate() -> None:
    """Measure on labelled posts how good the judging is."""


@evaluate.command(
    "sentiment",
    epilog="""\b
Examples:
  groundswell evaluate sentiment labelled.tsv
  groundswell evaluate sentiment labelled.tsv --json
  groundswell evaluate sentiment labelled.tsv --model ./my-checkpoint
\b
The file has a header and two columns with a tab between them:
  label<TAB>text
  negative<TAB>They lost my bag again
""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", default="bundled", show_default=True, help=MODEL_HELP)
@click.option("--language", help="ISO code of the texts' language; told from each text otherwise.")
@click.option("--threads", type=click.IntRange(min=1), help="Cores to use; all by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def evaluate_sentiment(
    file: Path, model: str, language: str | None, threads: int | None, as_json: bool
) -> None:
    """Accuracy, macro recall, macro F1, calibration error and speed on FILE, and the coverage curve.

    Shares are fractions of 1. The coverage curve says, for the surest 80 % of the posts (and so
    on), how good the labels are, and which --threshold leaves that share.
    """
    from sentiment.evaluate import read_labelled, report
    from sentiment.model import Item, load

    rows = read_labelled(file)
    judge = load(model, threads=threads)
    judge.judge([Item("warm up")])
    begun = time.perf_counter()
    said = judge.judge([Item(row.text, language=language) for row in rows])
    seconds = time.perf_counter() - begun
    result = report([r.label for r in rows], [j.label for j in said], [j.confidence for j in said])
    result["posts_per_second"] = len(rows) / seconds
    result["model"] = judge.version
    if as_json:
        echo_json(_rounded(result))
    else:
        _print_report(file, judge, result)


def _rounded(value: Any) -> Any:
    """Floats to four places, all the way down."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else value


def _print_report(file: Path, judge: Judge, result: dict[str, Any]) -> None:
    click.echo(f"{file}: {result['n']} posts, {judge.description}")
    click.echo(
        f"accuracy {result['accuracy']:.3f}   macro recall {result['macro_recall']:.3f}   "
        f"macro F1 {result['macro_f1']:.3f}   calibration error {result['ece']:.3f}   "
        f"{result['posts_per_second']:.0f} posts/s"
    )
    print_table(
        "By label",
        ["label", "posts", "recall", "precision", "F1"],
        [
            [name, part["n"], *(f"{part[k]:.3f}" for k in ("recall", "precision", "f1"))]
            for name, part in result["per_label"].items()
        ],
    )
    print_table(
        "Coverage",
        ["posts kept", "threshold", "accuracy", "macro recall", "macro F1"],
        [
            [f"{point['coverage']:.0%}", *(f"{point[k]:.3f}" for k in list(point)[1:])]
            for point in result["coverage"]
        ],
    )


@click.command(
    epilog="""\b
Examples:
  groundswell rescore --model bundled
  groundswell rescore --model cardiffnlp/twitter-xlm-roberta-base-sentiment
  groundswell rescore --model ./my-checkpoint --limit 10000
  groundswell rescore --again
"""
)
@click.option("--model", default=None, help=MODEL_HELP + " The configured one by default.")
@click.option("--threads", type=click.IntRange(min=1), help="Cores to use; all by default.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many mentions.")
@click.option(
    "--again",
    is_flag=True,
    help="Judge all mentions, those of this model too: for phrases or a threshold that changed.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def rescore(
    ctx: click.Context,
    model: str | None,
    threads: int | None,
    limit: int | None,
    again: bool,
    as_json: bool,
) -> None:
    """Judge stored mentions with another model, or with new weights, and show what it says.

    Judged are the mentions that show another model's word, also where this one has judged them
    before. Each batch is kept as it is done: stop at any time, run the same again, and it goes on
    where it was. Scores of other models stay in the database under their version; human
    corrections stay on top.
    """
    from sentiment.model import load

    config = open_config(ctx)
    judge = load(model or config.model.name, threads=threads)
    rules = {b.name: b.phrase_rules() for b in config.all_brands()}
    run = Rescoring(open_store(ctx), judge, rules, config.model.threshold or None, again)
    total, done = run.waiting(), 0
    total = min(total, limit) if limit else total
    with progress() as bar:
        task = bar.add_task(f"judging with {judge.version}", total=total)
        for count in run.batches(limit):
            done += count
            bar.update(task, completed=done)
    left = run.waiting()
    if as_json:
        echo_json({"model": judge.version, "judged": done, "left": left})
    else:
        click.echo(f"{judge.version}: judged {done} mentions, {left} left")


class Rescoring:
    """A walk over the stored mentions in the order of their keys.

    One over those that show another model's word needs no bookmark: what is done waits no longer.
    One over all (``again``) keeps its place in the store, with the settings that it judges by.
    """

    BOOKMARK = "rescore_again"

    def __init__(
        self,
        store: Store,
        judge: Judge,
        rules: Mapping[str, Sequence[PhraseRule]],
        threshold: float | None,
        again: bool,
    ) -> None:
        self.store, self.judge, self.rules = store, judge, rules
        self.threshold, self.again = threshold, again
        phrases = {b: [(r.phrase, r.label) for r in found] for b, found in rules.items() if found}
        by = json.dumps([judge.version, threshold, phrases], sort_keys=True)
        self.settings = hashlib.sha256(by.encode()).hexdigest()[:12]
        self.after = self._bookmark() if again else ("", "")

    def _bookmark(self) -> tuple[str, str]:
        """Where a walk over all by the same settings was stopped; the begin where none was."""
        kept = json.loads(self.store.meta(self.BOOKMARK) or "null")
        return (kept[1], kept[2]) if kept and kept[0] == self.settings else ("", "")

    def waiting(self) -> int:
        """How many mentions are still to be judged."""
        after = self.after if self.again else ("", "")
        return self.store.count_waiting_for(self.judge.version, after, again=self.again)

    def batches(self, limit: int | None) -> Iterator[int]:
        """Judge, and yield the size of each batch that was kept."""
        from listener.judging import item_of, score_of

        done = 0
        while limit is None or done < limit:
            size = BATCH if limit is None else min(BATCH, limit - done)
            version = self.judge.version
            rows = self.store.waiting_for(version, self.after, size, again=self.again)
            if not rows:
                break
            items = [item_of(row, self.rules.get(row["brand"], ())) for row in rows]
            said = self.judge.judge(items, threshold=self.threshold)
            scores = [score_of(row, found) for row, found in zip(rows, said, strict=True)]
            self.after = (rows[-1]["key"], rows[-1]["brand"])
            with self.store.write():
                kept = self.store.save_scores(version, scores, int(time.time()))
                if self.again:
                    place = json.dumps([self.settings, *self.after])
                    self.store.set_meta(self.BOOKMARK, place)
            done += kept
            yield kept
        if self.again and not self.waiting():
            self.store.set_meta(self.BOOKMARK, "null")  # the next one begins anew
