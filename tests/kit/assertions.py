"""What a refusal looks like, and how to tell that nothing was changed."""

import hashlib
import re
from pathlib import Path

from tests.kit.processes import Project, Result

UNTOUCHED = "Nothing was changed."


def assert_refused(result: Result, code: str, *words: str, consequence: str = UNTOUCHED) -> None:
    """Exit code 2 and one error on standard error: the fact, what was not changed, a command to type, the anchor."""
    assert result.code == 2, result
    assert result.stdout == "", result
    assert "Traceback" not in result.stderr, result.stderr
    lines = result.stderr.rstrip().splitlines()
    assert [line for line in lines if line.startswith("error: ")] == [lines[0]], result.stderr
    assert_says(result.stderr, code, *words, consequence=consequence)
    assert lines[-1] == f"(docs/errors.md#{code})"


def assert_says(text: str, code: str, *words: str, consequence: str = UNTOUCHED) -> None:
    """The parts of an error, whichever program printed it."""
    for part in (*words, consequence, f"(docs/errors.md#{code})"):
        assert part in text, text
    assert re.search(r"^  \S", text, re.M), f"no command to type in:\n{text}"


def files_of(project: Project) -> dict[str, str]:
    """Every file of the project by name, with a digest of what is in it. Compiled Python does not count."""
    return {
        str(path.relative_to(project.path)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(project.path.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def revision_file(project: Project, revision: str) -> Path:
    """The project's own file of a revision, to be spoilt."""
    [path] = project.path.joinpath("migrations/versions").glob(f"{revision}_*.py")
    return path
