"""Decisions, backups, plans and ledgers as text and as JSON documents: everything here returns, nothing prints."""
