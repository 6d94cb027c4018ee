"""What can go wrong, each with its exit code, a stable name and the way to mend it.

A blocked commit is a decision (`model.Decision`), not an error.
"""


class IcsGuardError(Exception):
    """Anything the user can act on: `code` is stable, `fix` says what to do next, `exit_code` is the contract's."""

    exit_code = 2

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix


class UsageError(IcsGuardError):
    """The command was called in a way, or in a place, that makes no sense."""


class ConfigError(IcsGuardError):
    """ics-guard.toml is missing, unreadable or says something it cannot say."""


class BackupError(IcsGuardError):
    """No verified backup came of it: imaging, storing or drilling failed. Nothing half-made is visible."""

    exit_code = 3


class SourceError(BackupError):
    """The source itself cannot be imaged: missing, empty, not a database, locked, damaged, tracked by git."""


class StoreError(BackupError):
    """The store cannot be read or written."""


class LedgerError(BackupError):
    """The ledger cannot be read, or an entry is not what it was."""


class RestoreError(IcsGuardError):
    """The restore did not happen, or it was undone: the previous state is live."""

    exit_code = 4


class RevertError(IcsGuardError):
    """The restore failed and so did putting the previous state back: a person is needed; `fix` is what to type."""

    exit_code = 5


class CommandError(IcsGuardError):
    """`run`: the command failed; the data is back as it was."""

    exit_code = 6
