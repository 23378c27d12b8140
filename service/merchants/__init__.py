"""Merchants: which account at a provider serves which books, and the secrets we share with it.

What is kept of them is here; what operators do to them is in `changes`.
"""

from service.merchants.keeping import (
    MERCHANTS_MAX,
    SECRETS_MAX,
    WEAK_LIMIT,
    Keys,
    Merchant,
    NewMerchant,
    add,
    find,
    listing,
    of_id,
    open_keys,
    seal_keys,
    serving,
)

__all__ = [
    "MERCHANTS_MAX",
    "SECRETS_MAX",
    "WEAK_LIMIT",
    "Keys",
    "Merchant",
    "NewMerchant",
    "add",
    "find",
    "listing",
    "of_id",
    "open_keys",
    "seal_keys",
    "serving",
]
