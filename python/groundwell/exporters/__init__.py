"""Data sets that go out through Python: Parquet.

    python -m groundwell.exporters parquet triplets.parquet --category cat --limit 1000

Needs ``pip install 'groundwell[exporters]'``. ``groundwell export`` writes the other formats.
"""

from .parquet import export_parquet

__all__ = ["export_parquet"]
