"""``songclip models``, ``dataset``, ``train``, ``evaluate``, ``ablate`` and ``search``."""

from pathlib import Path
from typing import Any

import click

from core.errors import InputError
from workbench.commands.base import Answer, Bar, Context, command
from workbench.jobs.running import run_in_foreground

BASE = "The base model: mini, ViT-B-16, … or a checkpoint file; without it the largest whose weights are here."
RUN = "A run by its name, such as 0001-lora-r8; without it the base model, zero-shot."
STRENGTH = "With --run: how much its tuning counts; 0 is its base model, 1 the model as tuned."


def register(root: click.Group) -> None:
    """Add the commands to ``songclip``."""
    _models(root)
    _dataset(root)
    _train(root)
    _measure(root)
    _search(root)


def _models(root: click.Group) -> None:
    @root.group("models")
    def models() -> None:
        """The released Chinese-CLIP models and their weights."""

    @command(models, "list")
    def show(context: Context) -> Answer:
        """Which weights are here, and what to do about those that are not."""
        from workbench.tasks.models import weights

        rows = weights(context.home)
        lines = [
            context.say("models_line.present", model=row["model"], megabytes=row["size"] // 10**6, path=row["path"])
            if row["present"]
            else context.say("models_line.absent", model=row["model"], file=row["file"], folder=row["folder"])
            for row in rows
        ]
        return Answer({"models": rows}, tuple(lines))

    @command(models, "download")
    @click.argument("name")
    @click.option(
        "--from", "source", type=click.Choice(["huggingface", "modelscope"]), default="huggingface", show_default=True
    )
    def download(context: Context, name: str, source: str) -> Answer:
        """Fetch a model's weights (some hundred MB); a broken download goes on where it stopped."""
        from workbench.tasks import models as task

        result = task.download(context.home, name, source, Bar(context))
        details = {"model": name, "path": result["path"], "megabytes": result["size"] // 10**6}
        if not result["fetched"]:
            line = context.say("models_line.there", **details)
        else:
            line = context.say("models_line.fetched" if result["sha256"] else "models_line.fetched_unsigned", **details)
        return Answer(result, (line,))


def _dataset(root: click.Group) -> None:
    @root.group("dataset")
    def dataset() -> None:
        """Chinese-CLIP datasets."""

    @command(dataset, "build")
    @click.argument("name")
    @click.option("--valid", default=0.15, show_default=True, type=click.FloatRange(0, 0.9))
    @click.option("--test", default=0.15, show_default=True, type=click.FloatRange(0, 0.9))
    @click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
    @click.option("--status", "statuses", multiple=True, default=["approved"], show_default=True)
    @click.option("--caption", "kinds", multiple=True, help="original, modern, prompt, english; several are allowed.")
    def build(
        context: Context,
        name: str,
        valid: float,
        test: float,
        seed: int,
        statuses: tuple[str, ...],
        kinds: tuple[str, ...],
    ) -> Answer:
        """Build TSV, JSONL and LMDB from approved annotations and their pictures."""
        from workbench.tasks.datasets import DEFAULT_KINDS, checked_kinds, checked_name, checked_statuses

        params = {
            "name": checked_name(name),
            "valid": valid,
            "test": test,
            "seed": seed,
            "statuses": checked_statuses(statuses),
            "kinds": checked_kinds(kinds or DEFAULT_KINDS),
        }
        result = run_in_foreground(context.home, "dataset", params, Bar(context), only_one="dataset").result
        images = {split: result["splits"].get(split, {}).get("images", 0) for split in ("train", "valid", "test")}
        lines = [context.say("dataset.built_line", name=name, path=result["path"], **images)]
        if result["warning"]:
            lines.append(context.say(f"warnings.{result['warning']}"))
        excluded = [{"what": row["what"], "why": context.say(row["why"])} for row in result["excluded"]]
        return Answer({**result, "excluded": excluded}, tuple(lines))


def _parts(words: str | None) -> list[str] | None:
    return [part.strip() for part in words.split(",")] if words is not None else None


def _train(root: click.Group) -> None:
    @command(root, "train")
    @click.option("--dataset", required=True, help="The dataset to learn from, by its name.")
    @click.option("--model", default="", help=BASE)
    @click.option(
        "--method",
        type=click.Choice(["lora", "full"]),
        default="lora",
        show_default=True,
        help="Small adapters, or every weight.",
    )
    @click.option("--preset", default="", help="plan, quick, laptop_6gb, careful or mini; what follows goes over it.")
    @click.option("--rank", type=click.IntRange(1, 1024), default=None, help="How wide the adapters are.")
    @click.option(
        "--alpha",
        type=click.FloatRange(0, 65_536, min_open=True),
        default=None,
        help="Adapters count alpha ÷ rank; without it alpha follows the rank.",
    )
    @click.option(
        "--dropout",
        type=click.FloatRange(0, 1, max_open=True),
        default=None,
        help="The share of an adapter's input that is switched off at random.",
    )
    @click.option("--targets", default=None, help="Which projections get adapters: of q,k,v,o,mlp.")
    @click.option("--towers", default=None, help="Which towers get adapters: of vision,text.")
    @click.option(
        "--layers", type=click.IntRange(0, 64), default=None, help="Adapters in so many last layers; 0 is all of them."
    )
    @click.option("--texts", type=click.Choice(["one", "all"]), default=None, help="Texts of a picture at a step.")
    @click.option("--epochs", type=click.IntRange(1, 10_000), default=None, help="How often all pictures are seen.")
    @click.option("--batch-size", type=click.IntRange(2, 4096), default=None, help="Pictures in a batch.")
    @click.option(
        "--accumulation", type=click.IntRange(1, 1024), default=None, help="So many batches are contrasted as one."
    )
    @click.option(
        "--learning-rate", type=click.FloatRange(0, 1, min_open=True), default=None, help="How far a step goes."
    )
    @click.option(
        "--patience",
        type=click.IntRange(0, 10_000),
        default=None,
        help="Epochs without a better recall that end the run.",
    )
    @click.option(
        "--best-at",
        type=click.Choice(["sources", "texts", "both"]),
        default=None,
        help="The recall on valid that decides: asked in the sources' words, in all texts, or both directions.",
    )
    @click.option("--memory", type=click.FloatRange(0, 4096), default=None, help="The most memory it may take, in GB.")
    @click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=None, help="What chance begins with.")
    @click.option("--device", default="", help="auto, cpu, cuda.")
    def train(
        context: Context,
        dataset: str,
        model: str,
        device: str,
        targets: str | None,
        towers: str | None,
        **options: Any,
    ) -> Answer:
        """Tune a model on a dataset; the best epoch by recall on the valid split is kept."""
        from db.experiments import Datasets
        from workbench.tasks.models import base_name, check_base
        from workbench.tasks.options import config_for, train_params
        from workbench.tasks.planning import trainable_of

        Datasets(context.db).get(dataset)
        check_base(context.home, model, device)
        base = base_name(context.home, model)
        config = config_for(base, targets=_parts(targets), towers=_parts(towers), **options)
        trainable_of(base, config.lora if config.method == "lora" else None)  # says what cannot be before a run begins
        params = train_params(dataset, model, config, device=device)
        result = run_in_foreground(context.home, "train", params, Bar(context)).result
        return Answer(result, (context.say("train_line.done", **result),))


def _measure(root: click.Group) -> None:
    def figures_line(context: Context, result: dict[str, Any], way: str) -> str:
        figures = result[way]
        recalls = {
            f"r{k}": f"{figures[f'R@{k}']:.1f} [{figures['ci'][f'R@{k}'][0]:.1f}–{figures['ci'][f'R@{k}'][1]:.1f}]"
            for k in (1, 5, 10)
        }
        return context.say(
            "results.line",
            way=context.say(f"charts.{way}"),
            queries=figures["queries"],
            gallery=figures["gallery"],
            chance=figures["chance"]["R@5"],
            **recalls,
        )

    @command(root, "evaluate")
    @click.option("--dataset", required=True, help="The dataset to measure on, by its name.")
    @click.option(
        "--split",
        default=None,
        type=click.Choice(["test", "valid", "train"]),
        help="Which part of it; without it test where there is one, else valid.",
    )
    @click.option("--run", default="", help=RUN)
    @click.option("--model", default="", help=BASE)
    @click.option("--strength", default=1.0, show_default=True, type=click.FloatRange(0, 1), help=STRENGTH)
    def evaluate(context: Context, dataset: str, split: str | None, run: str, model: str, strength: float) -> Answer:
        """Full-gallery Recall@K, in per cent, with chance and 95 % intervals in brackets."""
        from workbench.tasks.evaluating import measure

        if run and model:
            raise InputError("run_or_model")
        asked: dict[str, Any] = {"split": split or "", "model": model, "run": run, "strength": strength}
        result = measure(context.home, context.db, dataset, **asked, progress=Bar(context))
        return Answer(result, (figures_line(context, result, "t2i"), figures_line(context, result, "i2t")))

    @command(root, "ablate")
    @click.option("--dataset", required=True, help="The dataset to train and measure on, by its name.")
    @click.option("--model", default="", help=BASE)
    @click.option(
        "--epochs", type=click.IntRange(1, 10_000), default=None, help="Of each training; else what suits the model."
    )
    def ablate(context: Context, dataset: str, model: str, epochs: int | None) -> Answer:
        """The five experiments: zero-shot, full, LoRA, kind of caption, rank."""
        from db.experiments import Datasets
        from workbench.tasks.models import check_base

        Datasets(context.db).get(dataset)
        check_base(context.home, model)
        params = {"dataset": dataset, "model": model, "epochs": epochs}
        result = run_in_foreground(context.home, "ablate", params, Bar(context)).result
        lines = (
            f"{row['label']:<16} {row['trainable_percent']:>7.3f} %  " + figures_line(context, row, "t2i")
            for row in result["table"]
        )
        return Answer(result, tuple(lines))


def _search(root: click.Group) -> None:
    @command(root, "search")
    @click.argument("text")
    @click.option("--image", type=click.Path(path_type=Path), default=None, help="A picture to search with as well.")
    @click.option("--run", default="", help=RUN)
    @click.option("--model", default="", help=BASE)
    @click.option("--strength", default=1.0, show_default=True, type=click.FloatRange(0, 1), help=STRENGTH)
    @click.option("--top", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many pictures.")
    def search(
        context: Context, text: str, image: Path | None, run: str, model: str, strength: float, top: int
    ) -> Answer:
        """The pictures nearest to a phrase, a picture, or both."""
        from workbench.tasks import searching

        if run and model:
            raise InputError("run_or_model")
        if image is not None and not image.is_file():
            raise InputError("file_missing", file=image)
        picture = image.read_bytes() if image else b""
        found = searching.search(
            context.home,
            context.db,
            text,
            picture=picture,
            run=run,
            model=model,
            strength=strength,
            top=top,
            progress=Bar(context),
        )
        results = [
            {
                "rank": hit.rank,
                "image_id": hit.image.id,
                "sha256": hit.image.sha256,
                "title": hit.image.title,
                "score": round(hit.score, 4),
            }
            for hit in found
        ]
        name = searching.model_name(context.home, context.db, model, run)
        document = {"query": text, "run": run or None, "model": name, "strength": strength, "results": results}
        lines = (context.say("search_line.hit", image=row["image_id"], **row) for row in results)
        return Answer(document, tuple(lines))
