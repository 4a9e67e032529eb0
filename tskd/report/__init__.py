"""What people look at: the table in the terminal, the figures, and one self-contained HTML page."""

from tskd.report.page import write_page
from tskd.report.table import terminal_table

__all__ = ["terminal_table", "write_page"]
