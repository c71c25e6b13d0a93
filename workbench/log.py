"""The log file of a home: what a reader of the screen is spared, without keys and without passages."""

import logging
import re
from logging.handlers import RotatingFileHandler
from pathlib import Path

_KEY = re.compile(r"\b(sk-|Bearer\s+)[A-Za-z0-9._~+/=\-]{6,}", re.IGNORECASE)


class _WithoutKeys(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return strike_keys(super().format(record))


def strike_keys(text: str) -> str:
    """The text with everything that looks like an API key struck out."""
    return _KEY.sub(r"\1…", text)


def log_to(file: Path, level: str = "INFO") -> None:
    """Send the log of this process to ``file``, at most 5 MB and three older ones; calling it again changes nothing."""
    logging.captureWarnings(True)
    for chatty in ("httpx", "httpx2", "httpcore", "httpcore2", "openai"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    root = logging.getLogger()
    if any(isinstance(h, RotatingFileHandler) and h.baseFilename == str(file.resolve()) for h in root.handlers):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # A full disk must not put the traceback of a lost line on the screen.
    logging.raiseExceptions = False
    handler = RotatingFileHandler(file, maxBytes=5_000_000, backupCount=3, encoding="utf-8", delay=True)
    handler.setFormatter(_WithoutKeys("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root.addHandler(handler)
    if root.level > logging.getLevelName(level) or root.level == logging.NOTSET:
        root.setLevel(level)
