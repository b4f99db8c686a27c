"""The measurement of the writer's stages works with few messages: its first batch, which warms up, is extra."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_stages_of_fewer_messages_than_a_batch():
    asked = ("--messages", "300", "--devices", "6", "--batch", "500")
    command = [sys.executable, str(ROOT / "bench" / "stages.py"), *asked]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["commit_from"] > 0
