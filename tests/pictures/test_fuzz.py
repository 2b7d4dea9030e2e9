"""Whatever is damaged at random, nothing but a clear answer comes of it, and what is accepted can be rendered."""

import pytest

from tests.support.fuzz import mutated, try_one

IMAGES, PARTS = 3000, 6


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # what Pillow thinks of damaged metadata
@pytest.mark.parametrize("part", range(PARTS))
def test_a_damaged_file_gets_a_clear_answer(part: int) -> None:
    answers = {try_one(seed) for seed in range(part * IMAGES // PARTS, (part + 1) * IMAGES // PARTS)}
    assert {"image_broken", "image/jpeg", "unsupported_file_type"} <= answers


def test_a_seed_always_means_the_same_damage() -> None:
    assert [mutated(seed) for seed in range(20)] == [mutated(seed) for seed in range(20)]
