"""test_05_signals_properties.py of the suite against a service of the Rust SDK."""
import os
import runpy

from conftest import QI

globals().update({name: value for name, value in runpy.run_path(os.path.join(QI, "test_05_signals_properties.py")).items()
                  if not name.startswith("__")})
