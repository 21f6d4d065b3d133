"""The pure simulator core: no I/O, no clock, no dice. Time is an argument."""
