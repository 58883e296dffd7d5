"""A ledger of dated amounts."""
