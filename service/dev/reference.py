"""Write the reference pages that follow from the code: settings, commands, problems, answers.

`python -m service.dev.reference` writes them; a test holds them equal to the code.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, get_args

import service
from providers import Call, Outcome
from providers.catalog import CATALOG
from providers.states import EDGES, STATES, Word
from service.errors import every_refusal
from service.outbox.writing import EventType
from service.settings import UNPREFIXED, Settings

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
FIELD: Final = re.compile(r'^    (\w+): .+?\n    """(.+?)"""', re.MULTILINE | re.DOTALL)
MARK: Final = "<!-- what follows is written by `python -m service.dev.reference` -->\n"

OUTCOMES: Final[Mapping[Outcome, str]] = MappingProxyType(
    {
        Outcome.BOOKED: "Believed and booked",
        Outcome.NOTED: "Believed; no money moved (pending, failed, cancelled)",
        Outcome.REPEAT_OF_PAID: "The same event as one that was booked",
        Outcome.REPEAT: "The same event as one that was kept or noted",
        Outcome.ANOTHER_FOR_PAID: "Another payment for what was paid",
        Outcome.UNKNOWN_ORDER: "No order or reference of ours",
        Outcome.UNKNOWN_AGAIN: "The same, asked three times already",
        Outcome.AMOUNT_DIFFERS: "Another amount than was ordered",
        Outcome.HELD: "Kept for people to look at",
        Outcome.FORGED: "The signature does not fit",
        Outcome.STALE: "Signed too long ago",
        Outcome.MALFORMED: "Cannot be read",
        Outcome.TRY_AGAIN: "Not kept: queue or shelf full, or the database is away",
        Outcome.TEST: "A probe of the provider",
    }
)
EVENTS: Final[Mapping[EventType, str]] = MappingProxyType(
    {
        "fee_notice.recorded": "a notice was recorded",
        "fee_notice.items_added": "an additional charge",
        "fee_notice.exempted": "something was waived",
        "fee_notice.cancelled": "nothing is owed any more",
        "fee_notice.partially_paid": "money arrived, something is left to pay",
        "fee_notice.paid": "nothing is left to pay",
        "fee_notice.overpaid": "reserved for a later decision by people",
        "fee_notice.reopened": "a payment was reversed; it is owed again",
        "fee_notice.refunded": "money was given back: a fee by decision, or what was held",
        "fee_notice.refund_returned": "a refund came back from the payer's bank; it is owed again",
    }
)

SHORT: Final[Mapping[Word, str]] = MappingProxyType(
    {"news": "news", "late": "late", "contradiction": "**case**"}
)


def tables() -> dict[str, str]:
    """The part of each page that follows from the code, by file name."""
    return {
        "settings.md": _settings(),
        "problems.md": _problems(),
        "outcomes.md": _answers(),
        "events.md": _events(),
        "payment-states.md": _states(),
    }


def whole(page: str, table: str) -> str:
    """A page with its written part replaced: everything between the mark and the next heading."""
    before, _, rest = page.partition(MARK)
    following = rest.find("\n## ")
    after = rest[following:] if following >= 0 else ""
    return f"{before}{MARK}\n{table}{after}"


def _settings() -> str:
    defaults = Settings()
    direct = {field: variable for variable, field in UNPREFIXED.items()}
    rows = ["| variable | default | what it decides |", "|---|---|---|"]
    for name, told in FIELD.findall(inspect.getsource(Settings)):
        variable = direct.get(name, f"DOISOAT_{name.upper()}")
        text = " ".join(told.split()).removeprefix(f"{variable}: ")
        value = getattr(defaults, name)
        shown = str(value).lower() if isinstance(value, bool) else str(value) or "empty"
        rows.append(f"| `{variable}` | {shown} | {text[0].upper()}{text[1:]} |")
    return "\n".join(rows) + "\n"


def _problems() -> str:
    for module in pkgutil.walk_packages(service.__path__, "service."):
        if module.name.endswith(".errors"):
            importlib.import_module(module.name)
    rows = ["| status | type | title | |", "|---|---|---|---|"]
    rows += [
        f"| {kind.status} | `/problems/{kind.code}` | {kind.title_vi} | {kind.title_en} |"
        for kind in sorted(every_refusal(), key=lambda kind: (kind.status, kind.code))
        if kind.__module__.startswith("service.")
    ]
    return "\n".join(rows) + "\n"


def _answers() -> str:
    call = Call(method="GET", path="/")
    names = sorted(CATALOG, reverse=True)
    rows = [f"| outcome | what it means | {' | '.join(names)} |", "|---|---|" + "---|" * len(names)]
    for outcome in Outcome:
        answers = [CATALOG[name].answer(outcome, call) for name in names]
        told = " | ".join(
            f"{one.status} `{one.body.decode()}`" if one.body else f"{one.status}"
            for one in answers
        )
        rows.append(f"| `{outcome.value}` | {OUTCOMES[outcome]} | {told} |")
    return "\n".join(rows) + "\n"


def _events() -> str:
    rows = ["| type | what happened |", "|---|---|"]
    rows += [f"| `{kind}` | {EVENTS[kind]} |" for kind in get_args(EventType)]
    return "\n".join(rows) + "\n"


def _states() -> str:
    """The graph: what is news as a picture, and every pair as a table."""
    picture = ["```mermaid", "stateDiagram-v2", "    direction LR"]
    picture += [f"    [*] --> {state}" for state in STATES]
    picture += [f"    {one.before} --> {one.after}" for one in EDGES if one.word == "news"]
    picture += ["```", ""]
    words = {(one.before, one.after): one.word for one in EDGES}
    rows = [f"| state, then told | {' | '.join(STATES)} |", "|---|" + "---|" * len(STATES)]
    for before in STATES:
        cells = [SHORT[words[before, after]] if after != before else "–" for after in STATES]
        rows.append(f"| **{before}** | {' | '.join(cells)} |")
    return "\n".join([*picture, *rows]) + "\n"


def main() -> None:
    """Write the pages."""
    for name, table in tables().items():
        path = FOLDER / name
        path.write_text(whole(path.read_text(encoding="utf-8"), table), encoding="utf-8")


if __name__ == "__main__":
    main()
