"""What there is to see of a trained network: filters, mistakes, and the report of a run."""

from striate.seeing.report import write_report

__all__ = ["write_report"]
