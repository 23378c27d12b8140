"""A file of each provider ties to the calls line by line; one changed đồng in it is named."""

import csv
import io

import pytest
import xlsxwriter  # type: ignore[import-untyped] # it tells no types
from sqlalchemy.ext.asyncio import AsyncEngine

from providers.settlements import MAPPINGS, SettlementMapping
from providers.settlements.writing import cells_of
from tests.service.settlements.making import (
    bring,
    call,
    cases,
    facts,
    file_of,
    nothing_breaks,
    open_shop,
    other,
    owe,
    paid,
    verdicts,
)
from tests.service.statements.making import balance

pytestmark = pytest.mark.anyio
PROVIDERS = sorted(set(MAPPINGS))
AT_PROVIDERS = [name for name in PROVIDERS if MAPPINGS[name].money == "provider"]
AMOUNTS = (50_000, 70_000, 1_250_000)


def changed(mapping: SettlementMapping, data: bytes, row: int, column: str) -> bytes:
    """The file with one đồng more in one cell; rows count from the headings, which are row 0."""
    rows = list(csv.reader(io.StringIO(data.decode(mapping.encoding)), delimiter=mapping.delimiter))
    at = list(mapping.columns).index(column)  # type: ignore[arg-type] # a name of the test's own
    plain = rows[row][at].replace(mapping.thousands, "") if mapping.thousands else rows[row][at]
    rows[row][at] = f"{int(plain) + 1:,}".replace(",", mapping.thousands)
    text = io.StringIO()
    csv.writer(text, delimiter=mapping.delimiter).writerows(rows)
    return text.getvalue().encode(mapping.encoding)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_file_ties_to_the_calls_line_by_line(
    engine: AsyncEngine, two_books: tuple[int, int], provider: str
) -> None:
    """All lines are tied, nothing is left at the provider or in doubt (invariants 3 and 12)."""
    shop = await open_shop(engine, provider)
    payments = paid(await owe(engine, *AMOUNTS))
    await call(engine, shop, payments)
    row = await bring(engine, shop, file_of(shop, facts(shop, payments)))
    assert (row["status"], row["problem"], row["proven"]) == ("done", None, True)
    at_provider = shop.mapping.money == "provider"
    wanted = ["settled" if at_provider else "tied"] * 3
    assert [one for one in await verdicts(engine) if one != "payout"] == wanted
    assert await cases(engine) == []
    fees_vnd = 3 * 550 if at_provider else 0
    assert await balance(engine, "1388") == (sum(AMOUNTS) - fees_vnd if at_provider else 0)
    assert await balance(engine, "6140") == fees_vnd
    assert await balance(engine, "1130") == (0 if at_provider else sum(AMOUNTS))
    await nothing_breaks(engine)


@pytest.mark.parametrize("column", ["gross", "fee", "net"])
@pytest.mark.parametrize("provider", AT_PROVIDERS)
async def test_one_changed_dong_is_named_by_row_and_column(
    engine: AsyncEngine, two_books: tuple[int, int], provider: str, column: str
) -> None:
    """In a line and in the trailer: the file is refused whole, and says where it is off."""
    shop = await open_shop(engine, provider)
    payments = paid(await owe(engine, *AMOUNTS))
    await call(engine, shop, payments)
    data = file_of(shop, facts(shop, payments))
    trailer = data.decode(shop.mapping.encoding).count("\n") - 1
    headings = shop.mapping.columns
    told = {1: headings["net"][0], trailer: headings[column][0]}  # type: ignore[index]
    for row, heading in told.items():
        found = await bring(engine, shop, changed(shop.mapping, data, row, column))
        assert found["status"] == "refused"
        assert f"row {row + 1}, column {heading}" in found["problem"]
        assert "1 đồng" in found["problem"]
    assert await balance(engine, "1388") == 0
    await nothing_breaks(engine)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_consistent_file_that_is_off_by_one_dong_is_a_case_with_the_line(
    engine: AsyncEngine, two_books: tuple[int, int], provider: str
) -> None:
    """The provider says another amount than its call did: AMOUNT_MISMATCH names both."""
    shop = await open_shop(engine, provider)
    payments = paid(await owe(engine, *AMOUNTS))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    told[1] = other(told[1], gross_vnd=told[1].gross_vnd - 1)
    row = await bring(engine, shop, file_of(shop, told))
    assert row["status"] == "done"
    assert await cases(engine) == [("settlement", "AMOUNT_MISMATCH", 69_999)]
    if shop.mapping.money == "provider":
        assert await balance(engine, "1130") == 1
    await nothing_breaks(engine)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_workbook_says_the_same_as_the_csv(
    engine: AsyncEngine, two_books: tuple[int, int], provider: str
) -> None:
    """XLSX with amounts as numbers ties as the CSV does."""
    shop = await open_shop(engine, provider)
    payments = paid(await owe(engine, *AMOUNTS))
    await call(engine, shop, payments)
    rows = cells_of(shop.mapping, facts(shop, payments))
    money = {"gross", "fee", "net", "fee_tax", "fee_other"}
    columns = list(shop.mapping.columns)
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Doi soat")
        for y, texts in enumerate(rows):
            for x, text in enumerate(texts):
                plain = text.replace(shop.mapping.thousands or "\0", "")
                if y and columns[x] in money and plain:
                    sheet.write_number(y + 3, x, int(plain))
                else:
                    sheet.write_string(y + 3, x, text)
    row = await bring(engine, shop, packed.getvalue())
    assert (row["status"], row["problem"]) == ("done", None)
    assert set(await verdicts(engine)) <= {"settled", "tied"}
    assert await cases(engine) == []
