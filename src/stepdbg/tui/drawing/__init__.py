"""How lines become cells on a terminal: text of exact width, colours, tones, and which cells have changed. Nothing here
knows what it draws; begin with `lines`.
"""
