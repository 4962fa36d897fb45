"""Whatever is asked, rightly or wrongly, by whomever: the answer is one that the API's own description has.

schemathesis makes requests of the description, valid ones and broken ones, always the same ones.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from callspool.api.app import shell
from callspool.domain.webhook import Subject, new_endpoint
from tests.api.conftest import Api
from tests.fixtures import made

EXAMPLES: Final = 3
"""Of each operation, valid and broken, with an id that exists and one that does not, for each who asks."""

PROBLEM: Final = "application/problem+json"
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS: Final = ("GET", "/api/events")
"""Who may hear it hears it for ever: only those are asked for who may not."""


async def things(api: Api) -> Mapping[str, list[str]]:
    """What there is under each path: the ids that requests ask for beside those that are made up."""
    recordings = [await api.ready(data=made.wav(0.5)), await api.failed(), await api.record(), await api.ready("bravo")]
    endpoint = new_endpoint(
        recordings[0].tenant_id, "https://a.example/", list(Subject), now=recordings[0].created_at, randomness=bytes(40)
    )
    await api.services.store.add_endpoint(endpoint)
    return {
        "/api/recordings/": [recording.id for recording in recordings],
        "/api/tenants/": ["acme"],
        "/api/accounts/": ["main"],
        "/api/webhook-endpoints/": [endpoint.id],
    }


def ask_everything(api: Api, there: Mapping[str, list[str]]) -> int:
    """Ask; return how many answers were looked at."""
    schema = schemathesis.openapi.from_dict(shell().openapi())
    answers = 0

    def ask(case: Case) -> None:
        nonlocal answers
        endless = (case.method.upper(), case.path) == ENDLESS
        for who in (None,) if endless else ("operator", "acme", None):
            answer = case.call(base_url=api.url, headers={**(case.headers or {}), **api.as_(who)})
            case.validate_response(answer, checks=CHECKS)
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == [PROBLEM], case.as_curl_command()
            answers += 1

    for found in schema.get_all_operations():
        operation = found.ok()
        known = next((ids for path, ids in there.items() if operation.path.startswith(f"{path}{{id}}")), [])
        can_be_wrong = operation.query or operation.body  # any text at all is right for an id
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if can_be_wrong else (GenerationMode.POSITIVE,):
            for id_ in (None, *known):
                run(ask, operation.as_strategy(mode, path_parameters={"id": id_} if id_ else None))
    return answers


def run(ask: Callable[[Case], None], cases: SearchStrategy[Case]) -> None:
    """Ask with some of the cases, always the same."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=cases)
    def once(case: Case) -> None:
        ask(case)

    once()


@pytest.mark.timeout(300)  # a quarter of a minute on a machine of its own
async def test_every_answer_is_one_that_the_description_has(api: Api) -> None:
    answers = await asyncio.to_thread(ask_everything, api, await things(api))

    assert answers > 500
