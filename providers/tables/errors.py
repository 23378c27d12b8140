"""Why a table cannot be read, by row and column."""


class UnreadableTable(ValueError):
    """A file that is not taken; names the row as a spreadsheet counts it, and the column."""

    def __init__(self, row: int, column: str | None, why: str) -> None:
        place = f"row {row}" if column is None else f"row {row}, column {column}"
        super().__init__(f"{place}: {why}")
        self.row = row
        self.column = column
        self.why = why
