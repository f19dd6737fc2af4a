"""What the rules find in these programs, and is so: by program the names of the rules, each with why it is true."""

TRULY_WRONG: dict[str, dict[str, str]] = {
    "every_scheduler": {
        "optimizer-recreated": "each scheduler gets an SGD of its own over the same net, with momentum: what the "
        "one before had gathered is lost"
    },
    "exceptions_caught": {
        "clip-misplaced": "it clips after a step, with no backward in between, to see what is raised"
    },
    "scheduler_too_early": {"scheduler-before-step": "it is what the program is for; torch warns of it too"},
}
