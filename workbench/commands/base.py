"""What all commands share: the home, the ``--json`` answer, and one sentence for a person's mistake."""

import functools
import json
import logging
import os
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from sqlite_utils import Database

from core.errors import NotFoundError, SongclipError, Stopped
from db.home import Home
from db.refusals import refusal
from workbench.i18n import Language, environment_language, explain, translate
from workbench.log import log_to
from workbench.settings import Settings, load_settings

logger = logging.getLogger(__name__)

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


@dataclass
class Context:
    """The home a command works on; its database is opened when it is first needed."""

    home: Home
    language: Language

    @cached_property
    def settings(self) -> Settings:
        """The settings of this home."""
        return load_settings(self.home.path)

    @cached_property
    def db(self) -> Database:
        """A connection for this command."""
        db = self.home.open()
        log_to(self.home.logs / "songclip.log", self.settings.log_level)
        return db

    def open_log(self) -> None:
        """Write to the home's log even when the command failed before it opened the database."""
        if self.home.exists() and os.access(self.home.logs, os.W_OK):
            log_to(self.home.logs / "songclip.log")

    def say(self, key: str, **details: object) -> str:
        """A sentence in the language of the shell."""
        return translate(key, self.language, **details)


def one_line(text: str) -> str:
    """Text without control characters, so that the name of a file cannot steer the terminal or break the line."""
    return _CONTROL.sub("�", text)


@dataclass(frozen=True)
class Answer:
    """What a command found: one document for ``--json``, lines for a person."""

    document: Any
    lines: tuple[str, ...] = ()
    exit_code: int = 0


def command(group: click.Group, name: str) -> Callable[[Callable[..., Answer | None]], click.Command]:
    """Make a function a command of ``group`` with ``--json``; a typed error becomes one line and exit 1."""

    def decorate(function: Callable[..., Answer | None]) -> click.Command:
        @click.pass_obj
        @functools.wraps(function)
        def run(context: Context, as_json: bool, **arguments: Any) -> None:
            try:
                with redirect_stdout(sys.stderr):
                    answer = function(context, **arguments)
            except Stopped as error:
                click.echo(explain(error, context.language), err=True)
                sys.exit(130)
            except SongclipError as error:
                context.open_log()
                logger.warning("%s: %s", name, error.code)
                line = explain(error, context.language)
                if isinstance(error, NotFoundError) and not context.home.begun():
                    line += " " + context.say("run.empty_home", path=context.home.path)
                click.echo(one_line(line), err=True)
                sys.exit(1)
            except Exception as error:  # the end of the line: the log has it, the screen a sentence
                context.open_log()
                logger.exception("%s broke", name)
                known = refusal(error, context.home.path) or SongclipError("unexpected", kind=type(error).__name__)
                click.echo(one_line(explain(known, context.language)), err=True)
                sys.exit(1)
            if answer is None:
                return
            if as_json:
                click.echo(json.dumps(answer.document, ensure_ascii=False, default=str))
            else:
                for line in answer.lines:
                    click.echo(one_line(line))
            if answer.exit_code:
                sys.exit(answer.exit_code)

        run.__doc__ = function.__doc__
        with_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
        return group.command(name)(with_json(run))

    return decorate


class Bar:
    """A progress bar on standard error, silent when nobody watches it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shown = ""

    def report(self, done: int, total: int, message: str = "", **details: object) -> None:
        """See :class:`core.progress.Progress`."""
        if not sys.stderr.isatty():
            return
        share = f"{done}/{total} " if total else ""
        line = share + (self._context.say(message, **{"done": done, "total": total, **details}) if message else "")
        if line != self._shown:
            click.echo(f"\r\x1b[2K{line}", nl=False, err=True)
            self._shown = line
        if total and done >= total:
            click.echo("", err=True)

    def should_stop(self) -> bool:
        """Ctrl-C raises KeyboardInterrupt instead."""
        return False


def context_for(home: Path, language: Language | None = None) -> Context:
    """The context of one invocation."""
    return Context(Home(home.absolute()), language or environment_language())
