"""``songclip run``, ``demo``, ``doctor``, ``backup``, ``restore`` and ``check``."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from core.errors import InputError
from db.home import Home
from workbench.commands.base import Answer, Bar, Context, command
from workbench.jobs.running import run_in_foreground
from workbench.settings import DEFAULT_HOME, HOME_VARIABLE, home_to_run


def register(root: click.Group) -> None:
    """Add the commands to ``songclip``."""

    @command(root, "run")
    @click.option("--port", type=click.IntRange(1, 65535), default=None, help="Port on 127.0.0.1 (default 8501).")
    @click.option("--browser/--no-browser", default=None, help="Open a browser (default: where there is a screen).")
    def run(context: Context, port: int | None, browser: bool | None) -> None:
        """Start the app: your project, or the demo while you have none."""
        from workbench.serve import is_demo_ready, serve

        given = click.get_current_context().find_root().meta["home_given"] or HOME_VARIABLE in os.environ
        home = context.home if given else Home(home_to_run().absolute())
        own = None if given or home.path.name == DEFAULT_HOME.name else DEFAULT_HOME.absolute()
        if own and not is_demo_ready(home):
            click.echo(context.say("run.making_demo", path=home.path), err=True)
            run_in_foreground(home, "demo", {}, Bar(context))
        home.open().conn.close()
        settings = Context(home, context.language).settings
        settings = replace(settings, port=port) if port else settings
        has_screen = sys.platform in ("win32", "darwin") or bool(
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        )
        serve(
            home,
            settings,
            own=own,
            say=lambda url, path: click.echo(context.say("run.ready", url=url, path=path), err=True),
            browser=has_screen if browser is None else browser,
        )

    @command(root, "demo")
    def demo(context: Context) -> Answer:
        """Make an empty home the demo project: generated scenes and passages, never mixed with sources."""
        ended = run_in_foreground(context.home, "demo", {}, Bar(context))
        return Answer(ended.result, (context.say("demo.made", **ended.result),))

    @command(root, "doctor")
    @click.option("--model", default="", help="mini, ViT-B-16, … or a checkpoint file.")
    def doctor(context: Context, model: str) -> Answer:
        """What works here: versions, GPU, weights, three texts encoded."""
        from workbench.tasks.doctor import examine

        report = examine(context.home, model)
        return Answer(report.document, tuple(context.say(key, **details) for key, details in report.lines))

    @command(root, "backup")
    @click.argument("file", type=click.Path(path_type=Path))
    def make_backup(context: Context, file: Path) -> Answer:
        """Copy database and pictures into one ZIP file."""
        from workbench.tasks.backups import write_backup

        context.db  # noqa: B018 - opens, and refuses what cannot be opened
        made = write_backup(context.home, context.db, file.absolute(), Bar(context))
        return Answer(made, (context.say("backup.made", **made),))

    @command(root, "restore")
    @click.argument("file", type=click.Path(path_type=Path))
    def restore(context: Context, file: Path) -> Answer:
        """Bring a backup back into a home that has no project yet."""
        from workbench.tasks.backups import read_backup

        if not file.is_file():
            raise InputError("file_missing", file=file)
        restored = read_backup(context.home, file.absolute(), Bar(context))
        return Answer(restored, (context.say("backup.restored", **restored),))

    @command(root, "check")
    def check(context: Context) -> Answer:
        """Look for damage: the database, offsets, picture files, the files of datasets."""
        from workbench.tasks.backups import examine_home

        found = examine_home(context.home, context.db)
        lines = tuple(context.say(f"check.{problem['what']}", **problem) for problem in found)
        return Answer({"problems": found}, lines or (context.say("check.sound"),), exit_code=1 if found else 0)
