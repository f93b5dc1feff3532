"""What `validate` asserts: a pytest plugin with recorded cells as fixtures, and one test per claim and cell.

An installed envcheck adds one option to everybody's pytest and nothing else; the rest comes with that option.
"""
