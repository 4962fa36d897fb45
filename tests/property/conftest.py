"""What the state machine asserts outside of its test file says what it compared, too."""

import pytest

pytest.register_assert_rewrite("tests.property.scheduler_state", "tests.property.scheduler_world")
