"""The dialogs that ask for one thing: a breakpoint, a value, a line, how to leave. Begin with `dialog`."""
