"""Accounts, calls and recordings as the provider's JSON shows them: its names, its types, its date format."""

import email.utils
import json
from datetime import datetime, timedelta
from typing import Any, Final

from callspool.simulator.encryption import details_of
from callspool.simulator.world import DELETED, Account, Call, Recording

VERSION: Final = "2010-04-01"

_CENTS_A_MINUTE: Final = 0.25


def account_json(account: Account, created_at: datetime) -> dict[str, Any]:
    """Return an account. Its token is not told."""
    uri = f"/{VERSION}/Accounts/{account.sid}"
    return {
        "auth_token": None,
        "date_created": _date(created_at),
        "date_updated": _date(created_at),
        "friendly_name": "Simulated subaccount" if account.parent else "Simulated account",
        "owner_account_sid": account.parent or account.sid,
        "sid": account.sid,
        "status": "active",
        "subresource_uris": {"calls": f"{uri}/Calls.json", "recordings": f"{uri}/Recordings.json"},
        "type": "Full",
        "uri": f"{uri}.json",
    }


def recording_json(recording: Recording, base_url: str, media_url: str = "") -> dict[str, Any]:
    """Return a recording's metadata; *media_url* is where its audio is, if that is not here."""
    place = f"/{VERSION}/Accounts/{recording.account_sid}/Recordings/{recording.sid}"
    is_over = recording.status in ("completed", DELETED)
    price = -(-recording.duration_s // 60) * _CENTS_A_MINUTE / 100
    return {
        "account_sid": recording.account_sid,
        "api_version": VERSION,
        "call_sid": recording.call_sid,
        "conference_sid": recording.conference_sid,
        "date_created": _date(recording.created_at),
        "date_updated": _date(recording.updated_at),
        "start_time": _date(recording.started_at),
        "duration": str(recording.announced_duration_s) if is_over else "-1",
        "sid": recording.sid,
        "price": f"-{price:.4f}" if is_over else None,
        "price_unit": "USD",
        "status": recording.status,
        "channels": recording.channels,
        "source": recording.source,
        "error_code": recording.error_code,
        "uri": f"{place}.json",
        "encryption_details": _encryption(recording),
        "subresource_uris": {
            "add_on_results": f"{place}/AddOnResults.json",
            "transcriptions": f"{place}/Transcriptions.json",
        },
        "media_url": media_url or base_url + place,
    }


def _encryption(recording: Recording) -> dict[str, str] | None:
    details = details_of(recording)
    if details is None:
        return None
    told = json.loads(details)
    return {
        "encryption_public_key_sid": told["public_key_sid"],
        "encryption_cek": told["encrypted_cek"],
        "encryption_iv": told["iv"],
    }


def call_recording_json(recording: Recording, base_url: str, media_url: str = "") -> dict[str, Any]:
    """Return a recording as a part of its call: with its track, without an address of its media."""
    shown = recording_json(recording, base_url, media_url)
    del shown["media_url"], shown["subresource_uris"]
    place = f"/{VERSION}/Accounts/{recording.account_sid}/Calls/{recording.call_sid}/Recordings/{recording.sid}"
    price = None if shown["price"] is None else float(shown["price"])  # here, and only here, it is a number
    return {**shown, "price": price, "track": "both", "uri": f"{place}.json"}


def conference_recording_json(recording: Recording, base_url: str, media_url: str = "") -> dict[str, Any]:
    """Return a recording as a part of its conference: without an address of its media."""
    shown = recording_json(recording, base_url, media_url)
    del shown["media_url"], shown["subresource_uris"]
    place = f"Conferences/{recording.conference_sid}/Recordings/{recording.sid}"
    return {**shown, "uri": f"/{VERSION}/Accounts/{recording.account_sid}/{place}.json"}


def call_json(call: Call) -> dict[str, Any]:
    """Return a call, which is always over."""
    place = f"/{VERSION}/Accounts/{call.account_sid}/Calls/{call.sid}"
    ended = call.started_at + timedelta(seconds=round(call.duration_s))
    return {
        "sid": call.sid,
        "date_created": _date(call.started_at),
        "date_updated": _date(ended),
        "parent_call_sid": None,
        "account_sid": call.account_sid,
        "to": call.called,
        "to_formatted": call.called,
        "from": call.caller,
        "from_formatted": call.caller,
        "phone_number_sid": None,
        "status": "completed",
        "start_time": _date(call.started_at),
        "end_time": _date(ended),
        "duration": str(round(call.duration_s)),
        "price": None,
        "price_unit": "USD",
        "direction": call.direction,
        "answered_by": None,
        "api_version": VERSION,
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": None,
        "queue_time": "0",
        "trunk_sid": None,
        "uri": f"{place}.json",
        "subresource_uris": {"recordings": f"{place}/Recordings.json"},
    }


def _date(at: datetime) -> str:
    return email.utils.format_datetime(at)
