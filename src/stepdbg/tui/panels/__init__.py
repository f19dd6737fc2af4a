"""The panels: a folder for each, with the widget in `panel` and what it draws, as pure functions, beside it. No
panel knows another; what they have in common is `panel_base`.
"""
