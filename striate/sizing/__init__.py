"""The numbers of a network: volumes, parameters, MACs, bytes, receptive fields."""

from striate.sizing.ledger import Ledger, Row, Totals, size

__all__ = ["Ledger", "Row", "Totals", "size"]
