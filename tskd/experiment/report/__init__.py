"""What people look at beside the terminal: figures, and one self-contained HTML page."""

from tskd.experiment.report.page import write_page

__all__ = ["write_page"]
