"""The core: errors, the interfaces that plugins implement, hooks, registry, discovery, and the reading of recipes.

Nothing here imports another part of inpaintkit, and no paper is named.
"""
