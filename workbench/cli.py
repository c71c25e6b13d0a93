"""The ``songclip`` command."""

import logging
import os
import sys
from pathlib import Path

import click

# Before torch is imported: waiting threads that spin make a training several times slower beside any other work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from workbench.commands import base, images, models, system, texts
from workbench.commands import jobs as job_commands
from workbench.settings import default_home


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=None,
    help="The project's folder (else SONGCLIP_HOME, else clip_data).",
)
@click.version_option(package_name="songclip-workbench")
@click.pass_context
def songclip(ctx: click.Context, home: Path | None) -> None:
    """Pictures meet classical Chinese texts: annotate, pair, tune Chinese-CLIP, search."""
    ctx.obj = base.context_for(home or default_home())
    ctx.meta["home_given"] = home is not None


for module in (texts, images, models, job_commands, system):
    module.register(songclip)


def main() -> None:
    """Entry point; UTF-8 on every system, since sentences and passages are Chinese."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    # Else Python itself prints a warning on standard error while no log file is open yet.
    logging.getLogger().addHandler(logging.NullHandler())
    songclip()


if __name__ == "__main__":
    main()
