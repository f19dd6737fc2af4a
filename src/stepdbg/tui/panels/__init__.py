"""The panels: a folder for each, with the widget in `panel` and what it draws, as pure functions, beside it. `panel` in
this folder is what they have in common.
"""
