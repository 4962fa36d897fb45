"""The scheduler's promises on a Redis, where there is one: Redis 7 and later is what many have."""

import pytest

from tests.contract.test_scheduler import *  # noqa: F403 -- its tests are collected here again, on another server
from tests.fixtures.redis import redis_in_place_of_valkey

valkey_server = pytest.fixture(redis_in_place_of_valkey)
