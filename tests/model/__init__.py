"""Models that tests compare the real parts with: plain Python, no server, no clock, nothing of callspool's code."""
