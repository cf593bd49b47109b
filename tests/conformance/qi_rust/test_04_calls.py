"""test_04_calls.py of the suite against a service of the Rust SDK."""
import os
import runpy

from conftest import QI

globals().update({name: value for name, value in runpy.run_path(os.path.join(QI, "test_04_calls.py")).items()
                  if not name.startswith("__")})
