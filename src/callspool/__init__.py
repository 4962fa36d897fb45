"""callspool: every call recording, fetched once, kept safe, played at once."""
