"""A small Internet for jobs that verify addresses."""

from collections.abc import Iterator

import pytest
from world import WorldBeside


@pytest.fixture
def mail() -> Iterator[WorldBeside]:
    world = WorldBeside()
    yield world
    world.close()
