"""Made by protos/generate.py."""
