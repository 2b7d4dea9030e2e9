"""Commands in a pipe."""

import os
import subprocess
import sys

import pytest

from tests.support.environments import PROJECT, settings_of


@pytest.mark.parametrize("command", ["help", "check --list-tags"])
def test_a_command_whose_reader_has_left_ends_without_a_word(command: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "manage.py", *command.split()],
        cwd=PROJECT,
        env=settings_of(),
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)
    assert done.returncode == 141  # 128 and the number of SIGPIPE, as shells have it
    assert "Traceback" not in done.stderr
    assert "BrokenPipeError" not in done.stderr
