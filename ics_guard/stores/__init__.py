"""Where backups and ledger live: every module here keeps the contract of `model.Store`."""
