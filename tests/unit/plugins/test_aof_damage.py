"""Every byte of a folder flipped, every file cut everywhere: nothing is lost in silence."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypercache_aof.manifest import AofFolder

from hypercache.persistence.errors import LoadError
from hypercache.persistence.loader import Loader
from hypercache.testing.engine import EngineHarness
from tests.support.aof import FolderWriter, Outcome, digest, folder_in


class Corpus:
    """A folder of two increments, the state after each of its batches, and an engine to load it."""

    def __init__(self, path: Path, *, ended: bool) -> None:
        harness = EngineHarness()
        harness.command("SET", "before", "the base")
        harness.command("RPUSH", "list", *range(9))
        self.folder = folder_in(path)
        writer = FolderWriter(harness, self.folder)
        self.states = {digest(harness.engine)}
        harness.command("HSET", "hash", "field", "value\r\n*1\r\n$4\r\nPING\r\n")
        writer.rotate()
        self.states = {digest(harness.engine)}
        for line in ("MULTI", "SET a 1", "SELECT 3", "SET b 2", "EXEC", "DEL a", "PEXPIREAT b 1"):
            harness.command(*line.split())
            self.states.add(digest(harness.engine))
        if ended:
            writer.end()
        self.last = writer.path
        self.whole = digest(harness.engine)
        self.loader = Loader(EngineHarness().engine)
        harness.close()

    def outcome(self) -> Outcome:
        return Outcome(self.folder, self.loader)

    def judge(self, path: Path) -> str:
        """What becomes of a folder in which a file was damaged."""
        try:
            outcome = self.outcome()
        except LoadError as error:
            assert str(path) in str(error), error
            assert re.search(r"offset \d+", str(error)), error
            return "refused"
        if outcome.digest == self.whole and outcome.tear is None:
            return "whole"
        assert path == self.last
        assert outcome.digest in self.states
        if outcome.tear is not None:
            assert outcome.tear.path == path
            return "torn"
        assert not outcome.in_order
        return "cut"


@pytest.fixture(params=[True, False], ids=["ended", "killed"])
def corpus(tmp_path: Path, request: pytest.FixtureRequest) -> Corpus:
    return Corpus(tmp_path, ended=request.param)


def each_file(folder: AofFolder) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.path.iterdir()):
        data = path.read_bytes()
        yield path, data
        path.write_bytes(data)


def test_whole(corpus: Corpus) -> None:
    assert corpus.outcome().digest == corpus.whole
    assert corpus.outcome().tear is None


def test_flipped_bits(corpus: Corpus) -> None:
    seen = set()
    for path, data in each_file(corpus.folder):
        for at in range(len(data)):
            path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
            seen.add(corpus.judge(path))
    assert seen <= {"refused", "whole"}


def test_cut_files(corpus: Corpus) -> None:
    seen = []
    for path, data in each_file(corpus.folder):
        for size in range(len(data)):
            path.write_bytes(data[:size])
            seen.append((path == corpus.last, corpus.judge(path)))
    assert (True, "torn") in seen
    assert {what for last, what in seen if not last} == {"refused"}


def test_zeroed_files(corpus: Corpus) -> None:
    """What a power cut leaves of a file that had grown."""
    for path, data in each_file(corpus.folder):
        for size in range(0, len(data), 7):
            path.write_bytes(data[:size] + bytes(len(data) - size + 4096))
            assert corpus.judge(path) == ("torn" if path == corpus.last else "refused")


def test_missing_files(corpus: Corpus) -> None:
    for path, _ in each_file(corpus.folder):
        path.unlink()
        if path != corpus.folder.manifest_path:
            with pytest.raises(LoadError, match=re.escape(str(path))):
                corpus.outcome()
