"""test_03_types.py of the suite against a service of the Rust SDK."""
import os
import runpy

from conftest import QI

globals().update({name: value for name, value in runpy.run_path(os.path.join(QI, "test_03_types.py")).items()
                  if not name.startswith("__")})
