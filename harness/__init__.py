"""Runs it all: command line, runner, workers, store, leaderboard and pictures."""
