"""What the ledger refuses, each with a name; none of these is a database error in disguise."""

from uuid import UUID


class LedgerError(Exception):
    """Anything the ledger refuses; the caller's transaction should be rolled back."""


class MalformedEntry(LedgerError):
    """An entry that breaks a rule of shape: amount, accounts, times, texts or limits."""


class UnknownAccount(LedgerError):
    """An account code that is not in the chart of the book."""

    def __init__(self, code: str) -> None:
        super().__init__(f"unknown account: {code!r}")
        self.code = code


class UnknownBook(LedgerError):
    """A book that was never opened."""

    def __init__(self, book_id: int) -> None:
        super().__init__(f"unknown book: {book_id}")
        self.book_id = book_id


class BookExists(LedgerError):
    """A book is opened once."""

    def __init__(self, book_id: int) -> None:
        super().__init__(f"book {book_id}, or another with its code, is open already")
        self.book_id = book_id


class UnknownEntry(LedgerError):
    """An entry that is not in the book."""

    def __init__(self, book_id: int, entry_id: UUID) -> None:
        super().__init__(f"unknown entry: {entry_id} in book {book_id}")
        self.book_id = book_id
        self.entry_id = entry_id


class EntryIdTaken(LedgerError):
    """Another source of the book has used the id of this entry."""

    def __init__(self, book_id: int, entry_id: UUID) -> None:
        super().__init__(f"the id {entry_id} is taken in book {book_id}")
        self.book_id = book_id
        self.entry_id = entry_id


class AlreadyReversed(LedgerError):
    """An entry is reversed at most once (invariant 2)."""

    def __init__(self, book_id: int, entry_id: UUID) -> None:
        super().__init__(f"entry {entry_id} of book {book_id} is reversed already")
        self.book_id = book_id
        self.entry_id = entry_id


class DayNotHeld(LedgerError):
    """post() was given days that were not held in this transaction."""


class DayIsOver(LedgerError):
    """The open day of a book moves forward only."""


class SnapshotNeeded(LedgerError):
    """A proof compares many rows and needs them as of one moment."""
