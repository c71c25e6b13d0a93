"""``songclip passages``, ``annotate`` and ``annotations``."""

from pathlib import Path
from typing import Any

import click

from core.errors import InputError
from workbench.commands.base import Answer, Bar, Context, command
from workbench.i18n import explain
from workbench.jobs.running import run_in_foreground


def register(root: click.Group) -> None:
    """Add the commands to ``songclip``."""

    @root.group("passages")
    def passages() -> None:
        """Passages of the sources."""

    @command(passages, "import")
    @click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
    def import_passages(context: Context, files: tuple[Path, ...]) -> Answer:
        """Import raw_texts.json, CSV, TSV, XLSX, TXT (UTF-8, GB18030, Big5) or folders of them."""
        from workbench.tasks.passages import collect_files, import_files

        found = collect_files(files)
        report = import_files(context.home, context.db, ((file.name, file.read_bytes()) for file in found))
        rejected = [{"where": item.where, "why": explain(item.error, context.language)} for item in report.rejected]
        if report.rejected and not report.ids and not report.duplicates:
            # Nothing could be used: a person's mistake, said in one line.
            raise report.rejected[0].error
        document = {"imported": len(report.ids), "duplicates": len(report.duplicates), "rejected": rejected}
        lines = (
            context.say("passages.imported", count=len(report.ids), duplicates=len(report.duplicates)),
            *(f"{item['where']}: {item['why']}" for item in rejected),
        )
        return Answer(document, lines)

    @command(root, "annotate")
    @click.option("--provider", default="offline", show_default=True, help="offline, qwen, zhipu, deepseek or local.")
    @click.option("--model", default="", help="The provider's model; without it the provider's first.")
    @click.option("--base-url", default="", help="Another address that speaks the chat-completions protocol.")
    @click.option("--concurrency", default=8, show_default=True, type=click.IntRange(1, 64))
    @click.option("--limit", default=0, type=click.IntRange(0), help="At most so many passages.")
    @click.option("--prompt", default="", help="A prompt's version, such as default-v1; without it the newest.")
    @click.option("--examples", default=0, type=click.IntRange(0, 8), help="Approved annotations sent as examples.")
    def annotate(context: Context, provider: str, limit: int, **options: Any) -> Answer:
        """Ask a provider for suggestions on the passages that are new; the key comes from the environment."""
        from core.texts.annotation import Status
        from db.passages import PassageFilter, Passages
        from workbench.tasks.annotating import job_params

        context.db  # noqa: B018 - opens, and refuses what cannot be opened
        # The passages are chosen here, so that a resumed job goes on with the same ones.
        ids = Passages(context.db).ids(PassageFilter(status=Status.NEW))
        params = {**job_params(context.db, provider, **options), "ids": ids[: limit or None]}
        ended = run_in_foreground(context.home, "annotate", params, Bar(context), only_one="annotate")
        failures = [
            {"passage": failure["passage"], "why": context.say(f"errors.{failure['error']}", **failure["details"])}
            for failure in ended.result.get("failures", [])
        ]
        lines = (f"#{failure['passage']}: {failure['why']}" for failure in failures)
        document = {**ended.result, "failures": failures}
        return Answer(document, (context.say("annotate.ended", **ended.result), *lines))

    @root.group("annotations")
    def annotations() -> None:
        """The annotations.json of the project's first plan."""

    @command(annotations, "export")
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option("--status", default="", help="One status, or all; default: submitted and approved.")
    def export(context: Context, file: Path, status: str) -> Answer:
        """Write annotations.json."""
        from workbench.tasks.interchange import export_annotations, statuses_named

        if not file.absolute().parent.is_dir() or file.is_dir():
            raise InputError("target_unusable", file=file)
        count = export_annotations(context.db, file.absolute(), statuses_named(status))
        return Answer(
            {"exported": count, "file": str(file.absolute())},
            (context.say("annotations.exported", count=count, file=file.absolute()),),
        )

    @command(annotations, "import")
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option(
        "--as",
        "status",
        type=click.Choice(["submitted", "approved"]),
        default="submitted",
        show_default=True,
        help="What the records become; those that the file calls suggested, draft or discarded stay so.",
    )
    def import_annotations(context: Context, file: Path, status: str) -> Answer:
        """Read annotations.json; a scholar's value that is there already is never overwritten."""
        from workbench.tasks.interchange import conflict_line, import_annotations, kept_lines

        if not file.is_file():
            raise InputError("file_missing", file=file)
        report = import_annotations(context.home, context.db, file.read_bytes(), status)
        if report.rejected and not (report.imported or report.unchanged or report.conflicts):
            raise report.rejected[0].error
        rejected = [{"where": item.where, "why": explain(item.error, context.language)} for item in report.rejected]
        document = {
            "imported": report.imported,
            "passages_added": report.passages_added,
            "unchanged": report.unchanged,
            "suggestions": report.suggestions,
            "drafts": report.drafts,
            "conflicts": report.conflicts,
            "rejected": rejected,
        }
        lines = (
            context.say("annotations.imported", count=report.imported, conflicts=len(report.conflicts)),
            *kept_lines(report, context.say),
            *(conflict_line(conflict, context.say) for conflict in report.conflicts),
            *(f"{item['where']}: {item['why']}" for item in rejected),
        )
        return Answer(document, lines)
