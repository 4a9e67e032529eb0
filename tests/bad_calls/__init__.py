"""A generator of calls with wrong arguments, and the judge of how they end."""
