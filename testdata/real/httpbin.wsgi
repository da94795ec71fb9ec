"""httpbin as Debian packages it."""
from httpbin import app as application  # noqa: F401
