"""Recipes: a network and how it is trained.

`recipe.py` says what a recipe is and how its params are set by name, `papers.py` and `ours.py` hold those that have a
name, and `catalog.py` finds them. `config.py` reads params from a file; `structure.py` writes recipes to JSON and back.
"""
