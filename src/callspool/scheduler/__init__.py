"""Who may run which job now: slots, fairness, leases, deferrals. Knows jobs; nothing of recordings, SQL or HTTP."""
