"""What the API needs: made by wiring, passed to `create_app`, held nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from callspool.api.link_keys import LinkKeys
from callspool.domain.identity import IdentityProvider
from callspool.domain.ports.audio import Prober, Renderer
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.provider import Provider
from callspool.domain.ports.scheduler import Bulletin, Producer
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """Real parts, by their ports. There is no `Consumer`: the API cannot take a slot."""

    settings: Settings
    store: Store
    producer: Producer
    bulletin: Bulletin
    vault: Vault
    prober: Prober
    renderer: Renderer
    providers: Mapping[str, Provider]
    clock: Clock
    secret_key: bytes = field(repr=False)
    identity: IdentityProvider | None = None
    """Where people may sign in besides. None: by password and key alone."""
    links: LinkKeys = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Begin with the key that signs links until it is replaced."""
        object.__setattr__(self, "links", LinkKeys(self.store, self.secret_key))


async def services_of(connection: HTTPConnection) -> Services:
    """Return the services of the app that answers. Asynchronous, because FastAPI sends others to a thread."""
    services = connection.app.state.services
    assert isinstance(services, Services)  # noqa: S101 - create_app put it there
    return services


ServicesOf = Annotated[Services, Depends(services_of)]
