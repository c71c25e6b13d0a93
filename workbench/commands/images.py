"""``songclip images`` and ``pairs``."""

from pathlib import Path

import click

from core.errors import InputError
from workbench.commands.base import Answer, Bar, Context, command
from workbench.i18n import explain


def register(root: click.Group) -> None:
    """Add the commands to ``songclip``."""

    @root.group("images")
    def images() -> None:
        """Pictures."""

    @command(images, "import")
    @click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
    @click.option("--metadata", type=click.Path(path_type=Path), default=None, help="CSV: file,title,category,…")
    def import_images(context: Context, paths: tuple[Path, ...], metadata: Path | None) -> Answer:
        """Import picture files or folders of them."""
        from workbench.tasks.images import import_pictures, picture_files, read_metadata

        if metadata is not None and not metadata.is_file():
            raise InputError("file_missing", file=metadata)
        described = read_metadata(metadata.read_bytes(), metadata.name) if metadata else {}
        report = import_pictures(context.home, context.db, picture_files(paths), described, Bar(context))
        rejected = [{"where": item.where, "why": explain(item.error, context.language)} for item in report.rejected]
        if report.rejected and not report.ids and not report.duplicates:
            raise report.rejected[0].error
        document = {"imported": len(report.ids), "duplicates": len(report.duplicates), "rejected": rejected}
        lines = (
            context.say("images.imported", count=len(report.ids), duplicates=len(report.duplicates)),
            *(f"{item['where']}: {item['why']}" for item in rejected),
        )
        return Answer(document, lines)

    @root.group("pairs")
    def pairs() -> None:
        """Which passages and pictures belong together."""

    @command(pairs, "import")
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option("--refused", is_flag=True, help="They are pairs that do not belong together: hard negatives.")
    def import_pairs(context: Context, file: Path, refused: bool) -> Answer:
        """Read a CSV with the columns passage_id, image (id, SHA-256 or file name) and note."""
        from workbench.tasks.images import import_pairs

        if not file.is_file():
            raise InputError("file_missing", file=file)
        report = import_pairs(
            context.db,
            file.read_bytes(),
            who="command line",
            name=file.name,
            refused=refused,
            progress=Bar(context),
        )
        rejected = [{"where": item.where, "why": explain(item.error, context.language)} for item in report.rejected]
        if report.rejected and not report.added and not report.present:
            raise report.rejected[0].error
        document = {"added": report.added, "present": report.present, "rejected": rejected}
        lines = (
            context.say("pairs.imported", count=report.added, present=report.present),
            *(f"{item['where']}: {item['why']}" for item in rejected),
        )
        return Answer(document, lines)

    @command(pairs, "export")
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option("--refused", is_flag=True, help="The refused pairs instead.")
    def export_pairs(context: Context, file: Path, refused: bool) -> Answer:
        """Write the pairs as CSV."""
        from core.imaging.store import write_atomically
        from db.images import Pairs
        from workbench.tasks.images import export_pairs

        target = file.absolute()
        if not target.parent.is_dir() or target.is_dir():
            raise InputError("target_unusable", file=target)
        # The mark at the beginning lets spreadsheets recognise UTF-8.
        write_atomically(target, export_pairs(context.db, refused=refused).encode("utf-8-sig"))
        count = Pairs(context.db).count(refused=refused)
        return Answer(
            {"exported": count, "file": str(target)},
            (context.say("pairs.exported", count=count, file=target),),
        )
