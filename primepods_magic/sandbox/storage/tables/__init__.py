"""The tables of the sandbox's database, each with the questions that are asked of it."""
