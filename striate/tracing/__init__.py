"""The ledger of any torch network, from one pass in which nothing is allocated or computed."""

from striate.tracing.ledger import size

__all__ = ["size"]
