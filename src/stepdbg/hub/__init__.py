"""The session: a server that keeps its state, outlives every screen, and knows neither torch nor a screen."""
