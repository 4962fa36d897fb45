"""What callspool means, in plain Python: no I/O, no clock, no third party."""
