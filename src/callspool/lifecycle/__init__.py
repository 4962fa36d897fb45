"""How recordings and files go: purge and retention, and what nobody needs any more."""
