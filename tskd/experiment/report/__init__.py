"""What people look at: the table in the terminal, the figures, and one self-contained HTML page."""

from tskd.experiment.report.page import write_page
from tskd.experiment.report.terminal import terminal_table

__all__ = ["terminal_table", "write_page"]
