"""What the provider tests share: a folder, a clock, and the terms with VNPAY."""

from datetime import UTC, datetime
from pathlib import Path

from providers import Secret, Terms

HERE = Path(__file__).parent
NOW = datetime(2026, 3, 12, 3, 15, 35, tzinfo=UTC)
SECRET = Secret("TESTSECRETHUE0123456789ABCDEFGHIJ")

VNPAY_TERMS = Terms(merchant="HUETEST1", secrets=(SECRET,))
