"""The lab's physics exist to contradict the rest: what nodes, trust lists and phones really do.

Pure and hashable, over (unit, node, generation); nothing of ours is imported but the words.
"""
