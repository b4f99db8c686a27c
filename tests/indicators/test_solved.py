"""What a model gave is computed once, also over processes; a changed model or a damaged file is computed again."""

from dataclasses import dataclass

import numpy as np
import pytest

from indicators.methods import solved


@dataclass(frozen=True)
class Answer:
    names: list[str]
    heads: np.ndarray
    pipes: dict[str, list[str]]


@pytest.fixture
def world(tmp_path):
    """A model, a folder for what it gives, and how often it was solved; `ask` is a process of its own each time."""
    model, folder, asked = tmp_path / "town.inp", tmp_path / "cache" / "networks", []
    model.write_text("[JUNCTIONS]")

    def make():
        asked.append(1)
        return Answer(["n1", "č"], np.array([[1.5, np.nan]]), {"n1": ["p1", "p2"]})

    def ask(settings=("n1", 0.7), where=folder):
        solved._MEMORY.clear()
        return solved.kept(Answer, model, settings, where, make)

    return model, folder, asked, ask


def test_the_next_process_reads_what_the_first_computed(world):
    _, folder, asked, ask = world
    first, again = ask(), ask()
    assert (again.names, again.pipes, len(asked)) == (first.names, first.pipes, 1)
    np.testing.assert_array_equal(again.heads, first.heads)
    assert [file.suffix for file in folder.iterdir()] == [".npz"]


def test_another_model_or_another_question_is_computed_anew(world):
    model, _, asked, ask = world
    ask()
    ask(settings=("n1", 0.8))
    model.write_text("[JUNCTIONS]\nn1")
    ask()
    assert len(asked) == 3


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half", b"\x93NUMPY\x01\x00\x08"])
def test_a_file_that_cannot_be_read_is_made_again(world, damage):
    _, folder, asked, ask = world
    ask()
    (file,) = folder.iterdir()
    file.write_bytes(damage)
    assert ask().names == ["n1", "č"]
    ask()
    assert len(asked) == 2


def test_without_a_folder_or_where_it_cannot_be_written_it_is_kept_in_memory(world):
    model, _, asked, ask = world
    assert ask(where=None).names == ask(where=model / "below a file").names
    assert len(asked) == 2
    assert list(model.parent.iterdir()) == [model]
