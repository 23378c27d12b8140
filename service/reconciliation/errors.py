"""Refusals of this room."""

from service.errors import Refusal


class BookNotNamed(Refusal):
    """Your key or account covers several books: say by `book_id` which one is to be reconciled."""

    status, code = 422, "book-not-named"
    title_vi, title_en = "Chưa nêu sổ của đơn vị thu", "The book is not named"
