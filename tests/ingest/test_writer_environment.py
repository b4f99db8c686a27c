"""The settings of the writer's allocators are ones that they know: a misspelt one would be passed over in silence."""

import os
import subprocess
import sys

import pytest

from ingest.run import WRITER_ENVIRONMENT


@pytest.mark.parametrize(("conf", "refused"), [({}, False), ({"_RJEM_MALLOC_CONF": "misspelt:1"}, True)])
def test_polars_allocator_takes_its_settings(conf, refused):
    command = [sys.executable, "-c", "import polars as pl; print(pl.Series([1]).sum(), pl.thread_pool_size())"]
    environment = os.environ | WRITER_ENVIRONMENT | conf
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "1"]
    assert bool(done.stderr) == refused
