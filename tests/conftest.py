"""Fixtures that several folders share live in tests/fixtures, one file for each real part."""

pytest_plugins = [
    "tests.fixtures.long",
    "tests.fixtures.node",
    "tests.fixtures.nodes",
    "tests.fixtures.browser",  # after node, which it imports
    "tests.fixtures.cluster",
    "tests.fixtures.postgres",
    "tests.fixtures.databases",  # after postgres, which it imports
    "tests.fixtures.rules",
    "tests.fixtures.s3",
    "tests.fixtures.simulator",
    "tests.fixtures.providers",  # after simulator, which it imports
    "tests.fixtures.specification",
    "tests.fixtures.valkey",
]
