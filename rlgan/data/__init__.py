"""The data of the tasks: sources of the real batch of a step."""
