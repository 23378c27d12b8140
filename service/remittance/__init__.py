"""Remittance: fees are taken apart, the budget's share goes to the Treasury, late ones are seen."""
