"""A simulated provider: Twilio's wire protocol over real HTTP, made-up calls, and faults on demand.

It imports nothing of the rest of callspool, so that the two can never share a mistake, and it keeps the provider's
own log, by which the rest is measured.
"""

from callspool.simulator.callbacks import Delivery
from callspool.simulator.clock import Clock
from callspool.simulator.faults import CallbackFault, CallbackFaultKind, Fault, FaultKind
from callspool.simulator.requestlog import Entry, bytes_sent, downloads, highest_concurrency, whole_downloads
from callspool.simulator.server import Simulator
from callspool.simulator.world import Account, PublicKey, Recording

__all__ = [
    "Account",
    "CallbackFault",
    "CallbackFaultKind",
    "Clock",
    "Delivery",
    "Entry",
    "Fault",
    "FaultKind",
    "PublicKey",
    "Recording",
    "Simulator",
    "bytes_sent",
    "downloads",
    "highest_concurrency",
    "whole_downloads",
]
