"""Refunds: wished for, proposed and approved by two people, sent once, followed until final."""
