"""Options of commands: what one cannot take is told in one sentence, with what it takes."""

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize(
    ("command", "options", "sentence"),
    [
        ("sweep_jobs", ["--interval=0"], "--interval: it takes seconds from 0.1 to 30"),
        ("sweep_jobs", ["--interval=nan"], "--interval: it takes seconds from 0.1 to 30"),
        ("n8n_sandbox", ["--delay=-1"], "--delay: it takes seconds from 0 to 3600"),
    ],
)
def test_a_number_that_an_option_cannot_take_is_one_sentence(command: str, options: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command(command, *options)
