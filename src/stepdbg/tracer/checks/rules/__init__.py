"""The rules, one a file. A file `stale_gradients.py` holds the class `StaleGradients`, whose name is `stale-gradients`.

To add one: its file here, its page `docs/rules/NAME.md`, its faulty scripts and their repaired twins in
`tests/zoo/NAME`. A test holds that all three are there.
"""
