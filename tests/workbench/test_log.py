import logging

import pytest

from workbench.log import log_to, strike_keys


@pytest.mark.parametrize(
    ("line", "struck"),
    [
        ("key sk-abc123DEF456ghi failed", "key sk-… failed"),
        ("Authorization: Bearer eyJh.bGci-OiJ_9", "Authorization: Bearer …"),
        ("authorization: bearer ab+/cd==efgh, x", "authorization: bearer …, x"),
        ("task-force and risk-averse", "task-force and risk-averse"),
    ],
)
def test_keys_are_struck_out(line, struck):
    assert strike_keys(line) == struck


def test_no_key_reaches_the_file_by_message_detail_or_traceback(tmp_path):
    file = tmp_path / "logs" / "songclip.log"
    log_to(file)
    log_to(file)
    logger = logging.getLogger("a.provider")
    logger.info("asking with %s", "sk-secret0123456")
    try:
        raise ValueError("401 for Bearer secret0123456")
    except ValueError:
        logger.exception("refused")
    text = file.read_text(encoding="utf-8")
    assert "secret" not in text
    assert text.count("asking with sk-…") == 1
    assert "Traceback" in text and "a.provider" in text


def test_the_level_is_kept(tmp_path):
    file = tmp_path / "songclip.log"
    logging.getLogger().setLevel(logging.WARNING)
    log_to(file, "INFO")
    logging.getLogger("x").info("德寿宫")
    logging.getLogger("x").debug("too much")
    assert "德寿宫" in file.read_text(encoding="utf-8")
    assert "too much" not in file.read_text(encoding="utf-8")
