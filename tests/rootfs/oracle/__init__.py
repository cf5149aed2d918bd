"""What layers make, worked out slowly and plainly from the text of the OCI image-spec and the rules of this project.

It shares no code with the library: it has its own reader of tar, and the trees are in memory.
"""
