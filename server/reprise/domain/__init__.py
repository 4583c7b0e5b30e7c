"""Plain values: states and their allowed moves, resource names, errors. Imports nothing of ours."""
