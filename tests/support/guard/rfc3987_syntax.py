"""Stands in for a package whose import takes a second, in every process that imports jsonschema.

Nobody here asks jsonschema to check IRIs, which it does not do where this cannot be imported.
"""

raise ImportError("left out of tests: its parsers take a second to build")
