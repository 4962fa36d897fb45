"""What an identity provider may lead us to, and what its settings may be."""

import pytest

from callspool.domain.errors import IdentityUnavailable, Misconfigured
from callspool.domain.identity import Grant
from callspool.domain.ids import TenantId
from callspool.identity.documents import ask, checked
from callspool.settings import Settings
from tests.fixtures.receiver import receiving

PUBLIC = "https://1.1.1.1"  # a number is looked up without asking anybody


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"])
async def test_a_public_issuer_leads_nobody_into_a_private_network(inside: str) -> None:
    with pytest.raises(IdentityUnavailable, match="private network"):
        await ask(PUBLIC, f"https://{inside}:9/token", form={"code": "x"})


@pytest.mark.parametrize(
    "url",
    [
        "http://1.1.1.1/",
        "http://127.0.0.1/",
        "https://user@1.1.1.1/",
        "https:///x",
        "ftp://1.1.1.1/",
        "https://[x/",
        "x",
    ],
)
def test_no_issuer_leads_to_an_address_without_encryption(url: str) -> None:
    with pytest.raises(IdentityUnavailable):
        checked(PUBLIC, url)


async def test_no_redirect_is_followed() -> None:
    async with receiving() as elsewhere, receiving(f"302 Found\r\nLocation: {elsewhere.url}") as issuer:
        with pytest.raises(IdentityUnavailable, match="JSON"):
            await ask(issuer.url, issuer.url, form={"client_secret": "x"})
        assert (len(issuer.came), elsewhere.came) == (1, [])


def test_grants_are_read_in_their_order() -> None:
    text = " cn=admins=operator , @acme.example = tenant:acme,"
    read = Settings.read({"CALLSPOOL_OIDC_GRANTS": text}).admission
    assert read.grants == (Grant("cn=admins", None), Grant("@acme.example", TenantId("acme")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_GRANTS", "admins"),
        ("OIDC_GRANTS", "admins=root"),
        ("OIDC_GRANTS", "=operator"),
        ("OIDC_GRANTS", "admins=tenant:Not A Name"),
        ("OIDC_ISSUER", "http://issuer.example"),
        ("OIDC_ISSUER", "https://issuer.example?x=1"),
        ("OIDC_ISSUER", "issuer.example"),
        ("OIDC_SCOPES", "email"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=f"CALLSPOOL_{name}"):
        Settings.read({f"CALLSPOOL_{name}": value})


def test_an_issuer_needs_a_client() -> None:
    with pytest.raises(Misconfigured, match="CALLSPOOL_OIDC_CLIENT_ID"):
        Settings.read({"CALLSPOOL_OIDC_ISSUER": "https://issuer.example"})
    assert Settings.read({}).oidc_issuer == ""
