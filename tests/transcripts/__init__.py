"""Golden files: runs whose answers are kept, to be read and to be noticed when they change."""
