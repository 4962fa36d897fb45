"""A tenant's turns over its accounts on a Redis, where there is one."""

import pytest

from tests.contract.test_scheduler_accounts import *  # noqa: F403 -- its tests are collected here again, on another server
from tests.fixtures.redis import redis_in_place_of_valkey

valkey_server = pytest.fixture(redis_in_place_of_valkey)
