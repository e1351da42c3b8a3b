"""The memory that a container may take, as control groups tell it."""

from pathlib import Path

import pytest

from hypercache.engine.container import container_limit

VERSION_1 = "5:devices:/docker/abc\n4:cpu,memory:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {}, 0),
        ("0::/\n", {"memory.max": "max\n"}, 0),
        ("0::/\n", {"memory.max": "1073741824\n"}, 1 << 30),
        ("0::/a/b\n", {"a/b/memory.max": "500\n", "a/memory.max": "max\n"}, 500),
        ("0::/a/b\n", {"a/b/memory.max": "500\n", "a/memory.max": "400\n"}, 400),
        ("0::/out/of/sight\n", {"memory.max": "300\n"}, 300),
        ("0::/a\n", {"a/memory.max": "garbage\n"}, 0),
        ("0::/a\n", {"a/memory.max": "0\n"}, 0),
        (VERSION_1, {"memory/docker/abc/memory.limit_in_bytes": "700\n"}, 700),
        (VERSION_1, {"memory/memory.limit_in_bytes": "800\n"}, 800),
        (VERSION_1, {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0),
        (VERSION_1, {"unified/memory.max": "900\n"}, 900),
        ("", {"memory.max": "300\n"}, 0),
        ("nonsense\n7:x\n", {"memory.max": "300\n"}, 0),
    ],
)
def test_limits(groups: str, files: dict[str, str], expected: int, tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text(groups)
    mounted = tmp_path / "mounted"
    for name, text in files.items():
        path = mounted / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert container_limit(tmp_path / "cgroup", mounted) == expected


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert container_limit(tmp_path / "none", tmp_path) == 0
