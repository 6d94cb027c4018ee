"""What can be protected. Adapters image, check and put back; they never read configuration, print or keep a ledger."""
