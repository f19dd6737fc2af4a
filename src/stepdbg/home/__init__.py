"""What stepdbg keeps in the user's own folders: settings, and the state of each script. No screen, no torch."""
