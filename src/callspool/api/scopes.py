"""What a key must be allowed for each route: one table. A route that is not in it is refused to every key."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request

from callspool.domain.tenant import Scope

Route = tuple[str, str]

OPEN: Final[frozenset[Route]] = frozenset(
    {
        ("GET", "/api/session"),
        ("POST", "/api/session"),
        ("DELETE", "/api/session"),
        ("GET", "/api/session/all"),
        ("DELETE", "/api/session/all"),
        ("POST", "/api/session/password"),
        ("GET", "/api/session/ways"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("POST", "/webhooks/{provider}/{account}"),
        ("POST", "/webhooks/{provider}/{account}/{tenant}"),
    }
)
"""What needs no scope: whoever signs in or out or looks at its own sessions, the provider, and supervisors."""

_BY_SCOPE: Final[Mapping[Scope, tuple[Route, ...]]] = {
    Scope.READ: (
        ("GET", "/api/recordings"),
        ("GET", "/api/recordings/{id}"),
        ("GET", "/api/recordings/{id}/why"),
        ("GET", "/api/events"),
        ("GET", "/api/overview"),
        ("GET", "/api/throughput"),
        ("GET", "/api/failures"),
        ("GET", "/api/operations/{id}"),
        ("GET", "/api/tenants"),
        ("GET", "/api/accounts"),
        ("GET", "/api/backfills"),
        ("GET", "/api/backfills/{id}"),
        ("GET", "/api/completeness"),
        ("GET", "/api/holds"),
        ("GET", "/api/webhook-endpoints"),
        ("GET", "/api/webhook-endpoints/{id}/deliveries"),
        ("GET", "/api/export/recordings.csv"),
        ("GET", "/metrics"),
    ),
    Scope.PLAY: (
        ("GET", "/api/recordings/{id}/audio"),
        ("HEAD", "/api/recordings/{id}/audio"),
        ("GET", "/api/recordings/{id}/waveform"),
        ("POST", "/api/recordings/{id}/fetch"),
        ("POST", "/api/recordings/{id}/playback"),
    ),
    Scope.WRITE: (
        ("POST", "/api/recordings/{id}/cancel"),
        ("POST", "/api/recordings/{id}/retry"),
        ("POST", "/api/failures/retry"),
        ("POST", "/api/webhook-endpoints"),
        ("DELETE", "/api/webhook-endpoints/{id}"),
        ("POST", "/api/backfills"),
        ("DELETE", "/api/backfills/{id}"),
    ),
    Scope.ADMIN: (
        ("DELETE", "/api/recordings/{id}"),
        ("PATCH", "/api/tenants/{id}"),
        ("PATCH", "/api/accounts/{id}"),
        ("POST", "/api/holds"),
        ("DELETE", "/api/holds/{id}"),
        ("GET", "/api/keys"),
        ("POST", "/api/keys"),
        ("DELETE", "/api/keys/{id}"),
        ("GET", "/api/audit"),
        ("GET", "/api/export/audit.csv"),
    ),
}
NEEDS: Final[Mapping[Route, Scope]] = {route: scope for scope, routes in _BY_SCOPE.items() for route in routes}


def needed(request: Request) -> Scope | None:
    """Return what the request's route needs; None: nothing."""
    route = (request.method, getattr(request.scope.get("route"), "path", ""))
    return None if route in OPEN else NEEDS.get(route, Scope.ADMIN)
