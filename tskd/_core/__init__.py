"""What every room stands on: windows, checks, files, and the one bridge to darts."""
