"""The example file names each setting, explains it, and shows its default."""

import re
from itertools import pairwise

from tests.support.environments import EXAMPLE, PROJECT, SHOWN, check, example, loaded_settings

READ = re.compile(r'\benv\.\w+\(\s*"([A-Z0-9_]+)"')


def test_the_example_with_its_placeholders_filled_in_is_enough() -> None:
    assert check().returncode == 0


def test_the_example_names_what_the_settings_read_in_the_same_order() -> None:
    source = (PROJECT / "accounting" / "settings.py").read_text()

    assert [match[1] for match in SHOWN.finditer(EXAMPLE)] == READ.findall(source)


def test_the_example_explains_each_key() -> None:
    text = EXAMPLE.splitlines()
    unexplained = [line for above, line in pairwise(text) if SHOWN.match(line) and not re.match(r"# (?!--)", above)]

    assert unexplained == []


def test_the_defaults_that_the_example_shows_are_the_defaults() -> None:
    assert repr(loaded_settings(**example(required=False))) == repr(loaded_settings())  # not all can be compared
