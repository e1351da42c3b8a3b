"""oom-score-adj: written as told, put back, and refused where the system refuses."""

from pathlib import Path

import pytest

from hypercache.config import ConfigError, Settings
from hypercache.config.sections.server import OomScoreAdj
from hypercache.oom_score import OomScore


def test_the_score_follows_the_settings_and_is_put_back(tmp_path: Path) -> None:
    file = tmp_path / "oom_score_adj"
    file.write_text("7\n")
    settings = Settings(oom_score_adj_values=(10, 20, 30))
    score = OomScore(file)

    def applied(mode: OomScoreAdj, *values: int) -> str:
        settings.oom_score_adj = mode
        if values:
            settings.oom_score_adj_values = values
        score.apply(settings)
        return file.read_text()

    assert applied("no") == "7\n"
    assert applied("relative") == "17\n"
    assert applied("relative", 15, 0, 0) == "22\n"
    assert applied("absolute") == "15\n"
    assert applied("absolute", 2000, 0, 0) == "1000\n"
    assert applied("relative", -2000, 0, 0) == "-1000\n"
    assert applied("no") == "7\n"
    file.write_text("8\n")
    assert applied("no") == "8\n"


def test_a_refusal_is_told(tmp_path: Path) -> None:
    settings = Settings(oom_score_adj="absolute")
    with pytest.raises(ConfigError, match="Failed to set current oom_score_adj"):
        OomScore(tmp_path / "missing").apply(settings)
